// Package report counts alerts and writes a page about them. The page is one HTML file with charts; it needs no
// network, no scripts and no other file. Counts take bounded memory, however many alerts there are.
package report

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/visible"
)

// Alert is what a digest takes of one alert. Its texts may hold anything.
type Alert struct {
	Time        time.Time // of the transaction, zero when it is not known
	Source      string    // who asked
	Peer        string    // where the connection came from: the address of the source, or of a proxy
	Forwarded   string    // for whom a proxy asked, as the request says it
	Destination string    // who was asked
	Method      string
	Host        string
	URI         string
	UserAgent   string
	Status      int // of the response, 0 when it is not known
	Outcome     alert.Outcome
	Reason      string // for the outcome
	Severity    int    // of the most severe match, in syslog's numbers
	Score       int
	Matched     string // what the naming rule found, in words
	Place       string // of the record: file:line
	Rule        Rule   // that names the alert
	Rules       []Rule // all that matched
}

// Rule is a rule that matched.
type Rule struct {
	ID       int
	Severity int
	Message  string
	Category string // of attacks, for instance sqli
}

// categories returns the categories of the rules that matched, each once.
func (a *Alert) categories() (all []string) {
	for i := range a.Rules {
		if c := shown(a.Rules[i].Category, maxName); c != "" && !slices.Contains(all, c) {
			all = append(all, c)
		}
	}
	return all
}

// path returns what was asked for, without a query.
func (a *Alert) path() string {
	path, _, _ := strings.Cut(a.URI, "?")
	return path
}

// Severities are the names of syslog's numbers.
var Severities = [...]string{"emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"}

// level returns the place of a severity in Severities.
func level(severity int) int { return min(max(severity, 0), len(Severities)-1) }

// Lengths in bytes to which texts are cut before they are kept.
const (
	maxName   = 100 // of addresses, classes, outcomes
	maxText   = 200 // of messages
	maxDetail = 500 // of what a sample shows
)

// shown returns a text as people can read all of it, in at most some bytes and a sign that there was more.
func shown(text string, limit int) string {
	whole := visible.Text(cut(text, limit))
	if short := cut(whole, limit); len(short) < len(whole) || len(text) > limit {
		return short + "…"
	}
	return whole
}

// cut returns the start of a text without half a character at its end.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	end := limit
	for end > limit-utf8.UTFMax && end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}
