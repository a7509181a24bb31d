package fieldmap

import (
	"mime"
	"strings"
)

// closeMultipart returns how much of a cut multipart body to keep and what to append, so that it is a whole one: the last part
// ends where the body is cut. A part that is cut in its header lines keeps the whole ones.
func closeMultipart(body, boundary string) (keep int, tail string) {
	delimiter, lineEnd := "--"+boundary, "\r\n"
	start := lastDelimiter(body, delimiter)
	if start < 0 {
		return len(body), ""
	}
	end := delimiter + "--"
	line, rest, hasEnd := strings.Cut(body[start+len(delimiter):], "\n")
	switch {
	case strings.HasPrefix(line, "--") && hasEnd:
		return len(body), ""
	case !hasEnd:
		return start, end
	case !strings.HasSuffix(line, "\r"):
		lineEnd = "\n"
	}
	if strings.Contains(rest, lineEnd+lineEnd) || strings.HasPrefix(rest, lineEnd) {
		return len(body) - suffixPrefix(rest, lineEnd+end), lineEnd + end
	}
	lines := strings.LastIndexByte(rest, '\n') + 1
	if last := strings.TrimSuffix(rest[lines:], "\r"); isWholeDisposition(last) {
		return len(body) - len(rest) + lines + len(last), lineEnd + lineEnd + lineEnd + end
	}
	if lines == 0 {
		return start, end
	}
	return len(body) - len(rest) + lines, lineEnd + lineEnd + end
}

// lastDelimiter returns where the last delimiter line starts, -1 when there is none.
func lastDelimiter(body, delimiter string) int {
	for end := len(body); ; {
		at := strings.LastIndex(body[:end], delimiter)
		if at < 0 {
			return at
		}
		behind := strings.TrimLeft(body[at+len(delimiter):], blanks)
		if (at == 0 || body[at-1] == '\n') && (behind == "" || strings.IndexByte("-\r\n", behind[0]) >= 0) {
			return at
		}
		end = at
	}
}

// suffixPrefix returns the size of the longest end of s that is a start of t.
func suffixPrefix(s, t string) int {
	for n := min(len(s), len(t)); n > 0; n-- {
		if strings.HasPrefix(t, s[len(s)-n:]) {
			return n
		}
	}
	return 0
}

// isWholeDisposition reports whether a header line without its end says all that it has to: it closes a quoted parameter.
func isWholeDisposition(line string) bool {
	const name = "content-disposition:"
	if len(line) < len(name) || !strings.EqualFold(line[:len(name)], name) || !strings.HasSuffix(line, `"`) {
		return false
	}
	_, _, err := mime.ParseMediaType(line[len(name):])
	return err == nil
}
