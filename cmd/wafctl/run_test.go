package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli/clitest"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/syncbuffer"
)

// patience is how long tests wait for what must happen.
const patience = 30 * time.Second

// running is a wafctl run in this process.
type running struct {
	t        *testing.T
	out, err syncbuffer.Buffer
	cancel   func()
	code     chan int
}

func start(t *testing.T, stdin io.Reader, args ...string) *running {
	t.Helper()
	r := &running{t: t, code: make(chan int, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	r.cancel = cancel
	c := &cli.Console{Host: clitest.Host, In: stdin, Out: &r.out, Err: &r.err}
	go func() { r.code <- execute(ctx, c, append([]string{"run"}, args...)) }()
	r.wait(&r.err, `listening on`)
	return r
}

// wait returns what a pattern finds in an output as soon as it does.
func (r *running) wait(in *syncbuffer.Buffer, pattern string) []string {
	r.t.Helper()
	expression := regexp.MustCompile(pattern)
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if found := expression.FindStringSubmatch(in.String()); found != nil {
			return found
		}
	}
	require.Fail(r.t, "not found: "+pattern, "stdout:\n%s\nstderr:\n%s", r.out.String(), r.err.String())
	return nil
}

// place returns the address on which the run listens.
func (r *running) place(network string) string {
	r.t.Helper()
	return r.wait(&r.err, network+`://([^,;\s]+)`)[1]
}

// End asks the run to end and returns its exit code.
func (r *running) End() int {
	r.t.Helper()
	r.cancel()
	return r.ended()
}

func (r *running) ended() int {
	r.t.Helper()
	select {
	case code := <-r.code:
		return code
	case <-time.After(patience):
		require.Fail(r.t, "still running", r.err.String())
		return -1
	}
}

// syslogReceiver returns the address of a UDP receiver and what arrives at it.
func syslogReceiver(t *testing.T) (address string, lines <-chan string) {
	t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { socket.Close() })
	received := make(chan string, 1000)
	go func() {
		buffer := make([]byte, 65536)
		for {
			n, _, err := socket.ReadFrom(buffer)
			if err != nil {
				return
			}
			received <- string(buffer[:n])
		}
	}()
	return socket.LocalAddr().String(), received
}

func nextLine(t *testing.T, lines <-chan string) string {
	t.Helper()
	select {
	case line := <-lines:
		return line
	case <-time.After(patience):
		require.Fail(t, "nothing arrived")
		return ""
	}
}

func nanoSample(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../testdata/nano-sample.json")
	require.NoError(t, err)
	return string(text)
}

func dial(t *testing.T, network, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial(network, address)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestAlertsReachSyslog(t *testing.T) {
	for _, network := range []string{"udp", "tcp", "stdin"} {
		t.Run(network, func(t *testing.T) {
			address, lines := syslogReceiver(t)
			stdin, feed := io.Pipe()
			listen := network + "://127.0.0.1:0"
			if network == "stdin" {
				listen = "-"
			}
			r := start(t, stdin, "--listen", listen, "--alert-to", "syslog+udp://"+address)
			var to io.Writer = feed
			if network != "stdin" {
				to = dial(t, network, r.place(network))
			}
			_, err := io.WriteString(to, nanoSample(t))
			require.NoError(t, err)
			line := nextLine(t, lines)
			require.Regexp(t, `^<\d+>1 2\d{3}-\S+ \S+ \S+ \S+ \S+ - \{"rule_id":"932160","alert_engine":"modsecurity","time":"2024-05-30 07:16:48",`, line)
			if network == "stdin" {
				feed.Close()
				require.Equal(t, cli.ExitClean, r.ended(), "ends with its only source: %s", r.err.String())
			} else {
				require.Equal(t, cli.ExitClean, r.End(), r.err.String())
			}
			require.Contains(t, r.err.String(), "wafctl: received 1 record: 1 alert, 0 clean, 0 not HTTP, 0 broken\n")
			require.Contains(t, r.err.String(), "wafctl: 1 alert delivered to syslog+udp://"+address+"\n")
		})
	}
}

func TestEverySourceIsRead(t *testing.T) {
	r := start(t, nil, "--listen", "udp://127.0.0.1:0,tcp://127.0.0.1:0", "--listen", "udp://[::1]:0", "--output", "stdout", "--alert-to", "off")
	for _, place := range regexp.MustCompile(`(udp|tcp)://([^,;\s]+)`).FindAllStringSubmatch(r.err.String(), -1) {
		conn := dial(t, place[1], place[2])
		_, err := io.WriteString(conn, clean+dns+"\n")
		require.NoError(t, err)
	}
	r.wait(&r.out, `(?:\S+\n){6}`)
	require.Equal(t, cli.ExitClean, r.End(), r.err.String())
	require.Equal(t, 3, strings.Count(r.out.String(), clean+"\n"))
	require.Equal(t, 3, strings.Count(r.out.String(), dns+"\n"))
}

func TestOutputHasEveryRecordInOrderWithItsVerdict(t *testing.T) {
	path := filepath.Join(t.TempDir(), "all.ndjson")
	var in strings.Builder
	const n = 2000
	for i := range n {
		url := fmt.Sprintf("/item/%d", i)
		if i%100 == 7 {
			url += "?file=../../etc/passwd"
		}
		fmt.Fprintf(&in, "{\"METHOD\":\"GET\",\"URL\":%q,\"DOMAIN\":\"shop.example\",\"n\":%d,\"n\":1.5}\n", url, i)
	}
	r := start(t, strings.NewReader(in.String()), "--listen", "-", "--output", path, "--emit-format", "record")
	require.Equal(t, cli.ExitClean, r.ended(), r.err.String())
	require.Equal(t, n/100, strings.Count(r.out.String(), "\n"), "alerts go to stdout")

	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	scanner := bufio.NewScanner(file)
	for i := range n {
		require.True(t, scanner.Scan())
		var got struct {
			URL string
			WAF map[string]any `json:"waf"`
		}
		require.NoError(t, json.Unmarshal(scanner.Bytes(), &got))
		require.True(t, strings.HasPrefix(got.URL+"?", fmt.Sprintf("/item/%d?", i)), got.URL)
		require.Equal(t, i%100 == 7, got.WAF != nil)
		require.Contains(t, scanner.Text(), fmt.Sprintf(`"n":%d,"n":1.5`, i), "a key twice stays twice")
	}
	require.False(t, scanner.Scan())
}

func TestVerdictsOfTheSenderAreNotWritten(t *testing.T) {
	in := `{"waf":{"alert":true},"message":"not http"}` + "\n" + `{"a":1,"\u0077af":0,"L7_PROTOCOL":"dns","w\u0061f":[]}` + "\n" +
		strings.Replace(clean, "{", `{"waf":"forged",`, 1) + "\n"
	r := start(t, strings.NewReader(in), "--listen", "-", "--output", "stdout", "--alert-to", "off")
	require.Equal(t, cli.ExitClean, r.ended())
	require.Equal(t, `{"message":"not http"}`+"\n"+`{"a":1,"L7_PROTOCOL":"dns"}`+"\n"+clean+"\n", r.out.String())
}

// As with report, a dash is the standard output, and never a file of that name.
func TestADashIsTheStandardOutput(t *testing.T) {
	t.Chdir(t.TempDir())
	r := start(t, strings.NewReader(clean+"\n"), "--listen", "-", "--output", "-", "--alert-to", "off")
	require.Equal(t, cli.ExitClean, r.ended())
	require.Equal(t, clean+"\n", r.out.String())
	got := wafctl(nil, nil, "run", "--listen", "-", "--output", "-")
	require.Equal(t, cli.ExitError, got.code)
	require.Contains(t, got.err, "--output: alerts also go to stdout (want a file, or another --alert-to)")
	files, err := os.ReadDir(".")
	require.NoError(t, err)
	require.Empty(t, files)
}

func TestWhatIsNotJSONIsCountedAndToldNowAndThen(t *testing.T) {
	in := strings.Repeat("not json\n", 500) + `{"a":1} and more` + "\n" + clean
	for policy, want := range map[string]struct{ summary, out string }{
		"keep": {
			summary: "received 503 records, 501 not JSON: 0 alerts, 1 clean, 502 not HTTP, 0 broken\n",
			out: strings.Repeat(`{"_raw":"not json","_error":"not JSON at byte 1 (want an object)"}`+"\n", 500) + `{"a":1}` + "\n" +
				`{"_raw":"and more","_error":"not JSON at byte 1 (want an object)"}` + "\n" + clean + "\n",
		},
		"drop": {
			summary: "received 2 records, 501 not JSON: 0 alerts, 1 clean, 1 not HTTP, 0 broken\n",
			out:     `{"a":1}` + "\n" + clean + "\n",
		},
	} {
		r := start(t, strings.NewReader(in), "--listen", "-", "--output", "stdout", "--alert-to", "off", "--invalid", policy)
		require.Equal(t, cli.ExitClean, r.ended())
		require.Contains(t, r.err.String(), "wafctl: warning: a message is invalid: not JSON at byte 1 (want an object)\n")
		require.Less(t, strings.Count(r.err.String(), "not JSON at byte"), 20)
		require.Contains(t, r.err.String(), want.summary)
		require.Equal(t, want.out, r.out.String())
	}
}

func TestDestinationThatIsDownHoldsUpNoOther(t *testing.T) {
	down := loopback.Address(t)
	address, lines := syslogReceiver(t)
	r := start(t, nil, "--listen", "udp://127.0.0.1:0", "--alert-to", "syslog+tcp://"+down+",syslog+udp://"+address, "--emit-limit", "4K")
	conn := dial(t, "udp", r.place("udp"))
	for range 20 {
		_, err := io.WriteString(conn, nanoSample(t))
		require.NoError(t, err)
		nextLine(t, lines)
	}
	require.Equal(t, cli.ExitError, r.End())
	text := r.err.String()
	require.Contains(t, text, "wafctl: 20 alerts delivered to syslog+udp://"+address)
	require.Contains(t, text, "wafctl: 0 alerts delivered to syslog+tcp://"+down)
	require.Contains(t, text, "wafctl: 20 alerts not delivered to syslog+tcp://"+down)
	require.Contains(t, text, "; retrying")
}

func TestAlertsWaitForADestinationThatComesBack(t *testing.T) {
	address := loopback.Address(t)
	r := start(t, strings.NewReader(nanoSample(t)), "--listen", "-,udp://127.0.0.1:0", "--alert-to", "syslog+tcp://"+address)
	r.wait(&r.err, "retrying")
	listener, err := net.Listen("tcp", address)
	require.NoError(t, err)
	defer listener.Close()
	conn, err := listener.Accept()
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(patience)))
	head := make([]byte, 200)
	_, err = io.ReadFull(conn, head)
	require.NoError(t, err)
	require.Contains(t, string(head), `{"rule_id":"932160"`)
	go io.Copy(io.Discard, conn) //nolint:errcheck // until the connection ends
	r.wait(&r.err, "listening")
	require.Equal(t, cli.ExitClean, r.End(), r.err.String())
	require.Contains(t, r.err.String(), "wafctl: 1 alert delivered to syslog+tcp://"+address)
}

func TestFaultsOfARunAreTold(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	got := wafctl(nil, nil, "run", "--listen", "udp://nowhere,http://127.0.0.1:80,tcp://"+taken.Addr().String(), "--alert-to", "syslog://x,smtp://y",
		"--output", t.TempDir(), "--emit-tag", "$TAG", "--emit-limit", "much")
	require.Equal(t, cli.ExitError, got.code)
	for _, want := range []string{
		`--listen: malformed address "udp://nowhere" (want udp://HOST:PORT, tcp://HOST:PORT, kafka://BROKER[:9092],…/TOPIC or -)`,
		`--listen: malformed address "http://127.0.0.1:80" (want`,
		`--listen: listen tcp ` + taken.Addr().String() + `: bind: address already in use`,
		`--alert-to: destination "syslog://x": unknown scheme "syslog" (want`,
		`--alert-to: destination "smtp://y": unknown scheme "smtp" (want`,
		`--output: open `,
		`--emit-tag: tag "$TAG" has no fixed text`,
		`--emit-limit: malformed size "much"`,
	} {
		require.Contains(t, got.err, want)
	}
	got = wafctl(nil, nil, "run", "--tag", "alerts", "--emit-tag", "alerts", "--output", "stdout")
	require.Equal(t, cli.ExitError, got.code)
	require.Contains(t, got.err, "--tag alerts: --emit-tag gives alerts the same tag")
	require.Contains(t, got.err, "--output: alerts also go to stdout (want a file, or another --alert-to)")
}

func TestDigestsThatGoNowherePreventARun(t *testing.T) {
	for want, arguments := range map[string][]string{
		`--alert-to: destination "kafka://host/digests": nothing sends digests`: {"run", "--alert-to", "stdout,kafka://host/digests?only=digests"},
		"--alert-to: no destination takes the digests":                          {"run", "--alert-to", "syslog+udp://host", "--incidents", "on", "--incident-digest-tag", "d"},
		"--alert-to: no destination takes":                                      {"auth", "--alert-to", "off", "--incidents", "on", "--incident-digest-tag", "d"},
	} {
		got := wafctl(nil, nil, arguments...)
		require.Equal(t, cli.ExitError, got.code)
		require.Contains(t, got.err, want)
	}
}

// brokenPipe is an output that takes so many bytes and then fails.
type brokenPipe struct{ left int }

func (b *brokenPipe) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, io.ErrClosedPipe
	}
	return len(p), nil
}

func TestRunEndsWhenRecordsCannotBeWritten(t *testing.T) {
	stdin, feed := io.Pipe()
	defer feed.Close()
	go io.WriteString(feed, clean+"\n") //nolint:errcheck // the reader is gone at the end
	var messages syncbuffer.Buffer
	c := &cli.Console{Host: clitest.Host, In: stdin, Out: &brokenPipe{}, Err: &messages}
	require.Equal(t, cli.ExitError, execute(t.Context(), c, []string{"run", "--listen", "-", "--output", "stdout", "--alert-to", "off"}))
	require.Contains(t, messages.String(), "write records: io: read/write on closed pipe")
}

func TestMetricsOfARun(t *testing.T) {
	stdin, feed := io.Pipe()
	file := filepath.Join(t.TempDir(), "alerts")
	r := start(t, stdin, "--listen", "-", "--alert-to", "file://"+file, "--metrics-listen", "127.0.0.1:0",
		"--metrics-tag", "metrics", "--metrics-interval", "100ms")
	page := r.wait(&r.err, `metrics of all instances: (\S+)`)[1]
	_, err := io.WriteString(feed, nanoSample(t)+"\n")
	require.NoError(t, err)
	want := regexp.MustCompile(regexp.QuoteMeta(`waf_delivered_total{destination="file://`+file+`",kind="wafctl",name="run`) + `(#2)?"} [1-9]`)
	require.Eventually(t, func() bool {
		_, err := io.WriteString(feed, nanoSample(t)+"\n")
		require.NoError(t, err)
		answer, err := http.Get(page)
		require.NoError(t, err)
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		return want.Match(text) && strings.Contains(string(text), `waf_intake_bytes{kind="wafctl"`)
	}, patience, 50*time.Millisecond)
	require.Eventually(t, func() bool {
		_, err := io.WriteString(feed, nanoSample(t)+"\n")
		require.NoError(t, err)
		text, err := os.ReadFile(file)
		return err == nil && bytes.Contains(text, []byte(`"waf_records_total":{"alert":`))
	}, patience, 50*time.Millisecond)
	require.NoError(t, feed.Close())
	require.Equal(t, cli.ExitClean, r.ended(), r.err.String())
}

func TestRepeatsAreSummedUpWhileNothingComesAndAtTheEnd(t *testing.T) {
	stdin, feed := io.Pipe()
	r := start(t, stdin, "--listen", "-", "--alert-to", "stdout", "--flood-window", "1s", "--include-payload", "off")
	sample := strings.TrimSpace(nanoSample(t)) + "\n"
	send := func(n int) {
		_, err := io.WriteString(feed, strings.Repeat(sample, n))
		require.NoError(t, err)
	}
	send(5)
	r.wait(&r.out, `"count":"4","first_seen":"[^"]+","last_seen":"[^"]+"}`)
	send(3)
	require.NoError(t, feed.Close())
	require.Equal(t, cli.ExitClean, r.ended())

	total := 0
	for line := range strings.Lines(r.out.String()) {
		var alert map[string]string
		require.NoError(t, json.Unmarshal([]byte(line), &alert))
		n, err := strconv.Atoi(cmp.Or(alert["count"], "1"))
		require.NoError(t, err)
		total += n
	}
	require.Equal(t, 8, total, r.out.String())
	require.Regexp(t, `[67] alerts suppressed by flood control, summarized in \d alerts?`, r.err.String())
}

// At the end of a run without a state file nobody will go on with an incident, so it ends with the records that it had.
func TestIncidentsEndWithTheRun(t *testing.T) {
	records, err := os.Open("../../docs/examples/probing.ndjson")
	require.NoError(t, err)
	defer records.Close()
	r := start(t, records, "--listen", "-", "--alert-to", "stdout", "--incidents", "on", "--alert-detail", "incidents")
	require.Equal(t, cli.ExitClean, r.ended())
	lines := strings.Split(strings.TrimSpace(r.out.String()), "\n")
	var first, last map[string]string
	require.NoError(t, json.Unmarshal([]byte(lines[0]), &first))
	require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &last))
	require.Equal(t, "open", first["incident_status"])
	require.Equal(t, "closed", last["incident_status"])
	require.Equal(t, first["incident_id"], last["incident_id"])
	opened, err := strconv.Atoi(first["records"])
	require.NoError(t, err)
	closed, err := strconv.Atoi(last["records"])
	require.NoError(t, err)
	require.Greater(t, closed, opened)
}
