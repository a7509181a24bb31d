package delivery

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func jsonUDPServer(t *testing.T) (net.PacketConn, *inbox[string]) {
	box := newInbox[string]()
	return udpServer(t, "127.0.0.1:0", func(datagram []byte) { box.put(string(datagram)) }), box
}

// jsonServer reads lines, over TLS when there is a configuration for it.
func jsonServer(t *testing.T, config *tls.Config) (*server, *inbox[string]) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	if config != nil {
		l = tls.NewListener(l, config)
	}
	box := newInbox[string]()
	return serveOn(t, l, func(conn net.Conn) {
		for lines := bufio.NewScanner(conn); lines.Scan(); {
			box.put(lines.Text())
		}
	}), box
}

func jsonNumbers(t *testing.T, all []string) []int {
	var numbers []int
	for _, text := range all {
		numbers = append(numbers, number(t, text))
	}
	return numbers
}

func TestABareAlertIsSentAsItIs(t *testing.T) {
	udp, datagrams := jsonUDPServer(t)
	tcp, lines := jsonServer(t, nil)
	d := mustOpen(t, "json+udp://"+udp.LocalAddr().String()+",json+tcp://"+tcp.Addr().String(), Options{})
	in := `{"rule_id":"932160","url":"/?t=../../etc/passwd","severity":"2"}`
	require.NoError(t, d.Deliver(t.Context(), "a", []Message{{JSON: []byte(in)}}))
	assert.Equal(t, in, datagrams.wait(t, 1)[0])
	assert.Equal(t, in, lines.wait(t, 1)[0])
}

func TestALongBareAlertIsShortenedToTheBound(t *testing.T) {
	udp, datagrams := jsonUDPServer(t)
	d := mustOpen(t, "json+udp://"+udp.LocalAddr().String()+"?max=4096", Options{})
	require.NoError(t, d.Deliver(t.Context(), "a", []Message{{JSON: longAlert()}}))
	got := datagrams.wait(t, 1)[0]
	assert.LessOrEqual(t, len(got), 4096)
	var short shortAlert
	require.NoError(t, json.Unmarshal([]byte(got), &short))
	assert.Equal(t, "932160", short.RuleID)
	assert.Equal(t, int64(1), d.Stats()[0].Shortened)
}

func TestAnAlertCannotForgeASecondLine(t *testing.T) {
	tcp, lines := jsonServer(t, nil)
	d := mustOpen(t, "json+tcp://"+tcp.Addr().String(), Options{})
	require.NoError(t, d.Deliver(t.Context(), "a", []Message{{JSON: []byte("{\"msg\":1,\n\"n\":7}")}, alert(8)}))
	assert.Equal(t, []int{7, 8}, jsonNumbers(t, lines.wait(t, 2)))
}
