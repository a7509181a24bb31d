package main

import (
	"bufio"
	"fmt"
	"io"
	"os"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
)

// stream writes the records that continue behind the filter, one JSON object a line.
type stream struct {
	to    *bufio.Writer
	close func() error
}

// openStream opens a file to append to; "stdout" is the standard output, and "" nothing: the stream is nil then.
func openStream(name string, stdout io.Writer) (*stream, error) {
	switch name {
	case "":
		return nil, nil
	case "stdout":
		return &stream{to: bufio.NewWriterSize(stdout, 64<<10), close: func() error { return nil }}, nil
	}
	file, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		return nil, err
	}
	return &stream{to: bufio.NewWriterSize(file, 64<<10), close: file.Close}, nil
}

// write writes the records of a chunk. A nil stream writes nothing.
func (s *stream) write(chunk []byte) error {
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

// end closes the stream.
func (s *stream) end() error {
	if s == nil {
		return nil
	}
	return s.close()
}
