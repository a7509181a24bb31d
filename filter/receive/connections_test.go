package receive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// flood is the environment variable that makes the test binary a client: PLACE,CONNECTIONS.
const flood = "RECEIVE_TEST_FLOOD"

func TestMain(m *testing.M) {
	if place, n, is := strings.Cut(os.Getenv(flood), ","); is {
		count, _ := strconv.Atoi(n)
		var conns []net.Conn
		for range count {
			if conn, err := net.Dial("tcp", place); err == nil {
				conns = append(conns, conn)
			}
		}
		fmt.Println("connected", len(conns))
		io.Copy(io.Discard, os.Stdin) //nolint:errcheck // until the test is done
		return
	}
	os.Exit(m.Run())
}

// dialFrom connects from an address of the loopback.
func (in *intakeTest) dialFrom(address string) net.Conn {
	in.t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	conn, err := d.Dial("tcp", in.Places()[0].Address)
	require.NoError(in.t, err)
	in.t.Cleanup(func() { conn.Close() })
	return conn
}

// log returns what was warned of so far.
func (in *intakeTest) log() string {
	in.mu.Lock()
	defer in.mu.Unlock()
	return strings.Join(in.warned, "\n")
}

// closed waits until the receiver has closed the connection.
func closed(t *testing.T, conn net.Conn) {
	t.Helper()
	conn.SetReadDeadline(time.Now().Add(patience)) //nolint:errcheck // the read tells
	_, err := conn.Read(make([]byte, 1))
	require.Error(t, err)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
}

// talk sends a record and waits until it is there, and the receiver is done with its line.
func (in *intakeTest) talk(conn net.Conn, n int) {
	in.t.Helper()
	in.send(conn, fmt.Sprintf("{\"n\":%d}\n", n))
	require.Equal(in.t, []string{fmt.Sprintf(`{"n":%d}`, n)}, in.wait(1))
	in.until("the line is done with", func(Counts) bool {
		return !in.has(func(c *connection) bool { return c.whole && c.RemoteAddr().String() == conn.LocalAddr().String() })
	})
}

// has reports whether an open connection is of a kind.
func (in *intakeTest) has(kind func(*connection) bool) bool {
	in.connections.mu.Lock()
	defer in.connections.mu.Unlock()
	for c := range in.connections.open {
		if kind(c) {
			return true
		}
	}
	return false
}

// With 4 MB without an end from each of 256 connections, memory stays within a quarter of the queue's limit, and others go on.
func TestLinesWithoutAnEndStayWithinTheirMemory(t *testing.T) {
	const senders = 256
	defer debug.SetGCPercent(debug.SetGCPercent(100)) // as programs have it
	in := open(t, setting.Map{"source_connections": "1000", "max_connections": "300"}, "tcp://127.0.0.1:0")
	in.connections.grace = 200 * time.Millisecond
	all, _, _ := connectionMemory(&in.settings)
	require.EqualValues(t, 16<<20, all, "a quarter of queue_limit")
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)

	line := bytes.Repeat([]byte("x"), 4<<20-1)
	var sending sync.WaitGroup
	for range senders {
		conn := in.dialFrom("127.0.0.2")
		sending.Go(func() { conn.Write(line) }) //nolint:errcheck // most are closed
	}
	done := make(chan struct{})
	go func() { defer close(done); sending.Wait() }()
	good, large := in.dialFrom("127.0.0.3"), in.dialFrom("127.0.0.4")
	var most, heap uint64
	long := strings.Repeat("y", 100<<10)
	for n, over := 0, false; !over; n++ {
		in.talk(good, n)
		if n%20 == 10 {
			in.send(large, `{"long":"`+long+"\"}\n")
			in.wait(1)
		}
		most = max(most, uint64(in.Counts().LineBytes))
		runtime.ReadMemStats(&now)
		heap = max(heap, now.HeapInuse)
		select {
		case <-done:
			over = true
		case <-time.After(5 * time.Millisecond):
		}
	}
	in.until("what was closed is gone", func(c Counts) bool {
		return c.Cut == c.Crowded && c.Connections == int64(senders+2-c.Crowded)
	})
	c := in.Counts()
	require.LessOrEqual(t, most, uint64(all))
	require.Greater(t, most, uint64(all)/4, "the memory is used")
	require.Less(t, heap-min(heap, before.HeapInuse), uint64(3*all), "what the collector has not freed yet included")
	require.Greater(t, c.Crowded, uint64(200))
	require.Zero(t, c.Displaced+c.Refused+c.Idle)
	in.Close(0)
	require.Zero(t, in.Counts().LineBytes, "all is given back")
	require.Contains(t, in.log(), "unfinished lines took a quarter of queue_limit")
}

// Senders whose lines are complete wait for the pipeline with what they have. Nobody pays for that.
func TestManyLargeLinesWaitForThePipeline(t *testing.T) {
	const senders, each, size = 60, 4, 300 << 10
	in := open(t, setting.Map{"queue_limit": "4M", "max_message": "512K", "max_connections": "64"}, "tcp://127.0.0.1:0")
	in.connections.grace = 2 * time.Second // no sender of a busy machine stops for so long within a line
	line := strings.Repeat("x", size)
	for n := range senders {
		conn := in.dialFrom("127.0.0.2")
		go func() {
			for i := range each {
				fmt.Fprintf(conn, "{\"n\":%d,\"padding\":\"%s\"}\n", n*each+i, line) //nolint:errcheck // what is missing is found below
			}
		}()
	}
	in.until("the queue is nearly full", func(c Counts) bool { return c.QueueBytes > 2<<20 })
	time.Sleep(in.connections.grace * 3 / 2)
	require.Zero(t, in.Counts().Crowded)
	all := numbers(t, in.wait(senders*each))
	require.Len(t, all, senders*each)
	c := in.Counts()
	require.Zero(t, c.Crowded+c.Cut+c.QueueDrops)
	limit, _, _ := connectionMemory(&in.settings)
	require.LessOrEqual(t, c.LineBytes, limit)
}

// Where everyone's lines need more than there is, they are finished one after the other.
func TestLongestLinesFindMemoryOneAfterTheOther(t *testing.T) {
	const senders = 20
	in := open(t, setting.Map{"queue_limit": "64M", "max_message": "4M"}, "tcp://127.0.0.1:0")
	in.connections.grace = patience
	for n := range senders {
		conn := in.dialFrom("127.0.0.2")
		text := fmt.Sprintf("{\"n\":%d,\"padding\":\"%s\"}\n", n, strings.Repeat("x", 4<<20-100))
		go conn.Write([]byte(text)) //nolint:errcheck // what is missing is found below
	}
	require.Len(t, numbers(t, in.wait(senders)), senders)
	require.Zero(t, in.Counts().Crowded)
}

func TestSilentClientsAreClosedAndOthersFlow(t *testing.T) {
	t.Parallel()
	in := open(t, setting.Map{"idle_timeout": "3s"}, "tcp://127.0.0.1:0")
	silent, slow, part, good := in.dial(0), in.dial(0), in.dial(0), in.dial(0)
	in.send(part, `{"a":`)
	go func() {
		for { // a byte now and then is not a record
			if _, err := slow.Write([]byte(" ")); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	records := 0
	in.until("the silent ones are closed", func(c Counts) bool {
		in.send(good, "{}\n")
		records++
		time.Sleep(20 * time.Millisecond)
		return c.Idle == 3
	})
	for _, conn := range []net.Conn{silent, slow, part} {
		closed(t, conn)
	}
	bodies := in.wait(records + 1)
	require.Contains(t, bodies, `{"_raw":"{\"a\":","_error":"not JSON at byte 6 (want a value)"}`, "what was sent is kept")
	in.until("they are gone", func(c Counts) bool { return c.Connections == 1 })
	in.until("it is logged", func(Counts) bool { return strings.Contains(in.log(), "connections closed after idle_timeout") })
	require.EqualValues(t, 3, in.Counts().Idle)
}

func TestIdleTimeoutOffKeepsSilentClients(t *testing.T) {
	in := open(t, setting.Map{"idle_timeout": "off"}, "tcp://127.0.0.1:0")
	conn := in.dial(0)
	in.until("it is there", func(c Counts) bool { return c.Connections == 1 })
	in.connections.mu.Lock()
	for c := range in.connections.open {
		require.True(t, c.deadline.IsZero())
	}
	in.connections.mu.Unlock()
	in.talk(conn, 1)
}

// A pipeline that takes nothing for longer than idle_timeout is not the sender's fault.
func TestWaitingForThePipelineIsNotIdle(t *testing.T) {
	t.Parallel()
	in := open(t, setting.Map{"queue_limit": "1M", "idle_timeout": "3s"}, "tcp://127.0.0.1:0")
	conn := in.dial(0)
	const sent = 2000
	go func() {
		for i := range sent {
			fmt.Fprintf(conn, "{\"n\":%d,\"padding\":\"%s\"}\n", i, strings.Repeat("x", 1000)) //nolint:errcheck // what is missing is found below
		}
	}()
	in.until("the queue is nearly full", func(c Counts) bool { return c.QueueBytes > 400<<10 })
	time.Sleep(3500 * time.Millisecond)
	require.IsIncreasing(t, numbers(t, in.wait(sent)))
}

func TestConnectionsOfOneAddressAreBounded(t *testing.T) {
	in := open(t, setting.Map{"source_connections": "2"}, "tcp://127.0.0.1:0")
	first, second := in.dialFrom("127.0.0.2"), in.dialFrom("127.0.0.2")
	in.talk(first, 1)
	in.talk(second, 2)
	closed(t, in.dialFrom("127.0.0.2"))
	in.talk(in.dialFrom("127.0.0.3"), 3)
	require.EqualValues(t, 1, in.Counts().Refused)
	require.Contains(t, in.log(), "source_connections")
	first.Close()
	in.until("it has left", func(c Counts) bool { return c.Connections == 2 })
	in.talk(in.dialFrom("127.0.0.2"), 4)
}

func TestPlacesAreSharedBetweenAddresses(t *testing.T) {
	in := open(t, setting.Map{"max_connections": "4"}, "tcp://127.0.0.1:0")
	var greedy []net.Conn
	for n := range 4 {
		greedy = append(greedy, in.dialFrom("127.0.0.2"))
		in.talk(greedy[n], n)
	}
	in.send(greedy[1], `{"unfinished":`)
	in.until("it is read", func(Counts) bool { return in.has(func(c *connection) bool { return c.unfinished }) })
	in.talk(greedy[0], 4)
	closed(t, in.dialFrom("127.0.0.2"))
	require.EqualValues(t, 1, in.Counts().Refused, "who has the most makes no place for itself")

	in.talk(in.dialFrom("127.0.0.3"), 5)
	closed(t, greedy[1])
	c := in.Counts()
	require.EqualValues(t, 1, c.Displaced, "the longest silent one")
	require.EqualValues(t, 1, c.Cut, "with what it had begun")
	in.talk(in.dialFrom("127.0.0.4"), 6)
	closed(t, greedy[2])
	closed(t, in.dialFrom("127.0.0.3"))
	in.talk(greedy[0], 7)
	in.talk(greedy[3], 8)
	require.EqualValues(t, 4, in.Counts().Connections)

	in.connections.mu.Lock()
	for c := range in.connections.open {
		c.since = c.since.Add(-settled)
	}
	in.connections.mu.Unlock()
	in.talk(in.dialFrom("127.0.0.5"), 9)
	require.EqualValues(t, 3, in.Counts().Displaced, "even with as many each, who has been silent for long makes place")
}

// flakyListener fails to accept for a while.
type flakyListener struct {
	net.Listener
	failures, calls atomic.Int32
}

func (l *flakyListener) Accept() (net.Conn, error) {
	l.calls.Add(1)
	if l.failures.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	return l.Listener.Accept()
}

func TestListenerWithoutDescriptorsWaits(t *testing.T) {
	in := open(t, nil, "tcp://127.0.0.1:0")
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l := &flakyListener{Listener: inner}
	l.failures.Store(5)
	start := time.Now()
	in.group.Go(func() { in.accept(l) })
	defer l.Close()
	conn, err := net.Dial("tcp", inner.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	in.talk(conn, 1)
	require.GreaterOrEqual(t, time.Since(start), 310*time.Millisecond, "five pauses, each twice as long")
	require.Contains(t, in.log(), "too many open files; clients wait")

	l.failures.Store(1 << 30)
	l.calls.Store(0)
	other, err := net.Dial("tcp", inner.Addr().String())
	require.NoError(t, err)
	other.Close()
	in.until("it fails", func(Counts) bool { return l.calls.Load() > 0 })
	start = time.Now()
	in.Close(0)
	require.Less(t, time.Since(start), 5*time.Second, "the end does not wait for descriptors")
}

// Connections leave a quarter of the descriptors to the rest of the process, with a real limit.
func TestConnectionsLeaveDescriptors(t *testing.T) {
	in := open(t, setting.Map{"source_connections": "1000", "max_connections": "1000"}, "tcp://127.0.0.1:0")
	good := in.dial(0)
	in.talk(good, 1)
	var before unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &before))
	const limit = 200
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: limit, Max: before.Max}))
	defer unix.Setrlimit(unix.RLIMIT_NOFILE, &before) //nolint:errcheck // as it was

	client := exec.Command("/bin/sh", "-c", `ulimit -n 1000 && exec "$0"`, os.Args[0])
	client.Env = append(os.Environ(), flood+"="+in.Places()[0].Address+",400")
	hold, err := client.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, client.Start())
	defer client.Wait() //nolint:errcheck // it has nothing to say
	defer hold.Close()
	in.until("all but a few are refused", func(c Counts) bool { return c.Refused+uint64(c.Connections) == 401 })
	c := in.Counts()
	require.Greater(t, c.Connections, int64(50))
	require.Less(t, c.Connections, int64(limit*3/4))
	in.talk(good, 2)
	for range limit/4 - 5 {
		file, err := os.Open(os.DevNull)
		require.NoError(t, err, "files can still be opened")
		defer file.Close()
	}
	require.Contains(t, in.log(), "few free descriptors (ulimit -n)")
}

// Whatever others do, every complete record of a client that behaves arrives, in order.
func TestClientsThatBehaveLoseNothing(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			for range 5 {
				if behave(t, rand.New(rand.NewPCG(seed, 17))) {
					return
				}
			}
			t.Fatal("in each of 5 rounds a client stood still for too long")
		})
	}
}

// behaving is a client that behaves.
type behaving struct {
	net.Conn
	records  int
	receiver *connection   // its other end
	paused   time.Duration // the longest time from the end of one write to the end of the next
}

// send sends all records, in parts of any size. It ends early when the connection does.
func (b *behaving) send(n int, r *rand.Rand) {
	var text bytes.Buffer
	last := time.Now()
	for i := range b.records {
		fmt.Fprintf(&text, "{\"client\":%d,\"n\":%d,\"padding\":\"%s\"}\n", n, i, strings.Repeat("x", r.IntN(3000)))
		for text.Len() > 8000 || i == b.records-1 && text.Len() > 0 {
			_, err := b.Write(text.Next(1 + r.IntN(12_000)))
			now := time.Now()
			b.paused, last = max(b.paused, now.Sub(last)), now
			if err != nil {
				return
			}
		}
	}
}

// behave has clients that behave send among others that do not. It reports false when one was cut off that stood still for as long as a
// line may keep others from memory, as a client of a busy machine may.
func behave(t *testing.T, random *rand.Rand) bool {
	in := open(t, setting.Map{
		"queue_limit": "2M", "max_message": "256K", "max_connections": "60", "source_connections": "20", "idle_timeout": "5s", "invalid": "drop",
	}, "tcp://127.0.0.1:0")
	in.connections.grace = 30 * time.Millisecond
	stop := make(chan struct{})
	var hostile, good sync.WaitGroup
	for range 12 {
		seed := random.Uint64()
		hostile.Go(func() { harass(in.Places()[0].Address, rand.New(rand.NewPCG(seed, 1)), stop) })
	}
	clients := make([]behaving, 10)
	next := make([]int, len(clients))
	total := 0
	for n := range clients {
		r := rand.New(rand.NewPCG(random.Uint64(), 2))
		b := &clients[n]
		b.Conn, b.records = in.dialFrom(fmt.Sprintf("127.0.1.%d", n+1)), 100+r.IntN(200)
		in.until("it is admitted", func(Counts) bool {
			return in.has(func(c *connection) bool { b.receiver = c; return c.RemoteAddr().String() == b.LocalAddr().String() })
		})
		total += b.records
		good.Go(func() { b.send(n, r) })
	}
	var cut []int
	limit, _, _ := connectionMemory(&in.settings)
	for end := time.Now().Add(patience); total > 0 && len(cut) == 0; time.Sleep(time.Duration(random.IntN(5)) * time.Millisecond) {
		require.True(t, time.Now().Before(end), "%d records are missing; counts %+v", total, in.Counts())
		require.LessOrEqual(t, in.Counts().LineBytes, limit+4<<20)
		for _, body := range in.bodies() {
			var client, i int
			if _, err := fmt.Sscanf(body, `{"client":%d,"n":%d`, &client, &i); err != nil {
				continue // of others
			}
			require.Equal(t, next[client], i, "client %d", client)
			next[client]++
			total--
		}
		in.connections.mu.Lock()
		for n := range clients {
			if clients[n].receiver.ended {
				cut = append(cut, n)
			}
		}
		in.connections.mu.Unlock()
	}
	close(stop)
	hostile.Wait()
	in.Queue.Abandon()
	in.Close(0)
	good.Wait()
	for _, n := range cut {
		require.GreaterOrEqual(t, clients[n].paused, in.connections.grace, "client %d was cut off", n)
	}
	c := in.Counts()
	require.Zero(t, c.LineBytes)
	require.Zero(t, c.Connections)
	require.Zero(t, c.Panics)
	return len(cut) == 0
}

// harass connects again and again, and does what a client should not.
func harass(place string, random *rand.Rand, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 2, byte(1+random.IntN(3)))}, Timeout: time.Second}
		conn, err := d.Dial("tcp", place)
		if err != nil {
			continue
		}
		conn.SetDeadline(time.Now().Add(100 * time.Millisecond)) //nolint:errcheck // it ends sooner or later
		switch random.IntN(5) {
		case 0: // silent
			io.Copy(io.Discard, conn) //nolint:errcheck // until it is closed
		case 1: // without an end
			conn.Write(bytes.Repeat([]byte("x"), random.IntN(250<<10))) //nolint:errcheck // it may be closed
			io.Copy(io.Discard, conn)                                   //nolint:errcheck // until it is closed
		case 2: // far too long, and then a record
			conn.Write(bytes.Repeat([]byte("{"), 600<<10)) //nolint:errcheck // it may be closed
			conn.Write([]byte("\n{\"other\":1}\n"))        //nolint:errcheck // it may be closed
		case 3: // garbage, and gone in the middle
			garbage := make([]byte, random.IntN(50_000))
			for i := range garbage {
				garbage[i] = byte(random.Uint32())
			}
			conn.Write(garbage) //nolint:errcheck // it may be closed
			conn.(*net.TCPConn).SetLinger(0)
		case 4: // byte by byte
			for _, b := range []byte(`{"slow":1}`) {
				if _, err := conn.Write([]byte{b}); errors.Is(err, os.ErrDeadlineExceeded) {
					break
				}
				time.Sleep(5 * time.Millisecond)
			}
		}
		conn.Close()
	}
}

// A text of small objects becomes events of many times its size; they go to the queue in parts.
func TestEventsOfOneLineGoToTheQueueInParts(t *testing.T) {
	in := open(t, setting.Map{"queue_limit": "2M"}, "tcp://127.0.0.1:0")
	conn := in.dial(0)
	const objects = 200_000
	go conn.Write([]byte(strings.Repeat("{}", objects) + "\n")) //nolint:errcheck // what is missing is found below
	in.until("the queue is nearly full", func(c Counts) bool { return c.QueueBytes > 1<<20 })
	time.Sleep(20 * time.Millisecond)
	require.LessOrEqual(t, in.Queue.Bytes(), int64(2<<20)*3/4)
	require.Len(t, in.wait(objects), objects)
	require.EqualValues(t, 1, in.Counts().Lines)
}
