package receive

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

const patience = 20 * time.Second

// intakeTest is an open intake and what it has warned of.
type intakeTest struct {
	*Receiver
	t      *testing.T
	mu     sync.Mutex
	warned []string
}

// open opens an intake at places of the loopback with properties.
func open(t *testing.T, properties setting.Map, places ...string) *intakeTest {
	t.Helper()
	settings, err := readSettings(properties)
	require.NoError(t, err)
	for _, text := range places {
		place, err := ReadPlace(text)
		require.NoError(t, err)
		settings.Places = append(settings.Places, place)
	}
	in := &intakeTest{t: t}
	in.Receiver, err = Open(settings, func(line string) {
		in.mu.Lock()
		defer in.mu.Unlock()
		in.warned = append(in.warned, line)
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		if !in.ending.Load() {
			in.Queue.Abandon()
			in.Close(0)
		}
	})
	return in
}

func readSettings(properties setting.Map) (Settings, error) {
	r := setting.NewReader(properties, Properties())
	s := ReadSettings(r)
	return s, r.Err()
}

func (in *intakeTest) dial(n int) net.Conn {
	in.t.Helper()
	place := in.Places()[n]
	conn, err := net.Dial(place.Network, place.Address)
	require.NoError(in.t, err)
	in.t.Cleanup(func() { conn.Close() })
	return conn
}

func (in *intakeTest) send(to net.Conn, data string) {
	in.t.Helper()
	_, err := to.Write([]byte(data))
	require.NoError(in.t, err)
}

// bodies takes what is in the queue.
func (in *intakeTest) bodies() (all []string) {
	in.t.Helper()
	for {
		b, ok := in.Queue.Take()
		if !ok {
			return all
		}
		n := len(all)
		for chunk := b.Events; len(chunk) > 0; {
			e, rest, err := record.Next(chunk)
			require.NoError(in.t, err)
			all = append(all, string(alert.JSON(e.Body)))
			chunk = rest
		}
		require.Len(in.t, all, n+b.Records)
		in.Queue.Done(b)
	}
}

// wait takes records until there are n.
func (in *intakeTest) wait(n int) (all []string) {
	in.t.Helper()
	for end := time.Now().Add(patience); len(all) < n; time.Sleep(time.Millisecond) {
		all = append(all, in.bodies()...)
		require.True(in.t, time.Now().Before(end), "%d of %d records; counts %+v", len(all), n, in.Counts())
	}
	require.Len(in.t, all, n)
	return all
}

func (in *intakeTest) until(what string, done func(Counts) bool) {
	in.t.Helper()
	for end := time.Now().Add(patience); !done(in.Counts()); time.Sleep(time.Millisecond) {
		require.True(in.t, time.Now().Before(end), "%s; counts %+v", what, in.Counts())
	}
}

func TestEveryPlaceIsReceivedFrom(t *testing.T) {
	in := open(t, setting.Map{"source_address_key": "from"}, "udp://127.0.0.1:0", "tcp://127.0.0.1:0", "udp://[::1]:0", "tcp://[::1]:0")
	require.Len(t, in.Places(), 4)
	var want []string
	for n := range in.Places() {
		in.send(in.dial(n), `{"n":1}{"n":2}`+"\n"+`{"n":3}`+"\n")
		from := "127.0.0.1"
		if n > 1 {
			from = "::1"
		}
		for i := range 3 {
			want = append(want, fmt.Sprintf(`{"n":%d,"from":"%s"}`, i+1, from))
		}
	}
	require.ElementsMatch(t, want, in.wait(12))
	c := in.Counts()
	require.EqualValues(t, 2, c.Datagrams)
	require.EqualValues(t, 4, c.Lines)
	require.EqualValues(t, 12, c.Records)
}

func TestDatagramsOfEverySizeAndFormArrive(t *testing.T) {
	in := open(t, setting.Map{"base64": "on"}, "udp://127.0.0.1:0")
	conn := in.dial(0)
	big := `{"a":"` + strings.Repeat("x", 65507-8) + `"}`
	require.Len(t, big, 65507, "what UDP can carry")
	in.send(conn, big)
	require.Equal(t, []string{big}, in.wait(1))
	in.send(conn, gzipped(t, big))
	require.Equal(t, []string{big}, in.wait(1))
	in.send(conn, "eyJhIjoxfQ==")
	require.Equal(t, []string{`{"a":1}`}, in.wait(1))
	in.send(conn, " \n")
	in.send(conn, "")
	in.until("empty ones are counted", func(c Counts) bool { return c.Empty == 2 })

	packed := gzipped(t, big)
	for _, n := range []int{2, 0, 1} {
		in.send(conn, chunk(7, n, 3, packed[len(packed)*n/3:len(packed)*(n+1)/3]))
	}
	require.Equal(t, []string{big}, in.wait(1))
	in.send(conn, chunk(7, 0, 3, "again"))
	in.send(conn, chunk(8, 3, 3, "malformed"))
	in.send(conn, chunk(9, 1, 2, "alone"))
	in.until("chunks are counted", func(c Counts) bool {
		return c.ChunksRepeated == 1 && c.ChunksRefused == 1 && in.chunks.Pending() == 1
	})
	c := in.Counts()
	require.EqualValues(t, 1, c.Messages)
	require.EqualValues(t, 3, c.MessageChunks)
}

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

func chunk(id uint64, number, count int, data string) string {
	return string(append(binary.BigEndian.AppendUint64([]byte{0x1e, 0x0f}, id), byte(number), byte(count))) + data
}

func TestWhatIsNotJSONIsCountedAndKeptOrDropped(t *testing.T) {
	for policy, want := range map[string][]string{
		"keep": {`{"a":1}`, `{"_raw":"hello","_error":"not JSON at byte 1 (want an object)"}`, `{"b":2}`},
		"drop": {`{"a":1}`, `{"b":2}`},
	} {
		in := open(t, setting.Map{"invalid": policy}, "udp://127.0.0.1:0", "tcp://127.0.0.1:0")
		for n := range 2 {
			conn := in.dial(n)
			end := strings.Repeat("\n", n) // a line needs one, a datagram does not
			in.send(conn, `{"a":1} hello`+end)
			in.send(conn, `{"b":2}`+end)
			require.Equal(t, want, in.wait(len(want)))
		}
		require.EqualValues(t, 2, in.Counts().Invalid)
		require.Len(t, in.warned, 1, "the log is not flooded")
		require.NotContains(t, in.warned[0], "hello", "records stay out of the log")
	}
}

func TestFramesOfTCP(t *testing.T) {
	in := open(t, setting.Map{"max_message": "300K"}, "tcp://127.0.0.1:0")
	conn := in.dial(0)
	in.send(conn, "{\"a\":1}\x00{\"b\":2}\x00")
	require.Equal(t, []string{`{"a":1}`, `{"b":2}`}, in.wait(2))
	in.send(conn, `{"x":"`+strings.Repeat("x", 400<<10)+"\"}\n{\"c\":3}\n")
	require.Equal(t, []string{`{"c":3}`}, in.wait(1))
	require.EqualValues(t, 1, in.Counts().TooLong)
	in.send(conn, `{"last":true}`)
	require.NoError(t, conn.Close())
	require.Equal(t, []string{`{"last":true}`}, in.wait(1), "the last line needs no end")
	in.until("connections end", func(c Counts) bool { return c.Connections == 0 })
}

func TestOnlyAllowedSendersAreListenedTo(t *testing.T) {
	in := open(t, setting.Map{"allow": "192.0.2.0/24,127.0.0.2"}, "udp://127.0.0.1:0", "tcp://127.0.0.1:0")
	in.send(in.dial(0), `{"a":1}`)
	conn := in.dial(1)
	_, err := conn.Read(make([]byte, 1))
	require.Error(t, err, "the connection is closed")
	in.until("both are counted", func(c Counts) bool { return c.Denied == 2 })

	from := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2)}
	place := netip.MustParseAddrPort(in.Places()[0].Address)
	udp, err := net.DialUDP("udp", from, net.UDPAddrFromAddrPort(place))
	require.NoError(t, err)
	defer udp.Close()
	in.send(udp, `{"b":2}`)
	require.Equal(t, []string{`{"b":2}`}, in.wait(1))
}

func TestRateOfOneSenderIsBounded(t *testing.T) {
	r := newRates(10)
	now := time.Unix(1_700_000_000, 0)
	one, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	count := func(from netip.Addr) (n int) {
		for r.may(from, now) {
			n++
		}
		return n
	}
	require.Equal(t, 10, count(one), "a second's worth at once")
	require.Equal(t, 10, count(other), "each for itself")
	now = now.Add(500 * time.Millisecond)
	require.Equal(t, 5, count(one))
	now = now.Add(time.Hour)
	require.Equal(t, 10, count(one), "no more than a second's worth is saved")

	for n := range 2 * maxRated {
		r.may(netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}), now)
	}
	require.LessOrEqual(t, len(r.senders), maxRated)
	require.Zero(t, count(netip.MustParseAddr("192.0.2.3")), "what is above shares one rate")
	now = now.Add(2 * sweepEvery)
	require.Equal(t, 10, count(netip.MustParseAddr("192.0.2.4")))
	require.Less(t, len(r.senders), 10)

	in := open(t, setting.Map{"source_rate": "3"}, "udp://127.0.0.1:0")
	conn := in.dial(0)
	begin := time.Now()
	for range 10 {
		in.send(conn, `{}`)
	}
	in.until("all are limited or in the queue", func(c Counts) bool {
		return c.Datagrams == 10 && c.Limited+uint64(in.Queue.Waiting()) == 10
	})
	may := 3 + 3*time.Since(begin).Seconds() // a second's worth at once, and what the time brings
	passed := len(in.bodies())
	require.GreaterOrEqual(t, passed, 3)
	require.LessOrEqual(t, float64(passed), may)
}

// numbered sends datagrams {"n":0}, {"n":1} … of a size.
func numbered(t *testing.T, conn net.Conn, n, size int) {
	t.Helper()
	padding := strings.Repeat("x", size)
	for i := range n {
		_, err := fmt.Fprintf(conn, `{"n":%d,"padding":"%s"}`, i, padding)
		require.NoError(t, err)
	}
}

// numbers returns the numbers of records in order of arrival, each of which must be there once.
func numbers(t *testing.T, bodies []string) (all []int) {
	t.Helper()
	seen := map[int]bool{}
	for _, b := range bodies {
		n, err := strconv.Atoi(strings.TrimPrefix(b[:strings.IndexByte(b, ',')], `{"n":`))
		require.NoError(t, err)
		require.False(t, seen[n], n)
		seen[n] = true
		all = append(all, n)
	}
	return all
}

// The socket is not read while the kernel's buffer overflows; what was sent is what arrives and what the kernel is said to have dropped.
func TestWhatTheKernelDropsIsCountedExactly(t *testing.T) {
	const sent = 3000
	in := open(t, setting.Map{"receive_buffer": "64K", "sockets": "1"}, "udp://127.0.0.1:0")
	in.Queue.mu.Lock() // whoever reads waits with the next batch
	numbered(t, in.dial(0), sent, 500)
	in.Queue.mu.Unlock()
	in.Close(100 * time.Millisecond)
	all := numbers(t, in.bodies())
	c := in.Counts()
	require.NotZero(t, c.KernelDrops)
	require.NotEmpty(t, all)
	require.EqualValues(t, sent, uint64(len(all))+c.KernelDrops)
	require.IsIncreasing(t, all)
	logged := 0
	for _, found := range regexp.MustCompile(`(\d+) datagrams dropped by the kernel`).FindAllStringSubmatch(in.log(), -1) {
		n, err := strconv.Atoi(found[1])
		require.NoError(t, err)
		logged += n
	}
	require.EqualValues(t, c.KernelDrops, logged, "at the end, or in parts")
}

func TestWhatFindsTheQueueFullIsCountedExactly(t *testing.T) {
	const sent = 4000
	for _, policy := range []string{"drop_newest", "drop_oldest"} {
		t.Run(policy, func(t *testing.T) {
			in := open(t, setting.Map{"queue_limit": "1M", "when_full": policy, "sockets": "1"}, "udp://127.0.0.1:0")
			conn := in.dial(0)
			numbered(t, conn, sent-1, 1000)
			in.until("all are read", func(c Counts) bool { return c.Datagrams+c.KernelDrops == sent-1 })
			in.send(conn, fmt.Sprintf(`{"n":%d,"padding":""}`, sent-1)) // the kernel has room for the last one
			in.until("the last one is read", func(c Counts) bool { return c.Datagrams+c.KernelDrops == sent })
			in.Close(0)
			require.LessOrEqual(t, in.Queue.Bytes(), int64(1<<20))
			all := numbers(t, in.bodies())
			c := in.Counts()
			require.NotZero(t, c.QueueDrops)
			require.EqualValues(t, sent, uint64(len(all))+c.QueueDrops+c.KernelDrops)
			require.Equal(t, policy == "drop_newest", all[0] == 0, "which ones stay")
			if policy == "drop_oldest" {
				require.Equal(t, sent-1, all[len(all)-1])
			}
		})
	}
}

// together are numbered datagrams as they are read at once.
func together(first, n int) (all []ipv4.Message) {
	for i := range n {
		data := fmt.Appendf(nil, `{"n":%d,"padding":"%s"}`, first+i, strings.Repeat("x", 500))
		all = append(all, ipv4.Message{Buffers: [][]byte{data}, N: len(data), Addr: &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}})
	}
	return all
}

func TestBurstIsKeptUntilItIsDecoded(t *testing.T) {
	in := open(t, setting.Map{"queue_limit": "2M"})
	later, r, s := newBacklog(), in.newReader(false), &socket{}
	in.take(s, r, later, together(0, 3))
	require.Zero(t, later.waiting.Load(), "a few are decoded at once")
	in.take(s, r, later, together(3, batchLength))
	in.take(s, r, later, together(3+batchLength, 5))
	require.EqualValues(t, 2, later.waiting.Load(), "what comes behind a burst waits for its turn")
	require.EqualValues(t, 3, in.Queue.Waiting())
	sent := 8 + batchLength
	for later.keep(together(sent, batchLength), in.Queue, time.Now()) {
		sent += batchLength
	}
	require.InDelta(t, 2<<20, in.Queue.Bytes(), 100_000, "within the limit of the queue")

	close(later.slabs)
	later.decode(r, s)
	require.Zero(t, later.waiting.Load())
	all := numbers(t, in.bodies())
	require.IsIncreasing(t, all)
	require.EqualValues(t, sent, uint64(len(all))+in.Counts().QueueDrops)
	require.Zero(t, in.Queue.Bytes(), "reserved memory is given back")
}

func TestSendersOverTCPWaitForRoomInTheQueue(t *testing.T) {
	const sent = 5000
	in := open(t, setting.Map{"queue_limit": "1M"}, "tcp://127.0.0.1:0")
	conn := in.dial(0)
	done := make(chan struct{})
	go func() {
		defer close(done)
		w := bytes.Buffer{}
		for i := range sent {
			fmt.Fprintf(&w, "{\"n\":%d,\"padding\":\"%s\"}\n", i, strings.Repeat("x", 1000))
		}
		conn.Write(w.Bytes()) //nolint:errcheck // what is missing is found below
	}()
	in.until("the queue is nearly full", func(c Counts) bool { return c.QueueBytes > 500<<10 })
	all := numbers(t, in.wait(sent))
	require.IsIncreasing(t, all)
	<-done
	require.Zero(t, in.Counts().QueueDrops)
	require.LessOrEqual(t, in.Queue.Bytes(), int64(1<<20))
}

func TestCloseReadsWhatTheKernelHas(t *testing.T) {
	const sent = 2000
	in := open(t, nil, "udp://127.0.0.1:0")
	numbered(t, in.dial(0), sent, 100)
	in.Close(200 * time.Millisecond)
	require.EqualValues(t, sent, uint64(len(numbers(t, in.bodies())))+in.Counts().KernelDrops)
	_, err := net.ListenPacket("udp", in.Places()[0].Address)
	require.NoError(t, err, "the port is free again")
}

func TestCloseDoesNotWaitForAnAbandonedQueue(t *testing.T) {
	in := open(t, setting.Map{"queue_limit": "1M"}, "tcp://127.0.0.1:0")
	conn := in.dial(0)
	go conn.Write(bytes.Repeat([]byte(`{"a":"`+strings.Repeat("x", 1000)+"\"}\n"), 10_000)) //nolint:errcheck // it is cut off
	in.until("the queue is nearly full", func(c Counts) bool { return c.QueueBytes > 500<<10 })
	in.Queue.Abandon()
	in.Close(10 * time.Millisecond)
	c := in.Counts()
	require.EqualValues(t, c.Records, uint64(len(in.bodies()))+c.QueueDrops)
}

func TestSocketsSharePorts(t *testing.T) {
	in := open(t, setting.Map{"sockets": "4"}, "udp://127.0.0.1:0")
	require.Len(t, in.sockets, 4)
	require.Len(t, in.Places(), 1)
	const senders = 40
	for n := range senders {
		in.send(in.dial(0), fmt.Sprintf(`{"n":%d,"x":0}`, n))
	}
	require.Len(t, numbers(t, in.wait(senders)), senders)

	settings, err := readSettings(setting.Map{"sockets": "4"})
	require.NoError(t, err)
	settings.Places = in.Places()
	_, err = Open(settings, func(string) {})
	require.ErrorIs(t, err, unix.EADDRINUSE, "another intake on the same port is refused")
}

func TestReceiveBufferThatTheKernelDoesNotGiveIsTold(t *testing.T) {
	in := open(t, setting.Map{"receive_buffer": "1G", "sockets": "1"}, "udp://127.0.0.1:0")
	given, err := growBuffers(in.sockets, 1<<30)
	require.NoError(t, err)
	if given < 1<<30 {
		require.Len(t, in.warned, 1)
		require.Contains(t, in.warned[0], "set net.core.rmem_max=1073741824 with sysctl")
	} else {
		require.Empty(t, in.warned)
	}
}

func TestSettingsAreReadWithAllTheirProblems(t *testing.T) {
	s, err := readSettings(nil)
	require.NoError(t, err)
	require.EqualValues(t, 8<<20, s.ReceiveBuffer)
	require.EqualValues(t, 64<<20, s.QueueLimit)
	require.True(t, s.Shape.KeepInvalid)

	s, err = readSettings(setting.Map{"time_zone": "+08:00", "allow": "10.1.2.3/8, ::1", "sockets": "3"})
	require.NoError(t, err)
	require.Equal(t, "10.0.0.0/8", s.Allow[0].String())
	require.Equal(t, "::1/128", s.Allow[1].String())
	_, offset := time.Unix(0, 0).In(s.Shape.Zone).Zone()
	require.Equal(t, 8*3600, offset)
	require.Equal(t, 3, s.Sockets)

	_, err = readSettings(setting.Map{"time_zone": "Mars/Base", "allow": "everyone", "sockets": "0", "queue_limit": "1K", "when_full": "panic",
		"invalid": "eat", "source_rate": "-1", "receive_buffer": "much"})
	for _, text := range []string{
		"time_zone: unknown time zone Mars/Base (want UTC, Local, +08:00 or", `allow: malformed network "everyone"`,
		`sockets: 0 is out of range (1 to 64)`, "queue_limit: 1K is out of range (at least 1M)", `when_full: unknown value "panic"`,
		`invalid: unknown value "eat"`, "source_rate: -1 is out of range (0 to 1073741824)", `receive_buffer: malformed size "much"`,
	} {
		require.ErrorContains(t, err, text)
	}
	for _, text := range []string{"", "udp://", "udp://nowhere", "http://127.0.0.1:80", "udp://127.0.0.1:1/x", "udp://a@127.0.0.1:1", "127.0.0.1:1"} {
		_, err := ReadPlace(text)
		require.ErrorContains(t, err, "malformed address", text)
	}
}

func TestDropCountersOfTheKernel(t *testing.T) {
	var c dropCounter
	require.EqualValues(t, 7, c.advance(7))
	require.Zero(t, c.advance(5), "what is told late")
	require.EqualValues(t, 3, c.advance(10))
	c.last.Store(0xfffffff0)
	require.EqualValues(t, 0x20, c.advance(0x10), "the kernel starts again")

	control := make([]byte, controlSize)
	binary.NativeEndian.PutUint64(control, uint64(unix.CmsgLen(4)))
	binary.NativeEndian.PutUint32(control[8:], unix.SOL_SOCKET)
	binary.NativeEndian.PutUint32(control[12:], unix.SO_RXQ_OVFL)
	binary.NativeEndian.PutUint32(control[16:], 42)
	drops, told := toldDrops(control)
	require.True(t, told)
	require.EqualValues(t, 42, drops)
	for n := range control {
		if _, told := toldDrops(control[:n]); n < unix.CmsgLen(4) {
			require.False(t, told)
		}
	}

	table := `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  123: 0100007F:3B33 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 3077 2 0000000000000000 250
  124: cut
`
	found := map[uint64]uint32{}
	require.NoError(t, readDrops(strings.NewReader(table), found))
	require.Equal(t, map[uint64]uint32{3077: 250}, found)
}

func FuzzControlMessages(f *testing.F) {
	f.Add(make([]byte, controlSize))
	f.Fuzz(func(_ *testing.T, control []byte) { toldDrops(control) })
}
