//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
)

// Sorts of the records of mixed traffic. All but the attacks are clean, no HTTP, or whatever the rules make of them.
const (
	repeated = "repeated" // clean, one of fifty transactions
	unique   = "unique"   // clean, each for the first time
	upload   = "upload"   // clean, with whole bodies
	bulky    = "bulky"    // clean, with a form of 50 kB
	attack   = "attack"
	again    = "again" // an attack that its client repeats
	other    = "other" // another protocol
	garbage  = "garbage"
	odd      = "odd" // HTTP with a head that no client would send
)

// shares are the parts of a hundred records.
var shares = []struct {
	sort string
	part int
}{{repeated, 40}, {unique, 39}, {upload, 3}, {bulky, 1}, {attack, 3}, {again, 1}, {other, 6}, {garbage, 3}, {odd, 4}}

// sortOf returns the sort of record n. Sorts take turns, in an order that looks like none.
func sortOf(n int) string {
	place := n * 37 % 100
	for _, share := range shares {
		if place -= share.part; place < 0 {
			return share.sort
		}
	}
	panic("the parts are less than a hundred")
}

// start is what times in marks count from. Letters between the numbers keep them from looking like that of a card, which alerts must not
// tell.
var start = time.Now()

// markOf is what tells a record apart on its way: its sort, its number, and when it was sent.
func markOf(sort string, n int, sent time.Time) string {
	return fmt.Sprintf("soak-%s-n%d-t%d.", sort, n, sent.Sub(start).Microseconds())
}

// mixed returns record n of mixed traffic with its mark, without a newline.
func mixed(n int, sent time.Time) []byte {
	sort, number := sortOf(n), uint64(n)
	mark := markOf(sort, n, sent)
	switch sort {
	case repeated:
		r := corpus.Clean(number % 50)
		r = r.Again(number)
		return asJSON(&r, corpus.ProbeLimit, mark)
	case attack:
		r := corpus.Attack(number)
		return asJSON(&r, corpus.ProbeLimit, mark)
	case again:
		r := corpus.Attack(7)
		r = r.Again(number)
		return asJSON(&r, corpus.ProbeLimit, mark)
	case other:
		return fmt.Appendf(nil, `{"L7_PROTOCOL":"dns","QUERY":"host%d.example.org","message":"%s"}`, n, mark)
	case garbage:
		return fmt.Appendf(nil, `{"URL":"/%d", not JSON: %s`, n, mark)
	case odd:
		r := corpus.Clean(1<<32 + number)
		lines := []string{"no colon", "X-Nul: a\x00b", "X-Return: a\rb", "X-Folded: a\r\n  b", strings.Repeat("x", 3000) + ": 1"}
		r.RequestHead = strings.TrimSuffix(r.RequestHead, "\r\n") + lines[n/100%len(lines)] + "\r\n\r\n"
		return asJSON(&r, corpus.ProbeLimit, mark)
	case upload:
		r := corpus.Clean(1<<32 + number)
		return asJSON(&r, 0, mark)
	case bulky:
		r := bigForm(number)
		return asJSON(&r, 0, mark)
	default:
		r := corpus.Clean(1<<32 + number)
		return asJSON(&r, corpus.ProbeLimit, mark)
	}
}

// bigForm is a transaction of the corpus with a form of 50 kB of words that no other one has.
func bigForm(n uint64) corpus.Record {
	r := corpus.Clean(0)
	for i := uint64(0); r.Kind != "shop" || r.Method != "GET"; i++ {
		r = corpus.Clean(i)
	}
	var body strings.Builder
	for i := range 50 {
		fmt.Fprintf(&body, "&note%d=%s", i, strings.Repeat(fmt.Sprintf("order+%d+of+%d+arrived+", i, n), 40))
	}
	r.RequestBody = body.String()[1:]
	line, rest, _ := strings.Cut(r.RequestHead, "\r\n")
	r.RequestHead = "POST" + strings.TrimPrefix(line, r.Method) + "\r\n" + strings.TrimSuffix(rest, "\r\n") +
		fmt.Sprintf("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n", len(r.RequestBody))
	r.Method = "POST"
	return r
}

// asJSON writes a record as a probe sends it, with its mark for a message.
func asJSON(r *corpus.Record, limit int, mark string) []byte {
	text := []byte{'{'}
	for _, field := range r.Nano(limit) {
		if field.Key == "message" {
			field.Value = mark
		}
		value, err := json.Marshal(field.Value)
		if err != nil {
			panic(err)
		}
		text = append(append(fmt.Appendf(text, "%q:", field.Key), value...), ',')
	}
	text[len(text)-1] = '}'
	return text
}

// mixer sends mixed traffic over TCP, UDP and through a file, numbered from 0.
type mixer struct {
	t        *testing.T
	tcp, udp net.Conn
	file     *os.File
	sent     int
	// How many of them went through the file, and how many are attacks.
	inFile, attacks int
}

// longestDatagram is how long a record may be to be sent over UDP.
const longestDatagram = 8 << 10

func mix(t *testing.T, port int, dir string) *mixer {
	t.Helper()
	m := &mixer{t: t}
	var err error
	m.tcp, err = net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	require.NoError(t, err)
	m.udp, err = net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", port))
	require.NoError(t, err)
	m.file, err = os.OpenFile(filepath.Join(dir, "in"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	require.NoError(t, err)
	t.Cleanup(func() {
		m.tcp.Close()
		m.udp.Close()
		m.file.Close()
	})
	return m
}

// send sends the next record: one in twenty through the file, two over UDP, the others over TCP.
func (m *mixer) send() {
	record := mixed(m.sent, time.Now())
	way := m.sent / 7 % 20
	var err error
	switch {
	case way == 0 && json.Valid(record):
		m.inFile++
		_, err = m.file.Write(append(record, '\n'))
	case way < 3 && len(record) < longestDatagram:
		_, err = m.udp.Write(record)
	default:
		_, err = m.tcp.Write(append(record, '\n'))
	}
	require.NoError(m.t, err)
	if sort := sortOf(m.sent); sort == attack || sort == again {
		m.attacks++
	}
	m.sent++
}

// at sends so many records a second until a time, in small bursts.
func (m *mixer) at(perSecond float64, until time.Time) {
	begin := time.Now()
	for n := 0; time.Now().Before(until); time.Sleep(2 * time.Millisecond) {
		for due := int(time.Since(begin).Seconds() * perSecond); n < due; n++ {
			m.send()
		}
	}
}

// parseMark finds the mark in a line.
func parseMark(line []byte) (sort string, n int, sent time.Time, found bool) {
	_, rest, found := bytes.Cut(line, []byte("soak-"))
	if !found {
		return "", 0, sent, false
	}
	mark, _, found := bytes.Cut(rest, []byte("."))
	var micros int64
	parts := strings.Split(string(mark), "-")
	if !found || len(parts) != 3 {
		return "", 0, sent, false
	}
	if _, err := fmt.Sscanf(parts[1], "n%d", &n); err != nil {
		return "", 0, sent, false
	}
	if _, err := fmt.Sscanf(parts[2], "t%d", &micros); err != nil {
		return "", 0, sent, false
	}
	return parts[0], n, start.Add(time.Duration(micros) * time.Microsecond), true
}
