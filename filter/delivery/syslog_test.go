package delivery

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/leodido/go-syslog/v4/rfc5424"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/visible"
)

// newFormat returns what a syslog destination with these options makes of alerts.
func newFormat(t *testing.T, scheme, options string) *syslogFormat {
	t.Helper()
	a := &address{scheme: schemeNamed(scheme), opt: &Options{Hostname: "collector"}, counters: &counters{}}
	a.Reader = ReadOptions(options, a.scheme.Options)
	f := newSyslogFormat(a, maxDatagram)
	require.Empty(t, a.Problems())
	return f
}

// parsed returns a message as a strict receiver reads it.
func parsed(t *testing.T, message []byte) *rfc5424.SyslogMessage {
	t.Helper()
	m, err := rfc5424.NewParser(rfc5424.WithCompliantMsg()).Parse(message)
	require.NoError(t, err, "%q", message)
	return m.(*rfc5424.SyslogMessage)
}

func TestThePriorityIsFacilityTimesEightPlusSeverity(t *testing.T) {
	for _, c := range []struct {
		options  string
		severity int
		want     uint8
	}{
		{"", 2, 20*8 + 2},
		{"", 0, 20*8 + 0},
		{"", 7, 20*8 + 7},
		{"", -3, 20*8 + 0},
		{"", 99, 20*8 + 7},
		{"facility=kern", 3, 3},
		{"facility=0", 3, 3},
		{"facility=local7", 4, 23*8 + 4},
		{"facility=23", 4, 23*8 + 4},
		{"facility=AuthPriv", 5, 10*8 + 5},
		{"severity=err", 7, 20*8 + 3},
		{"severity=0", 7, 20*8 + 0},
		{"facility=0&severity=emerg", 7, 0},
	} {
		m := alert(1)
		m.Severity = c.severity
		got := parsed(t, newFormat(t, "syslog+udp", c.options).appendMessage(nil, &m))
		assert.Equal(t, c.want, *got.Priority, "%s, severity %d", c.options, c.severity)
	}
}

func TestTheHeaderSaysWhereAnAlertComesFrom(t *testing.T) {
	at := time.Date(2024, 5, 30, 7, 16, 48, 917_000_000, time.FixedZone("", 8*3600))
	for name, c := range map[string]struct {
		options string
		m       Message
		want    string
	}{
		"defaults":          {m: Message{Time: at, Host: "10.64.1.254"}, want: "<160>1 2024-05-29T23:16:48.917Z 10.64.1.254 fluent-bit-waf - alert - {}"},
		"this machine":      {m: Message{Time: at}, want: "<160>1 2024-05-29T23:16:48.917Z collector fluent-bit-waf - alert - {}"},
		"no time":           {m: Message{Host: "h"}, want: "<160>1 - h fluent-bit-waf - alert - {}"},
		"a time beyond all": {m: Message{Host: "h", Time: time.Unix(1<<60, 0)}, want: "<160>1 - h fluent-bit-waf - alert - {}"},
		"a hostile host":    {m: Message{Host: "a b\r\n<0>\x1b[é"}, want: "<160>1 - a_b__<0>_[_ fluent-bit-waf - alert - {}"},
		"a long host":       {m: Message{Host: strings.Repeat("h", 300)}, want: "<160>1 - " + strings.Repeat("h", 255) + " fluent-bit-waf - alert - {}"},
		"all options": {
			m: Message{Time: at, Host: "h"}, options: "app-name=waf&hostname=fixed&procid=4711&msgid=crs",
			want: "<160>1 2024-05-29T23:16:48.917Z fixed waf 4711 crs - {}",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.m.JSON = []byte("{}")
			message := newFormat(t, "syslog+udp", c.options).appendMessage(nil, &c.m)
			assert.Equal(t, c.want, string(message))
			parsed(t, message)
		})
	}
}

func TestAMessageKeepsItsBoundAndStaysJSON(t *testing.T) {
	for _, scheme := range []string{"syslog+udp", "syslog+tcp"} {
		limit := map[string]int{"syslog+udp": 2048, "syslog+tcp": 8096}[scheme]
		f := newFormat(t, scheme, "")
		m := alert(1)
		m.JSON = longAlert()
		message := f.appendMessage([]byte("before"), &m)[len("before"):]
		assert.LessOrEqual(t, len(message), limit)
		assert.Greater(t, len(message), limit-10, "the room is used")
		text := *parsed(t, message).Message
		assert.True(t, isObject([]byte(text)), text)
		assert.Contains(t, text, `"shortened":true`)
		assert.Equal(t, int64(1), f.counters.shortened.Load())
	}
}

func TestTheLongestHeaderLeavesRoomForAnAlert(t *testing.T) {
	f := newFormat(t, "syslog+udp", fmt.Sprintf("max=1K&app-name=%s&hostname=%s&procid=%s&msgid=%s",
		strings.Repeat("a", 48), strings.Repeat("h", 255), strings.Repeat("p", 128), strings.Repeat("m", 32)))
	m := alert(1)
	m.JSON = longAlert()
	message := f.appendMessage(nil, &m)
	assert.LessOrEqual(t, len(message), 1024)
	assert.Contains(t, *parsed(t, message).Message, `"rule_id":"932160"`)
}

func TestNoControlCharacterLeavesThroughSyslog(t *testing.T) {
	for _, hostile := range []string{
		"{\"matched\":\"x\r\n<0>1 - - forged\"}", "{\"matched\":\"\x1b[2J\x00\x7f\u0085\x9b\"}", "CEF:0|x\n\n<0>forged|\x1b]0;title\a",
	} {
		m := alert(1)
		m.JSON, m.Host = []byte(hostile), hostile
		message := newFormat(t, "syslog+udp", "").appendMessage(nil, &m)
		assert.True(t, utf8.Valid(message))
		assert.NotContains(t, strings.Map(func(r rune) rune {
			if visible.IsControl(r) {
				return '!'
			}
			return '.'
		}, string(message)), "!")
		parsed(t, message)
	}
}

func TestADatagramIsOneAlert(t *testing.T) {
	udp, box := syslogUDPServer(t, "127.0.0.1:0")
	d := mustOpen(t, "syslog+udp://"+udp.LocalAddr().String(), Options{})
	msgs := alerts(0, 3)
	msgs[1].JSON = longAlert()
	require.NoError(t, d.Deliver(t.Context(), "a", msgs))
	got := box.wait(t, 3)
	assert.Equal(t, string(msgs[0].JSON), *got[0].Message)
	assert.Contains(t, *got[1].Message, `"shortened":true}`)
	assert.Equal(t, string(msgs[2].JSON), *got[2].Message)
	assert.Equal(t, int64(1), d.Stats()[0].Shortened)
}

func TestADatagramThatNobodyTakesIsNotTaken(t *testing.T) {
	address := loopback.Address(t)
	d := mustOpen(t, "syslog+udp://"+address, Options{})
	require.ErrorContains(t, d.Deliver(t.Context(), "one", alerts(0, 1)), "connection refused", "a single datagram, too")
	for range 3 {
		require.ErrorContains(t, d.Deliver(t.Context(), "a", alerts(0, 5)), "send: ")
	}
	assert.Zero(t, d.Stats()[0].Delivered)
	_, box := syslogUDPServer(t, address)
	require.NoError(t, retry(t, d, "a", alerts(0, 5)))
	assert.Equal(t, count(0, 5), syslogNumbers(t, box.wait(t, 5)))
}

func TestTheAddressOfADatagramDestinationIsLookedUpAgain(t *testing.T) {
	udp, box := syslogUDPServer(t, "127.0.0.1:0")
	d := mustOpen(t, "syslog+udp://"+udp.LocalAddr().String(), Options{})
	sink := d.destinations[0].sink.(*datagramSink)
	require.NoError(t, d.Deliver(t.Context(), "", alerts(0, 1)))
	first := sink.conn
	require.NoError(t, d.Deliver(t.Context(), "", alerts(1, 2)))
	assert.Same(t, first, sink.conn)
	sink.opened = sink.opened.Add(-resolveAgain)
	require.NoError(t, d.Deliver(t.Context(), "", alerts(2, 3)))
	assert.NotSame(t, first, sink.conn)
	box.wait(t, 3)
}
