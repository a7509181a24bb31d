package accesslog

import (
	"slices"
	"strings"
	"time"

	"github.com/tinylib/msgp/msgp"
)

// Columns are the names of the fields in lines of the extended format, as its directive #Fields gives them.
type Columns struct {
	names []string
	line  string // the directive
}

// Bounds of a directive.
const (
	maxDirective  = 4 << 10 // bytes
	maxColumns    = 256
	maxColumnName = 64 // bytes
)

const fieldsDirective = "#Fields:"

// ReadColumns reads the directive #Fields. It reports false for any other line, and for one that is not of requests.
func ReadColumns(line string) (*Columns, bool) {
	line = strings.TrimRight(line, "\r\n\x00")
	names, found := strings.CutPrefix(line, fieldsDirective)
	if !found || len(line) > maxDirective {
		return nil, false
	}
	c := &Columns{line: strings.Clone(line)}
	c.names = strings.Fields(c.line[len(line)-len(names):])
	if len(c.names) == 0 || len(c.names) > maxColumns || slices.ContainsFunc(c.names, func(n string) bool { return len(n) > maxColumnName }) {
		return nil, false
	}
	return c, true
}

// String returns the directive.
func (c *Columns) String() string { return c.line }

var directives = []string{"Version", "Fields", "Software", "Start-Date", "End-Date", "Date", "Remark"}

// isDirective reports whether a line is one of those that describe a log.
func isDirective(line string) bool {
	name, _, found := strings.Cut(line[1:], ":")
	return found && slices.Contains(directives, name)
}

// The columns that IIS and CloudFront write unless they are configured otherwise: a reader that starts in the middle of a log has
// not seen the directive.
var (
	iisColumns = columns("date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) " +
		"sc-status sc-substatus sc-win32-status time-taken")
	oldIISColumns = columns("date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) " +
		"sc-status sc-substatus sc-win32-status time-taken")
	cloudFrontColumns = columns("date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) " +
		"cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken " +
		"x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version fle-status fle-encrypted-fields c-port " +
		"time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len sc-range-start sc-range-end")
)

// oldestCloudFront is how many of its columns CloudFront has written at least since 2014.
const oldestCloudFront = 20

func columns(names string) *Columns {
	return &Columns{names: strings.Fields(names), line: fieldsDirective + " " + names}
}

// w3cDefault reads a line whose columns are not known as one of IIS or CloudFront.
func (w *writer) w3cDefault(line string) bool {
	if !startsWithDate(line) {
		return false
	}
	if n := strings.Count(line, "\t") + 1; n >= oldestCloudFront {
		n = min(n, len(cloudFrontColumns.names))
		return w.w3cRequest(cloudFrontColumns.names[:n], &values{line: line, separator: '\t'})
	}
	n := strings.Count(line, " ") + 1
	for _, c := range [...]*Columns{iisColumns, oldIISColumns} {
		if n == len(c.names) {
			return w.w3cRequest(c.names, &values{line: line, separator: ' '})
		}
	}
	return false
}

// w3c reads a line with known columns. Values stand between tabs, or between spaces: then they may be in quotes. A line that has
// half of them ends early.
func (w *writer) w3c(line string, c *Columns) bool {
	separator := byte(' ')
	if strings.IndexByte(line, '\t') >= 0 {
		separator = '\t'
	}
	from := values{line: line, separator: separator}
	n := strings.Count(line, string(separator)) + 1
	if n > len(c.names) && separator == ' ' {
		from.list = splitQuoted(line)
		n = len(from.list)
	}
	if n > len(c.names) || 2*n < len(c.names) || !w.w3cRequest(c.names[:n], &from) {
		return false
	}
	w.cut = n < len(c.names)
	return true
}

// values are the values of a line, one after the other.
type values struct {
	line      string // what is left
	separator byte
	list      []string // instead, when it has any
}

func (v *values) next() (value string) {
	if len(v.list) > 0 {
		value, v.list = v.list[0], v.list[1:]
		return value
	}
	at := strings.IndexByte(v.line, v.separator)
	if at < 0 {
		value, v.line = v.line, ""
		return value
	}
	value, v.line = v.line[:at], v.line[at+1:]
	return value
}

// splitQuoted splits at spaces that are not in quotes; two quotes inside quotes are one.
func splitQuoted(line string) (all []string) {
	for rest := line; ; {
		if !strings.HasPrefix(rest, `"`) {
			value, behind, more := strings.Cut(rest, " ")
			all = append(all, value)
			if !more {
				return all
			}
			rest = behind
			continue
		}
		end := 1
		for end < len(rest) && (rest[end] != '"' || strings.HasPrefix(rest[end+1:], `"`)) {
			if rest[end] == '"' {
				end++
			}
			end++
		}
		if end >= len(rest) || end+1 < len(rest) && rest[end+1] != ' ' {
			return append(all, rest) // what follows cannot be distinguished
		}
		all = append(all, strings.ReplaceAll(rest[1:end], `""`, `"`))
		if end+1 == len(rest) {
			return all
		}
		rest = rest[end+2:]
	}
}

// w3cChecks says what the values of fields have to be. A dash stands for nothing.
var w3cChecks = map[string]func(string) bool{
	"date":      inLayout(time.DateOnly),
	"time":      inLayout(time.TimeOnly),
	"c-ip":      orDash(isAddress),
	"s-ip":      orDash(isAddress),
	"cs-method": orDash(IsToken),
	"sc-status": orDash(isNumber),
	"s-port":    orDash(isNumber),
	"c-port":    orDash(isNumber),
}

// w3cRequest adds the values of a request, and its time in one text. There are as many of them as names, or more. It reports false
// when a value is not what it has to be, and when there is no method or no target.
func (w *writer) w3cRequest(names []string, from *values) bool {
	var date, clock string
	hasMethod, hasTarget := false, false
	for _, name := range names {
		value := from.next()
		if is := w3cChecks[name]; value == "" || is != nil && !is(value) {
			return w.reset()
		}
		switch name {
		case "date":
			date = value
		case "time":
			clock = value
		case "cs-method":
			hasMethod = true
		case "cs-uri", "cs-uri-stem":
			hasTarget = true
		}
		w.add(name, value)
	}
	if !hasMethod || !hasTarget {
		return w.reset()
	}
	if date != "" && clock != "" {
		var text [40]byte
		w.key("datetime")
		w.dst = msgp.AppendStringFromBytes(w.dst, append(append(append(append(text[:0], date...), 'T'), clock...), 'Z'))
	}
	return true
}
