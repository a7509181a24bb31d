package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/bench/ruleset"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
)

// modSecurity is libmodsecurity in a program of its own, bench/modsecurity/inspect.c, which tells the processor time it takes.
type modSecurity struct {
	version  string
	ready    time.Duration // processor time for loading the rules
	resident int64         // bytes, with the rules loaded
	command  *exec.Cmd
	in       io.WriteCloser
	out      *bufio.Reader
	dir      string
}

// newModSecurity starts the program with the rules as files.
func newModSecurity(program string) (*modSecurity, error) {
	dir, err := os.MkdirTemp("", "modsecurity-rules-")
	if err != nil {
		return nil, err
	}
	m := &modSecurity{dir: dir}
	if err := m.start(program); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return m, nil
}

func (m *modSecurity) start(program string) error {
	files, err := ruleset.Write(m.dir)
	if err != nil {
		return err
	}
	m.command = exec.Command(program, files...)
	m.command.Stderr = os.Stderr
	if m.in, err = m.command.StdinPipe(); err != nil {
		return err
	}
	out, err := m.command.StdoutPipe()
	if err != nil {
		return err
	}
	m.out = bufio.NewReader(out)
	if err := m.command.Start(); err != nil {
		return err
	}
	return m.readReady()
}

func (m *modSecurity) readReady() error {
	line, err := m.line()
	if err != nil {
		return fmt.Errorf("libmodsecurity does not load the rules: %w", err)
	}
	m.version = strings.TrimPrefix(line, "ready ")
	nanoseconds, err := m.number()
	if err != nil {
		return err
	}
	kilobytes, err := m.number()
	m.ready, m.resident = time.Duration(nanoseconds), kilobytes<<10
	return err
}

// close ends the program, which stops at the end of its input, and removes the rules.
func (m *modSecurity) close() {
	m.in.Close()
	if err := errors.Join(m.command.Wait(), os.RemoveAll(m.dir)); err != nil {
		fmt.Fprintln(os.Stderr, "bench: libmodsecurity:", err)
	}
}

func (m *modSecurity) line() (string, error) {
	line, err := m.out.ReadString('\n')
	return strings.TrimSuffix(line, "\n"), err
}

func (m *modSecurity) number() (int64, error) {
	line, err := m.line()
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(line, 10, 64)
}

func (m *modSecurity) run(records []corpus.Record) (r result, err error) {
	batch := binary.LittleEndian.AppendUint32(nil, uint32(len(records)))
	for _, t := range transactions(records) {
		batch = t.append(batch)
	}
	if _, err := m.in.Write(batch); err != nil {
		return r, fmt.Errorf("libmodsecurity: %w", err)
	}
	for range records {
		line, err := m.line()
		if err != nil {
			return r, fmt.Errorf("libmodsecurity: %w", err)
		}
		var ids []int
		for _, word := range strings.Fields(line) {
			id, err := strconv.Atoi(word)
			if err != nil {
				return r, fmt.Errorf("libmodsecurity: %w", err)
			}
			ids = append(ids, id)
		}
		r.add(ids)
	}
	nanoseconds, err := m.number()
	r.took = time.Duration(nanoseconds)
	return r, err
}

// append writes a transaction in the form that inspect.c reads.
func (t *transaction) append(b []byte) []byte {
	text := func(s string) { b = append(binary.LittleEndian.AppendUint32(b, uint32(len(s))), s...) }
	number := func(n int) { b = binary.LittleEndian.AppendUint32(b, uint32(n)) }
	list := func(headers []header) {
		number(len(headers))
		for _, h := range headers {
			text(h.name)
			text(h.value)
		}
	}
	text(t.SrcIP)
	number(t.SrcPort)
	text(t.DstIP)
	number(t.DstPort)
	text(t.Method)
	text(t.Target)
	text("1.1")
	list(t.requestHeaders)
	text(t.RequestBody)
	number(t.Status)
	list(t.responseHeaders)
	text(t.ResponseBody)
	return b
}
