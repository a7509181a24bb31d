package filter

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

// narrowRules look at arguments and two headers, and find nothing wrong with odd heads as such: what they do not alert on has to be
// marked.
const narrowRules = `SecRule ARGS|REQUEST_COOKIES|REQUEST_HEADERS:X-Note "@contains attack" "id:100,phase:2,deny,severity:'CRITICAL',msg:'in the request'"
SecRule RESPONSE_HEADERS:X-Note "@contains attack" "id:101,phase:4,deny,severity:'CRITICAL',msg:'in the response'"
`

func narrowFilter(t *testing.T) *Filter {
	t.Helper()
	file := filepath.Join(t.TempDir(), "rules.conf")
	require.NoError(t, os.WriteFile(file, []byte(narrowRules), 0o600))
	return newFilter(t, setting.Map{"rules": file, "rule_packs": "off"})
}

// headGrammar makes heads from a list of parts, each plain or odd, with an attack in one of them.
type headGrammar struct {
	dice   *rand.Rand
	agreed bool // only oddities that servers agree on
	odd    int  // parts that are odd
	plain  float64
}

// part returns the plain form or an odd one. Servers agree on the first forms, as many as agreed says.
func (g *headGrammar) part(plain string, agreed int, odd ...string) string {
	if g.agreed {
		odd = odd[:agreed]
	}
	if len(odd) == 0 || g.dice.Float64() < g.plain {
		return plain
	}
	g.odd++
	return odd[g.dice.IntN(len(odd))]
}

func (g *headGrammar) one(of ...string) string { return of[g.dice.IntN(len(of))] }

// control returns a control character that ends no line.
func (g *headGrammar) control() string {
	return g.one("\x00", "\x01", "\x08", "\v", "\f", "\r", "\x1b", "\x7f", "\x00\x00")
}

func (g *headGrammar) lineEnd() string { return g.part("\r\n", 1, "\n", "\r\r\n", "\r", "\n\r") }

// before returns what stands before a start line.
func (g *headGrammar) before() string {
	return g.part("", 4, "\r\n", "\n", "\r\n\r\n", "\n\r\n\n",
		" \r\n", "\t\n", g.control(), g.control()+"\r\n", "\ufeff", "junk\r\n", "X: 1\r\n", "junk\r\n\r\n", " ", "\t", "\r\n ", "\xff\xfe\r\n")
}

func (g *headGrammar) blank() string {
	return g.part(" ", 5, "\t", "  ", " \t", "\f", "\v", g.control(), "", "\r", "\u00a0", "\t\x00")
}

// extra returns a line between headers that is none, or one that continues the one before.
func (g *headGrammar) extra() string {
	return g.part("", 2, "X-More: 1\r\n folded\r\n", "X-More:\r\n\t1\r\n",
		"junk\r\n", ": 1\r\n", g.control()+"\r\n", g.control()+"X: 1\r\n", "X"+g.control()+"Y: 1\r\n", "X: 1\r", "X: 1\rY: 2\r\n", " folded\r\n", " \r\n", "X Y: 1\r\n",
		"\r\n", "\n", "GET /second HTTP/1.1\r\n", "GET http://second/ HTTP/1.1\r\nHost: b\r\n", "\r\nGET /second HTTP/1.1\r\nHost: b\r\n", "HTTP/1.1 200 OK\r\n", "é: 1\r\n")
}

// header returns a header line; the name and the colon may be odd.
func (g *headGrammar) header(name, value string) string {
	front := g.part("", 0, g.control(), "junk\r\n", "\x00 ") // a blank would make it part of the header before
	colon := g.part(": ", 4, ":", ":\t", ":  \t ", " : ", g.control()+": ", "", " ", ":"+g.control(), ":\r\n ")
	return front + name + colon + value + g.lineEnd()
}

// headers returns header lines; one of them has the attack unless its name is "".
func (g *headGrammar) headers(name, attack string) string {
	var b strings.Builder
	b.WriteString(g.header("Host", "shop.example"))
	at := g.dice.IntN(3)
	for i := range 3 {
		b.WriteString(g.extra())
		if i == at && name != "" {
			b.WriteString(g.header(name, attack))
		} else {
			b.WriteString(g.header("X-"+fmt.Sprint(i), "1"))
		}
	}
	b.WriteString(g.extra())
	return b.String() + g.part("\r\n", 2, "\n", "", "\r\r\n", " \r\n", "\x00\r\n", "\r")
}

// request returns a head with an attack somewhere in it.
func (g *headGrammar) request() string {
	const attack = "an attack"
	target, name := "/plain", g.one("Cookie", "X-Note", "")
	if name == "" {
		target = "/?q=attack"
	}
	value := map[string]string{"Cookie": "c=attack", "X-Note": attack}[name]
	start := g.before() + g.part("GET", 0, "GET"+g.control(), "G T", "", "<GET>", "GET:") + g.blank() + target + g.blank() +
		g.part("HTTP/1.1", 2, "HTTP/1.0", "HTTP/2", "", "http/1.1", "JUNK", "HTTP/1.1"+g.control(), "HTTP/1.1 junk", "HTTP/1.1 HTTP/1.1") +
		g.part("", 2, " ", "\t ", g.control()) + g.lineEnd()
	return start + g.headers(name, value)
}

// behind returns a head with an attack behind its end.
func (g *headGrammar) behind() string {
	g.odd++
	return g.before() + "GET / HTTP/1.1\r\nHost: shop.example\r\n" + g.one("\r\n", "\n", "\r\n\r\n", "\r\n\n\x00", "\r\n ") +
		g.one("attack", "q=attack", "Cookie: c=attack\r\n\r\n", "GET /?q=attack HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nX-Note: attack\r\n\r\n", "\x00attack")
}

func (g *headGrammar) response() string {
	start := g.before() + g.part("HTTP/1.1", 0, "HTTP/1.1"+g.control(), "ICY", "", "http/1.1") + g.blank() + g.part("200", 0, "", "abc", "20", "200"+g.control()) +
		g.part(" OK", 2, "", " OK ", "\tOK", g.control()) + g.lineEnd()
	if g.dice.IntN(4) == 0 {
		start = g.before() + "HTTP/1.1 " + g.one("100 Continue", "103 Early Hints") + "\r\n" + g.part("", 1, "Link: x\r\n", "junk\r\n") + "\r\n" + start
	}
	return start + g.headers("X-Note", "an attack")
}

// fieldsBeside returns pairs of a record that say nothing of an attack.
func (g *headGrammar) fieldsBeside() []string {
	beside := []string{"L7_PROTOCOL", "http", "SRC_IP", "192.0.2.9"}
	if g.dice.IntN(2) == 0 {
		beside = append(beside, "METHOD", "GET", "URL", "/plain", "DOMAIN", "shop.example", "AGENT", "Mozilla/5.0", "REQ_BODY", g.one("", "a=1"))
	}
	return beside
}

// requireSeen requires that a record alerts, or says that rules have not seen everything of it.
func requireSeen(t *testing.T, f *Filter, text string, record []byte, agreed bool) {
	t.Helper()
	found := f.Check(record)[0]
	if agreed {
		require.Equal(t, Alert, found.Kind, "%q", text)
		require.Zero(t, found.Partial, "%q", text)
	}
	require.True(t, found.Kind == Alert || found.Partial != 0, "%q is %d", text, found.Kind)
}

// An attack in a head is found or said to be missed, however odd the head is.
func TestAttacksInOddHeadsAlertOrArePartial(t *testing.T) {
	f := narrowFilter(t)
	for _, plain := range []float64{0.97, 0.9, 0.7} {
		g := &headGrammar{dice: rand.New(rand.NewPCG(17, uint64(plain*100))), plain: plain}
		for i := range 10_000 {
			text := g.request()
			if i%10 == 0 {
				text = g.behind()
			}
			requireSeen(t, f, text, pairs(append(g.fieldsBeside(), "REQ_HEADER", text)...), false)
			text = g.response()
			requireSeen(t, f, text, pairs("METHOD", "GET", "URL", "/", "RETCODE", "200", "RSP_BODY", g.one("", "ok"), "RSP_HEADER", text), false)
		}
		require.Greater(t, g.odd, 1000)
	}
}

// What servers agree on is read, and no reason to say that something was not.
func TestAttacksBehindWhatServersReadAlert(t *testing.T) {
	f := narrowFilter(t)
	g := &headGrammar{dice: rand.New(rand.NewPCG(17, 4)), plain: 0.6, agreed: true}
	for range 10_000 {
		text := g.request()
		requireSeen(t, f, text, pairs(append(g.fieldsBeside(), "REQ_HEADER", text)...), true)
		text = g.response()
		requireSeen(t, f, text, pairs("METHOD", "GET", "URL", "/", "RETCODE", "200", "RSP_HEADER", text), true)
	}
	require.Greater(t, g.odd, 1000)
}

// A verdict from the cache says the same of what was not read.
func TestRememberedVerdictsArePartialWhereTheRecordIs(t *testing.T) {
	cached, fresh := narrowFilter(t), narrowFilter(t)
	g := &headGrammar{dice: rand.New(rand.NewPCG(17, 5)), plain: 0.9}
	for range 3000 {
		text := strings.ReplaceAll(g.response(), "attack", "answer")
		record := pairs("METHOD", "GET", "URL", "/", "RETCODE", "200", "RSP_BODY", g.one("", "ok"), "RSP_HEADER", text)
		want := fresh.Check(record)[0]
		for range 2 {
			require.Equal(t, want.Partial, cached.Check(record)[0].Partial, "%q", text)
		}
	}
	require.Positive(t, cached.rules.Set().Speed().Cached)
}
