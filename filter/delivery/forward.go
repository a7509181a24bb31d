package delivery

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/tinylib/msgp/msgp"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

// The protocol is spoken with msgp alone. Of the two libraries that are maintained, fluent-logger-golang sends records one by
// one and retries for minutes inside of a call, and fluent-forward-go refuses the handshake of Fluent Bit, whose nonce and
// salt are texts; both register a global msgpack extension type.

var forwardOptions = optionGroup{of: "forward", options: []setting.Property{
	{Name: "tag", Help: "mandatory: tag of alerts; $TAG is the record's tag"},
	{Name: "shared-key", Help: "shared key; without it, neither side authenticates"},
	{Name: "hostname", Help: "our name for the receiver's checks (default: this machine)"},
	{Name: "max", Default: "1M", Help: "maximum bytes of an alert; longer ones are sent as shortened JSON"},
	{Name: "only", Default: "all", Values: []string{"all", "digests"}, Help: "digests sends incident digests instead of alerts"},
}}

// Fluent Bit takes chunks of up to 6 MB. Records are collected until they have chunkSize bytes, and none has more than
// maxRecord.
const (
	chunkSize = 1 << 20
	minRecord = 4 << 10
	maxRecord = 4 << 20
)

// forwardSink sends records with the forward protocol of Fluentd and Fluent Bit, in PackedForward mode with acknowledgment.
type forwardSink struct {
	stream
	tag      string
	auth     *forwardAuth // nil when the peers do not authenticate each other
	limit    int          // bytes of a record
	counters *counters

	replies *msgp.Reader // of the connection
	entries []byte
}

func openForwardTCP(a *address, timeout time.Duration) sink { return newForward(a, timeout, tcp(a)) }

func openForwardTLS(a *address, timeout time.Duration) sink {
	return newForward(a, timeout, overTLS(a))
}

func openForwardUnix(a *address, timeout time.Duration) sink {
	dialer, path := a.opt.dialer, a.path
	return newForward(a, timeout, func(ctx context.Context) (net.Conn, error) {
		return dialer.DialContext(ctx, "unix", path)
	})
}

func newForward(a *address, timeout time.Duration, dial dialFunc) sink {
	k := &forwardSink{
		stream: stream{dial: dial, timeout: timeout}, tag: a.Text("tag"),
		limit: a.Bytes("max", minRecord, maxRecord), counters: a.counters,
	}
	a.Word("only") // takesOf reads it
	if k.tag == "" {
		a.Problem("tag", errors.New("missing (want a tag for alerts, such as waf.alert)"))
	}
	if key := a.Text("shared-key"); key != "" {
		k.auth = &forwardAuth{sharedKey: key, hostname: a.Text("hostname")}
		if k.auth.hostname == "" {
			k.auth.hostname = a.opt.Hostname
		}
	}
	return k
}

func (k *forwardSink) send(ctx context.Context, msgs []Message) (taken int, err error) {
	if err := k.open(ctx); err != nil {
		k.drop()
		return 0, err
	}
	for taken < len(msgs) {
		n, err := k.sendSome(ctx, msgs[taken:])
		if cap(k.entries) > 2*chunkSize {
			k.entries = nil
		}
		if err != nil {
			k.drop()
			return taken, err
		}
		taken += n
	}
	return taken, nil
}

// open connects and authenticates.
func (k *forwardSink) open(ctx context.Context) error {
	fresh, err := k.connect(ctx)
	if err != nil || !fresh {
		return err
	}
	k.replies = msgp.NewReader(k.conn)
	k.replies.SetMaxElements(1 << 10)
	k.replies.SetMaxStringLength(1 << 12)
	k.replies.SetMaxRecursionDepth(8)
	if k.auth == nil {
		return nil
	}
	err = k.limited(ctx, func(context.Context) error { return k.auth.handshake(k.conn, k.replies) })
	if err != nil {
		return fmt.Errorf("authenticate: %w", err)
	}
	return nil
}

// sendSome sends the first messages that have the same tag and returns how many the peer has acknowledged.
func (k *forwardSink) sendSome(ctx context.Context, msgs []Message) (int, error) {
	tag := k.tagOf(&msgs[0])
	k.entries = k.entries[:0]
	n := 0
	for n < len(msgs) && (n == 0 || len(k.entries) < chunkSize && k.tagOf(&msgs[n]) == tag) {
		k.entries = k.appendEntry(k.entries, &msgs[n])
		n++
	}
	chunk := rand.Text()
	message := msgp.AppendArrayHeader(make([]byte, 0, len(k.entries)+len(tag)+128), 3)
	message = msgp.AppendString(message, tag)
	message = msgp.AppendBytes(message, k.entries)
	message = msgp.AppendMapHeader(message, 2)
	message = msgp.AppendInt(msgp.AppendString(message, "size"), n)
	message = msgp.AppendString(msgp.AppendString(message, "chunk"), chunk)
	err := k.limited(ctx, func(context.Context) error {
		_, err := k.conn.Write(message)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("write: %w", err)
	}
	if err := k.limited(ctx, func(context.Context) error { return k.awaitAck(chunk) }); err != nil {
		return 0, fmt.Errorf("wait for acknowledgment: %w", err)
	}
	return n, nil
}

func (k *forwardSink) tagOf(m *Message) string { return strings.ReplaceAll(k.tag, "$TAG", m.Tag) }

// awaitAck reads until the peer has acknowledged a chunk.
func (k *forwardSink) awaitAck(chunk string) error {
	reply, err := k.replies.ReadIntf()
	if err != nil {
		return err
	}
	switch reply := reply.(type) {
	case map[string]any:
		if ack := textOf(reply["ack"]); ack != chunk {
			return fmt.Errorf("unexpected chunk %q (want %q)", ack, chunk)
		}
		return nil
	case []any:
		if len(reply) > 0 && textOf(reply[0]) == "HELO" {
			return errors.New("the receiver requires a shared key (option shared-key)")
		}
	}
	return errors.New("unexpected reply (want a map with ack)")
}

// appendEntry appends [time, record].
func (k *forwardSink) appendEntry(dst []byte, m *Message) []byte {
	dst = msgp.AppendArrayHeader(dst, 2)
	dst = appendEventTime(dst, m.Time)
	if len(m.Record) <= k.limit && isRecord(m.Record) {
		return append(dst, m.Record...)
	}
	text, isShortened := Shorten(oneLine(m.JSON), k.limit)
	if isShortened {
		k.counters.shortened.Add(1)
	}
	if doc, ok := parseDocument(text); ok {
		return doc.appendMsgpack(dst)
	}
	dst = msgp.AppendString(msgp.AppendMapHeader(dst, 1), "message")
	return msgp.AppendStringFromBytes(dst, text)
}

// appendEventTime appends a time as the protocol's extension type 0: seconds and nanoseconds in 32 bits each.
func appendEventTime(dst []byte, t time.Time) []byte {
	if t.IsZero() {
		t = time.Now()
	}
	seconds, nanoseconds := uint32(t.Unix()), uint32(t.Nanosecond())
	dst = append(dst, 0xd7, 0)
	dst = binary.BigEndian.AppendUint32(dst, seconds)
	return binary.BigEndian.AppendUint32(dst, nanoseconds)
}

// isRecord tells whether data is one msgpack map.
func isRecord(data []byte) bool {
	if msgp.NextType(data) != msgp.MapType {
		return false
	}
	rest, err := msgp.Skip(data)
	return err == nil && len(rest) == 0
}

// textOf returns a msgpack text, which some peers write as binary.
func textOf(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []byte:
		return string(v)
	}
	return ""
}
