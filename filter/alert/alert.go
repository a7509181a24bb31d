package alert

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/fieldmap"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/redact"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// Alert is what may be told of one transaction with a verdict. It shares no memory with the record, and its texts have no
// secrets in them.
type Alert struct {
	UID      string    // the same for the same record and rules
	Time     time.Time // of the event
	Begin    string    // of the transaction, as the record says it; "" when it does not
	RuleSet  string    // name and version of the rules
	Producer Producer

	Matches   []rules.Match // matches of detection rules, in the order in which they matched
	Severity  int           // of the most severe match in syslog's numbers, 0 emergency to 7 debug
	Score     int
	Scores    []rules.Score
	Outcome   Outcome
	Reason    string   // for the outcome
	Inspected []string // parts of the transaction that the rules saw
	Truncated bool     // a part was cut before it was logged
	Partial   []string // parts that were logged, and of which the rules did not see everything
	Redacted  []string // kinds of secrets that were taken out

	HTTP           bool // the record is one of HTTP
	ClientIP       string
	ClientPort     string
	ServerIP       string
	ServerPort     string
	Forward        string
	Forwarded      []string // addresses of the list that has Forward, in its order
	Method         string
	URI            string // as sent
	Protocol       string // for instance HTTP/1.1; "" when the record does not say it
	Domain         string // as the record has it, perhaps with a port
	ServerName     string // without one
	UserAgent      string
	Referer        string
	Status         string
	Sensor         string
	Message        string // the operator's label
	Source         string // the source's label
	Geo            string
	RequestHeaders []rules.Header // with the payload only, as the next four
	ReplyHeaders   []rules.Header
	RequestHead    string
	RequestBody    string
	ReplyHead      string
	ReplyBody      string

	Incident string // id of the incident that the transaction belongs to, "" when to none

	Place   Place
	Network []Pair // what the source says of the network

	Repeats *Repeats // of an alert that stands for several
	Notice  bool     // it tells of alerts that were not sent; there is no transaction

	naming Naming
	worst  int         // place of the worst match
	notice rules.Match // stands for the rule of a notice
}

// Repeats tells how many transactions an alert stands for.
type Repeats struct {
	Count       int
	First, Last time.Time // of their events
}

// New makes an alert of a view, without heads and bodies. A nil pass leaves secrets in.
func New(v *View, secrets *redact.Pass) *Alert {
	t, fields := v.Transaction, v.Values
	a := &Alert{
		UID: v.uid(), Time: time.Unix(v.Event.Time.Seconds, v.Event.Time.Nanoseconds), RuleSet: v.RuleSet,
		Matches: make([]rules.Match, len(v.Verdict.Matches)), Severity: v.Severity(), naming: v.Naming, Producer: v.Producer, worst: worst(v.Verdict),
		Score: v.Verdict.Score(), Scores: v.Verdict.Scores, Inspected: v.inspected(), Truncated: t.Truncated(),
		Partial: v.Verdict.Partial.Names(), HTTP: t.Unknown&rules.PartRequest == 0, Method: secrets.Text(t.Method), Protocol: t.Protocol, Status: v.status(),
		ClientIP: fields.Get(fieldmap.ClientIP), ClientPort: fields.Get(fieldmap.ClientPort),
		ServerIP: fields.Get(fieldmap.ServerIP), ServerPort: fields.Get(fieldmap.ServerPort), Begin: fields.Get(fieldmap.Time),
		URI: secrets.Text(t.URI), Domain: secrets.Text(v.domain()),
		ServerName: secrets.Text(t.ServerName), UserAgent: secrets.Text(v.header("User-Agent", fieldmap.UserAgent)),
		Referer: secrets.Text(v.header("Referer", fieldmap.Referer)), Sensor: secrets.Text(fields.Get(fieldmap.Sensor)),
		Message: secrets.Text(fields.Get(fieldmap.Message)), Source: secrets.Text(fields.Get(fieldmap.Source)),
		Geo: secrets.Text(fields.Get(fieldmap.Geo)),
	}
	a.Forward, a.Forwarded = fields.Forwarded(t)
	a.Forward = secrets.Text(a.Forward)
	a.Outcome, a.Reason = v.Outcome()
	for i := range a.Matches {
		a.Matches[i] = CleanMatch(&v.Verdict.Matches[i], secrets)
	}
	a.readPlace(v.Event.Body, secrets)
	a.Redacted = secrets.Found()
	clones(&a.Begin, &a.ClientIP, &a.ClientPort, &a.ServerIP, &a.ServerPort, &a.Forward, &a.Method, &a.URI, &a.Protocol, &a.Domain,
		&a.ServerName, &a.UserAgent, &a.Referer, &a.Status, &a.Sensor, &a.Message, &a.Source, &a.Geo)
	for i := range a.Forwarded {
		clones(&a.Forwarded[i])
	}
	return a
}

// AddPayload adds heads and bodies of the view that the alert was made of.
func (a *Alert) AddPayload(v *View, secrets *redact.Pass) {
	a.RequestHeaders = cleanHeaders(v.Transaction.RequestHeaders, secrets)
	a.ReplyHeaders = cleanHeaders(v.Transaction.ResponseHeaders, secrets)
	a.RequestHead = secrets.Text(v.Values.Get(fieldmap.RequestHead))
	a.RequestBody = secrets.Text(v.Values.Get(fieldmap.RequestBody))
	a.ReplyHead = secrets.Text(v.Values.Get(fieldmap.ResponseHead))
	a.ReplyBody = secrets.Text(v.Values.Get(fieldmap.ResponseBody))
	a.Redacted = secrets.Found()
	clones(&a.RequestHead, &a.RequestBody, &a.ReplyHead, &a.ReplyBody)
}

func cleanHeaders(headers []rules.Header, secrets *redact.Pass) []rules.Header {
	all := make([]rules.Header, len(headers))
	for i := range headers {
		all[i] = rules.Header{Name: secrets.Text(headers[i].Name), Value: secrets.Header(headers[i].Name, headers[i].Value)}
		clones(&all[i].Name, &all[i].Value)
	}
	return all
}

// uid names the alert: receivers that get one twice, because a delivery was repeated, can tell.
func (v *View) uid() string {
	h := sha256.New()
	h.Write(v.Event.Raw) // a hash takes everything
	for i := range v.Verdict.Matches {
		h.Write(strconv.AppendInt([]byte{','}, int64(v.Verdict.Matches[i].Rule.ID), 10))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func (v *View) status() string {
	if given := v.Values.Get(fieldmap.Status); given != "" || v.Transaction.ResponseStatus == 0 {
		return given
	}
	return strconv.Itoa(v.Transaction.ResponseStatus)
}

// Rule returns the match that names the alert, but for the format of ModSecurity for Anylog; that of a notice has no rule.
func (a *Alert) Rule() *rules.Match { return a.ruleIn("") }

// ruleIn returns the match that names the alert in a format.
func (a *Alert) ruleIn(format Format) *rules.Match {
	if a.Notice {
		return &a.notice
	}
	return a.naming.in(format).of(a.Matches, a.worst)
}

// Categories returns the kinds of attacks that the rules have found, each once.
func (a *Alert) Categories() (all []string) {
	for i := range a.Matches {
		if c := a.Matches[i].Rule.Category(); c != "" && !slices.Contains(all, c) {
			all = append(all, c)
		}
	}
	return all
}

// tags returns the tags of the rules, each once.
func (a *Alert) tags() []string {
	return a.each(func(r *rules.RuleInfo) []string { return r.Tags })
}

// each collects what rules say, each text once and in the order of the matches.
func (a *Alert) each(say func(*rules.RuleInfo) []string) (all []string) {
	for i := range a.Matches {
		for _, text := range say(a.Matches[i].Rule) {
			if text != "" && !slices.Contains(all, text) {
				all = append(all, text)
			}
		}
	}
	return all
}

// ruleIDs returns the ids of the rules that matched, in order.
func (a *Alert) ruleIDs() []string {
	ids := make([]string, len(a.Matches))
	for i := range a.Matches {
		ids[i] = strconv.Itoa(a.Matches[i].Rule.ID)
	}
	return ids
}
