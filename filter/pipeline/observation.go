package pipeline

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"github.com/cespare/xxhash/v2"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/fieldmap"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/logtime"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// observer makes observations for incident detection of what was evaluated.
type observer struct {
	evaluator      *evaluator
	writer         *alertWriter
	timesInRecords bool        // the times that records name count, not those of their events
	identities     *identities // nil names none
	salt           string      // of the hashes of credentials
}

// observe makes an observation of an item that was evaluated. Its texts are views, valid as long as the scratch is not used for another
// record. It reports false for what is no HTTP transaction.
func (b *observer) observe(it *item, s *scratch, o *incident.Observation) bool {
	switch it.kind {
	case Clean, Alert, Late:
	default:
		return false
	}
	s.whole = false
	return b.evaluator.read(it, &s.values) >= 0 && b.observeRead(it, s, o)
}

// observeRead is observe for an item that has been read into the scratch.
func (b *observer) observeRead(it *item, s *scratch, o *incident.Observation) bool {
	isAlert := it.kind == Alert && it.verdict != nil
	if !s.readRequest(isAlert) {
		return false
	}
	t := &s.transaction
	*o = incident.Observation{Time: b.timeOf(it, s), Method: t.Method, Path: t.URI, Status: t.ResponseStatus, Bytes: int64(len(s.values.Get(fieldmap.ResponseBody)))}
	e := contextOf(it, &s.values)
	if e.bytes > 0 {
		o.Bytes = e.bytes
	}
	b.observeEnds(o, s, &e)
	b.observeClient(o, s, &e)
	if isAlert {
		b.observeAttack(o, it, s)
	}
	return true
}

// readRequest writes the transaction of the scratch, and reports whether it has a request. Only alerts need more of it than that.
func (s *scratch) readRequest(whole bool) bool {
	switch {
	case s.whole:
	case !whole:
		return s.values.Request(&s.transaction)
	case !s.values.Transaction(&s.transaction):
		return false
	}
	return s.transaction.Unknown&rules.PartRequest == 0
}

// readLate is from how many milliseconds after its transaction on a record was read late, such as those of a file that is read from its
// beginning.
const readLate = 10_000

// timeOf returns when a transaction took place, in milliseconds: the time of the event, which has more digits than most logs write, or the time
// that the record names where it was read late. Where records come from files, it is the time that they name.
func (b *observer) timeOf(it *item, s *scratch) int64 {
	at, text := it.event.Time.Seconds*1000+it.event.Time.Nanoseconds/1e6, s.values.Get(fieldmap.Time)
	if b.timesInRecords {
		if named, ok := logtime.Parse(text, nil); ok {
			return named.UnixMilli()
		}
		return at
	}
	if named, ok := logtime.ParseExact(text); ok && at-named.UnixMilli() > readLate {
		return named.UnixMilli()
	}
	return at
}

// observeEnds finds out who asks, and whom.
func (b *observer) observeEnds(o *incident.Observation, s *scratch, e *contextFields) {
	client := s.values.Client(&s.transaction)
	o.Source = client
	o.Internal = fieldmap.IsPrivate(client)
	if name := b.identities.of(client); name != "" {
		o.Source, o.Internal = name, true
	}
	t := &s.transaction
	o.TargetHost = cmp.Or(e.podIP, t.ServerIP)
	switch name := cmp.Or(b.identities.of(t.ServerIP), b.identities.of(t.ServerName)); {
	case name != "":
		o.Target, o.TargetHost = name, name
	case e.workload() != "":
		o.Target = e.workload()
		if name := b.identities.of(o.TargetHost); name != "" {
			o.TargetHost = name
		}
	case t.ServerIP != "":
		o.Target = t.ServerIP
		if t.ServerPort > 0 {
			s.target = appendHostPort(s.target[:0], t.ServerIP, t.ServerPort)
			o.Target = unsafe.String(unsafe.SliceData(s.target), len(s.target)) // a view, as the other texts
		}
	default:
		o.Target = t.ServerName
	}
	if o.TargetHost != "" && strings.HasPrefix(client, "127.") { // the proxy beside the target, as in a mesh: each target has its own
		o.Source = o.TargetHost
	}
}

// appendHostPort does what net.JoinHostPort does, without an allocation.
func appendHostPort(dst []byte, host string, port int) []byte {
	if strings.IndexByte(host, ':') >= 0 {
		dst = append(append(append(dst, '['), host...), ']')
	} else {
		dst = append(dst, host...)
	}
	return strconv.AppendInt(append(dst, ':'), int64(port), 10)
}

// observeClient hashes what tells clients apart.
func (b *observer) observeClient(o *incident.Observation, s *scratch, e *contextFields) {
	headers := readHeaders(s.transaction.RequestHeaders)
	o.Agent = cmp.Or(headers.agent, s.values.Get(fieldmap.UserAgent))
	o.Shape = headers.shape
	if e.user != "" {
		o.User = b.credential("user", e.user)
	}
	if headers.authorization != "" {
		o.Principal = b.credential("authorization", headers.authorization)
	} else if session := sessionOf(cmp.Or(headers.cookies, s.values.Get(fieldmap.Cookie))); session != "" {
		o.Principal = b.credential("session", session)
	} else if e.user != "" && o.Status != 401 {
		o.Principal = o.User
	}
	if trace := cmp.Or(headers.trace(), e.trace); trace != "" {
		o.Trace = xxhash.Sum64String(trace)
	}
}

// credential hashes credentials, so that neither incidents nor their state have any.
func (b *observer) credential(kind, value string) uint64 {
	var d xxhash.Digest
	d.Reset()
	for _, text := range [...]string{b.salt, "\x00", kind, "\x00", value} {
		_, _ = d.WriteString(text) // it never fails
	}
	return d.Sum64() | 1
}

// sessionNames are parts of the names of cookies that hold sessions.
var sessionNames = []string{"sess", "sid", "auth", "token", "jwt", "connect."}

// sessionOf returns the value of the cookie that holds a session, "" when there is none.
func sessionOf(cookies string) string {
	for range 32 {
		pair, rest, more := strings.Cut(cookies, ";")
		name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		if len(value) >= 8 && containsFold(name, sessionNames) {
			return value
		}
		if cookies = rest; !more {
			return ""
		}
	}
	return ""
}

func containsFold(text string, parts []string) bool {
	for _, part := range parts {
		for at := 0; at+len(part) <= len(text); at++ {
			if strings.EqualFold(text[at:at+len(part)], part) {
				return true
			}
		}
	}
	return false
}

// categoryOf returns what a rule finds. Those of packs that recognize scanners, by ATT&CK's T1046, find no attack yet.
func categoryOf(r *rules.RuleInfo) string {
	if slices.Contains(r.Tags, "attack.T1046") {
		return "reputation-scanner"
	}
	return r.Category()
}

// isPolicy reports whether a rule only says which methods are allowed: APIs use those that CRS forbids, and it calls them attacks of no special kind.
func isPolicy(r *rules.RuleInfo) bool { return r.ID/1000 == 911 }

// observeAttack distinguishes what rules found in the request and in the response.
func (b *observer) observeAttack(o *incident.Observation, it *item, s *scratch) {
	var a *incident.Attack
	var values []uint64
	for i := range it.verdict.Matches {
		m := &it.verdict.Matches[i]
		category := categoryOf(m.Rule)
		if m.Rule.Response() {
			if category == "sensitive-data" {
				o.Items++
			}
			continue
		}
		if category == "sensitive-data" || isPolicy(m.Rule) { // data that a client sends, and a method, are no attack
			continue
		}
		if a == nil {
			a = &incident.Attack{}
		}
		a.Rules = append(a.Rules, incident.Rule{ID: m.Rule.ID, Category: category, Techniques: alert.Techniques(m.Rule)})
		if value := xxhash.Sum64String(m.Value); !slices.Contains(values, value) { // twice the same would be nothing
			a.Values ^= value
			values = append(values, value)
		}
	}
	if a == nil {
		return
	}
	view := b.evaluator.view(it, s, it.verdict)
	if b.timesInRecords {
		event := it.event
		event.Raw = event.Body // the id of an alert must not depend on when its record was read
		view.Event = &event
	}
	outcome, _ := view.Outcome()
	a.Refused, a.Likely = outcome == alert.Blocked, outcome == alert.LikelySucceeded
	a.Show = func() incident.Sample {
		shown := b.writer.newAlert(view)
		return incident.Sample{Alert: shown.UID, Method: shown.Method, URI: shown.URI, Message: shown.Rule().Message, Outcome: string(shown.Outcome)}
	}
	o.Attack = a
}

// observation returns what an item contributes, nil when nothing. It has memory of its own.
func (b *observer) observation(it *item, s *scratch) (o *incident.Observation) {
	defer func() {
		if cause := recover(); cause != nil {
			b.evaluator.panics.Caught("observation of a record")(cause, nil)
			o = nil
		}
	}()
	var view incident.Observation
	if !b.observe(it, s, &view) {
		return nil
	}
	return owned(&view)
}
