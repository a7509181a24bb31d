package pipeline

import (
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/fieldmap"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// Finding is what the filter finds in one record.
type Finding struct {
	Kind    Kind
	Verdict *rules.Verdict // of HTTP transactions that were inspected, nil otherwise
	Alert   *Summary       // of alerts, nil otherwise
	Partial rules.Partial  // parts of which rules did not see everything, also of a record that is no HTTP transaction
	Message string         // of the last rule that matched, without secrets

	Observation *incident.Observation // of HTTP transactions, when the filter was made for incidents
	Digest      []byte                // that the record holds, likewise

	// Of a record that holds several ones, these. The rest of the finding is that of the worst of them.
	Parts []Finding
	Event []byte // of one of these: an event with that record alone
}

// Summary is what one line about an alert says. Unless redact is off it has no secrets; its texts may hold anything else.
type Summary struct {
	Rule       *rules.Match // that names the alert
	ClientIP   string
	ClientPort string
	ServerIP   string
	ServerPort string
	Method     string
	Host       string // that the client asked for, without port
	URI        string
	Details    *alert.Alert
}

// Check evaluates a chunk and returns one finding for each of its events in order, and a Broken one for bytes at the end that
// are no event. The chunk itself stays as it is.
func (p *Pipeline) Check(chunk []byte) []Finding {
	i := &p.inspector
	b := i.batches.get(chunk, "")
	defer i.batches.put(b)
	h := &verdictHandler{
		allMatches: true,
		onAlert: func(it *item, v *alert.View) {
			it.summary = p.inspector.writer.summarize(v)
			it.message = it.summary.Rule.Message
		},
		onCleanMatch: func(it *item, v *alert.View) { it.message = strings.Clone(i.writer.secrets(v).Text(v.Rule().Message)) },
	}
	b.each(func(it *item, s *scratch) { i.evaluator.evaluate(it, s, h) })
	i.counts.count(b)
	found := make([]Finding, 0, len(b.items)+1)
	for rest := b.items; len(rest) > 0; {
		n := eventSize(rest)
		found = append(found, findingOf(rest[:n]))
		rest = rest[n:]
	}
	if p.observes {
		p.observeAll(b.items, found)
	}
	if b.broken != nil {
		found = append(found, Finding{Kind: Broken})
	}
	return found
}

// findingOf returns what was found in the items of one event.
func findingOf(items []item) Finding {
	if len(items) == 1 {
		return items[0].finding()
	}
	parts := items[1:]
	found := worst(parts).finding()
	for i := range parts {
		part := parts[i].finding()
		part.Event = parts[i].event.Raw
		found.Parts = append(found.Parts, part)
	}
	return found
}

func (it *item) finding() Finding {
	return Finding{Kind: it.kind, Verdict: it.verdict, Alert: it.summary, Partial: it.partial, Message: it.message}
}

func (w *alertWriter) summarize(v *alert.View) *Summary {
	details := w.newAlert(v)
	return &Summary{
		Rule:       details.Rule(),
		ClientIP:   strings.Clone(v.Transaction.ClientIP),
		ClientPort: strings.Clone(v.Values.Get(fieldmap.ClientPort)),
		ServerIP:   strings.Clone(v.Transaction.ServerIP),
		ServerPort: strings.Clone(v.Values.Get(fieldmap.ServerPort)),
		Method:     details.Method,
		Host:       details.ServerName,
		URI:        details.URI,
		Details:    details,
	}
}

// observeAll gives findings what their items contribute to incidents.
func (p *Pipeline) observeAll(items []item, found []Finding) {
	s := scratches.Get().(*scratch)
	defer s.putBack()
	s.rules = p.rules.Set()
	for rest := items; len(rest) > 0; found = found[1:] {
		n := eventSize(rest)
		if n == 1 {
			found[0].Observation = p.observer.observation(&rest[0], s)
			if rest[0].kind == NotHTTP {
				found[0].Digest = digestOf(rest[0].event.Body)
			}
			if found[0].Digest != nil {
				found[0].Kind = Skipped
			}
		}
		for i := 1; i < n; i++ {
			found[0].Parts[i-1].Observation = p.observer.observation(&rest[i], s)
		}
		rest = rest[n:]
	}
}
