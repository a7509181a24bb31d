package engine

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/testsize"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/backtrack"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
)

// slowRules have an expression that takes 2 to the power of the value's length, and rules that look for others.
const slowRules = `SecRule ARGS "@rx ^(?:a|aa)*(?!a)[bc]" "id:1,phase:2,deny,severity:2"
SecRule ARGS "@rx (?<!x)evil" "id:2,phase:2,deny,severity:2"
`

// slow returns a transaction on which the expression of slowRules gives up.
func slow() *model.Transaction {
	tx := sample()
	tx.URI = "/?q=" + strings.Repeat("a", 80) + "-c"
	return tx
}

// The prefilter runs on the pipeline's thread, where an expression that gives up again and again would hold up all records.
func TestThePrefilterLeavesExpressionsAloneThatGaveUp(t *testing.T) {
	e, err := engineOf(slowRules)
	require.NoError(t, err)
	defer e.Close() //nolint:errcheck // reported by the tests of close
	require.False(t, e.Ask(slow(), true).Clean)
	long := sample()
	long.URI = "/?q=" + strings.Repeat("a", quickValue+1) + "-c"
	fastest := time.Hour
	for i := range 20 {
		tx := slow()
		tx.URI = strings.Replace(tx.URI, "q=", fmt.Sprintf("q%d=%s", i, strings.Repeat("a", i)), 1)
		begin := time.Now()
		require.False(t, e.Ask(tx, true).Clean)
		require.False(t, e.Ask(long, true).Clean)
		fastest = min(fastest, time.Since(begin))
	}
	require.Less(t, fastest, backtrack.Patience/2)
}

// A page in XML has the one text that rule 953120 of CRS 3.3 looks for, whatever its length.
func TestThePrefilterTriesExpressionsWithoutLoopsOnLongValues(t *testing.T) {
	e, err := engineOf(`SecRule ARGS "@rx <\?(?!xml)" "id:1,phase:2,deny,severity:2"`)
	require.NoError(t, err)
	defer e.Close() //nolint:errcheck // reported by the tests of close
	for value, clean := range map[string]bool{"%3C?xml": true, "%3C?php": false} {
		tx := sample()
		tx.URI = "/?q=" + strings.Repeat("a", 10*quickValue) + value
		require.Equal(t, clean, e.Ask(tx, true).Clean, value)
	}
}

// A rule that chooses how bodies are read has to be exact for the prefilter, and one that may give up is not.
func TestARuleThatMayGiveUpChoosesNoBodyProcessorForThePrefilter(t *testing.T) {
	e, err := engineOf(`SecRule REQUEST_HEADERS:Content-Type "@rx (?<!x)json" "id:7,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON"
SecRule ARGS "@contains evil" "id:8,phase:2,deny"`)
	require.NoError(t, err)
	defer e.Close() //nolint:errcheck // reported by the tests of close
	require.Contains(t, e.unfiltered, "rule 7 at directives:1 always runs")
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
func TestThePrefilterIsNeverWrongAboutExpressionsThatBacktrack(t *testing.T) {
	asked, sure, matching := 0, 0, 0
	for seed := range uint64(testsize.Random(t, 30, 15*mutationsPerSet)) {
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
			tx.RequestHeaders = append(tx.RequestHeaders, model.Header{Name: "X-A", Value: value()}, model.Header{Name: "Content-Type", Value: "application/x-www-form-urlencoded"})
			tx.RequestBody = "b=" + encode(value())
			v, err := e.inspect(tx)
			require.NoError(t, err)
			require.Zero(t, v.Partial)
			a := e.Ask(tx, true)
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
		require.NoError(t, e.Close())
	}
	t.Logf("%d transactions: %d are clean for the prefilter, %d have matches", asked, sure, matching)
	require.Greater(t, min(sure, matching)*20, asked)
}
