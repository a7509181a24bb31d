package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
)

// poison are messages that nobody should send, and a tombstone. None is HTTP.
func poison() []*kgo.Record {
	noise := make([]byte, 1000)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	return []*kgo.Record{
		{Key: []byte("192.0.2.1")}, {Value: []byte{}}, {Value: noise}, {Value: []byte(strings.Repeat("[", 100_000))}, {Value: []byte(`{"a":`)},
		{Value: []byte("null")}, {Value: []byte(`{"URL":` + strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5001))}, {Value: []byte("\x00\x00\x00\x00\x01avro")},
		{Value: []byte(`{"METHOD":"GET","URL":"` + strings.Repeat("x", 800_000) + `"}`), Timestamp: time.UnixMilli(-1)},
	}
}

func TestMessagesOfAnySortHoldUpNothing(t *testing.T) {
	c := newCluster(t, 2)
	n := 0
	for _, codec := range []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()} {
		client := c.client(kgo.DefaultProduceTopic("records"), kgo.ProducerBatchCompression(codec))
		records := append(poison(), message(fmt.Sprint("192.0.2.", n), n, true))
		records = append(records, &kgo.Record{Value: message("192.0.2.99", n, true).Value}) // without a key
		require.NoError(t, client.ProduceSync(t.Context(), records...).FirstErr())
		n++
	}
	r := start(t, nil, append([]string{"--listen", "kafka://" + c.brokers + "/records", "--alert-to", "kafka://" + c.brokers + "/alerts", "--max-message", "700K"},
		quickRules...)...)
	require.GreaterOrEqual(t, len(c.alerts(2*n)), 2*n)
	c.awaitCommits(n * (len(poison()) + 2))
	require.Equal(t, cli.ExitClean, r.End(), r.err.String())
	require.Contains(t, r.err.String(), "5 lines longer than max_message")
}

func TestAlertsThatAreTooLargeForTheTopicAreShortened(t *testing.T) {
	c := newCluster(t, 1)
	small := "4000"
	_, err := c.admin.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Name: "max.message.bytes", Value: &small}}, "alerts")
	require.NoError(t, err)
	var records []*kgo.Record
	for i := range 50 {
		m := message(fmt.Sprint("192.0.2.", i), i, true)
		m.Value = []byte(strings.Replace(string(m.Value), "etc/passwd", "etc/passwd&x="+randomText(8000*(i%2)), 1))
		records = append(records, m)
	}
	c.send("records", records...)
	r := start(t, nil, append([]string{
		"--listen", "kafka://" + c.brokers + "/records", "--alert-to", "kafka://" + c.brokers + "/alerts", "--emit-format", "ecs",
	}, quickRules...)...)
	c.awaitCommits(len(records))
	require.Equal(t, len(records), c.size("alerts"))
	require.Equal(t, cli.ExitClean, r.End(), r.err.String())
}

func randomText(n int) string {
	text := make([]byte, n)
	for i := range text {
		text[i] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"[rand.IntN(64)]
	}
	return string(text)
}

func TestARunWaitsForBrokersAndTopics(t *testing.T) {
	c := newCluster(t, 1)
	_, err := c.admin.DeleteTopics(t.Context(), "records", "alerts")
	require.NoError(t, err)
	nobody := start(t, nil, append([]string{"--listen", "kafka://127.0.0.1:1/records", "--alert-to", "off"}, quickRules...)...)
	r := start(t, nil, append([]string{"--listen", "kafka://" + c.brokers + "/records", "--alert-to", "kafka://" + c.brokers + "/alerts?timeout=1s"}, quickRules...)...)
	nobody.wait(&nobody.err, "no answer from the brokers")
	begin := time.Now()
	require.Equal(t, cli.ExitClean, nobody.End(), nobody.err.String())
	require.Less(t, time.Since(begin), 15*time.Second)
	r.wait(&r.err, "records.*UNKNOWN_TOPIC")
	_, err = c.admin.CreateTopics(t.Context(), 1, 1, nil, "records")
	require.NoError(t, err)
	c.send("records", message("192.0.2.1", 1, true))
	r.wait(&r.err, "alerts.*retrying")
	_, err = c.admin.CreateTopics(t.Context(), 1, 1, nil, "alerts")
	require.NoError(t, err)
	require.Len(t, c.alerts(1), 1)
	c.awaitCommits(1)
	require.Equal(t, cli.ExitClean, r.End(), r.err.String())
	require.Less(t, strings.Count(r.err.String(), "\n"), 30, r.err.String())
}

func TestARunDoesNotReadItsOwnAlerts(t *testing.T) {
	got := wafctl(nil, nil, "run", "--listen", "kafka://a:9092,b/records?group=x,kafka://a/other?group=", "--alert-to", "kafka://b:9092,a/records?key=off")
	require.Equal(t, cli.ExitError, got.code)
	require.Contains(t, got.err, `--alert-to: records also come from kafka://b:9092,a/records (want another topic)`)
	require.Contains(t, got.err, `option group: empty`)
}

// residentBytes returns the most memory that a process has had.
func (m *member) residentBytes() int {
	m.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", m.cmd.Process.Pid))
	if err != nil {
		m.t.Skip("needs /proc")
	}
	found := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(text)
	require.NotNil(m.t, found)
	n, err := strconv.Atoi(string(found[1]))
	require.NoError(m.t, err)
	return n << 10
}

// While a destination is down, records wait in Kafka, and not in memory.
func TestMemoryIsBoundedWhileADestinationIsDown(t *testing.T) {
	t.Parallel()
	c, siem := newCluster(t, 8), newCluster(t, 8)
	join := func() *member {
		return c.start("kafka://"+c.brokers+"/records", "kafka://"+siem.brokers+"/alerts", "--queue-limit", "16M", "--emit-limit", "8M")
	}
	idle := join()
	time.Sleep(2 * time.Second)
	before := idle.residentBytes()
	idle.leave()

	siem.hold()
	client := c.client(kgo.DefaultProduceTopic("records"))
	const sent, size = 16_000, 8_000
	for n := range 16 {
		var records []*kgo.Record
		for i := range sent / 16 {
			r := message(fmt.Sprintf("192.0.2.%d", i%trafficSources), n*sent+i, true)
			r.Value = append(r.Value[:len(r.Value)-1], fmt.Sprintf(`,"REQ_BODY":%q}`, randomText(size))...)
			records = append(records, r)
		}
		require.NoError(t, client.ProduceSync(t.Context(), records...).FirstErr())
	}
	m := join()
	require.Eventually(t, func() bool { return evaluated(t, m) > 0 }, patience, 50*time.Millisecond)
	read := 0
	for since := time.Now(); time.Since(since) < 3*time.Second; time.Sleep(100 * time.Millisecond) { // until it stands still
		if now := evaluated(t, m); now != read {
			read, since = now, time.Now()
		}
	}
	more := m.residentBytes() - before
	t.Logf("%d MB more than at rest, of %d MB in Kafka; %d of %d records were read", more>>20, sent*size>>20, read, sent)
	require.NotZero(t, read)
	require.Less(t, read, sent/2)
	require.Less(t, more, 100<<20)
	m.kill()
}
