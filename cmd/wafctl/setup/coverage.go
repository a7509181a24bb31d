package setup

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/sample"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// Coverage is what rules can find in the records of a source.
type Coverage struct {
	Kinds  []Kind
	Blind  []string // places in which attacks cannot be seen
	Gains  []Gain   // what more rules would have data with, the most first
	Missed []string // sentences on what alerts will not have
}

// Kind is a kind of attack with its rules.
type Kind struct {
	Title string
	Rules int
	Data  int // rules that have something to look at
}

// Gain is a part of transactions that the source could log as well.
type Gain struct {
	Part  string
	Rules int // that would have something to look at
}

// titles are the kinds of attacks in the order in which they are listed, with the tags of their rules.
var titles = []struct {
	title string
	tags  []string
}{
	{"SQL injection", []string{"sqli"}},
	{"Cross-site scripting", []string{"xss"}},
	{"Path traversal, local files", []string{"lfi"}},
	{"Remote file inclusion", []string{"rfi"}},
	{"Command execution", []string{"rce"}},
	{"PHP injection", []string{"injection-php"}},
	{"Java, template and other injection", []string{"injection-java", "generic", "injection-generic", "ssti"}},
	{"Server-side request forgery", []string{"ssrf"}},
	{"Session fixation", []string{"fixation"}},
	{"Scanners", []string{"reputation-scanner"}},
	{"Protocol attacks and violations", []string{"protocol", "multipart-header"}},
	{"Leaks and web shells in responses", []string{"disclosure"}},
	{"Lateral movement", []string{"lateral-movement"}},
	{"Sensitive data", []string{"sensitive-data"}},
}

// places are the parts in which clients put attacks, with what users call them.
var places = []struct {
	part rules.Parts
	name string
}{
	{rules.PartQuery, "the query"},
	{rules.PartBody, "the request body"},
	{rules.PartCookie, "the Cookie header"},
	{rules.PartUserAgent, "the User-Agent header"},
	{rules.PartReferer, "the Referer header"},
	{rules.PartUnnamedHeaders, "other request headers"},
	{rules.PartHost | rules.PartHostName, "the Host header"},
}

// gains are the parts that a source may be set up to log.
var gains = []struct {
	part rules.Parts
	name string
}{
	{rules.PartBody | rules.PartBodyEnd, "request body"},
	{rules.PartCookie, "Cookie header"},
	{rules.PartUserAgent, "User-Agent header"},
	{rules.PartReferer, "Referer header"},
	{rules.PartUnnamedHeaders, "other request headers"},
	{rules.PartHost | rules.PartHostName, "Host header"},
	{rules.PartStatus, "response status"},
	{rules.PartResponseHeader, "response headers"},
	{rules.PartResponseBody | rules.PartResponseEnd, "response body"},
}

// maxLevel is the highest paranoia level of the rules that count by default.
const maxLevel = 1

// CoverageOf returns what the filter's rules can find in records like those of a sample.
func CoverageOf(f *filter.Filter, s *sample.Sample) *Coverage {
	c := &Coverage{}
	all := f.Rules()
	without := missing(f, s.Unknown, s.Absent())
	for _, t := range titles {
		k := Kind{Title: t.title}
		for i := range all {
			r := &all[i]
			if !r.Detection || r.Paranoia() > maxLevel || !slices.Contains(t.tags, r.Category()) {
				continue
			}
			k.Rules++
			if !without[r.ID] {
				k.Data++
			}
		}
		if k.Rules > 0 {
			c.Kinds = append(c.Kinds, k)
		}
	}
	for _, p := range places {
		if s.Absent()&p.part == p.part {
			c.Blind = append(c.Blind, p.name)
		}
	}
	c.gains(f, s, all, without)
	c.missed(s)
	return c
}

// missing returns the rules that do not run without some parts, or have nothing to inspect.
func missing(f *filter.Filter, unknown, absent rules.Parts) map[int]bool {
	ids := map[int]bool{}
	left, idle := f.LeftOutWithout(unknown, absent)
	for i := range left {
		ids[left[i].ID] = true
	}
	for i := range idle {
		ids[idle[i].ID] = true
	}
	return ids
}

func (c *Coverage) gains(f *filter.Filter, s *sample.Sample, all []rules.Loaded, without map[int]bool) {
	for _, g := range gains {
		if s.Absent()&g.part == 0 {
			continue
		}
		still := missing(f, s.Unknown&^g.part, s.Absent()&^g.part)
		n := 0
		for i := range all {
			if r := &all[i]; r.Detection && r.Paranoia() <= maxLevel && without[r.ID] && !still[r.ID] {
				n++
			}
		}
		if n > 0 {
			c.Gains = append(c.Gains, Gain{g.name, n})
		}
	}
	slices.SortStableFunc(c.Gains, func(a, b Gain) int { return cmp.Compare(b.Rules, a.Rules) })
}

func (c *Coverage) missed(s *sample.Sample) {
	for _, m := range []struct {
		part   rules.Parts
		n      int
		what   string
		advice string
	}{
		{rules.PartClient, s.Clients, "the address of the client", "log it"},
		{rules.PartHostName, s.Hosts, "the host", "log it, or set --host if the log is of a single site"},
	} {
		switch {
		case s.HTTP == 0 && s.Unknown&m.part == 0, s.HTTP > 0 && m.n == s.HTTP:
		case m.n == 0:
			c.Missed = append(c.Missed, fmt.Sprintf("Alerts will lack %s: %s.", m.what, m.advice))
		default:
			c.Missed = append(c.Missed, fmt.Sprintf("%d of %d records do not have %s: %s.", s.HTTP-m.n, s.HTTP, m.what, m.advice))
		}
	}
}

// sentence joins words with commas and a last word.
func sentence(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " " + last + " " + words[len(words)-1]
}
