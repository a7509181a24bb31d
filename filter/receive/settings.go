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
	DropOldest    bool  // makes room for new records; otherwise these are left out
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
		Help: "where records arrive: udp://HOST:PORT and tcp://HOST:PORT, several with commas"}}, Properties()...)
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
		{Name: "sockets", Default: "auto", Help: "sockets on each UDP port, between which the kernel shares senders out; auto has one for each " +
			"core, at most 4"},
		{Name: "receive_buffer", Default: "8M", Help: "what the kernel keeps for each UDP socket while it is not read; more than " +
			"net.core.rmem_max takes the capability NET_ADMIN"},
		{Name: "queue_limit", Default: "64M", Help: "memory for records that wait for the pipeline; with a tcp:// place, a quarter is for unfinished lines"},
		{Name: "when_full", Default: "drop_newest", Values: []string{"drop_newest", "drop_oldest"},
			Help: "which datagrams go, and are counted, when queue_limit is reached; TCP senders wait instead"},
		{Name: "invalid", Default: "keep", Values: []string{"keep", "drop"},
			Help: "keep makes a record with _raw and _error of what is not JSON; it is counted either way"},
		{Name: "max_message", Default: "4M", Help: "largest line of a TCP connection, and largest decompressed message"},
		{Name: "base64", Default: "off", Help: "on reads datagrams that are base64 as a whole as well"},
		{Name: "base64_keys", Help: "top-level keys whose texts are base64 and are decoded, comma separated"},
		{Name: "source_address_key", Help: "key that is added to each record with the address of its sender"},
		{Name: "time_key", Help: "key whose value becomes the time of the record: YYYY-MM-DD hh:mm:ss.mmm as in Nano's BEGIN_TIME, RFC 3339, " +
			"30/May/2024:12:00:01 +0000, or seconds or milliseconds since 1970; unless set, the time of receipt"},
		{Name: "time_zone", Default: "UTC", Help: "zone of times that name none: UTC, Local, +08:00 or a name such as Asia/Shanghai"},
		{Name: "allow", Help: "networks and addresses that may send, comma separated; unless set, all may"},
		{Name: "source_rate", Default: "0", Help: "datagrams and lines a second that one address may send; 0 is no limit"},
		{Name: "max_connections", Default: "256", Help: "open TCP connections; for one more, the longest silent one of the address with the most " +
			"connections is closed"},
		{Name: "source_connections", Default: "64", Help: "open TCP connections of one address; more are refused"},
		{Name: "idle_timeout", Default: "1h", Help: "time such as 10m after which a TCP connection without a complete line is closed; off for never"},
	}
}

// ReadSettings reads all but the places. What is wrong is told by the reader.
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
		return Place{}, fmt.Errorf("malformed place %q (want %s)", text, Forms)
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
		return netip.Prefix{}, fmt.Errorf("malformed network %q (want an address, or one with /BITS behind it)", text)
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
		return nil, fmt.Errorf("%w (want UTC, Local, +08:00 or a name that this machine knows)", err)
	}
	return zone, nil
}
