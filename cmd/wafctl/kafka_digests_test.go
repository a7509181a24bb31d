package main

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident/digest"
)

// digestRules are thresholds with which tests need not wait for long.
func digestRules(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "thresholds.yaml")
	require.NoError(t, os.WriteFile(file, []byte("digest_every: 3s\ndigest_wait: 15s\n"), 0o600))
	return file
}

// digesting starts a member of a group that sends digests to a topic.
func (c *cluster) digesting(group, topic string) *member {
	c.t.Helper()
	return c.digestingTo("kafka://"+c.brokers+"/alerts", "kafka://"+c.brokers+"/"+topic, group)
}

// digestingTo starts a member of a group that sends alerts and digests to destinations.
func (c *cluster) digestingTo(alerts, digests, group string) *member {
	c.t.Helper()
	return c.start("kafka://"+c.brokers+"/records?session-timeout=3s&group="+group, alerts+","+digests+"?only=digests",
		"--incidents", "on", "--incident-digest-tag", "digest", "--incident-rules", digestRules(c.t))
}

// aggregate starts an aggregator of the digests of a topic. Events about incidents go to a file.
func (c *cluster) aggregate(topic, events, state string) *member {
	c.t.Helper()
	args := []string{"--incidents", "on", "--incident-rules", digestRules(c.t)}
	if state != "" {
		args = append(args, "--incident-state", state)
	}
	return c.start("kafka://"+c.brokers+"/"+topic+"?session-timeout=3s&group=incidents-of-"+topic, "file://"+events, args...)
}

// eventsIn returns the different events about incidents in a file.
func eventsIn(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	require.NoError(t, err)
	all := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		// A run that was killed may leave part of one, and closes no incidents.
		if strings.HasSuffix(line, "\n") && !strings.Contains(line, `"incident_status":"closed"`) {
			all[line] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// intruders sends records in steps of a minute of event time: clean ones of all sources, and attackers who attack a service, each a
// different one, that attacks another service some minutes later.
type intruders struct {
	c     *cluster
	begin time.Time
	steps int
	sent  int
}

const (
	intruderPairs = 6
	pivotDelay    = 3 // steps
)

// newIntruders begins ahead of the clock: records of the past that come after a partition was found at its end would count as late.
func newIntruders(c *cluster) *intruders {
	return &intruders{c: c, begin: time.Now().Add(2 * time.Minute).Truncate(time.Minute)}
}

func (s *intruders) send(steps int) {
	s.c.t.Helper()
	var records []*kgo.Record
	for range steps {
		at := s.begin.Add(time.Duration(s.steps) * time.Minute)
		add := func(source, target, query string) {
			s.sent++
			value := fmt.Sprintf(`{"SRC_IP":%q,"DST_IP":%q,"DST_PORT":"8080","METHOD":"GET","URL":"/orders/%d%s","DOMAIN":"shop.example","RETCODE":"200",`+
				`"AGENT":"Mozilla/5.0","L7_PROTOCOL":"http"}`, source, target, s.sent, query)
			records = append(records, &kgo.Record{Key: []byte(source), Value: []byte(value), Timestamp: at.Add(time.Duration(s.sent%50) * time.Second / 50)})
		}
		for i := range trafficSources {
			add(fmt.Sprintf("192.0.2.%d", i), "10.2.0.80", "")
		}
		attacker := s.steps % intruderPairs
		for _, query := range []string{"?f=../../etc/passwd", "?q=1+union+select+2", "?q=<script"} {
			add(fmt.Sprintf("203.0.113.%d", attacker), fmt.Sprintf("10.2.0.%d", attacker), query)
		}
		if s.steps >= pivotDelay {
			attacker := (s.steps - pivotDelay) % intruderPairs
			add(fmt.Sprintf("10.2.0.%d", attacker), fmt.Sprintf("10.3.0.%d", attacker), "?q=1+union+select+3")
		}
		s.steps++
	}
	s.c.send("records", records...)
}

// single returns what an aggregator finds in the digests of one member that nothing happens to.
func (s *intruders) single() []string {
	s.c.t.Helper()
	m := s.c.digesting("single", "digests-of-one")
	s.c.awaitGroup("single", "records", s.sent)
	m.leave()
	return s.aggregated("digests-of-one")
}

// aggregated returns what an aggregator finds in the digests of a topic.
func (s *intruders) aggregated(topic string) []string {
	s.c.t.Helper()
	file := filepath.Join(s.c.t.TempDir(), "incidents")
	a := s.c.aggregate(topic, file, "")
	s.c.awaitGroup("incidents-of-"+topic, topic, s.c.size(topic))
	a.leave()
	return eventsIn(s.c.t, file)
}

// size returns how many messages a topic has.
func (c *cluster) size(topic string) (sum int) {
	c.t.Helper()
	ends, err := c.admin.ListEndOffsets(c.t.Context(), topic)
	require.NoError(c.t, err)
	for _, partition := range ends[topic] {
		sum += int(partition.Offset)
	}
	return sum
}

func newDigestCluster(t *testing.T) *cluster {
	return newCluster(t, 8, kfake.SeedTopics(2, "digests-of-one", "digests"))
}

func requirePivots(t *testing.T, events []string) {
	t.Helper()
	pivots := map[string]bool{}
	for _, line := range events {
		var e map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &e))
		if strings.Contains(line, "pivot") {
			pivots[fmt.Sprint(e["incident_id"])] = true
		}
	}
	require.GreaterOrEqual(t, len(pivots), intruderPairs, "attackers who move on\n%s", strings.Join(events, ""))
}

func TestIncidentsDoNotDependOnWhichMembersReadTheRecords(t *testing.T) {
	t.Parallel()
	c := newDigestCluster(t)
	s := newIntruders(c)
	s.send(10)
	a := c.digesting("many", "digests")
	s.send(10)
	b := c.digesting("many", "digests")
	s.send(10)
	d, e := c.digesting("many", "digests"), c.digesting("many", "digests")
	s.send(10)
	b.kill()
	s.send(10)
	a.leave()
	s.send(10)
	d.kill()
	f := c.digesting("many", "digests")
	s.send(10)
	c.awaitGroup("many", "records", s.sent)
	e.leave()
	f.leave()
	want := s.single()
	requirePivots(t, want)
	require.Equal(t, want, s.aggregated("digests"))
}

// messages returns the messages in a topic, for another one: the first ones of all keys, then the second ones, and so on.
func (c *cluster) messages(topic string) (all []*kgo.Record) {
	c.t.Helper()
	client := c.client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	for want := c.size(topic); len(all) < want; {
		client.PollFetches(c.t.Context()).EachRecord(func(r *kgo.Record) { all = append(all, r) })
	}
	number, seen := map[*kgo.Record]int{}, map[string]int{}
	for _, r := range all {
		number[r] = seen[string(r.Key)]
		seen[string(r.Key)]++
	}
	slices.SortStableFunc(all, func(a, b *kgo.Record) int { return cmp.Compare(number[a], number[b]) })
	for i, r := range all {
		all[i] = &kgo.Record{Key: r.Key, Value: r.Value}
	}
	return all
}

// spanOf returns what a digest sums up: stream, partition, partitions and offsets. The time at which the partition was read differs each time.
func spanOf(t *testing.T, m *kgo.Record) string {
	t.Helper()
	var message map[string]any
	require.NoError(t, json.Unmarshal(m.Value, &message))
	packed, err := base64.RawStdEncoding.DecodeString(fmt.Sprint(message[digest.Key]))
	require.NoError(t, err)
	require.Greater(t, len(packed), spanEnd)
	return string(packed[:spanEnd])
}

const spanEnd = 1 + 8 + 4 + 4 + 8 + 8

// The worst moment to be killed is when digests are delivered, and the offsets of their records are not committed.
func TestDigestsThatComeTwiceCountOnce(t *testing.T) {
	t.Parallel()
	c := newDigestCluster(t)
	s := newIntruders(c)
	release := c.holdCommits()
	a := c.digesting("many", "digests")
	s.send(20)
	require.Eventually(t, func() bool { return c.size("digests") >= 8*19 }, patience, 50*time.Millisecond, "a digest for each minute and partition but the last")
	a.kill()
	require.Zero(t, c.committed("many", "records"))
	release()
	b := c.digesting("many", "digests")
	s.send(10)
	c.awaitGroup("many", "records", s.sent)
	b.leave()
	spans := map[string]bool{}
	for _, m := range c.messages("digests") {
		spans[spanOf(t, m)] = true
	}
	require.Less(t, len(spans), c.size("digests"), "digests that came twice")
	want := s.single()
	requirePivots(t, want)
	require.Equal(t, want, s.aggregated("digests"))
}

// A member that is killed before its digests are delivered has not committed the offsets of their records, though their alerts are delivered.
func TestNothingIsCommittedBeforeItsDigestsAreDelivered(t *testing.T) {
	t.Parallel()
	c, elsewhere := newDigestCluster(t), newDigestCluster(t)
	release := elsewhere.hold()
	s := newIntruders(c)
	s.send(20)
	join := func() *member {
		return c.digestingTo("kafka://"+c.brokers+"/alerts", "kafka://"+elsewhere.brokers+"/digests", "many")
	}
	a := join()
	awaitEvaluation(t, s.sent, a)
	require.Eventually(t, func() bool { return c.size("alerts") >= 20*3 }, patience, 50*time.Millisecond)
	time.Sleep(5 * time.Second / 2) // twice the interval of commits
	require.Zero(t, c.committed("many", "records"))
	a.kill()
	release()
	b := join()
	c.awaitGroup("many", "records", s.sent)
	b.leave()
	want := s.single()
	requirePivots(t, want)
	elsewhere.awaitIncidents(want)
}

// A member that is killed before it has digested what it has evaluated has not committed that either.
func TestNothingIsCommittedBeforeItIsDigested(t *testing.T) {
	t.Parallel()
	c := newDigestCluster(t)
	s := newIntruders(c)
	a := c.digesting("many", "digests")
	s.send(1)
	require.Eventually(t, func() bool { return c.size("alerts") >= 3 }, patience, 10*time.Millisecond)
	time.Sleep(5 * time.Second / 2) // twice the interval of commits, and less than what a digest sums up
	a.kill()
	require.Zero(t, c.committed("many", "records"))
	b := c.digesting("many", "digests")
	s.send(9)
	c.awaitGroup("many", "records", s.sent)
	b.leave()
	require.Equal(t, s.single(), s.aggregated("digests"))
}

// A member that ends while its alerts cannot be delivered leaves their records to others, with what they contribute to digests.
func TestAMemberThatEndsSendsNoDigestOfWhatItDoesNotFinish(t *testing.T) {
	t.Parallel()
	c, siem := newDigestCluster(t), newCluster(t, 1)
	release := siem.hold()
	s := newIntruders(c)
	s.send(10)
	join := func() *member {
		return c.digestingTo("kafka://"+siem.brokers+"/alerts?timeout=1s", "kafka://"+c.brokers+"/digests", "many")
	}
	a := join()
	awaitEvaluation(t, s.sent, a)
	require.NoError(t, a.cmd.Process.Signal(syscall.SIGTERM))
	require.Error(t, a.cmd.Wait(), "alerts were not delivered")
	for partition := range c.attacked("records") { // of one without attacks, which may have been polled alone, everything is delivered
		require.Zero(t, c.committedOf("many", "records", partition))
	}
	require.Equal(t, 8*9, c.size("digests"), "all but the last of each partition")
	release()
	b := join()
	c.awaitGroup("many", "records", s.sent)
	b.leave()
	want := s.single()
	requirePivots(t, want)
	require.Equal(t, want, s.aggregated("digests"))
}

// attacked returns the partitions of a topic in which there are attacks.
func (c *cluster) attacked(topic string) map[int32]bool {
	c.t.Helper()
	client := c.client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	partitions := map[int32]bool{}
	for seen, want := 0, c.size(topic); seen < want; {
		client.PollFetches(c.t.Context()).EachRecord(func(r *kgo.Record) {
			if seen++; bytes.Contains(r.Value, []byte("?")) {
				partitions[r.Partition] = true
			}
		})
	}
	require.NotEmpty(c.t, partitions)
	return partitions
}

// awaitIncidents waits until an aggregator finds incidents in the topic digests. It is killed meanwhile.
func (c *cluster) awaitIncidents(want []string) {
	c.t.Helper()
	file := filepath.Join(c.t.TempDir(), "incidents")
	c.aggregate("digests", file, "")
	awaitEvents(c.t, want, file)
}

// awaitEvents waits until a file has events about incidents.
func awaitEvents(t *testing.T, want []string, file string) {
	t.Helper()
	for end := time.Now().Add(2 * patience); !slices.Equal(want, eventsIn(t, file)) && time.Now().Before(end); {
		time.Sleep(100 * time.Millisecond)
	}
	require.Equal(t, want, eventsIn(t, file))
}

func TestAnAggregatorThatIsKilledLosesNoIncident(t *testing.T) {
	t.Parallel()
	c := newDigestCluster(t)
	s := newIntruders(c)
	s.send(40)
	want := s.single()
	requirePivots(t, want)
	all := c.messages("digests-of-one")
	third := len(all) / 3
	dir := t.TempDir()
	events, state := filepath.Join(dir, "incidents"), filepath.Join(dir, "state")

	a := c.aggregate("digests", events, state)
	c.send("digests", all[:third]...)
	c.awaitGroup("incidents-of-digests", "digests", third)
	before := len(eventsIn(t, events))
	c.send("digests", all[third:2*third]...)
	require.Eventually(t, func() bool { return len(eventsIn(t, events)) > before }, patience, 10*time.Millisecond, "events that are not in the state")
	a.kill()
	require.Less(t, c.committed("incidents-of-digests", "digests"), int64(2*third))

	a = c.aggregate("digests", events, state)
	c.send("digests", all[third:]...) // those in the middle again
	awaitEvents(t, want, events)
	a.leave()
}

// An incident that the state counts as reported has reached its destination.
func TestAnAggregatorWhoseDestinationIsDownLosesNoIncident(t *testing.T) {
	t.Parallel()
	c, siem := newDigestCluster(t), newCluster(t, 1)
	s := newIntruders(c)
	s.send(10)
	want := s.single()
	c.send("digests", c.messages("digests-of-one")...)
	dir := t.TempDir()
	state := filepath.Join(dir, "state")
	release := siem.hold()
	aggregate := func(destination string) *member {
		return c.start("kafka://"+c.brokers+"/digests?session-timeout=3s&group=incidents", destination, "--incidents", "on", "--incident-rules", digestRules(t),
			"--incident-state", state)
	}
	a := aggregate("kafka://" + siem.brokers + "/alerts?timeout=1s")
	(&running{t: t}).wait(&a.messages, "retrying")
	time.Sleep(20 * time.Second) // longer than it takes until the state is saved
	require.NoError(t, a.cmd.Process.Signal(syscall.SIGTERM))
	require.Error(t, a.cmd.Wait(), "events were not delivered")
	release()
	require.Zero(t, c.committed("incidents", "digests"))
	events := filepath.Join(dir, "incidents")
	aggregate("file://" + events)
	awaitEvents(t, want, events)
}
