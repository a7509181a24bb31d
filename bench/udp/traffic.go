package main

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/net/ipv4"

	"github.com/fluent-bit-waf/fluent-bit-waf/bench/fluentbit"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
)

// traffic is a set of messages that are sent over and over.
type traffic struct {
	size     int
	messages [][][]byte // each with its datagrams
	parts    int        // datagrams of a message
	total    int        // messages to send; 0 sends as long as a run lasts
	before   *traffic   // what a pipeline gets before it is measured, nil for nothing
}

const (
	distinct     = 200 // messages that repeat
	sendTogether = 32
)

// repeated are clean records of about a size, which repeat with other ports and times as health checks and polling do.
func repeated(size int) (*traffic, error) {
	sample, err := os.ReadFile("testdata/nano-sample.json")
	if err != nil {
		return nil, err
	}
	t := &traffic{size: size, parts: 1}
	for n := range distinct {
		text, err := record(sample, size, n)
		if err != nil {
			return nil, err
		}
		t.messages = append(t.messages, [][]byte{text})
	}
	return t, nil
}

// records are n records of the corpus from number first on.
func records(record func(uint64) corpus.Record, first, n int) *traffic {
	t := &traffic{parts: 1, total: n}
	for i := range n {
		t.messages = append(t.messages, [][]byte{fluentbit.JSON(record(uint64(first + i)))})
		t.size += len(t.messages[i][0])
	}
	t.size /= n
	return t
}

func record(sample []byte, size, n int) ([]byte, error) {
	clean := bytes.ReplaceAll(sample, []byte("t=../../etc/passwd"), fmt.Appendf(nil, "page=%d", n%20))
	var fields map[string]string
	if err := json.Unmarshal(clean, &fields); err != nil {
		return nil, err
	}
	fields["SRC_PORT"] = fmt.Sprint(10_000 + n)
	fields["RSP_BODY"] = ""
	text, err := json.Marshal(fields)
	if err != nil {
		return nil, err
	}
	if missing := size - len(text); missing > 0 {
		fields["RSP_BODY"] = strings.Repeat("All is well with this page. ", missing/28+1)[:missing]
	}
	return json.Marshal(fields)
}

// gelf are records of a size as GELF messages, compressed and in chunks. A part of them that does not compress keeps them large.
func gelf(size, parts int) (*traffic, error) {
	t := &traffic{size: size, parts: parts}
	random := rand.New(rand.NewPCG(1, 2))
	for n := range distinct {
		var text strings.Builder
		fmt.Fprintf(&text, `{"version":"1.1","host":"probe","short_message":"r","_n":%d,"_noise":"`, n)
		for text.Len() < size/8 {
			fmt.Fprintf(&text, "%x", random.Uint64())
		}
		text.WriteString(`","_text":"`)
		text.WriteString(strings.Repeat("All is well with this page. ", (size-text.Len())/28))
		text.WriteString(`"}`)
		packed, err := packed(text.String())
		if err != nil {
			return nil, err
		}
		t.messages = append(t.messages, chunks(packed, parts))
	}
	return t, nil
}

func packed(text string) ([]byte, error) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		return nil, err
	}
	err := w.Close()
	return b.Bytes(), err
}

func chunks(message []byte, parts int) (all [][]byte) {
	for n := range parts {
		head := append([]byte{0x1e, 0x0f, 0, 0, 0, 0, 0, 0, 0, 0}, byte(n), byte(parts))
		all = append(all, append(head, message[len(message)*n/parts:len(message)*(n+1)/parts]...))
	}
	return all
}

// senders is how many sockets send in turn: the kernel shares datagrams between listeners of one port by their sender.
const senders = 16

// dial opens the sockets of all senders.
func dial(port int) (all []*ipv4.PacketConn, err error) {
	for range senders {
		conn, err := net.Dial("udp4", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return nil, err
		}
		all = append(all, ipv4.NewPacketConn(conn.(net.PacketConn)))
	}
	return all, nil
}

// send sends messages evenly over time, or as fast as it can when the rate is 0, and returns how many it has sent.
func (t *traffic) send(port, rate int, length time.Duration) (sent int, err error) {
	to, err := dial(port)
	if err != nil {
		return 0, err
	}
	defer func() {
		for _, one := range to {
			err = errors.Join(err, one.Close())
		}
	}()
	total := t.total
	if total == 0 {
		total = int(float64(rate) * length.Seconds())
	}
	batch := make([]ipv4.Message, 0, sendTogether*t.parts)
	id := uint64(time.Now().UnixNano())
	begin := time.Now()
	for sent < total {
		due := total
		if rate > 0 {
			due = min(total, int(time.Since(begin).Seconds()*float64(rate))+1)
		}
		if due <= sent {
			time.Sleep(500 * time.Microsecond)
			continue
		}
		batch = batch[:0]
		for n := min(due-sent, sendTogether); n > 0; n-- {
			for _, datagram := range t.messages[sent%len(t.messages)] {
				if t.parts > 1 {
					datagram = bytes.Clone(datagram)
					binary.BigEndian.PutUint64(datagram[2:], id+uint64(sent))
				}
				batch = append(batch, ipv4.Message{Buffers: [][]byte{datagram}})
			}
			sent++
		}
		for left := batch; len(left) > 0; {
			n, err := to[sent/sendTogether%len(to)].WriteBatch(left, 0)
			if err != nil {
				return sent, fmt.Errorf("send: %w", err)
			}
			left = left[n:]
		}
	}
	return sent, nil
}
