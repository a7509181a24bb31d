//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// arrivals is what has come of mixed traffic at one place.
type arrivals struct {
	mu       sync.Mutex
	seen     []uint64 // a bit for each number
	distinct int
	lines    int // all of them, with a mark or without
	repeats  int // numbers that had come already
	unmarked int // lines without a mark
	fates    map[fate]int
	delays   []time.Duration // from sending to arrival, since they were last taken
}

// fate is what a record tells about itself.
type fate struct{ sort, verdict string }

// Verdicts that a record tells.
const (
	none    = "none"
	alerts  = "alert"
	late    = "late"
	partial = "partial"
)

func verdictIn(line []byte) string {
	switch {
	case bytes.Contains(line, []byte(`"alert":true`)):
		return alerts
	case bytes.Contains(line, []byte(`"waf":{"inspected":"none"`)):
		return late
	case bytes.Contains(line, []byte(`"waf":{"partial"`)):
		return partial
	default:
		return none
	}
}

func (a *arrivals) add(line []byte) {
	now := time.Now()
	sort, n, sent, found := parseMark(line)
	verdict := verdictIn(line)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lines++
	if !found {
		a.unmarked++
		return
	}
	for len(a.seen) <= n/64 {
		a.seen = append(a.seen, 0)
	}
	if a.seen[n/64]&(1<<(n%64)) != 0 {
		a.repeats++
		return
	}
	a.seen[n/64] |= 1 << (n % 64)
	a.distinct++
	a.fates[fate{sort, verdict}]++
	a.delays = append(a.delays, now.Sub(sent))
}

func (a *arrivals) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.distinct
}

// total returns how many lines have come.
func (a *arrivals) total() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.lines
}

// quantiles returns the median and the 99th percentile of the delays since they were last taken.
func (a *arrivals) quantiles() (p50, p99 time.Duration) {
	a.mu.Lock()
	delays := a.delays
	a.delays = nil
	a.mu.Unlock()
	if len(delays) == 0 {
		return 0, 0
	}
	slices.Sort(delays)
	return delays[len(delays)/2], delays[len(delays)*99/100]
}

// listenLines receives lines over TCP.
func listenLines(t *testing.T) (a *arrivals, port int) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	a = &arrivals{fates: map[fate]int{}}
	go accept(listener, func(conn net.Conn) { go a.readLines(conn) })
	return a, listener.Addr().(*net.TCPAddr).Port
}

func (a *arrivals) readLines(conn net.Conn) {
	defer conn.Close()
	lines := bufio.NewReaderSize(conn, 64<<10)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		a.add(line)
	}
}
