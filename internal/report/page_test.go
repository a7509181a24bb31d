package report

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
)

var noon = time.Date(2024, 5, 30, 12, 0, 0, 0, time.UTC)

func attack(i int) *Alert {
	rule := Rule{942100, 2, "SQL Injection Attack Detected via libinjection", "sqli"}
	return &Alert{
		Time: noon.Add(time.Duration(i) * time.Minute), Source: fmt.Sprintf("192.0.2.%d", i%3), Destination: "10.0.0.1", Method: "GET",
		Host: "shop.example", URI: fmt.Sprintf("/?q=%d+union+select", i), UserAgent: "curl", Status: 403, Outcome: alert.Blocked, Severity: 2, Score: 5,
		Matched: "Matched something", Place: fmt.Sprintf("a.ndjson:%d", i), Rule: rule, Rules: []Rule{{920350, 4, "Numeric host", "protocol"}, rule},
	}
}

func written(t *testing.T, d *Digest, head Head) string {
	t.Helper()
	var b bytes.Buffer
	head.Made = noon
	require.NoError(t, d.Write(&b, head))
	return b.String()
}

func TestPageTellsWhatWasCounted(t *testing.T) {
	d := NewDigest()
	for i := range 100 {
		d.Add(attack(i))
	}
	text := textOf(t, written(t, d, Head{Records: 1100, NotHTTP: 100, Files: []string{"a.ndjson"}, RuleSet: "OWASP_CRS/4.25.0", MadeBy: "wafctl test"}))
	for _, want := range []string{
		"100 alerts", "2024-05-30 12:00:00 to 2024-05-30 13:39:00", "a.ndjson", "OWASP_CRS/4.25.0",
		"10 % of the HTTP records", "100 more not HTTP", "5 minutes a bar", "critical 100, peak 5", "0 of the alerts",
		"May 30 12:00 – May 30 12:05: 5 critical",
		"192.0.2.0 blocked critical 34 alerts protocol, sqli 2024-05-30 12:00:00 – 13:39:00",
		"first 2024-05-30 12:00:00, last 2024-05-30 13:39:00", "Outcomes 34 blocked", "Paths / 34", "User agents curl 34", "Hosts shop.example 34",
		"920350 Numeric host warning 100 100 %", "942100 SQL Injection Attack Detected via libinjection critical 100 100 %",
		"192.0.2.0 34 34 %", "10.0.0.1 100 100 %", "blocked 100 100 %", "4xx 100 100 %", "sqli 100 100 %",
		"Request GET /?q=0+union+select Matched Matched something Rules 920350, 942100 Score 5 Response 403 Outcome blocked Time 2024-05-30 12:00:00 Record a.ndjson:0",
		"Made by wafctl test on 2024-05-30 12:00:00 UTC",
	} {
		require.Contains(t, text, want)
	}
}

func TestPageOfNoAlertSaysSo(t *testing.T) {
	text := textOf(t, written(t, NewDigest(), Head{Records: 3}))
	require.Contains(t, text, "No alerts")
	require.Contains(t, text, "3 HTTP records inspected; none reached the anomaly score")
	require.NotContains(t, text, "Top rules")
}

func TestPageSaysWhyNothingWasInspected(t *testing.T) {
	for want, head := range map[string]Head{
		"There are no records in these files.":                                         {},
		"None of the lines could be read as a record.":                                 {Records: 4, Broken: 4},
		"a.log: no HTTP transaction in 3 records. The first one has only the key log.": {Records: 3, NotHTTP: 3, Blind: []Blind{{"a.log", 3, "has only the key log"}}},
	} {
		text := textOf(t, written(t, NewDigest(), head))
		require.Contains(t, text, "Nothing was inspected")
		require.Contains(t, text, want)
		require.NotContains(t, text, "no attack ")
		require.NotContains(t, text, "No alerts")
	}
	d := NewDigest()
	d.Add(attack(1))
	text := textOf(t, written(t, d, Head{Records: 4, NotHTTP: 3, Blind: []Blind{{"a.log", 3, "has only the key log"}}}))
	require.Contains(t, text, "Not everything was inspected a.log: no HTTP transaction in 3 records.")
	require.Contains(t, text, "1 alert ")
}

// hostile texts try to leave the place where they are shown.
var hostile = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `</title></style></svg><script src=//evil.example></script>`,
	`' onmouseover='alert(1)`, `{{.Head}}`, `javascript:alert(1)`, "<!--", "]]>", "\x00\x1b[31m\xff\xfe", "a\u202egpj.exe", "&lt;b&gt;", "`${1}`",
}

func TestPageShowsHostileTextsAsTexts(t *testing.T) {
	d := NewDigest()
	for i, x := range hostile {
		rule := Rule{i, 2, x, x}
		d.Add(&Alert{
			Time: noon, Source: x, Destination: x, Method: x, Host: x + x, URI: x, Outcome: alert.Outcome(x), UserAgent: x, Peer: x, Forwarded: x, Matched: x, Place: x, Rule: rule, Rules: []Rule{rule},
		})
	}
	page := written(t, d, Head{Records: 99, Files: hostile, RuleSet: hostile[1], Settings: hostile, MadeBy: hostile[2]})
	requireInert(t, page)
	text := textOf(t, page)
	for _, x := range hostile[:6] {
		require.Contains(t, text, x)
	}
	require.Contains(t, text, `\x00\x1b[31m\xff\xfe`)
	require.Contains(t, text, `a\u202egpj.exe`)
	require.Contains(t, page, `&amp;lt;b&amp;gt;`)
}

// Elements and attributes that the page may have; none of them runs or loads anything.
var (
	elements = words("html head meta title style body header h1 h2 p span code main section div table thead tbody tr th td svg path g rect " +
		"details summary b dl dt dd footer wbr ul li")
	attributes = words("lang charset http-equiv content name class aria-label aria-hidden viewBox preserveAspectRatio role d x y width height " +
		"scope title tabindex open")
)

func words(list string) map[string]bool {
	set := map[string]bool{}
	for _, word := range strings.Fields(list) {
		set[word] = true
	}
	return set
}

// requireInert reads the page as a browser does and refuses everything that could run or load something.
func requireInert(t *testing.T, page string) {
	t.Helper()
	walk(t, page, func(n *html.Node) {
		if n.Type == html.ElementNode {
			require.True(t, elements[n.Data], "element %s", n.Data)
			for _, a := range n.Attr {
				require.True(t, attributes[a.Key], "attribute %s of %s", a.Key, n.Data)
			}
		}
	})
	require.NotContains(t, page, "url(")
	require.Equal(t, 1, strings.Count(page, `<meta http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;; style-src &#39;sha256-`))
	require.Less(t, strings.Index(page, "Content-Security-Policy"), strings.Index(page, "<title>"), "the policy comes before what is from records")
	for _, r := range page {
		require.False(t, r < 0x20 && r != '\n' || r >= 0x7f && r < 0xa0 || r == 0x202e, "control character %U", r)
	}
}

func TestPolicyNamesTheStyleOfThePage(t *testing.T) {
	page := written(t, NewDigest(), Head{})
	_, rest, _ := strings.Cut(page, "<style>")
	style, _, _ := strings.Cut(rest, "</style>")
	require.Equal(t, pageCSS, style, "a browser hashes what stands between the tags")
}

func TestPageStaysSmall(t *testing.T) {
	d := NewDigest()
	long := strings.Repeat("<\x01'\"&", 2000)
	for i := range 60_000 {
		a := attack(i)
		a.Source, a.Destination = fmt.Sprint("source ", i, long[:200]), fmt.Sprint("destination ", i%70_000)
		if i%1000 == 0 {
			rule := Rule{i, 2, long, long}
			a.URI, a.Matched, a.Outcome, a.Host, a.Place = long, long, alert.Outcome(fmt.Sprint(i, long)), long, long
			a.Rule, a.Rules = rule, append(make([]Rule, 500), rule)
		}
		d.Add(a)
	}
	require.LessOrEqual(t, len(d.sources.counts), maxNames)
	require.LessOrEqual(t, len(d.pairs), maxPairs)
	require.LessOrEqual(t, len(d.timeline.spans), maxSpans)
	require.LessOrEqual(t, len(d.attackers.bySource), 2*maxAttackers)
	page := written(t, d, Head{Records: 60_000, Files: strings.Split(strings.Repeat(long+"\n", 500), "\n")})
	requireInert(t, page)
	require.Less(t, len(page), 512<<10)
	require.Contains(t, textOf(t, page), "There are more than 50,000 sources or destinations")
	require.Contains(t, textOf(t, page), "and 481 more")
}

// walk calls do for all nodes of the page.
func walk(t *testing.T, page string, do func(*html.Node)) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	require.NoError(t, err)
	for n := range root.Descendants() {
		do(n)
	}
}

// textOf returns the words of the page.
func textOf(t *testing.T, page string) string {
	t.Helper()
	var b strings.Builder
	walk(t, page, func(n *html.Node) {
		if n.Data == "td" {
			b.WriteByte(' ')
		}
		if n.Type == html.TextNode && n.Parent.Data != "style" {
			b.WriteString(n.Data)
			if n.Parent.Data != "span" && n.Parent.Data != "p" && n.Parent.Data != "dd" {
				b.WriteByte(' ')
			}
		}
	})
	return strings.ReplaceAll(strings.Join(strings.Fields(b.String()), " "), " ,", ",")
}
