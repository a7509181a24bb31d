package delivery

import (
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

// jsonTCPSize is how long a line may be that common receivers take by default: 100 KiB.
const (
	minJSON     = 1024
	jsonTCPSize = "102400"
	maxJSONTCP  = 16 << 20
)

var (
	jsonUDPOptions = jsonBound("json+udp", "65507")
	jsonTCPOptions = jsonBound("json+tcp and json+tls", jsonTCPSize)
)

func jsonBound(of, limit string) optionGroup {
	return optionGroup{of: of, options: []setting.Property{
		{Name: "max", Default: limit, Help: "maximum bytes of an alert; longer ones are shortened"},
	}}
}

// jsonFormat sends alerts as they are, each in one line.
type jsonFormat struct {
	limit    int
	counters *counters
}

func (f *jsonFormat) line(m *Message) []byte {
	text, isShortened := Shorten(oneLine(m.JSON), f.limit)
	if isShortened {
		f.counters.shortened.Add(1)
	}
	return text
}

func openJSONUDP(a *address, timeout time.Duration) sink {
	f := &jsonFormat{limit: a.Bytes("max", minJSON, maxDatagram), counters: a.counters}
	return &datagramSink{host: a.host, dialer: a.opt.dialer, timeout: timeout, datagrams: func(m *Message) [][]byte {
		return [][]byte{f.line(m)}
	}}
}

func openJSONTCP(a *address, timeout time.Duration) sink { return newJSONStream(a, timeout, tcp(a)) }

func openJSONTLS(a *address, timeout time.Duration) sink {
	return newJSONStream(a, timeout, overTLS(a))
}

func newJSONStream(a *address, timeout time.Duration, dial dialFunc) sink {
	f := &jsonFormat{limit: a.Bytes("max", minJSON, maxJSONTCP), counters: a.counters}
	return &streamSink{stream: stream{dial: dial, timeout: timeout}, frame: func(dst []byte, m *Message) []byte {
		return append(append(dst, f.line(m)...), '\n')
	}}
}
