package alert

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// Kind tells alerts apart that are repeats of each other: the same source, destination and set of rules.
func (a *Alert) Kind() string {
	return cmp.Or(a.ClientIP, a.Forward) + "\x00" + cmp.Or(a.ServerIP, a.ServerName) + "\x00" + strings.Join(a.ruleIDs(), ",")
}

// WithoutPayload returns the alert without heads and bodies.
func (a *Alert) WithoutPayload() *Alert {
	light := *a
	light.RequestHeaders, light.ReplyHeaders = nil, nil
	light.RequestHead, light.RequestBody, light.ReplyHead, light.ReplyBody = "", "", "", ""
	return &light
}

// Summing returns the alert as one that stands for several like it.
func (a *Alert) Summing(seen Repeats) *Alert {
	sum := *a
	sum.Repeats = &seen
	sum.Time = seen.Last
	sum.UID = summaryUID(a.UID, seen)
	return &sum
}

func summaryUID(of string, seen Repeats) string {
	h := sha256.Sum256(fmt.Appendf(nil, "%s %d %d %d", of, seen.Count, seen.First.UnixNano(), seen.Last.UnixNano()))
	return hex.EncodeToString(h[:16])
}

// NewNotice returns an alert that tells how many were skipped by a limit of so many a second. Its severity is that of the worst
// of them.
func NewNotice(seen Repeats, severity, limit int, ruleSet string, by Producer) *Alert {
	return &Alert{
		UID: summaryUID("limit", seen), Time: seen.Last, RuleSet: ruleSet, Severity: severity, Notice: true, Repeats: &seen,
		Reason: "flood control", Producer: by,
		notice: rules.Notice(severity, fmt.Sprintf("%d alerts dropped: more than %d per second", seen.Count, limit)),
	}
}

// Size estimates the memory of the alert in bytes.
func (a *Alert) Size() int {
	n := 800
	for _, text := range []string{a.Begin, a.ClientIP, a.ServerIP, a.Forward, a.URI, a.Domain, a.ServerName, a.UserAgent, a.Referer,
		a.RequestHead, a.RequestBody, a.ReplyHead, a.ReplyBody, a.Message, a.Reason} {
		n += len(text)
	}
	for i := range a.Matches {
		m := &a.Matches[i]
		n += 150 + len(m.Message) + len(m.Data) + len(m.Variable) + len(m.Value)
	}
	for _, p := range a.Place.Labels {
		n += 32 + len(p.Name) + len(p.Value)
	}
	for _, h := range append(a.RequestHeaders, a.ReplyHeaders...) {
		n += 32 + len(h.Name) + len(h.Value)
	}
	return n
}
