package delivery

import (
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/fluent-forward-go/fluent/protocol"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"
)

// forwarded is one record as a forward receiver gets it.
type forwarded struct {
	tag    string
	time   time.Time
	record map[string]any
}

// forwardServer is a strict receiver; a library of others parses what arrives.
type forwardServer struct {
	*server
	*inbox[forwarded]
	chunks atomic.Int64 // that have arrived
	key    string       // shared key, if any
	wrong  bool         // answers a PING without knowing the key
	asText bool         // writes nonces as text, as Fluent Bit does, and not as binary, as Fluentd does

	// reply decides what becomes of the n-th chunk; nil acknowledges all.
	reply func(n int64) forwardReply
}

type forwardReply int

const (
	acknowledge forwardReply = iota
	keepSilent
	hangUp
	acknowledgeAnother
)

func startForward(t *testing.T, l net.Listener, s *forwardServer) *forwardServer {
	s.inbox = newInbox[forwarded]()
	s.server = serveOn(t, l, func(conn net.Conn) { s.serveConn(t, conn) })
	return s
}

func forwardTCPServer(t *testing.T, s *forwardServer) *forwardServer {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return startForward(t, l, s)
}

func (s *forwardServer) serveConn(t *testing.T, conn net.Conn) {
	r := msgp.NewReader(conn)
	if s.key != "" && !s.authenticate(t, conn, r) {
		return
	}
	for {
		var m protocol.PackedForwardMessage
		if err := m.DecodeMsg(r); err != nil {
			return
		}
		if !s.take(t, conn, &m) {
			return
		}
	}
}

// take stores the records of a chunk and answers; false ends the connection.
func (s *forwardServer) take(t *testing.T, conn net.Conn, m *protocol.PackedForwardMessage) bool {
	n := s.chunks.Add(1) - 1
	reply := acknowledge
	if s.reply != nil {
		reply = s.reply(n)
	}
	if reply == hangUp {
		return false
	}
	var entries protocol.EntryList
	rest, err := entries.UnmarshalPacked(m.EventStream)
	if !assert.NoError(t, err) || !assert.Empty(t, rest) || !assert.NotNil(t, m.Options) || !assert.NotNil(t, m.Options.Size) {
		return false
	}
	assert.Len(t, entries, *m.Options.Size)
	assert.NotEmpty(t, m.Options.Chunk)
	for _, e := range entries {
		record, ok := e.Record.(map[string]any)
		assert.True(t, ok, "%v", e.Record)
		s.put(forwarded{m.Tag, e.Timestamp.UTC(), record})
	}
	ack := protocol.AckMessage{Ack: m.Options.Chunk}
	switch reply {
	case keepSilent:
		return true
	case acknowledgeAnother:
		ack.Ack = "another"
	}
	answer, err := ack.MarshalMsg(nil)
	assert.NoError(t, err)
	_, err = conn.Write(answer)
	return err == nil
}

func (s *forwardServer) authenticate(t *testing.T, conn io.Writer, r *msgp.Reader) bool {
	nonce := []byte("0123456789abcdef")
	helo := msgp.AppendString(msgp.AppendArrayHeader(nil, 2), "HELO")
	helo = msgp.AppendString(msgp.AppendMapHeader(helo, 3), "nonce")
	if s.asText {
		helo = msgp.AppendStringFromBytes(helo, nonce)
	} else {
		helo = msgp.AppendBytes(helo, nonce)
	}
	helo = msgp.AppendString(msgp.AppendString(helo, "auth"), "")
	helo = msgp.AppendBool(msgp.AppendString(helo, "keepalive"), true)
	if _, err := conn.Write(helo); err != nil {
		return false
	}

	fields, err := r.ReadArrayHeader()
	if err != nil || !assert.EqualValues(t, 6, fields) {
		return false
	}
	parts := make([]string, fields)
	for i := range parts {
		parts[i], err = r.ReadString() // Fluent Bit takes nothing but texts
		if !assert.NoError(t, err) {
			return false
		}
	}
	ping := &protocol.Ping{ClientHostname: parts[1], SharedKeySalt: []byte(parts[2]), SharedKeyHexDigest: parts[3]}
	assert.Equal(t, "PING", parts[0])
	assert.Equal(t, "collector", parts[1])
	refused := protocol.ValidatePingDigest(ping, []byte(s.key), nonce)
	key := s.key
	if s.wrong {
		key, refused = "guessed", nil
	}
	pong, err := protocol.NewPong(refused == nil, "shared key mismatch", "receiver", []byte(key),
		&protocol.Helo{Options: &protocol.HeloOpts{Nonce: nonce}}, ping)
	assert.NoError(t, err)
	assert.NoError(t, msgp.Encode(conn, pong))
	return refused == nil
}

// record is the n-th test record as msgpack.
func record(n int) []byte {
	r := msgp.AppendString(msgp.AppendMapHeader(nil, 2), "n")
	r = msgp.AppendString(msgp.AppendInt(r, n), "raw")
	return msgp.AppendBytes(r, []byte{0xff, 0})
}

func forwardNumbers(all []forwarded) []int {
	var numbers []int
	for _, f := range all {
		n, _ := f.record["n"].(int64)
		numbers = append(numbers, int(n))
	}
	return numbers
}
