package rules

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/backtrack"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

// openRules opens rules, and nothing else.
func openRules(t *testing.T, rules, gate string) *Set {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, map[string]string{"own.conf": rules})
	return open(t, setting.Map{"rules": dir, "rule_packs": "off", "gate": gate})
}

func TestRulesWithExpressionsThatBacktrack(t *testing.T) {
	set := openRules(t, `
SecRule ARGS:a "@rx <\?(?!xml)" "id:1,phase:2,deny,severity:2"
SecRule ARGS:b "!@rx ^\w++$" "id:2,phase:2,deny,severity:2"
SecRule ARGS:c "@rx (?i)([a-z]+)(=)\1(x)?" "id:3,phase:2,deny,severity:2,t:none,t:removeNulls,capture,msg:'m',logdata:'%{tx.0}|%{tx.1}|%{tx.3}|%{tx.4}'"
SecRule ARGS:e "@rx (.)(?=(x))" "id:5,phase:2,deny,severity:2,capture,chain"
SecRule TX:2 "@streq x" "t:none,chain"
SecRule TX:1 "@streq y" "t:none"
SecRule ARGS:d "(?<!\d)7{1001}" "id:4,phase:2,deny,severity:2"`, "on")
	require.Empty(t, set.Notes())
	for query, want := range map[string][]int{
		"": nil, "a=%3C?php": {1}, "a=%3C?xml": nil, "b=%20": {2}, "b=x_1": nil, "c=aB%00=Ab": {3}, "c=ab=cd": nil, "c=%ff": nil, "b=%ff": {2},
		"d=" + strings.Repeat("7", 1001): {4}, "d=" + strings.Repeat("7", 1000): nil, "b=": {2}, "e=yx": {5}, "e=zx": nil, "a=%3C?%ff": {1},
	} {
		tx := sample()
		tx.URI = "/?" + query
		v, err := set.Inspect(tx)
		require.NoError(t, err)
		require.Equal(t, want, ids(v), query)
		require.Zero(t, v.Partial)
		if len(want) > 0 && want[0] == 3 {
			require.Equal(t, "aB=Ab|aB||", v.Matches[0].Data)
		}
		if len(want) > 0 && want[0] == 1 {
			require.Contains(t, v.Matches[0].Wording(), "Operator `Rx' with parameter `<\\?(?!xml)'")
		}
	}
}

// Keys of targets are Coraza's: RE2 alone compiles them.
func TestKeysThatBacktrackAreRejected(t *testing.T) {
	_, err := Open(config(t, setting.Map{"rules": "", "rule_packs": "off", "directives": `SecRule ARGS:/^(?!a)/ "@rx a" "id:1,phase:2,deny"`}))
	require.ErrorContains(t, err, "pattern cannot be compiled: invalid or unsupported Perl syntax: `(?!` (RE2 has no look-ahead and look-behind)")
}

// slowRules have an expression that takes 2 to the power of the value's length, and rules that look for others.
const slowRules = `SecRule ARGS "@rx ^(?:a|aa)*(?!a)[bc]" "id:1,phase:2,deny,severity:2"
SecRule ARGS "@rx (?<!x)evil" "id:2,phase:2,deny,severity:2"
`

// slow returns a transaction on which the expression of slowRules gives up.
func slow() *Transaction {
	tx := sample()
	tx.URI = "/?q=" + strings.Repeat("a", 80) + "-c"
	return tx
}

func TestWhatAnExpressionGivesUpOnIsPartial(t *testing.T) {
	for _, gate := range []string{"on", "off"} {
		set := openRules(t, slowRules, gate)
		v, err := set.Inspect(slow())
		require.NoError(t, err)
		require.Empty(t, ids(v))
		require.Equal(t, []string{"rules"}, v.Partial.Names())

		attack := slow()
		attack.URI += "&b=evil"
		v, err = set.Inspect(attack)
		require.NoError(t, err)
		require.Equal(t, []int{2}, ids(v), "other rules go on")
		require.Equal(t, []string{"rules"}, v.Partial.Names())

		clean := sample()
		clean.URI = "/?q=aab&b=xevil"
		v, err = set.Inspect(clean)
		require.NoError(t, err)
		require.Equal(t, []int{1}, ids(v))
		require.Zero(t, v.Partial, "what gave up goes on")
	}
}

func TestVerdictsOfExpressionsThatGiveUpAreNotRemembered(t *testing.T) {
	set := openRules(t, slowRules, "on")
	require.NotNil(t, set.Reads())
	v, err := set.Inspect(slow())
	require.NoError(t, err)
	_, key := set.Recall([]byte("slow"), "192.0.2.1", true)
	set.Remember(key, "192.0.2.1", v)
	remembered, _ := set.Recall([]byte("slow"), "192.0.2.1", true)
	require.Nil(t, remembered)

	v, err = set.Inspect(sample())
	require.NoError(t, err)
	set.Remember(key, "192.0.2.1", v)
	remembered, _ = set.Recall([]byte("slow"), "192.0.2.1", true)
	require.NotNil(t, remembered)
}

// The prefilter runs on the pipeline's thread, where an expression that gives up again and again would hold up all records.
func TestThePrefilterLeavesExpressionsAloneThatGaveUp(t *testing.T) {
	e, err := engineOf(slowRules)
	require.NoError(t, err)
	defer e.close() //nolint:errcheck // reported by the tests of close
	require.False(t, e.ask(slow(), true).Clean)
	long := sample()
	long.URI = "/?q=" + strings.Repeat("a", quickValue+1) + "-c"
	fastest := time.Hour
	for i := range 20 {
		tx := slow()
		tx.URI = strings.Replace(tx.URI, "q=", fmt.Sprintf("q%d=%s", i, strings.Repeat("a", i)), 1)
		begin := time.Now()
		require.False(t, e.ask(tx, true).Clean)
		require.False(t, e.ask(long, true).Clean)
		fastest = min(fastest, time.Since(begin))
	}
	require.Less(t, fastest, backtrack.Patience/2)
}

// A page in XML has the one text that rule 953120 of CRS 3.3 looks for, whatever its length.
func TestThePrefilterTriesExpressionsWithoutLoopsOnLongValues(t *testing.T) {
	e, err := engineOf(`SecRule ARGS "@rx <\?(?!xml)" "id:1,phase:2,deny,severity:2"`)
	require.NoError(t, err)
	defer e.close() //nolint:errcheck // reported by the tests of close
	for value, clean := range map[string]bool{"%3C?xml": true, "%3C?php": false} {
		tx := sample()
		tx.URI = "/?q=" + strings.Repeat("a", 10*quickValue) + value
		require.Equal(t, clean, e.ask(tx, true).Clean, value)
	}
}

// ModSecurity's rule 200005 looks at what it calls an internal error.
func TestModSecurityRuleForLimitsOfExpressions(t *testing.T) {
	set := openRules(t, slowRules+`SecRule TX:/^MSC_/ "!@streq 0" "id:200005,phase:2,deny,msg:'internal error: %{MATCHED_VAR_NAME}'"`, "on")
	v, err := set.Inspect(slow())
	require.NoError(t, err)
	require.Equal(t, []int{200005}, ids(v))
	require.Equal(t, "internal error: TX:msc_pcre_limits_exceeded", v.Matches[0].Message)
	v, err = set.Inspect(sample())
	require.NoError(t, err)
	require.True(t, v.Clean())
}

// The time that one transaction can take is bounded, also where many run at the same time and the prefilter asks before the engine.
func TestTransactionsOnWhichExpressionsGiveUpEnd(t *testing.T) {
	set := openRules(t, slowRules, "on")
	many := slow()
	for i := range 100 {
		many.URI += fmt.Sprintf("&q%d=%s-c", i, strings.Repeat("a", 60+i))
	}
	many.URI += "&b=evil"
	begin := time.Now()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			v, err := set.Inspect(many)
			if err != nil || v.Partial&PartialRules == 0 {
				t.Errorf("%v, %v", v, err)
			}
		})
	}
	all.Wait()
	require.Less(t, time.Since(begin), 30*time.Second)
}

// A rule that chooses how bodies are read has to be exact for the prefilter, and one that may give up is not.
func TestARuleThatMayGiveUpChoosesNoBodyProcessorForThePrefilter(t *testing.T) {
	e, err := engineOf(`SecRule REQUEST_HEADERS:Content-Type "@rx (?<!x)json" "id:7,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON"
SecRule ARGS "@contains evil" "id:8,phase:2,deny"`)
	require.NoError(t, err)
	defer e.close() //nolint:errcheck // reported by the tests of close
	require.Contains(t, e.ungated, "rule 7 at directives:1 always runs")
}

// piece is a part of an expression, with a text that it matches.
type piece struct{ expression, text string }

var pieces = []piece{
	{"foo", "foo"}, {"select", "select"}, {"[a-c]++", "abca"}, {`\s*+`, "  "}, {"(?!x)", ""}, {"(?<=o)", ""}, {"(?<!k)", ""}, {"(?=.)", ""}, {`(\w)\1`, "ss"}, {"(?>a|ab)c?", "ac"},
	{"é", "é"}, {`\xe9`, "\xe9"}, {`[^\s]{2,3}+`, "\xff\xfe"}, {"(?i:kS)", "Ks"}, {"(?i)", ""}, {"(?:on|off)=", "off="}, {`\b`, ""}, {".", "-"}, {"(?:x|yz)?+", "yz"}, {`<\?(?!xml)`, "<?"},
	{`[\d_]+?`, "1_"}, {`\x5c`, `\`}, {"(?#c)", ""}, {`(?:zz|\x28)`, "("}, {`(?=a)a*`, "aa"}, {"(?!q|b)", ""}, {`\R`, "\n"}, {"k{2}", "kk"}, {"^", ""}, {"$", ""},
}

// expression returns an expression that backtracks, and a text that is likely to match.
func (m ruleMaker) expression() (expression, text string) {
	var e, b strings.Builder
	for range 1 + m.IntN(6) {
		p := pieces[m.IntN(len(pieces))]
		e.WriteString(p.expression)
		b.WriteString(p.text)
	}
	return e.String() + m.pick("(?!y)", "(?<!z)", "a?+", "(?>)"), b.String()
}

// mutated changes some bytes of a text.
func (m ruleMaker) mutated(text string) string {
	b := []byte(text)
	for range m.IntN(3) {
		at := m.IntN(len(b) + 1)
		switch m.IntN(4) {
		case 0:
			b = append(b[:at:at], append([]byte(m.pick("x", "y", " ", "K", "\u212a", "ſ", "é", "\xff", "\x00", "o", "\n", "a")), b[at:]...)...)
		case 1:
			b = append(b[:at:at], b[min(at+1, len(b)):]...)
		default:
			if at < len(b) {
				b[at] ^= 0x20
			}
		}
	}
	return string(b)
}

// The prefilter's answers on expressions that backtrack are those of the engine, whose operator tries them on every value.
func TestGateIsNeverWrongAboutExpressionsThatBacktrack(t *testing.T) {
	asked, sure, matching := 0, 0, 0
	for seed := range randomSeeds(450) / 15 {
		m := ruleMaker{rand.New(rand.NewPCG(seed, 7))}
		var rules strings.Builder
		var texts []string
		for id := range 4 {
			expression, text := m.expression()
			if _, err := backtrack.Compile(expression); err != nil {
				t.Fatalf("%q: %v", expression, err)
			}
			texts = append(texts, text)
			fmt.Fprintf(&rules, "SecRule %s \"%s@rx %s\" \"id:%d,phase:2,deny,t:none%s%s\"\n", m.pick("ARGS", "ARGS:a", "REQUEST_HEADERS:X-A", "REQUEST_URI", "ARGS_NAMES", "REQUEST_BODY"),
				m.one(12, "!"), expression, 100+id, m.pick("", ",t:lowercase", ",t:urlDecodeUni", ",t:removeWhitespace,multiMatch"), m.one(4, ",capture"))
		}
		e, err := engineOf(rules.String())
		require.NoError(t, err, rules.String())
		for range 40 {
			tx := sample()
			encode := strings.NewReplacer(" ", "%20", "\x00", "%00", "\n", "%0a", "&", "%26", "#", "%23", "?", "%3f", "\xff", "%ff").Replace
			value := func() string { return m.mutated(m.pick("", "plain", "x", "fo", texts[m.IntN(len(texts))])) }
			tx.Method, tx.URI = "POST", "/?a="+encode(value())+"&"+encode(value())+"=1"
			tx.RequestHeaders = append(tx.RequestHeaders, Header{Name: "X-A", Value: value()}, Header{Name: "Content-Type", Value: "application/x-www-form-urlencoded"})
			tx.RequestBody = "b=" + encode(value())
			v, err := e.inspect(tx)
			require.NoError(t, err)
			require.Zero(t, v.Partial)
			a := e.ask(tx, true)
			asked++
			if a.Clean {
				sure++
				require.Empty(t, ids(v), "%s\n%q", rules.String(), tx)
			}
			if len(v.Matches) > 0 {
				matching++
			}
			for _, id := range a.Idle {
				require.NotContains(t, ids(v), id, "%s\n%q", rules.String(), tx)
			}
		}
		require.NoError(t, e.close())
	}
	t.Logf("%d transactions: %d are clean for the prefilter, %d have matches", asked, sure, matching)
	require.Greater(t, min(sure, matching)*20, asked)
}

// The rules of CRS 3.3 whose expressions need backtracking.
func TestBacktrackingRulesOfTheCoreRuleSet3(t *testing.T) {
	const dir = "/usr/share/modsecurity-crs/rules"
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("without Debian's package modsecurity-crs: %v", err)
	}
	argument := func(value string) func(*Transaction) { return func(tx *Transaction) { tx.URI = "/?q=" + value } }
	part := func(head string) func(*Transaction) {
		return func(tx *Transaction) {
			tx.Method, tx.RequestBody = "POST", "--b\r\n"+head+"\r\n\r\nx\r\n--b--\r\n"
			tx.RequestHeaders = append(tx.RequestHeaders, Header{Name: "Content-Type", Value: "multipart/form-data; boundary=b"})
		}
	}
	accept := func(value string) func(*Transaction) {
		return func(tx *Transaction) {
			tx.RequestHeaders = append(tx.RequestHeaders, Header{Name: "Accept", Value: value})
		}
	}
	page := func(body string) func(*Transaction) {
		return func(tx *Transaction) {
			tx.HasResponse, tx.ResponseStatus, tx.ResponseProtocol, tx.ResponseBody = true, 200, "HTTP/1.1", body
			tx.ResponseHeaders = []Header{{Name: "Content-Type", Value: "text/html"}}
		}
	}
	for _, gate := range []string{"on", "off"} {
		set := open(t, setting.Map{"rules": "/etc/modsecurity/crs/crs-setup.conf," + dir + "/*.conf", "rule_packs": "off", "blocking_paranoia": "4", "gate": gate})
		for _, c := range []struct {
			rule    int
			yes, no []func(*Transaction)
		}{
			{920120, []func(*Transaction){part(`Content-Disposition: form-data; name="a"; filename="x;y=z.php"`), part(`Content-Disposition: form-data; name="a"; filename="it's.txt"`)},
				[]func(*Transaction){part(`Content-Disposition: form-data; name="a"; filename="caf&eacute;.txt"`), part(`Content-Disposition: form-data; name="a"; filename="plain.txt"`)}},
			{920600, []func(*Transaction){accept("text/html; charset=utf-7"), accept("text"), accept("text/html;charset=\xff")},
				[]func(*Transaction){accept("text/html, application/json ; q=0.9"), accept("*/*"), accept(`text/html ; charset = "utf-8"`)}},
			{942130, []func(*Transaction){argument("1%20or%20'cat'='cat'"), argument("x%20like%20x"), argument("a%20%3C%3E%20b"), argument("Red=rED")},
				[]func(*Transaction){argument("a%20=%20b"), argument("a%20%3C%3E%20a"), argument("plain")}},
			{942260, []func(*Transaction){argument("'%20union%20select%20"), argument("'%20%23%23(%20a%20+%20b")}, []func(*Transaction){argument("unions%20and%20selections"), argument("plain")}},
			{953120, []func(*Transaction){page("<p><?php echo 1;"), page("<?= $x ?>")}, []func(*Transaction){page(`<?xml version="1.0"?><a/>`), page("<p>?</p>")}},
		} {
			for hit, changes := range map[bool][]func(*Transaction){true: c.yes, false: c.no} {
				for i, change := range changes {
					tx := sample()
					tx.URI = "/"
					change(tx)
					v, err := set.Inspect(tx)
					require.NoError(t, err)
					require.Zero(t, v.Partial&PartialRules)
					require.Equal(t, hit, slices.Contains(ids(v), c.rule), "rule %d, %v %d, gate %s: %v", c.rule, hit, i, gate, ids(v))
				}
			}
		}
	}
}
