package delivery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
)

// lockedBuffer is a writer that several goroutines may use.
type lockedBuffer struct {
	mu   sync.Mutex
	text []byte
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text = append(b.text, p...)
	return len(p), nil
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.text)
}

func lineNumbers(t *testing.T, text string) []int {
	var numbers []int
	for line := range strings.Lines(text) {
		assert.True(t, strings.HasSuffix(line, "\n"), "%q", line)
		numbers = append(numbers, number(t, line))
	}
	return numbers
}

func TestEveryDestinationGetsEveryAlertInOrder(t *testing.T) {
	ca := newAuthority(t)
	pair, _, _ := ca.issue(t, "127.0.0.1", time.Now().Add(time.Hour))
	udp, udpBox := syslogUDPServer(t, "127.0.0.1:0")
	tcpServer, tcpBox := syslogTCPServer(t, "127.0.0.1:0")
	tlsServer, tlsBox := syslogTLSServer(t, serverConfig(pair))
	gelfUDP, gelfUDPBox := gelfUDPServer(t)
	gelfPlain, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, gelfTCPBox := gelfTCPServer(t, gelfPlain)
	gelfSecured := listenTLS(t, pair)
	_, gelfTLSBox := gelfTCPServer(t, gelfSecured)
	jsonUDP, jsonUDPBox := jsonUDPServer(t)
	jsonTCP, jsonTCPBox := jsonServer(t, nil)
	jsonTLS, jsonTLSBox := jsonServer(t, serverConfig(pair))
	fwd := forwardTCPServer(t, &forwardServer{})
	fwdSecured := listenTLS(t, pair)
	fwdTLS := startForward(t, fwdSecured, &forwardServer{})
	dir := t.TempDir()
	socket, err := net.Listen("unix", filepath.Join(dir, "forward.sock"))
	require.NoError(t, err)
	fwdUnix := startForward(t, socket, &forwardServer{})
	var stdout lockedBuffer

	d := mustOpen(t, strings.Join([]string{
		"syslog+udp://" + udp.LocalAddr().String(),
		"syslog+tcp://" + tcpServer.Addr().String(),
		"syslog+tls://" + tlsServer.Addr().String() + "?ca=" + ca.file,
		"gelf+udp://" + gelfUDP.LocalAddr().String(),
		"gelf+tcp://" + gelfPlain.Addr().String(),
		"gelf+tls://" + gelfSecured.Addr().String() + "?ca=" + ca.file,
		"json+udp://" + jsonUDP.LocalAddr().String(),
		"json+tcp://" + jsonTCP.Addr().String(),
		"json+tls://" + jsonTLS.Addr().String() + "?ca=" + ca.file,
		"forward://" + fwd.Addr().String() + "?tag=alerts.$TAG",
		"forward+tls://" + fwdSecured.Addr().String() + "?tag=waf&ca=" + ca.file,
		"forward+unix://" + socket.Addr().String() + "?tag=waf",
		"file://" + filepath.Join(dir, "alerts.ndjson"),
		"stdout",
	}, ", "), Options{Stdout: &stdout})
	require.NoError(t, d.Deliver(t.Context(), "a", alerts(0, 50)))
	require.NoError(t, d.Deliver(t.Context(), "b", alerts(50, 100)))

	want := count(0, 100)
	assert.Equal(t, want, syslogNumbers(t, udpBox.wait(t, 100)))
	assert.Equal(t, want, syslogNumbers(t, tcpBox.wait(t, 100)))
	assert.Equal(t, want, syslogNumbers(t, tlsBox.wait(t, 100)))
	assert.Equal(t, want, gelfNumbers(gelfUDPBox.wait(t, 100)))
	assert.Equal(t, want, gelfNumbers(gelfTCPBox.wait(t, 100)))
	assert.Equal(t, want, gelfNumbers(gelfTLSBox.wait(t, 100)))
	assert.Equal(t, want, jsonNumbers(t, jsonUDPBox.wait(t, 100)))
	assert.Equal(t, want, jsonNumbers(t, jsonTCPBox.wait(t, 100)))
	assert.Equal(t, want, jsonNumbers(t, jsonTLSBox.wait(t, 100)))
	assert.Equal(t, want, forwardNumbers(fwd.now()), "what is acknowledged has arrived")
	assert.Equal(t, "alerts.nano", fwd.now()[0].tag)
	assert.Equal(t, want, forwardNumbers(fwdTLS.now()))
	assert.Equal(t, want, forwardNumbers(fwdUnix.now()))
	file, err := os.ReadFile(filepath.Join(dir, "alerts.ndjson"))
	require.NoError(t, err)
	assert.Equal(t, want, lineNumbers(t, string(file)))
	assert.Equal(t, want, lineNumbers(t, stdout.String()))
	for _, s := range d.Stats() {
		assert.Equal(t, int64(100), s.Delivered, s.Destination)
		assert.Zero(t, s.Failures, s.Destination)
	}
}

func TestADestinationThatIsDownRepeatsNothingToTheOthers(t *testing.T) {
	for _, scheme := range []string{"syslog+tcp", "syslog+udp", "forward"} {
		t.Run(scheme, func(t *testing.T) {
			healthy, healthyBox := syslogTCPServer(t, "127.0.0.1:0")
			down := loopback.Address(t)
			d := mustOpen(t, "syslog+tcp://"+healthy.Addr().String()+","+scheme+"://"+down+tagFor(scheme), Options{})
			for batch := range 5 {
				err := d.Deliver(t.Context(), fmt.Sprint(batch), alerts(batch*10, batch*10+10))
				require.ErrorContains(t, err, "deliver to "+scheme+"://"+down)
				require.ErrorContains(t, err, "connection refused")
			}
			arrived := startReceiver(t, scheme, down)
			for batch := range 5 {
				require.NoError(t, retry(t, d, fmt.Sprint(batch), alerts(batch*10, batch*10+10)))
			}
			assert.Equal(t, count(0, 50), syslogNumbers(t, healthyBox.wait(t, 50)), "exactly once")
			assert.Equal(t, count(0, 50), arrived(50))
			assert.Empty(t, d.progress.batches, "finished batches are forgotten")
		})
	}
}

func tagFor(scheme string) string {
	if scheme == "forward" {
		return "?tag=waf"
	}
	return ""
}

// startReceiver starts a server at an address and returns a function that waits for n alerts.
func startReceiver(t *testing.T, scheme, address string) func(n int) []int {
	switch scheme {
	case "syslog+tcp":
		_, box := syslogTCPServer(t, address)
		return func(n int) []int { return syslogNumbers(t, box.wait(t, n)) }
	case "syslog+udp":
		_, box := syslogUDPServer(t, address)
		return func(n int) []int { return syslogNumbers(t, box.wait(t, n)) }
	default:
		l, err := net.Listen("tcp", address)
		require.NoError(t, err)
		s := startForward(t, l, &forwardServer{})
		return func(n int) []int { return forwardNumbers(s.wait(t, n)) }
	}
}

// retry delivers again and again, as Fluent Bit does, for at most 10 seconds.
func retry(t *testing.T, d *Delivery, batch string, msgs []Message) error {
	var err error
	for start := time.Now(); time.Since(start) < 10*time.Second; time.Sleep(5 * time.Millisecond) {
		if err = d.Deliver(t.Context(), batch, msgs); err == nil {
			return nil
		}
	}
	return err
}

func TestWithinABatchOnlyTheRestIsSentAgain(t *testing.T) {
	fwd := forwardTCPServer(t, &forwardServer{reply: func(n int64) forwardReply {
		if n == 2 {
			return hangUp
		}
		return acknowledge
	}})
	d := mustOpen(t, "forward://"+fwd.Addr().String()+"?tag=waf.$TAG", Options{})
	msgs := alerts(0, 40)
	for i := range msgs {
		msgs[i].Tag = fmt.Sprint("source-", i/10) // a chunk for each tag
	}
	require.ErrorContains(t, d.Deliver(t.Context(), "a", msgs), "wait for acknowledgment: EOF")
	assert.Equal(t, count(0, 20), forwardNumbers(fwd.now()))
	require.NoError(t, retry(t, d, "a", msgs))
	assert.Equal(t, count(0, 40), forwardNumbers(fwd.now()))
	assert.Equal(t, int64(40), d.Stats()[0].Delivered)
}

func TestABatchWithOtherAlertsIsDeliveredInFull(t *testing.T) {
	var stdout lockedBuffer
	d := mustOpen(t, "stdout, syslog+tcp://"+loopback.Address(t), Options{Stdout: &stdout})
	require.Error(t, d.Deliver(t.Context(), "a", alerts(0, 2)))
	require.Error(t, d.Deliver(t.Context(), "a", alerts(0, 2)))
	assert.Equal(t, count(0, 2), lineNumbers(t, stdout.String()))
	require.Error(t, d.Deliver(t.Context(), "a", alerts(1, 3)), "the rules have changed in between")
	assert.Equal(t, []int{0, 1, 1, 2}, lineNumbers(t, stdout.String()))
}

func TestWithoutABatchNothingIsRemembered(t *testing.T) {
	var stdout lockedBuffer
	d := mustOpen(t, "stdout, syslog+tcp://"+loopback.Address(t), Options{Stdout: &stdout})
	require.Error(t, d.Deliver(t.Context(), "", alerts(0, 2)))
	require.Error(t, d.Deliver(t.Context(), "", alerts(0, 2)))
	assert.Equal(t, []int{0, 1, 0, 1}, lineNumbers(t, stdout.String()))
	assert.Empty(t, d.progress.batches)
}

func TestTheOldestUnfinishedBatchIsForgotten(t *testing.T) {
	var stdout lockedBuffer
	d := mustOpen(t, "stdout, syslog+tcp://"+loopback.Address(t), Options{Stdout: &stdout, Remember: 2})
	for _, n := range []int{0, 1, 0, 2, 0, 1} { // 1 is forgotten when 2 comes
		require.Error(t, d.Deliver(t.Context(), fmt.Sprint(n), alerts(n, n+1)))
	}
	assert.Equal(t, []int{0, 1, 2, 1}, lineNumbers(t, stdout.String()))
	assert.Len(t, d.progress.batches, 2)
	assert.Equal(t, 2, d.progress.order.Len())
}

func TestAHangingDestinationDoesNotHoldUpTheOthers(t *testing.T) {
	healthy, healthyBox := syslogTCPServer(t, "127.0.0.1:0")
	hanging := hangingServer(t)
	d := mustOpen(t, "syslog+tcp://"+healthy.Addr().String()+",gelf+tcp://"+hanging+"?timeout=300ms", Options{})
	big := alerts(0, 40)
	for i := range big {
		big[i].JSON = fmt.Appendf(nil, `{"n":%d,"body":%q}`, i, strings.Repeat("x", 4000))
	}
	start := time.Now()
	err := d.Deliver(t.Context(), "a", big)
	require.ErrorContains(t, err, "gelf+tcp://"+hanging)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	assert.Less(t, time.Since(start), 10*time.Second)
	assert.Len(t, healthyBox.wait(t, 40), 40)

	require.False(t, d.destinations[1].pausedUntil.IsZero())
	d.destinations[1].pausedUntil = time.Now().Add(time.Minute) // a pause of 1.2s may be over on a busy machine
	start = time.Now()
	err = d.Deliver(t.Context(), "b", alerts(40, 41))
	require.ErrorContains(t, err, "not tried for another")
	assert.Less(t, time.Since(start), 5*time.Second, "it is left alone for a while")
	assert.Len(t, healthyBox.wait(t, 41), 41)
}

// hangingServer accepts connections and reads nothing.
func hangingServer(t *testing.T) string {
	lc := net.ListenConfig{Control: smallReceiveBuffer}
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	quit := make(chan struct{})
	serveOn(t, l, func(net.Conn) { <-quit })
	t.Cleanup(func() { close(quit) }) // before the server stops
	return l.Addr().String()
}

func TestADestinationThatNeverAnswersIsGivenUp(t *testing.T) {
	quiet := forwardTCPServer(t, &forwardServer{reply: func(int64) forwardReply { return keepSilent }})
	d := mustOpen(t, "forward://"+quiet.Addr().String()+"?tag=waf&timeout=100ms", Options{})
	start := time.Now()
	err := d.Deliver(t.Context(), "a", alerts(0, 1))
	require.ErrorContains(t, err, "wait for acknowledgment")
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	assert.Less(t, time.Since(start), 10*time.Second)
	assert.Zero(t, d.Stats()[0].Delivered)
}

func TestTheCallerCanEndADelivery(t *testing.T) {
	quiet := forwardTCPServer(t, &forwardServer{reply: func(n int64) forwardReply {
		if n == 0 {
			return keepSilent
		}
		return acknowledge
	}})
	d := mustOpen(t, "forward://"+quiet.Addr().String()+"?tag=waf&timeout=1m", Options{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		quiet.wait(t, 1)
		cancel()
	}()
	start := time.Now()
	require.Error(t, d.Deliver(ctx, "a", alerts(0, 1)))
	assert.Less(t, time.Since(start), 10*time.Second)
	require.NoError(t, d.Deliver(t.Context(), "a", alerts(0, 1)), "that was not the destination's fault, so there is no pause")
}

func TestCloseEndsADelivery(t *testing.T) {
	quiet := forwardTCPServer(t, &forwardServer{reply: func(int64) forwardReply { return keepSilent }})
	d := mustOpen(t, "forward://"+quiet.Addr().String()+"?tag=waf&timeout=1m", Options{})
	failed := make(chan error)
	go func() { failed <- d.Deliver(t.Context(), "a", alerts(0, 1)) }()
	quiet.wait(t, 1)
	require.NoError(t, d.Close())
	require.Error(t, <-failed)
	require.ErrorIs(t, d.Deliver(t.Context(), "a", alerts(0, 1)), errClosed)
}

func TestManyThreadsDeliverAtOnce(t *testing.T) {
	const threads, batches, size = 8, 25, 4
	tcpServer, tcpBox := syslogTCPServer(t, "127.0.0.1:0")
	fwd := forwardTCPServer(t, &forwardServer{})
	path := filepath.Join(t.TempDir(), "alerts.ndjson")
	down := loopback.Address(t)
	d := mustOpen(t, "syslog+tcp://"+tcpServer.Addr().String()+",forward://"+fwd.Addr().String()+"?tag=waf,file://"+path+
		",syslog+tcp://"+down, Options{})
	var wg sync.WaitGroup
	for thread := range threads {
		wg.Go(func() {
			for batch := range batches {
				n := (thread*batches + batch) * size
				id := fmt.Sprint(thread, "/", batch)
				assert.Error(t, d.Deliver(t.Context(), id, alerts(n, n+size)))
				assert.Error(t, d.Deliver(t.Context(), id, alerts(n, n+size)))
			}
		})
	}
	wg.Wait()
	total := threads * batches * size
	assert.ElementsMatch(t, count(0, total), syslogNumbers(t, tcpBox.wait(t, total)))
	assert.ElementsMatch(t, count(0, total), forwardNumbers(fwd.now()))
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.ElementsMatch(t, count(0, total), lineNumbers(t, string(file)))
}

// brokenSink panics.
type brokenSink struct{ closed int }

func (k *brokenSink) send(context.Context, []Message) (int, error) { panic("broken") }

func (k *brokenSink) close() error {
	k.closed++
	return errors.New("cannot close")
}

func TestAPanicIsAnErrorOfOneDestination(t *testing.T) {
	var stdout lockedBuffer
	d := mustOpen(t, "stdout, stdout", Options{Stdout: &stdout})
	sink := &brokenSink{}
	d.destinations[0].sink = sink
	d.destinations[0].name = "broken"
	require.ErrorContains(t, d.Deliver(t.Context(), "a", alerts(0, 3)), "deliver to broken: panic: a string")
	assert.Equal(t, count(0, 3), lineNumbers(t, stdout.String()))
	assert.Equal(t, 1, sink.closed, "a connection in an unknown state is not used again")
	d.destinations[0].sink = &lineSink{out: &plainWriter{&stdout}}
}

func TestCloseTellsOfProblems(t *testing.T) {
	d, err := Open("stdout", Options{})
	require.NoError(t, err)
	d.destinations[0].sink = &brokenSink{}
	require.EqualError(t, d.Close(), "close stdout: cannot close")
}

func TestNothingToDeliverIsDelivered(t *testing.T) {
	d := mustOpen(t, "syslog+tcp://"+loopback.Address(t), Options{})
	require.NoError(t, d.Deliver(t.Context(), "a", nil))
}

func TestANameThatCannotBeResolvedIsAnError(t *testing.T) {
	resolver := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("no name server")
	}}
	for _, scheme := range []string{"syslog+udp", "syslog+tcp", "gelf+udp", "forward"} {
		d := mustOpen(t, scheme+"://siem.invalid"+tagFor(scheme), Options{dialer: net.Dialer{Resolver: resolver}})
		err := d.Deliver(t.Context(), "a", alerts(0, 1))
		var dns *net.DNSError
		require.ErrorAs(t, err, &dns, scheme)
		assert.Equal(t, "siem.invalid", dns.Name)
	}
}
