package fieldmap

import "strings"

// framing says what a body has of chunked framing.
type framing uint8

const (
	unframed framing = iota // the log has the body without framing, or something else
	cutFrame                // framed, and the last chunk is missing
	framed                  // framed to the end
)

// unchunk removes chunked framing from a body that has it. The result is a view of the body when that is one chunk, and else
// written over buf, which comes back as it has grown.
func unchunk(buf []byte, body string) (out string, grown []byte, state framing) {
	state, chunks, first := walkChunks(body, nil)
	switch {
	case state == unframed:
		return body, buf, unframed
	case chunks <= 1:
		return first, buf, state
	}
	buf = buf[:0]
	walkChunks(body, &buf)
	return view(buf), buf, state
}

// walkChunks reads all chunks of a body and appends their data to dst unless it is nil.
func walkChunks(body string, dst *[]byte) (state framing, chunks int, first string) {
	for {
		size, rest, line := chunkSize(body)
		switch {
		case line == noSize, line == cutSize && chunks == 0:
			return unframed, 0, ""
		case line == cutSize && (size > 0 || body == ""):
			return cutFrame, chunks, first
		case size == 0 && startsLineEnd(rest):
			return framed, chunks, first
		case size == 0:
			return unframed, 0, ""
		}
		data := rest[:min(size, len(rest))]
		if chunks++; chunks == 1 {
			first = data
		}
		if dst != nil {
			*dst = append(*dst, data...)
		}
		body = rest[len(data):]
		switch {
		case len(data) == size && strings.HasPrefix(body, "\r\n"):
			body = body[2:]
		case startsLineEnd(body):
			return cutFrame, chunks, first
		default:
			return unframed, 0, ""
		}
	}
}

// startsLineEnd reports whether a text is a line end or the start of one.
func startsLineEnd(s string) bool { return s == "" || s == "\r" || s == "\r\n" }

// sizeLine says what a line is that should start a chunk.
type sizeLine uint8

const (
	wholeSize sizeLine = iota
	cutSize            // the body ends in the line
	noSize
)

const maxSizeDigits = 8

// chunkSize reads the line that starts a chunk. A line with anything but digits and spaces is none, nor is a last chunk that
// has trailers behind it: what servers pass over there must not hide from the rules.
func chunkSize(body string) (size int, rest string, line sizeLine) {
	digits := 0
	for digits < len(body) && digits <= maxSizeDigits {
		value := strings.IndexByte("0123456789abcdef", body[digits]|0x20)
		if value < 0 || body[digits] < '0' {
			break
		}
		size = size<<4 | value
		digits++
	}
	rest = strings.TrimLeft(body[digits:], blanks)
	switch {
	case digits > maxSizeDigits || digits == 0 && body != "":
		return 0, "", noSize
	case strings.HasPrefix(rest, "\r\n"):
		return size, rest[2:], wholeSize
	case startsLineEnd(rest):
		return size, "", cutSize
	}
	return 0, "", noSize
}
