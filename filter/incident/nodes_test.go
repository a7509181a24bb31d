package incident_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident/digest"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/testsize"
)

const (
	salt  = "of a test"
	every = 30 * time.Second
	wait  = 90 * time.Second // records come up to 20 s out of order, digests every 30 s and up to 25 s later
)

// cluster is some nodes that send digests to one aggregator. Its clock is that of events.
type cluster struct {
	t      testing.TB
	dice   *rand.Rand
	nodes  []*digest.Writer
	merger *digest.Merger
	events []string
	sent   int // bytes of digests, as text
	mail   []mail
	asked  time.Time

	lag      time.Duration // by which a digest comes late, at most
	repeats  bool          // digests may come again, a while later
	restarts int           // after so many observations a node starts anew, and so does the aggregator
	leaves   int           // after so many observations, nodes take turns in having no traffic
	observed int
}

// mail is a digest on its way.
type mail struct {
	arrives time.Time
	digest  []byte
}

func newCluster(t testing.TB, nodes int) *cluster {
	c := &cluster{t: t, dice: rand.New(rand.NewPCG(1, uint64(nodes)))}
	c.merger = digest.NewMerger(incident.New(incident.Options{}), salt, wait)
	for range nodes {
		c.nodes = append(c.nodes, digest.NewWriter(salt, every))
	}
	return c
}

func (c *cluster) observe(o *incident.Observation) {
	now := time.UnixMilli(o.Time)
	n := c.dice.IntN(len(c.nodes))
	if c.leaves > 0 {
		n = n/2 + c.observed/c.leaves%2*(len(c.nodes)/2)
	}
	require.NoError(c.t, c.nodes[n].Add(o, now))
	if c.observed++; c.restarts > 0 && c.observed%c.restarts == 0 {
		c.restart(n, now)
	}
	if now.Sub(c.asked).Abs() < time.Second {
		return
	}
	c.asked = now
	for _, w := range c.nodes {
		c.send(now)(w.Due(now))
	}
	c.deliver(now)
}

// restart ends a node, which keeps what it has not sent, and the aggregator.
func (c *cluster) restart(n int, now time.Time) {
	file := filepath.Join(c.t.TempDir(), "unsent")
	rest, err := c.nodes[n].Rest()
	require.NoError(c.t, err)
	require.NoError(c.t, digest.SaveUnsent(file, rest))
	c.nodes[n] = digest.NewWriter(salt, every)
	c.send(now)(digest.LoadUnsent(file))
	c.send(now)(digest.LoadUnsent(file)) // it was killed after it had sent them

	require.NoError(c.t, c.merger.Keep())
	state, err := c.merger.Correlator().MarshalBinary()
	require.NoError(c.t, err)
	correlator := incident.New(incident.Options{})
	require.NoError(c.t, correlator.UnmarshalBinary(state))
	c.merger = digest.NewMerger(correlator, salt, wait)
}

func (c *cluster) send(now time.Time) func([][]byte, error) {
	return func(digests [][]byte, err error) {
		require.NoError(c.t, err)
		for _, d := range digests {
			c.sent += base64.RawStdEncoding.EncodedLen(len(d)) + len(`{"waf_digest":""}`)
			arrives := now
			if c.lag > 0 {
				arrives = now.Add(time.Duration(c.dice.Int64N(int64(c.lag))))
			}
			c.mail = append(c.mail, mail{arrives, d})
			if c.repeats && c.dice.IntN(3) == 0 {
				c.mail = append(c.mail, mail{arrives.Add(time.Duration(c.dice.Int64N(int64(time.Hour)))), d})
			}
		}
	}
}

// deliver gives the aggregator the digests that have arrived.
func (c *cluster) deliver(now time.Time) {
	c.mail = slices.DeleteFunc(c.mail, func(m mail) bool {
		if m.arrives.After(now) {
			return false
		}
		events, err := c.merger.Merge(m.digest, now)
		require.NoError(c.t, err)
		c.take(events)
		return true
	})
}

func (c *cluster) take(events []*incident.Incident) {
	for _, e := range events {
		text, err := json.Marshal(e)
		require.NoError(c.t, err)
		c.events = append(c.events, string(text))
	}
}

func (c *cluster) end() *cluster {
	for _, w := range c.nodes {
		c.send(c.asked)(w.Rest())
	}
	c.deliver(c.asked.Add(24 * time.Hour))
	c.take(c.merger.Flush())
	c.take(c.merger.Correlator().Flush())
	return c
}

// Nothing but the digests' arrival may differ: what nodes see of the traffic, how late they are, that digests come twice, and that nodes and the
// aggregator start again.
func TestTheSameTrafficOverOneAndEightNodesGivesTheSameIncidents(t *testing.T) {
	clusters := map[string]*cluster{"8 nodes": newCluster(t, 8), "8 nodes that lag": newCluster(t, 8), "8 nodes that come and go": newCluster(t, 8)}
	clusters["8 nodes that lag"].lag, clusters["8 nodes that lag"].repeats = 25*time.Second, true
	clusters["8 nodes that come and go"].leaves, clusters["8 nodes that come and go"].restarts = 3000, 4001
	clusters["8 nodes that come and go"].repeats = true
	one, directly := newCluster(t, 1), &cluster{t: t}
	correlator, records := incident.New(incident.Options{}), 0
	incident.PlayWeek(5, testsize.Of(1, 2), 0.5, func(o *incident.Observation) {
		records++
		directly.take(correlator.Observe(o).Events)
		one.observe(o)
		for _, c := range clusters {
			c.observe(o)
		}
	})
	directly.take(correlator.Flush())
	one.end()
	require.Greater(t, len(one.events), testsize.Of(50, 100))
	require.Equal(t, uint64(records), one.merger.Counts().Records)
	for name, c := range clusters {
		require.Zero(t, c.end().merger.Counts().Late, name)
		requireSame(t, one.events, c.events, name)
	}
	require.NotZero(t, clusters["8 nodes that lag"].merger.Counts().Repeated)

	// Digests lose little: the incidents are those that a correlator finds which sees every record.
	want, got := about(t, directly.events), about(t, one.events)
	missing := 0
	for incident := range want {
		if !got[incident] {
			missing++
		}
	}
	t.Logf("%d incidents, %d of them not by digests; %d by digests", len(want), missing, len(got))
	require.LessOrEqual(t, missing, len(want)/20)
	require.LessOrEqual(t, len(got), len(want)+len(want)/20)
}

// requireSame shows the first difference alone.
func requireSame(t *testing.T, want, got []string, name string) {
	for i := range min(len(want), len(got)) {
		require.Equal(t, want[i], got[i], "%s: event %d", name, i)
	}
	require.Len(t, got, len(want), name)
}

// about returns who does what to whom, of incidents that someone is told of.
func about(t *testing.T, events []string) map[string]bool {
	all := map[string]bool{}
	for _, e := range events {
		var i incident.Incident
		require.NoError(t, json.Unmarshal([]byte(e), &i))
		if i.Status == incident.Closed && i.Severity > incident.Info {
			all[fmt.Sprint(i.Kinds, i.Severity, i.Sources[0].Name)] = true
		}
	}
	return all
}

// logged returns a record as Fluent Bit has it in Kubernetes: nginx in JSON, and what the filter kubernetes adds.
func logged(o *incident.Observation) int {
	line := fmt.Sprintf(`{"time_iso8601":"2026-03-02T08:00:00+00:00","remote_addr":%q,"server_addr":"10.1.0.17","server_port":"8080","request_method":%q,`+
		`"request_uri":%q,"status":"%d","body_bytes_sent":"%d","http_host":"shop.example.com","http_user_agent":%q,"server_protocol":"HTTP/1.1",`+
		`"http_referer":"https://shop.example.com/","http_accept":"*/*","http_authorization":"Bearer %032x","request_time":"0.012","request_id":"%032x",`+
		`"upstream_addr":"10.1.3.4:8080","upstream_response_time":"0.011"}`,
		o.Source, o.Method, o.Path, o.Status, o.Bytes, o.Agent, o.Principal, o.Time)
	name := strings.ReplaceAll(o.Target, "/", "-")
	return len(line) + len(fmt.Sprintf(`,"kubernetes":{"pod_name":"%s-7d9c5b8f6d-x2k9p","namespace_name":"shop","pod_id":"%036d","pod_ip":"10.1.0.17","host":"node-3.internal",`+
		`"container_name":"%s","docker_id":"%064d","container_hash":"registry.example.com/shop/%s@sha256:%064d","container_image":"registry.example.com/shop/%s:1.42.0",`+
		`"labels":{"app.kubernetes.io/name":"%s","app.kubernetes.io/instance":"%s-prod","pod-template-hash":"7d9c5b8f6d"},"annotations":{"checksum/config":"%064d"}},`+
		`"stream":"stdout","time":"2026-03-02T08:00:00.000000000Z"`, name, 7, name, 7, name, 7, name, name, name, 7))
}

// An hour of 60 services at a hundred requests a second, over eight nodes.
func TestDigestsAreAHundredthOfTheLogs(t *testing.T) {
	c, logs, records, start := newCluster(t, 8), 0, 0, int64(0)
	const faster = 240 // two days in twelve minutes
	incident.PlayWeek(3, 2, 1, func(o *incident.Observation) {
		if start == 0 {
			start = o.Time
		}
		o.Time = start + (o.Time-start)/faster
		records++
		logs += logged(o)
		c.observe(o)
	})
	c.end()
	t.Logf("%d records of %d bytes, %.1f bytes of digests each: %.2f %%", records, logs/records, float64(c.sent)/float64(records), 100*float64(c.sent)/float64(logs))
	require.Less(t, c.sent, logs/100)
}
