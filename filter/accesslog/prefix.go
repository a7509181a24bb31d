package accesslog

import (
	"strings"
	"time"
)

// trimPrefixes takes off what syslog and container runtimes write before a line. Cut reports that the runtime has split the line,
// and more of it follows in the next.
func trimPrefixes(line string) (rest string, cut bool) {
	if rest, cut, is := trimContainer(line); is {
		return rest, cut
	}
	return trimSyslog(line), false
}

// trimContainer takes off the time, stream and tag that Kubernetes' container runtimes write: 2024-05-30T07:16:48.9Z stdout F.
func trimContainer(line string) (rest string, cut, is bool) {
	stamp, rest, _ := strings.Cut(line, " ")
	stream, rest, _ := strings.Cut(rest, " ")
	tag, rest, found := strings.Cut(rest, " ")
	if !found || stream != "stdout" && stream != "stderr" || tag != "F" && tag != "P" || !isTime(time.RFC3339, stamp) {
		return line, false, false
	}
	return rest, tag == "P", true
}

// trimSyslog takes off a header of RFC 3164 or RFC 5424, or one as rsyslog writes to files.
func trimSyslog(line string) string {
	rest := line
	if strings.HasPrefix(rest, "<") {
		number, behind, found := strings.Cut(rest[1:], ">")
		if !found || !isNumber(number) || len(number) > 3 {
			return line
		}
		if rest = behind; strings.HasPrefix(rest, "1 ") {
			return trimRFC5424(line, rest[2:])
		}
	}
	rest, timed := trimStamp(rest)
	if !timed {
		return line
	}
	host, behind, _ := strings.Cut(rest, " ")
	if strings.HasSuffix(host, ":") { // a program without its host, as HAProxy and nginx can be told to write
		return behind
	}
	program, behind, found := strings.Cut(behind, " ")
	if !found || !strings.HasSuffix(program, ":") {
		return line
	}
	return strings.TrimLeft(behind, " ")
}

// trimStamp takes off the time of a syslog header with the space behind it.
func trimStamp(line string) (rest string, ok bool) {
	const short = len(time.Stamp)
	if len(line) > short && line[3] == ' ' && line[short-3] == ':' && line[short] == ' ' && isTime(time.Stamp, line[:short]) {
		return line[short+1:], true
	}
	stamp, rest, found := strings.Cut(line, " ")
	if !found || !startsWithDate(stamp) || !isTime(time.RFC3339, stamp) && !isTime("2006-01-02T15:04:05Z0700", stamp) {
		return line, false
	}
	return rest, true
}

// trimRFC5424 takes off time, host, program, process, message id and structured data. Whole is returned for what is no such header.
func trimRFC5424(whole, rest string) string {
	stamp, rest, _ := strings.Cut(rest, " ")
	if stamp != "-" && !isTime(time.RFC3339, stamp) {
		return whole
	}
	for range 4 {
		var found bool
		if _, rest, found = strings.Cut(rest, " "); !found {
			return whole
		}
	}
	if data, behind, found := strings.Cut(rest, " "); found && data == "-" {
		return strings.TrimPrefix(behind, "\ufeff")
	}
	t := tokens{rest}
	if data, ok := t.next(); !ok || data[0] != '[' {
		return whole
	}
	return strings.TrimPrefix(t.rest, "\ufeff")
}
