package receive

import (
	"fmt"
	"net/netip"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/intake"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// Settings say where records arrive and what becomes of them on the way to the queue.
type Settings struct {
	Places        []Place
	Sockets       int   // of each UDP place
	ReceiveBuffer int64 // bytes, of each socket
	QueueLimit    int64 // bytes of records that may wait
	Batch         int   // bytes of the batches in which they are taken; 0 is DefaultBatch
	DropOldest    bool  // makes room for new records; otherwise these are skipped
	Base64        bool  // datagrams may be base64 as a whole
	MaxMessage    int   // bytes of a decompressed message or a line
	Shape         intake.Shape
	Allow         []netip.Prefix // nobody else is listened to; empty allows all
	SourceRate    int            // datagrams and lines a second of one address; 0 is no limit

	Connections       int           // TCP connections that are open at a time
	SourceConnections int           // those of one address
	IdleTimeout       time.Duration // how long a connection may be without a complete line; 0 is no limit
}

// Place is where records arrive: a network, udp or tcp, and HOST:PORT.
type Place struct{ Network, Address string }

// String writes a place as settings have it.
func (p Place) String() string { return p.Network + "://" + p.Address }

// Forms is how a place is written.
const Forms = "udp://HOST:PORT or tcp://HOST:PORT"

// maxSockets is how many sockets a UDP place has at most: more gain nothing where fewer cores read them.
const maxSockets = 64

// maxConnections is how many TCP connections may be asked for.
const maxConnections = 10_000

// maxAutomaticSockets is how many it has without being told.
const maxAutomaticSockets = 4

// InputProperties are those of the input nano.
func InputProperties() []setting.Property {
	return append([]setting.Property{{Name: "listen_on", Default: "udp://127.0.0.1:15155",
		Help: "listen addresses, comma separated: udp://HOST:PORT, tcp://HOST:PORT"}}, Properties()...)
}

// ReadInput reads InputProperties.
func ReadInput(r *setting.Reader) Settings {
	s := ReadSettings(r)
	for _, text := range r.List("listen_on") {
		place, err := ReadPlace(text)
		if err != nil {
			r.Problem("listen_on", err)
		}
		s.Places = append(s.Places, place)
	}
	return s
}

// Properties are the settings of an intake, but for the places where it listens, which each program calls by a name of its own.
func Properties() []setting.Property {
	return []setting.Property{
		{Name: "sockets", Default: "auto", Help: "sockets per UDP port, among which the kernel distributes senders; auto is one per " +
			"core, at most 4"},
		{Name: "receive_buffer", Default: "8M", Help: "kernel receive buffer per UDP socket; more than " +
			"net.core.rmem_max requires the capability NET_ADMIN"},
		{Name: "queue_limit", Default: "64M", Help: "memory for records waiting for the pipeline; with a tcp:// address, a quarter is for unfinished lines"},
		{Name: "when_full", Default: "drop_newest", Values: []string{"drop_newest", "drop_oldest"},
			Help: "which datagrams are dropped and counted when queue_limit is reached; TCP senders wait"},
		{Name: "invalid", Default: "keep", Values: []string{"keep", "drop"},
			Help: "keep turns messages that are not JSON into records with _raw and _error; they are counted either way"},
		{Name: "max_message", Default: "4M", Help: "maximum length of a TCP line and of a decompressed message"},
		{Name: "base64", Default: "off", Help: "on also reads datagrams that are entirely base64"},
		{Name: "base64_keys", Help: "top-level keys with base64 values to decode, comma separated"},
		{Name: "source_address_key", Help: "adds the sender's address to each record under this key"},
		{Name: "time_key", Help: "key with the time of the record: YYYY-MM-DD hh:mm:ss.mmm as in Nano's BEGIN_TIME, RFC 3339, " +
			"30/May/2024:12:00:01 +0000, or seconds or milliseconds since 1970 (default: the time of receipt)"},
		{Name: "time_zone", Default: "UTC", Help: "zone of times without one: UTC, Local, +08:00 or a name such as Asia/Shanghai"},
		{Name: "allow", Help: "networks and addresses that may send, comma separated (default: all)"},
		{Name: "source_rate", Default: "0", Help: "maximum datagrams and lines per second from one address; 0 for no limit"},
		{Name: "max_connections", Default: "256", Help: "maximum TCP connections; a further one replaces the longest silent one of the address with the most"},
		{Name: "source_connections", Default: "64", Help: "maximum TCP connections per address; more are refused"},
		{Name: "idle_timeout", Default: "1h", Help: "time such as 10m after which a TCP connection without a complete line is closed; off for never"},
	}
}

// ReadSettings reads all but the places. Problems stay in the reader.
func ReadSettings(r *setting.Reader) Settings {
	s := Settings{
		ReceiveBuffer: r.Size("receive_buffer"),
		QueueLimit:    r.Size("queue_limit"),
		DropOldest:    r.Word("when_full") == "drop_oldest",
		Base64:        r.Bool("base64"),
		MaxMessage:    int(min(r.Size("max_message"), 1<<30)),
		SourceRate:    r.Int("source_rate", 0, 1<<30),

		Connections:       r.Int("max_connections", 1, maxConnections),
		SourceConnections: r.Int("source_connections", 1, maxConnections),
		IdleTimeout:       r.Interval("idle_timeout"),

		Shape: intake.Shape{
			AddressKey:  r.Text("source_address_key"),
			TimeKey:     r.Text("time_key"),
			Base64Keys:  r.List("base64_keys"),
			KeepInvalid: r.Word("invalid") == "keep",
		},
	}
	var err error
	if s.Shape.Zone, err = readZone(r.Text("time_zone")); err != nil {
		r.Problem("time_zone", err)
	}
	if s.Sockets, err = readSockets(r.Text("sockets")); err != nil {
		r.Problem("sockets", err)
	}
	for _, text := range r.List("allow") {
		network, err := readNetwork(text)
		if err != nil {
			r.Problem("allow", err)
		}
		s.Allow = append(s.Allow, network)
	}
	if s.QueueLimit < DefaultBatch {
		r.Problem("queue_limit", setting.OutOfRange(r.Text("queue_limit"), "at least 1M"))
	}
	return s
}

// ReadPlace reads udp://HOST:PORT or tcp://HOST:PORT.
func ReadPlace(text string) (Place, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "udp" && u.Scheme != "tcp" || u.Port() == "" || strings.Trim(u.Path, "/")+u.RawQuery+u.Fragment != "" || u.User != nil {
		return Place{}, fmt.Errorf("malformed address %q (want %s)", text, Forms)
	}
	return Place{u.Scheme, u.Host}, nil
}

func readSockets(text string) (int, error) {
	if text == "auto" {
		return min(runtime.NumCPU(), maxAutomaticSockets), nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 1, fmt.Errorf("malformed number %q (want auto or 1 to %d)", text, maxSockets)
	}
	return setting.ParseInt(strconv.Itoa(n), 1, maxSockets)
}

func readNetwork(text string) (netip.Prefix, error) {
	if network, err := netip.ParsePrefix(text); err == nil {
		return network.Masked(), nil
	}
	address, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("malformed network %q (want an address, optionally with /BITS)", text)
	}
	return netip.PrefixFrom(address, address.BitLen()), nil
}

func readZone(text string) (*time.Location, error) {
	if t, err := time.Parse("-07:00", text); err == nil {
		_, offset := t.Zone()
		return time.FixedZone(text, offset), nil
	}
	zone, err := time.LoadLocation(text)
	if err != nil {
		return nil, fmt.Errorf("%w (want UTC, Local, +08:00 or a time zone of this machine)", err)
	}
	return zone, nil
}
