package delivery

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/leodido/go-syslog/v4/rfc5424"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

// The bounds of a syslog message. The lower one leaves room for an alert behind the longest header; the upper ones are what
// a datagram holds, and what is still sensible on a stream.
const (
	minSyslog    = 1024
	maxDatagram  = 65507
	maxSyslogTCP = 16 << 20
	maxHostname  = 255
)

var syslogOptions = optionGroup{of: "syslog", options: []setting.Property{
	{Name: "facility", Default: "local4", Help: "facility, by name or number"},
	{Name: "severity", Help: "fixed severity, by name or number (default: the alert's)"},
	{Name: "app-name", Default: "fluent-bit-waf", Help: "APP-NAME"},
	{Name: "hostname", Help: "HOSTNAME (default: the record's host, or this machine)"},
	{Name: "procid", Help: "PROCID (default: none)"},
	{Name: "msgid", Default: "alert", Help: "MSGID"},
}}

// What receivers take by default: RFC 5424 wants 2,048 bytes, and rsyslog's 8 kB are 8,096 bytes. rsyslog makes
// two messages of a longer one.
var (
	syslogUDPBound = syslogBound("syslog+udp", "2048")
	syslogTCPBound = syslogBound("syslog+tcp and syslog+tls", "8096")
)

func syslogBound(of, limit string) optionGroup {
	return optionGroup{of: of, options: []setting.Property{
		{Name: "max", Default: limit, Help: "maximum bytes of a message; longer ones are shortened"},
	}}
}

// syslogFormat makes RFC 5424 messages of alerts.
type syslogFormat struct {
	facility, severity     int // severity -1: the alert's
	appName, procID, msgID string
	hostname, machine      string // hostname, if set, goes before a record's host, and this before the machine's
	limit                  int
	counters               *counters
}

func newSyslogFormat(a *address, limit int) *syslogFormat {
	f := &syslogFormat{
		severity: -1,
		appName:  printable(a, "app-name", 48),
		procID:   printable(a, "procid", 128),
		msgID:    printable(a, "msgid", 32),
		hostname: printable(a, "hostname", maxHostname),
		machine:  a.opt.Hostname,
		limit:    a.Bytes("max", minSyslog, limit),
		counters: a.counters,
	}
	var err error
	if f.facility, err = level(a.Text("facility"), facilities); err != nil {
		a.Problem("facility", err)
	}
	if text := a.Text("severity"); text != "" {
		if f.severity, err = level(text, severities); err != nil {
			a.Problem("severity", err)
		}
	}
	return f
}

// appendMessage appends one message.
func (f *syslogFormat) appendMessage(dst []byte, m *Message) []byte {
	start := len(dst)
	dst = append(dst, f.header(m)...)
	dst = append(dst, ' ')
	text, isShortened := Shorten(oneLine(m.JSON), f.limit-(len(dst)-start))
	if isShortened {
		f.counters.shortened.Add(1)
	}
	return append(dst, text...)
}

// header is everything before the text of a message.
func (f *syslogFormat) header(m *Message) string {
	severity := f.severity
	if severity < 0 {
		severity = severityOf(m)
	}
	host := f.hostname
	if host == "" {
		host = hostName(m.Host, f.machine)
	}
	var h rfc5424.SyslogMessage
	h.SetPriority(uint8(f.facility*8 + severity)).SetVersion(1)
	h.SetHostname(host).SetAppname(f.appName).SetProcID(f.procID).SetMsgID(f.msgID)
	if t := m.Time.UTC(); t.Year() > 0 && t.Year() < 10000 && !t.IsZero() {
		h.Timestamp = &t
	}
	text, _ := h.String() // fails only without a priority or version
	return text
}

// hostName is a record's host as RFC 5424 wants it: printable ASCII without spaces.
func hostName(host, machine string) string {
	if host == "" {
		host = machine
	}
	host = strings.Map(func(r rune) rune {
		if !isPrintable(r) {
			return '_'
		}
		return r
	}, host)
	return host[:min(len(host), maxHostname)]
}

func isPrintable(r rune) bool { return r > ' ' && r < 0x7f }

// printable reads an option that may only have printable ASCII characters and a certain length.
func printable(a *address, name string, limit int) string {
	text := a.Text(name)
	if len(text) > limit || strings.ContainsFunc(text, func(r rune) bool { return !isPrintable(r) }) {
		a.Problem(name, fmt.Errorf("malformed value %q (want at most %d printable ASCII characters without spaces)", text, limit))
	}
	return text
}

func openSyslogUDP(a *address, timeout time.Duration) sink {
	f := newSyslogFormat(a, maxDatagram)
	return &datagramSink{host: a.host, dialer: a.opt.dialer, timeout: timeout, datagrams: func(m *Message) [][]byte {
		return [][]byte{f.appendMessage(nil, m)}
	}}
}

func openSyslogTCP(a *address, timeout time.Duration) sink {
	return newSyslogStream(a, timeout, tcp(a))
}

func openSyslogTLS(a *address, timeout time.Duration) sink {
	return newSyslogStream(a, timeout, overTLS(a))
}

func newSyslogStream(a *address, timeout time.Duration, dial dialFunc) sink {
	f := newSyslogFormat(a, maxSyslogTCP)
	return &streamSink{stream: stream{dial: dial, timeout: timeout}, frame: func(dst []byte, m *Message) []byte {
		start := len(dst)
		dst = f.appendMessage(dst, m)
		count := strconv.AppendInt(nil, int64(len(dst)-start), 10)
		return slices.Insert(dst, start, append(count, ' ')...)
	}}
}
