package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/syncbuffer"
)

// cluster is a Kafka in this process with the topics records and alerts.
type cluster struct {
	t *testing.T
	*kfake.Cluster
	brokers string
	admin   *kadm.Client
	how     []kgo.Opt // to connect
}

func newCluster(t *testing.T, partitions int32, opts ...kfake.Opt) *cluster {
	t.Helper()
	return connect(t, partitions, nil, opts...)
}

// connect is newCluster for one to which tests connect in another way.
func connect(t *testing.T, partitions int32, how []kgo.Opt, opts ...kfake.Opt) *cluster {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{
		kfake.NumBrokers(2), kfake.SeedTopics(partitions, "records", "alerts"), kfake.GroupMinSessionTimeout(time.Second),
	}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	all := &cluster{t: t, Cluster: c, brokers: strings.Join(c.ListenAddrs(), ","), how: how}
	all.admin = kadm.NewClient(all.client())
	return all
}

func (c *cluster) client(opts ...kgo.Opt) *kgo.Client {
	c.t.Helper()
	client, err := kgo.NewClient(slices.Concat([]kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...)}, c.how, opts)...)
	require.NoError(c.t, err)
	c.t.Cleanup(client.Close)
	return client
}

// send writes records whose keys decide on their partitions.
func (c *cluster) send(topic string, records ...*kgo.Record) {
	c.t.Helper()
	require.NoError(c.t, c.client(kgo.DefaultProduceTopic(topic)).ProduceSync(c.t.Context(), records...).FirstErr())
}

// message is a record of a source, with an attack or without.
func message(source string, number int, isAttack bool) *kgo.Record {
	uri := fmt.Sprintf("/orders/%d", number)
	if isAttack {
		uri += "?file=../../etc/passwd"
	}
	value := fmt.Sprintf(`{"SRC_IP":%q,"METHOD":"GET","URL":%q,"DOMAIN":"shop.example","AGENT":"Mozilla/5.0","L7_PROTOCOL":"http"}`, source, uri)
	return &kgo.Record{Key: []byte(source), Value: []byte(value)}
}

// delivered is an alert in a topic.
type delivered struct {
	id, key, url string
	partition    int32
}

// alerts returns the alerts of a topic as soon as there are so many with ids of their own, in the order of each partition.
func (c *cluster) alerts(want int) (all []delivered) {
	c.t.Helper()
	client := c.client(kgo.ConsumeTopics("alerts"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ctx, cancel := context.WithTimeout(c.t.Context(), 3*patience)
	defer cancel()
	distinct := map[string]bool{}
	for len(distinct) < want {
		fetches := client.PollFetches(ctx)
		require.NoError(c.t, ctx.Err(), "%d of %d alerts", len(distinct), want)
		fetches.EachRecord(func(r *kgo.Record) {
			a := delivered{key: string(r.Key), partition: r.Partition}
			require.Equal(c.t, "alert_id", r.Headers[0].Key)
			a.id = string(r.Headers[0].Value)
			var text struct {
				URL string `json:"url"`
			}
			require.NoError(c.t, json.Unmarshal(r.Value, &text))
			a.url = text.URL
			distinct[a.id] = true
			all = append(all, a)
		})
	}
	return all
}

func (c *cluster) run(args ...string) *running {
	c.t.Helper()
	return start(c.t, nil, append([]string{"--listen", "kafka://" + c.brokers + "/records?group=waf", "--alert-to", "kafka://" + c.brokers + "/alerts"}, args...)...)
}

func TestRecordsComeFromKafkaAndAlertsGoThere(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 3)
	at := time.Now()
	c.send("records", message("192.0.2.1", 1, true), message("192.0.2.1", 2, false), message("192.0.2.2", 3, true), &kgo.Record{Value: []byte("not JSON")},
		&kgo.Record{Value: []byte(attack + attack), Timestamp: at}, &kgo.Record{Value: []byte(attack), Timestamp: at})
	r := c.run()
	all := c.alerts(4)
	require.Equal(t, cli.ExitClean, r.End(), r.err.String())
	require.Contains(t, r.err.String(), "listening on kafka://"+c.brokers+"/records; alerts go to kafka://"+c.brokers+"/alerts\n")
	require.Contains(t, r.err.String(), "received 7 records, 1 not JSON: 5 alerts, 1 clean, 1 not HTTP, 0 broken\n")
	keys := map[string]int{}
	for _, a := range all {
		keys[a.key]++
	}
	require.Equal(t, map[string]int{"192.0.2.1": 1, "192.0.2.2": 1, "10.1.2.3": 3}, keys)
}

// Fluent Bit's output kafka writes the time of a record before what the record holds.
func TestRecordsComeFromFluentBit(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1)
	c.send("records", &kgo.Record{Key: []byte("192.0.2.9"), Value: []byte(`{"@timestamp":1780125408.123456,"remote_addr":"192.0.2.9","request_method":"GET",` +
		`"request_uri":"/?file=../../etc/passwd","status":"200","http_user_agent":"curl/8.14.1","host":"shop.example"}`)})
	r := start(t, nil, append([]string{"--listen", "kafka://" + c.brokers + "/records", "--alert-to", "kafka://" + c.brokers + "/alerts"}, quickRules...)...)
	require.Equal(t, "192.0.2.9", c.alerts(1)[0].key)
	require.Equal(t, cli.ExitClean, r.End(), r.err.String())
}

// Where a member starts behind a backlog, alerts are about records of long ago.
func TestAlertsAboutOldRecordsAreDelivered(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1)
	old := message("192.0.2.1", 1, true)
	old.Timestamp = time.Now().Add(-24 * time.Hour)
	c.send("records", old)
	r := start(t, nil, append([]string{"--listen", "kafka://" + c.brokers + "/records", "--alert-to", "kafka://" + c.brokers + "/alerts"}, quickRules...)...)
	require.Len(t, c.alerts(1), 1)
	require.Equal(t, cli.ExitClean, r.End(), r.err.String())
}

// quickRules are rules that a member has loaded at once.
var quickRules = []string{"--rules", "testdata/attacks.conf", "--rule-packs", "off"}

// member is a wafctl run in a process of its own.
type member struct {
	t        *testing.T
	cmd      *exec.Cmd
	messages syncbuffer.Buffer
	records  string // file with the records that it has evaluated
}

// join starts a member that delivers alerts to a cluster.
func (c *cluster) join(to *cluster) *member {
	c.t.Helper()
	return c.start("kafka://"+c.brokers+"/records?session-timeout=3s", "kafka://"+to.brokers+"/alerts")
}

// start starts a member that listens to a topic and delivers alerts to destinations.
func (c *cluster) start(topic, destinations string, args ...string) *member {
	c.t.Helper()
	m := &member{t: c.t, records: filepath.Join(c.t.TempDir(), "records.ndjson")}
	m.cmd = program(c.t, slices.Concat([]string{"run", "--listen", topic, "--alert-to", destinations, "--output", m.records}, quickRules, args)...)
	m.cmd.Stderr = &m.messages
	require.NoError(c.t, m.cmd.Start())
	c.t.Cleanup(func() {
		m.cmd.Process.Kill() //nolint:errcheck // it may have ended before
		m.cmd.Wait()         //nolint:errcheck // likewise
		if c.t.Failed() {
			c.t.Log(m.messages.String())
		}
	})
	r := running{t: c.t}
	r.wait(&m.messages, "listening on kafka")
	return m
}

func (m *member) kill() {
	m.t.Helper()
	require.NoError(m.t, m.cmd.Process.Kill())
	require.Error(m.t, m.cmd.Wait())
}

func (m *member) leave() {
	m.t.Helper()
	require.NoError(m.t, m.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(m.t, m.cmd.Wait(), m.messages.String())
}

// traffic sends records of 40 sources in turns, every fifth of each source an attack, and counts them.
type traffic struct {
	c             *cluster
	sent, attacks int
}

const (
	trafficSources = 40
	attackEvery    = 5
)

func (s *traffic) send(n int) {
	s.c.t.Helper()
	var records []*kgo.Record
	for range n {
		source, number := s.sent%trafficSources, s.sent/trafficSources
		isAttack := number%attackEvery == 0
		records = append(records, message(fmt.Sprintf("192.0.2.%d", source), number, isAttack))
		if s.sent++; isAttack {
			s.attacks++
		}
	}
	s.c.send("records", records...)
}

// awaitCommits waits until the group has committed all records.
func (c *cluster) awaitCommits(records int) {
	c.t.Helper()
	c.awaitGroup("waf", "records", records)
}

// awaitGroup waits until a group has committed all records of a topic.
func (c *cluster) awaitGroup(group, topic string, records int) {
	c.t.Helper()
	require.Eventually(c.t, func() bool {
		sum := c.committed(group, topic)
		require.LessOrEqual(c.t, sum, int64(records))
		return sum == int64(records)
	}, 3*patience, 50*time.Millisecond)
}

// requireOrder checks that alerts of a source come in the order of its records, but for repeats.
func requireOrder(t *testing.T, all []delivered) {
	t.Helper()
	last, seen := map[string]int{}, map[string]bool{}
	for _, a := range all {
		if seen[a.id] {
			continue
		}
		seen[a.id] = true
		_, number, found := strings.Cut(strings.TrimSuffix(a.url, "?file=../../etc/passwd"), "/orders/")
		n, err := strconv.Atoi(number)
		require.True(t, found && err == nil, a.url)
		before, known := last[a.key]
		require.True(t, !known || before < n, "%s: %d behind %d", a.key, n, before)
		last[a.key] = n
	}
}

// evaluated returns how many different records are in the files of members.
func evaluated(t *testing.T, members ...*member) int {
	t.Helper()
	all := map[string]bool{}
	for _, m := range members {
		text, err := os.ReadFile(m.records)
		require.NoError(t, err)
		for line := range strings.Lines(string(text)) {
			var r struct {
				Source string `json:"SRC_IP"`
				URL    string `json:"URL"`
			}
			if json.Unmarshal([]byte(line), &r) == nil { // a member that was killed leaves part of a line
				all[r.Source+r.URL] = true
			}
		}
	}
	return len(all)
}

func TestMembersThatComeAndGoLoseNothing(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 8)
	s := &traffic{c: c}
	s.send(2000)
	a := c.join(c)
	s.send(2000)
	b := c.join(c)
	s.send(2000)
	d, e := c.join(c), c.join(c)
	s.send(2000)
	b.kill()
	s.send(2000)
	a.leave()
	s.send(2000)
	d.kill()
	f := c.join(c)
	s.send(2000)
	all := c.alerts(s.attacks)
	c.awaitCommits(s.sent)
	e.leave()
	f.leave()
	require.Equal(t, s.sent, evaluated(t, a, b, d, e, f), "records that were evaluated")
	urls := map[string]bool{}
	for _, alert := range all {
		urls[alert.key+alert.url] = true
	}
	require.Len(t, urls, s.attacks, "attacks that were alerted on")
	requireOrder(t, all)
}

// hold keeps the cluster from taking records until the function that it returns is called.
func (c *cluster) hold() (release func()) { return c.holdRequests(kmsg.Produce) }

// holdCommits keeps members of groups from committing until the function that it returns is called.
func (c *cluster) holdCommits() (release func()) { return c.holdRequests(kmsg.OffsetCommit) }

func (c *cluster) holdRequests(kind kmsg.Key) (release func()) {
	var released atomic.Bool
	c.ControlKey(int16(kind), func(kmsg.Request) (kmsg.Response, error, bool) {
		if released.Load() {
			return nil, nil, false
		}
		c.KeepControl()
		return nil, errors.New("held"), true
	})
	return func() { released.Store(true) }
}

// awaitEvaluation waits until members have evaluated so many records.
func awaitEvaluation(t *testing.T, records int, members ...*member) {
	t.Helper()
	require.Eventually(t, func() bool { return evaluated(t, members...) == records }, patience, 50*time.Millisecond)
}

// commits returns the sum of the offsets that the group has committed.
func (c *cluster) commits() int64 {
	c.t.Helper()
	return c.committed("waf", "records")
}

func (c *cluster) committed(group, topic string) (sum int64) {
	c.t.Helper()
	committed, err := c.admin.FetchOffsetsForTopics(c.t.Context(), group, topic)
	if errors.Is(err, kerr.GroupIDNotFound) { // nobody has joined it yet
		return 0
	}
	require.NoError(c.t, err)
	committed.Each(func(o kadm.OffsetResponse) { sum += max(0, o.At) })
	return sum
}

// committedOf is committed of one partition.
func (c *cluster) committedOf(group, topic string, partition int32) int64 {
	c.t.Helper()
	committed, err := c.admin.FetchOffsetsForTopics(c.t.Context(), group, topic)
	require.NoError(c.t, err)
	o, _ := committed.Lookup(topic, partition)
	return max(0, o.At)
}

func TestNothingIsCommittedBeforeItsAlertsAreDelivered(t *testing.T) {
	t.Parallel()
	c, siem := newCluster(t, 8), newCluster(t, 8)
	release := siem.hold()
	s := &traffic{c: c}
	a := c.join(siem)
	s.send(400)
	awaitEvaluation(t, s.sent, a)
	time.Sleep(5 * time.Second / 2) // twice the interval of commits
	require.Zero(t, c.commits())
	a.kill()
	release()
	b := c.join(siem)
	require.Len(t, siem.alerts(s.attacks), s.attacks)
	c.awaitCommits(s.sent)
	b.leave()
}

// Members that are not killed finish what they have before others take over.
func TestPartitionsMoveWithoutRepeats(t *testing.T) {
	t.Parallel()
	c, siem := newCluster(t, 8), newCluster(t, 8)
	s := &traffic{c: c}
	join := func() *member { // the group must not give one up that stands still
		return c.start("kafka://"+c.brokers+"/records?session-timeout=30s", "kafka://"+siem.brokers+"/alerts")
	}
	members := []*member{join()}
	for range 2 {
		release := siem.hold()
		s.send(2000)
		awaitEvaluation(t, s.sent, members...)
		b := join()
		members = append(members, b)
		time.Sleep(2 * time.Second) // for the rebalance, which waits for what is held
		release()
		c.awaitCommits(s.sent)
		s.send(2000)
		b.leave()
		c.awaitCommits(s.sent)
	}
	members[0].leave()
	all := siem.alerts(s.attacks)
	require.Len(t, all, s.attacks, "without repeats")
	requireOrder(t, all)
}

// lag returns the sum of the lags that a metrics page shows.
func lag(t *testing.T, page string) (sum int) {
	t.Helper()
	answer, err := http.Get(page) //nolint:gosec // a page of this process
	require.NoError(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	for _, found := range regexp.MustCompile(`(?m)^waf_kafka_lag\{.*partition="\d+",topic="records"\} (\d+)$`).FindAllStringSubmatch(string(text), -1) {
		n, err := strconv.Atoi(found[1])
		require.NoError(t, err)
		sum += n
	}
	return sum
}

func TestADestinationThatIsDownStopsReadingAndGrowsTheLag(t *testing.T) {
	t.Parallel()
	c, siem := newCluster(t, 4), newCluster(t, 4)
	release := siem.hold()
	const sent = 20_000
	for n := range 4 {
		var records []*kgo.Record
		for i := range sent / 4 {
			records = append(records, message(fmt.Sprintf("192.0.2.%d", i%trafficSources), n*sent+i, true))
		}
		c.send("records", records...)
	}
	file := filepath.Join(t.TempDir(), "records.ndjson")
	r := start(t, nil, append([]string{
		"--listen", "kafka://" + c.brokers + "/records", "--alert-to", "kafka://" + siem.brokers + "/alerts", "--output", file, "--emit-limit", "64K",
		"--metrics-listen", "127.0.0.1:0",
	}, quickRules...)...)
	page := r.wait(&r.err, `metrics of all instances: (\S+)`)[1]
	require.Eventually(t, func() bool { return lag(t, page) == sent }, patience, 100*time.Millisecond)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Less(t, strings.Count(string(text), "\n"), sent/2, "records that were read meanwhile")
	release()
	require.Len(t, siem.alerts(sent), sent)
	require.Eventually(t, func() bool { return lag(t, page) == 0 }, patience, 100*time.Millisecond)
	require.Equal(t, cli.ExitClean, r.End(), r.err.String())
}

func TestAlertsThatCannotBeDeliveredAtTheEndAreEvaluatedAgain(t *testing.T) {
	t.Parallel()
	c, siem := newCluster(t, 4), newCluster(t, 4)
	release := siem.hold()
	s := &traffic{c: c}
	s.send(2000)
	r := start(t, nil, append([]string{
		"--listen", "kafka://" + c.brokers + "/records", "--alert-to", "kafka://" + siem.brokers + "/alerts?timeout=1s", "--emit-limit", "16K",
	}, quickRules...)...)
	r.wait(&r.err, "retrying")
	require.Equal(t, cli.ExitError, r.End())
	require.Regexp(t, `[1-9]\d* alerts not delivered to kafka://`, r.err.String())
	require.Zero(t, c.commits())
	release()
	m := c.join(siem)
	siem.alerts(s.attacks)
	c.awaitCommits(s.sent)
	m.leave()
}

func TestBrokersAskForTLSAndPasswords(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.NotFoundHandler()) // for its certificate
	t.Cleanup(server.Close)
	dir := t.TempDir()
	ca, password := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "password")
	require.NoError(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600))
	require.NoError(t, os.WriteFile(password, []byte("s3cret\n"), 0o600))
	for mechanism, name := range map[string]string{"plain": "PLAIN", "scram-sha-256": "SCRAM-SHA-256", "scram-sha-512": "SCRAM-SHA-512"} {
		t.Run(mechanism, func(t *testing.T) {
			how := []kgo.Opt{
				kgo.DialTLSConfig(server.Client().Transport.(*http.Transport).TLSClientConfig), kgo.SASL(plain.Auth{User: "test", Pass: "test"}.AsMechanism()),
			}
			c := connect(t, 2, how, kfake.EnableSASL(), kfake.Superuser(name, "waf", "s3cret"), kfake.Superuser("PLAIN", "test", "test"),
				kfake.TLS(&tls.Config{Certificates: server.TLS.Certificates, MinVersion: tls.VersionTLS12}))
			c.send("records", message("192.0.2.1", 1, true))
			options := "ca=" + ca + "&user=waf&password-file=" + password + "&sasl=" + mechanism
			r := start(t, nil, append([]string{
				"--listen", "kafka+tls://" + c.brokers + "/records?" + options, "--alert-to", "kafka+tls://" + c.brokers + "/alerts?" + options,
			}, quickRules...)...)
			require.Len(t, c.alerts(1), 1)
			require.Equal(t, cli.ExitClean, r.End(), r.err.String())

			require.NoError(t, os.WriteFile(filepath.Join(dir, "wrong"), []byte("wrong"), 0o600))
			r = start(t, nil, append([]string{"--listen", "kafka+tls://" + c.brokers + "/records?" + strings.ReplaceAll(options, password, filepath.Join(dir, "wrong"))},
				quickRules...)...)
			r.wait(&r.err, "no answer from the brokers: ")
			require.Equal(t, cli.ExitClean, r.End(), r.err.String())
			require.NotContains(t, r.err.String(), "s3cret")
		})
	}
}

func TestTopicsThatCannotBeMeantAreRefused(t *testing.T) {
	t.Parallel()
	got := wafctl(nil, nil, "run", "--listen", "kafka://a:9092,b/records?start=middle&group=x,kafka://h/no/topic,kafka://h/t?ca=/nowhere", "--alert-to",
		"kafka://h/alerts?key=host&max=10,kafka+tls://h/alerts?cert=/nowhere&sasl=plain&user=x")
	require.Equal(t, cli.ExitError, got.code)
	for _, want := range []string{
		`--listen: "kafka://a:9092,b/records": option start: unknown value "middle" (want earliest or latest)`,
		`--listen: "kafka://h/no/topic": malformed topic "no/topic" (want kafka://BROKER[:9092],…/TOPIC)`,
		"option ca: needs kafka+tls://",
		`--alert-to: destination "kafka://h/alerts": option key: unknown value "host" (want source, target or off)`,
		`destination "kafka://h/alerts": option max: 10 is out of range (1024 to 16777216 bytes)`,
		"option cert-key: missing (want the key file of cert)",
		"option sasl: needs user and password-file",
	} {
		require.Contains(t, got.err, want)
	}
	require.NotContains(t, got.err, "malformed address", "it is the options that are wrong")
}
