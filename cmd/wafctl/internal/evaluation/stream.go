package evaluation

import (
	"bufio"
	"fmt"
	"io"
	"os"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
)

// Stream writes the records that continue behind the filter, one JSON object per line.
type Stream struct {
	to    *bufio.Writer
	close func() error
}

// OpenStream opens a file to append to; "stdout" is the standard output, and "" nothing: the stream is nil then.
func OpenStream(name string, stdout io.Writer) (*Stream, error) {
	switch name {
	case "":
		return nil, nil
	case "stdout":
		return &Stream{to: bufio.NewWriterSize(stdout, 64<<10), close: func() error { return nil }}, nil
	}
	file, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		return nil, err
	}
	return &Stream{to: bufio.NewWriterSize(file, 64<<10), close: file.Close}, nil
}

// Write writes the records of a chunk. A nil stream writes nothing.
func (s *Stream) Write(chunk []byte) error {
	if s == nil {
		return nil
	}
	for len(chunk) > 0 {
		event, rest, err := record.Next(chunk)
		if err != nil {
			return fmt.Errorf("write records: %w", err)
		}
		chunk = rest
		s.to.Write(alert.JSON(event.Body))
		s.to.WriteByte('\n')
	}
	if err := s.to.Flush(); err != nil {
		return fmt.Errorf("write records: %w", err)
	}
	return nil
}

// End closes the stream.
func (s *Stream) End() error {
	if s == nil {
		return nil
	}
	return s.close()
}
