package delivery

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"
)

func TestForwardSendsRecordsWithTimeAndTag(t *testing.T) {
	fwd := forwardTCPServer(t, &forwardServer{})
	d := mustOpen(t, "forward://"+fwd.Addr().String()+"?tag=waf.$TAG.x", Options{})
	require.NoError(t, d.Deliver(t.Context(), "a", alerts(0, 3)))
	for n, got := range fwd.now() {
		assert.Equal(t, forwarded{
			tag: "waf.nano.x", time: alert(n).Time, record: map[string]any{"n": int64(n), "raw": []byte{0xff, 0}},
		}, got)
	}
	assert.Equal(t, int64(1), fwd.chunks.Load(), "one chunk a batch")
}

func TestARecordThatIsNoMapIsReplacedByItsJSON(t *testing.T) {
	long := msgp.AppendString(msgp.AppendString(msgp.AppendMapHeader(nil, 1), "k"), strings.Repeat("x", 2<<20))
	for name, c := range map[string]struct {
		record []byte
		json   string
		want   map[string]any
	}{
		"none":           {json: `{"a":1}`, want: map[string]any{"a": int64(1)}},
		"a list":         {record: msgp.AppendArrayHeader(nil, 0), json: `{"a":1}`, want: map[string]any{"a": int64(1)}},
		"a cut map":      {record: record(1)[:5], json: `{"a":1}`, want: map[string]any{"a": int64(1)}},
		"two maps":       {record: append(record(1), record(1)...), json: `{"a":1}`, want: map[string]any{"a": int64(1)}},
		"too long a map": {record: long, json: `{"a":1}`, want: map[string]any{"a": int64(1)}},
		"and no JSON":    {json: "CEF:0|\r\nx", want: map[string]any{"message": "CEF:0|  x"}},
		"and nothing":    {want: map[string]any{"message": ""}},
	} {
		t.Run(name, func(t *testing.T) {
			fwd := forwardTCPServer(t, &forwardServer{})
			d := mustOpen(t, "forward://"+fwd.Addr().String()+"?tag=waf", Options{})
			require.NoError(t, d.Deliver(t.Context(), "a", []Message{{Record: c.record, JSON: []byte(c.json)}}))
			got := fwd.now()
			require.Len(t, got, 1)
			assert.Equal(t, c.want, got[0].record)
			assert.WithinDuration(t, time.Now(), got[0].time, time.Minute, "without a time, now")
		})
	}
}

func TestALongAlertIsShortenedForForward(t *testing.T) {
	fwd := forwardTCPServer(t, &forwardServer{})
	d := mustOpen(t, "forward://"+fwd.Addr().String()+"?tag=waf&max=4K", Options{})
	require.NoError(t, d.Deliver(t.Context(), "a", []Message{{JSON: longAlert()}}))
	assert.Equal(t, true, fwd.now()[0].record["shortened"])
	assert.Equal(t, int64(1), d.Stats()[0].Shortened)
}

func TestManyRecordsAreSplitIntoChunks(t *testing.T) {
	fwd := forwardTCPServer(t, &forwardServer{})
	d := mustOpen(t, "forward://"+fwd.Addr().String()+"?tag=waf", Options{})
	msgs := alerts(0, 30)
	for i := range msgs {
		r := msgp.AppendInt(msgp.AppendString(msgp.AppendMapHeader(nil, 2), "n"), i)
		msgs[i].Record = msgp.AppendString(msgp.AppendString(r, "body"), strings.Repeat("x", 400_000))
	}
	require.NoError(t, d.Deliver(t.Context(), "a", msgs))
	assert.Equal(t, count(0, 30), forwardNumbers(fwd.now()))
	assert.Equal(t, int64(10), fwd.chunks.Load())
}

func TestOnlyTheRightAcknowledgmentCounts(t *testing.T) {
	fwd := forwardTCPServer(t, &forwardServer{reply: func(n int64) forwardReply {
		if n == 0 {
			return acknowledgeAnother
		}
		return acknowledge
	}})
	d := mustOpen(t, "forward://"+fwd.Addr().String()+"?tag=waf", Options{})
	err := d.Deliver(t.Context(), "a", alerts(0, 1))
	require.ErrorContains(t, err, `wait for acknowledgment: unexpected chunk "another" (want "`)
	require.NoError(t, retry(t, d, "a", alerts(0, 1)))
	assert.Equal(t, []int{0, 0}, forwardNumbers(fwd.now()), "at least once")
}

func TestAReplyThatIsNoAcknowledgmentIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		reply []byte
		err   string
	}{
		"number": {reply: []byte{7}, err: "unexpected reply (want a map with ack)"},
		"map":    {reply: []byte{0x80}, err: `unexpected chunk ""`},
		"HELO": {
			reply: append(msgp.AppendString([]byte{0x92}, "HELO"), 0x80),
			err:   "the receiver requires a shared key (option shared-key)",
		},
		"a text without end": {reply: []byte{0xdb, 0x7f, 0xff, 0xff, 0xff}, err: "wait for acknowledgment"},
		"a list without end": {reply: []byte{0xdd, 0xff, 0xff, 0xff, 0xff}, err: "wait for acknowledgment"},
		"nonsense":           {reply: []byte{0xc1}, err: "wait for acknowledgment"},
	} {
		t.Run(name, func(t *testing.T) {
			s := listen(t, "tcp", "127.0.0.1:0", func(conn net.Conn) {
				_, _ = conn.Write(c.reply)
				_, _ = conn.Read(make([]byte, 1<<16))
			})
			d := mustOpen(t, "forward://"+s.Addr().String()+"?tag=waf", Options{})
			require.ErrorContains(t, d.Deliver(t.Context(), "a", alerts(0, 1)), c.err)
		})
	}
}

func TestBothSidesProveThatTheyKnowTheSharedKey(t *testing.T) {
	for name, c := range map[string]struct {
		server *forwardServer
		key    string
		err    string
	}{
		"the same, as Fluentd":        {server: &forwardServer{key: "k+e y"}, key: "k+e%20y"},
		"the same, as Fluent Bit":     {server: &forwardServer{key: "k", asText: true}, key: "k"},
		"another":                     {server: &forwardServer{key: "k"}, key: "x", err: `authenticate: read PONG: refused: "shared key mismatch"`},
		"a receiver that only claims": {server: &forwardServer{key: "k", wrong: true}, key: "k", err: "read PONG: wrong digest: the receiver does not know the shared key"},
	} {
		t.Run(name, func(t *testing.T) {
			fwd := forwardTCPServer(t, c.server)
			d := mustOpen(t, fmt.Sprintf("forward://%s?tag=waf&shared-key=%s", fwd.Addr(), c.key), Options{})
			err := d.Deliver(t.Context(), "a", alerts(0, 3))
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
				assert.Empty(t, fwd.now(), "nothing is sent to a receiver that is not trusted")
				return
			}
			require.NoError(t, err)
			assert.Equal(t, count(0, 3), forwardNumbers(fwd.now()))
		})
	}
}

func TestAReceiverThatDoesNotAuthenticateIsNotTrusted(t *testing.T) {
	for name, c := range map[string]struct {
		says []byte
		err  string
	}{
		"nothing":       {err: "authenticate: read HELO: EOF"},
		"no HELO":       {says: []byte{0x92, 0xa1, 'x', 0x80}, err: "read HELO: unexpected reply (want HELO with 2 parts)"},
		"a broken HELO": {says: append(msgp.AppendString([]byte{0x92}, "HELO"), 1), err: "read HELO: malformed options (want a map)"},
		"only HELO": {
			says: append(msgp.AppendString([]byte{0x92}, "HELO"), 0x80),
			err:  "read PONG: EOF: the receiver may have another shared key",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := listen(t, "tcp", "127.0.0.1:0", func(conn net.Conn) {
				if c.says == nil {
					return
				}
				_, _ = conn.Write(c.says)
				_, _ = conn.Read(make([]byte, 1000))
			})
			d := mustOpen(t, "forward://"+s.Addr().String()+"?tag=waf&shared-key=k", Options{})
			require.ErrorContains(t, d.Deliver(t.Context(), "a", alerts(0, 1)), c.err)
		})
	}
}

func TestADyingReceiverGetsEveryAlertAtLeastOnce(t *testing.T) {
	fwd := forwardTCPServer(t, &forwardServer{reply: func(n int64) forwardReply {
		if n%2 == 0 {
			return hangUp
		}
		return acknowledge
	}})
	d := mustOpen(t, "forward://"+fwd.Addr().String()+"?tag=waf", Options{})
	for batch := range 10 {
		require.NoError(t, retry(t, d, fmt.Sprint(batch), alerts(batch*5, batch*5+5)))
	}
	assert.Equal(t, count(0, 50), forwardNumbers(fwd.now()))
}
