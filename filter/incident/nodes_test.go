package incident_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident/digest"
)

const salt = "test"

// cluster is some nodes that send digests to one aggregator, in event time.
type cluster struct {
	t       *testing.T
	dice    *rand.Rand
	nodes   []*digest.Writer
	merger  *digest.Merger
	events  []string
	sent    int // bytes of digests
	delayed []delayed
	lag     time.Duration // by which digests come late, at most
	repeat  bool          // digests come again
}

type delayed struct {
	at     time.Time
	digest []byte
}

const wait = 30 * time.Second

func newCluster(t *testing.T, nodes int) *cluster {
	c := &cluster{t: t, dice: rand.New(rand.NewPCG(1, uint64(nodes)))}
	c.merger = digest.NewMerger(incident.New(incident.Options{}), salt, wait)
	for range nodes {
		c.nodes = append(c.nodes, digest.NewWriter(salt))
	}
	return c
}

func (c *cluster) take(events []*incident.Incident) {
	for _, e := range events {
		text, err := json.Marshal(e)
		require.NoError(c.t, err)
		c.events = append(c.events, string(text))
	}
}

func (c *cluster) observe(o *incident.Observation) {
	now := time.UnixMilli(o.Time)
	n := c.dice.IntN(len(c.nodes))
	require.NoError(c.t, c.nodes[n].Add(o, now))
	for _, w := range c.nodes {
		c.send(w.Due(now))
	}
	c.deliver(now)
}

func (c *cluster) send(digests [][]byte, err error) {
	require.NoError(c.t, err)
	for _, d := range digests {
		c.sent += len(d)
		at := time.Time{}
		if c.lag > 0 {
			at = at.Add(time.Duration(c.dice.Int64N(int64(c.lag))))
		}
		c.delayed = append(c.delayed, delayed{at, d})
	}
}

// deliver gives the aggregator the digests that arrive by now.
func (c *cluster) deliver(now time.Time) {
	var later []delayed
	for _, d := range c.delayed {
		if d.at.IsZero() || d.at.Year() > 1 && !d.at.After(now) {
			c.merge(d.digest, now)
			continue
		}
		if d.at.Year() == 1 { // it was sent now
			d.at = now.Add(d.at.Sub(time.Time{}))
		}
		later = append(later, d)
	}
	c.delayed = later
}

func (c *cluster) merge(d []byte, now time.Time) {
	for range 1 + c.dice.IntN(2) {
		events, err := c.merger.Merge(d, now)
		require.NoError(c.t, err)
		c.take(events)
		if !c.repeat {
			break
		}
	}
}

func (c *cluster) end() {
	for _, w := range c.nodes {
		c.send(w.Rest())
	}
	for _, d := range c.delayed {
		c.merge(d.digest, d.at)
	}
	c.take(c.merger.Flush())
}

func TestDigestsOfAWeekX(t *testing.T) {
	var total, n int
	var direct []string
	correlator := incident.New(incident.Options{})
	one, eight := newCluster(t, 1), newCluster(t, 8)
	incident.PlayWeek(1, 3, 1, func(o *incident.Observation) {
		n++
		total += 400 + len(o.Path)
		for _, e := range correlator.Observe(o).Events {
			text, _ := json.Marshal(e)
			direct = append(direct, string(text))
		}
		one.observe(o)
		eight.observe(o)
	})
	one.end()
	eight.end()
	fmt.Println(n, total, one.sent, eight.sent, len(direct), len(one.events), len(eight.events), one.merger.Counts(), eight.merger.Counts())
	require.Equal(t, one.events, eight.events)
}
