package pipeline

import (
	"encoding/base64"
	"fmt"
	"time"

	"github.com/tinylib/msgp/msgp"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident/digest"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/telemetry"
)

// digests are what a node sends to an aggregator in the place of incidents. A nil one sends nothing.
type digests struct {
	writer *digest.Writer
	state  string // file, "" for none
	log    telemetry.Logger
	before [][]byte // that the run before could not send
	sent   uint64
	lost   uint64 // that the host did not take for too long

	inSections uint64 // records
}

func startDigests(w *digest.Writer, state string, log telemetry.Logger) *digests {
	d := &digests{writer: w, state: state, log: log}
	if state != "" {
		var problem error
		if d.before, problem = digest.LoadUnsent(state); problem != nil {
			log(telemetry.LevelWarn, problem.Error())
		}
	}
	return d
}

func (d *digests) add(o *incident.Observation) { d.warn(d.writer.Add(o, time.Now())) }

func (d *digests) due(now time.Time) [][]byte {
	if d == nil {
		return nil
	}
	due, err := d.writer.Due(now)
	d.warn(err)
	return d.taken(due)
}

// rest returns everything that was not sent yet.
func (d *digests) rest() [][]byte {
	rest, err := d.writer.Rest()
	d.warn(err)
	return d.taken(rest)
}

func (d *digests) taken(all [][]byte) [][]byte {
	all = append(d.before, all...)
	d.before = nil
	d.sent += uint64(len(all))
	return all
}

func (d *digests) warn(err error) {
	if err != nil {
		d.log(telemetry.LevelWarn, err.Error())
	}
}

// end keeps what was not sent for the next start, if there is a file for that.
func (d *digests) end() {
	rest := d.rest()
	d.sent -= uint64(len(rest))
	switch {
	case d.state != "":
		d.warn(digest.SaveUnsent(d.state, rest))
	case len(rest) > 0:
		d.log(telemetry.LevelWarn, "the last digests were not sent, because no more records came (incident_state keeps them for the next start)")
	}
	line := fmt.Sprintf("digests: %d sent, of %d records", d.sent, d.writer.Records()+d.inSections)
	if d.lost > 0 {
		line += fmt.Sprintf("; %d lost, because the host did not take them", d.lost)
	}
	d.log(telemetry.LevelInfo, line)
}

// digestOf returns the digest that a record holds, nil when it holds none.
func digestOf(body []byte) []byte {
	for pairs, _ := record.ReadMap(body); pairs.Next(); {
		if pairs.Key != digest.Key {
			continue
		}
		text, _ := record.Text(pairs.Value)
		packed, err := base64.RawStdEncoding.DecodeString(text)
		if err != nil {
			return []byte{} // it is one that Merge refuses
		}
		return packed
	}
	return nil
}

// merge takes the digest that a record holds, if it holds one.
func (c *correlation) merge(it *item) []*incident.Incident {
	if it.kind != NotHTTP || c.merger == nil {
		return nil
	}
	packed := digestOf(it.event.Body)
	if packed == nil {
		return nil
	}
	it.kind = Skipped
	events, err := c.merger.Merge(packed, time.Now())
	if err != nil {
		if c.refused++; c.refused == 1 {
			c.log(telemetry.LevelWarn, fmt.Sprintf("a digest is ignored: %v (more are counted, not logged)", err))
		}
	}
	return events
}

// again has a digest sent once more that the host did not take.
func (c *correlation) again(packed []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.digests == nil {
		return
	}
	c.digests.sent--
	if len(c.digests.before) == mostUntaken {
		c.digests.before = c.digests.before[1:]
		c.digests.lost++
	}
	c.digests.before = append(c.digests.before, packed)
}

// mostUntaken is how many digests wait for a host that does not take them: an hour's.
const mostUntaken = 120

// due returns what has become ready beside records.
func (c *correlation) due() news {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.digests != nil {
		return news{digests: c.digests.due(time.Now())}
	}
	return news{events: c.merger.Due(time.Now())}
}

// rest returns what is left at the end: digests, or unless a state file keeps them, what waits for other nodes and the incidents that are open,
// which end with this.
func (c *correlation) rest() (told news) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.digests != nil:
		told.digests = c.digests.rest()
	case c.state == "":
		told.events = c.merger.Flush()
		for _, i := range c.correlator.Flush() {
			if i.Status != incident.Update { // the end says it
				told.events = append(told.events, i)
			}
		}
	}
	return told
}

// digestCounts returns how many digests were sent, lost, merged, ignored because they had come before, and refused, and how many windows came late.
func (c *correlation) digestCounts() map[string]uint64 {
	all := map[string]uint64{"sent": 0, "lost": 0, "merged": 0, "repeated": 0, "refused": 0, "late": 0}
	if c == nil {
		return all
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.digests != nil {
		all["sent"], all["lost"] = c.digests.sent, c.digests.lost
		return all
	}
	n := c.merger.Counts()
	all["merged"], all["repeated"], all["refused"], all["late"] = n.Digests, n.Repeated, c.refused, n.Late
	return all
}

// appendNews writes news as records of their own.
func (w *alertWriter) appendNews(emits []Emit, n news, tag string) []Emit {
	for _, event := range n.events {
		emits = append(emits, w.emitIncident(event, tag))
	}
	for _, packed := range n.digests {
		emits = append(emits, w.emitDigest(packed))
	}
	return emits
}

func (w *alertWriter) emitDigest(packed []byte) Emit {
	now := time.Now()
	event := record.AppendHead(nil, now)
	e := Emit{Tag: w.digestTag, Time: now, Severity: informational, head: len(event), Incident: true, digest: packed}
	event = msgp.AppendString(msgp.AppendMapHeader(event, 1), digest.Key)
	e.Event = msgp.AppendString(event, base64.RawStdEncoding.EncodeToString(packed))
	return e
}
