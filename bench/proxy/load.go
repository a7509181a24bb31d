package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
)

// makeRequests returns requests as bytes; those of two numbers have none in common.
func makeRequests(kind string, number uint64, n int) [][]byte {
	all := make([][]byte, n)
	for i := range all {
		at := number<<32 + uint64(i)
		r := corpus.Clean(at)
		if kind == "attacks" {
			r = corpus.Attack(at)
		}
		all[i] = []byte(r.RequestHead + r.RequestBody)
	}
	return all
}

// result is what has come of a run.
type result struct {
	requests, blocked int
	took, cpu         time.Duration // cpu is that of the contestant
	times             []time.Duration
}

func (r result) rate() float64    { return float64(r.requests) / r.took.Seconds() }
func (r result) cpuEach() float64 { return float64(r.cpu.Microseconds()) / float64(max(r.requests, 1)) }

// quantile returns how long a part of the requests took at most. The times are in order.
func (r result) quantile(q float64) time.Duration {
	if len(r.times) == 0 {
		return 0
	}
	return r.times[min(int(q*float64(len(r.times))), len(r.times)-1)]
}

// String implements fmt.Stringer.
func (r result) String() string {
	return fmt.Sprintf("%.0f/s, p50 %s, p99 %s, %.0f µs, %d blocked", r.rate(), milliseconds(r.quantile(0.5)), milliseconds(r.quantile(0.99)), r.cpuEach(), r.blocked)
}

// run sends requests over a number of connections for a while.
func (c *contestant) run(requests [][]byte, connections int, length time.Duration) (r result, err error) {
	var next atomic.Int64
	var mu sync.Mutex
	var problems []error
	var working sync.WaitGroup
	before, begin := c.cpu(), time.Now()
	for range connections {
		working.Go(func() {
			part, err := c.send(requests, &next, begin.Add(length))
			mu.Lock()
			defer mu.Unlock()
			r.requests += part.requests
			r.blocked += part.blocked
			r.times = append(r.times, part.times...)
			problems = append(problems, err)
		})
	}
	working.Wait()
	r.took, r.cpu = time.Since(begin), c.cpu()-before
	slices.Sort(r.times)
	return r, errors.Join(problems...)
}

// send sends over one connection, and over another one where that is closed, until the end.
func (c *contestant) send(requests [][]byte, next *atomic.Int64, end time.Time) (r result, err error) {
	var conn net.Conn
	var answers *bufio.Reader
	for time.Now().Before(end) {
		if conn == nil {
			if conn, err = net.Dial("tcp", c.address); err != nil {
				return r, err
			}
			answers = bufio.NewReader(conn)
		}
		i := int(next.Add(1)-1) % len(requests)
		start := time.Now()
		if _, err := conn.Write(requests[i]); err != nil {
			return r, err
		}
		status, closes, err := readAnswer(answers)
		if err != nil {
			return r, err
		}
		r.times = append(r.times, time.Since(start))
		r.requests++
		switch {
		case status == 403:
			r.blocked++
		case status >= 400:
			return r, fmt.Errorf("status %d for\n%s", status, requests[i])
		}
		if closes {
			conn.Close()
			conn = nil
		}
	}
	if conn != nil {
		conn.Close()
	}
	return r, nil
}

// readAnswer reads a response with as little work as possible: the load shares its core with the backend.
func readAnswer(from *bufio.Reader) (status int, closes bool, err error) {
	length, chunked := 0, false
	for first := true; ; first = false {
		line, err := from.ReadSlice('\n')
		if err != nil {
			return 0, false, err
		}
		switch {
		case first:
			status, err = strconv.Atoi(string(line[9:12]))
		case len(line) == 2:
			if chunked {
				return status, closes, discardChunks(from)
			}
			_, err := from.Discard(length)
			return status, closes, err
		case startsWith(line, "content-length: "):
			length, err = strconv.Atoi(string(bytes.TrimSpace(line[16:])))
		case startsWith(line, "connection: close"):
			closes = true
		case startsWith(line, "transfer-encoding: chunked"):
			chunked = true
		}
		if err != nil {
			return 0, false, err
		}
	}
}

func startsWith(line []byte, text string) bool {
	return len(line) >= len(text) && bytes.EqualFold(line[:len(text)], []byte(text))
}

func discardChunks(from *bufio.Reader) error {
	for {
		line, err := from.ReadSlice('\n')
		if err != nil {
			return err
		}
		size, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 32)
		if err != nil {
			return err
		}
		if _, err := from.Discard(int(size) + 2); err != nil {
			return err
		}
		if size == 0 {
			return nil
		}
	}
}

// startBackend answers every request with the same few hundred bytes.
func startBackend(html bool) (net.Listener, error) {
	kind, body := "application/json", `{"items":[`+string(bytes.Repeat([]byte(`{"id":1,"name":"shoes","price":"19.90"},`), 5))+`{"id":2}]}`
	if html {
		kind, body = "text/html; charset=utf-8", "<!doctype html><title>Shop</title>"+string(bytes.Repeat([]byte("<p>Shoes for 19.90, in stock</p>\n"), 15))
	}
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Type: " + kind + "\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go loopback.Accept(l, func(conn net.Conn) {
		from := bufio.NewReader(conn)
		for readRequest(from) == nil {
			if _, err := conn.Write(answer); err != nil {
				return
			}
		}
	})
	return l, nil
}

// readRequest reads a request and forgets it.
func readRequest(from *bufio.Reader) error {
	length, chunked := 0, false
	for {
		line, err := from.ReadSlice('\n')
		if err != nil {
			return err
		}
		switch {
		case len(line) == 2 && chunked:
			return discardChunks(from)
		case len(line) == 2:
			_, err := io.CopyN(io.Discard, from, int64(length))
			return err
		case startsWith(line, "content-length: "):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[16:]))); err != nil {
				return err
			}
		case startsWith(line, "transfer-encoding: chunked"):
			chunked = true
		}
	}
}
