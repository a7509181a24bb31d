package engine

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/testsize"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
)

// proseMaker makes rules about words and signs, and values that are prose or nearly.
type proseMaker struct{ ruleMaker }

func (m proseMaker) word() string {
	return m.pick("union", "select", "from", "On", "iv", "a", "7", "etc", "passwd", "kilo", "so", "no-go", "v1.2", "x,y", "data", "")
}

// expression returns an @rx pattern, of which some need a sign, some do not, and some need what only assertions tell.
func (m proseMaker) expression() string {
	var b strings.Builder
	b.WriteString(m.pick("", "", "(?i)", "^", "(?i)^", `\b`))
	for range 1 + m.IntN(3) {
		part := m.pick(m.word(), m.word(), m.word(), `\s`, `\s+`, ".", ".*", ".{0,3}?", `\W`, `\w+`, "[^a-z]", "[^a-z0-9]", "[;|&]", "[;,]", "[=(]", "[a-f]", "%", `[+]`, `\.`, "-", "=",
			"<", `\x5c`, "é", "ſ", `[\x00-\x1f]`, "[[:punct:]]", "[^[:alnum:][:space:].,-]", `\d`, "")
		if part != "" && m.IntN(4) == 0 {
			part = "(?:" + part + m.pick("|", "|"+m.word(), "|=") + ")"
		}
		b.WriteString(part)
		if part != "" && m.IntN(5) == 0 && !strings.HasSuffix(part, "*") && !strings.HasSuffix(part, "+") && !strings.HasSuffix(part, "?") {
			b.WriteString(m.pick("?", "*", "+", "{2}", "{0,2}"))
		}
	}
	b.WriteString(m.pick("", "", "", "$", `\b`))
	return b.String()
}

func (m proseMaker) operator() string {
	switch m.IntN(6) {
	case 0:
		return "@pm " + strings.Join([]string{"union", m.word() + "x", m.pick("=", "<b", "etc", "--")}, " ")
	case 1:
		return "@contains " + m.word() + m.pick("", "=", " ", "z")
	case 2:
		return m.pick("@beginsWith ", "@endsWith ", "@streq ") + m.word() + m.pick("", "=")
	}
	return "@rx " + m.expression()
}

func (m proseMaker) rule(id int) string {
	actions := []string{fmt.Sprintf("id:%d,phase:2,deny,severity:'CRITICAL',t:none", id)}
	for range m.IntN(4) {
		actions = append(actions, "t:"+m.pick("lowercase", "uppercase", "urlDecodeUni", "urlDecode", "htmlEntityDecode", "jsDecode", "cssDecode", "escapeSeqDecode",
			"utf8toUnicode", "removeNulls", "replaceNulls", "compressWhitespace", "removeWhitespace", "removeWhitespace", "trim", "trimLeft", "trimRight", "cmdLine",
			"normalisePath", "normalisePathWin", "replaceComments", "removeComments", "removeCommentsChar", "base64Decode", "base64Decode", "hexEncode", "length",
			"urlEncode", "hexDecode"))
	}
	if m.IntN(6) == 0 {
		actions = append(actions, "multiMatch")
	}
	return fmt.Sprintf(`SecRule %s "%s%s" "%s"`, m.pick("ARGS", "ARGS", "ARGS_NAMES", "REQUEST_BODY", "REQUEST_HEADERS:X-A", "ARGS|REQUEST_BODY"), m.pick("", "", "", "", "!"),
		m.operator(), strings.Join(actions, ","))
}

func (m proseMaker) value() string {
	var b strings.Builder
	for range 1 + m.IntN(4) {
		b.WriteString(m.word() + m.pick("", " ", " ", "  ", ", ", ". ", "-", "\t", "\n"))
	}
	text := b.String()
	switch m.IntN(8) {
	case 0:
		text = base64.RawStdEncoding.EncodeToString([]byte(m.pick("", "=", "<") + text + m.pick("", "=;")))
	case 3:
		text = hex.EncodeToString([]byte(text + m.pick("", "=", "<")))
	case 1:
		text += m.pick("=", "<", "(", ";", "é", "ſ", "\u212a", "\x00", "%41", "&lt;", `\x41`, "/*", "--", "_", "+", "/", "..", "./a", "\xff")
	case 2:
		text = m.pick("=", "(", ";", "é", "Iv9") + text
	}
	return text
}

func (m proseMaker) transaction() *model.Transaction {
	tx := sample()
	tx.Method, tx.URI = "POST", "/?"+m.pick("a", "select", "x.y")+"="+url.QueryEscape(m.value())
	tx.RequestBody = "b=" + url.QueryEscape(m.value()) + "&" + url.QueryEscape(m.word()) + "=" + url.QueryEscape(m.value())
	tx.RequestHeaders = []model.Header{{Name: "Host", Value: "h"}, {Name: "Content-Type", Value: "application/x-www-form-urlencoded"}, {Name: "X-A", Value: m.value()}}
	return tx
}

// Prose is spared the rules that need a sign: what is left of them must be exactly what can match it.
func TestThePrefilterIsNeverWrongAboutProse(t *testing.T) {
	clean, alerting := 0, 0
	for seed := range uint64(testsize.Random(t, 400, mutationsPerSet)) {
		m := proseMaker{ruleMaker{rand.New(rand.NewPCG(seed, 43))}}
		var rules []string
		for id := range 1 + m.IntN(6) {
			rules = append(rules, m.rule(100+id))
		}
		e, err := engineOf(rules...)
		if err != nil {
			continue // Coraza does not take them
		}
		c, a := requireNeverWrong(t, e, m.transaction, fmt.Sprintf("seed %d\n%s", seed, strings.Join(rules, "\n")))
		clean, alerting = clean+c, alerting+a
		require.NoError(t, e.Close())
	}
	t.Logf("%d clean, %d alerting", clean, alerting)
	require.Greater(t, clean, 500)
	require.Greater(t, alerting, 500)
}

// requireNeverWrong asks a prefilter about 25 transactions, and requires that the engine agrees where it is sure. It returns how often it is, and how
// many transactions alert.
func requireNeverWrong(t *testing.T, e *Engine, transaction func() *model.Transaction, about string) (clean, alerting int) {
	t.Helper()
	for range 25 {
		tx := transaction()
		v, err := e.inspect(tx)
		require.NoError(t, err)
		if !v.Clean() {
			alerting++
		}
		if e.Ask(tx, true).Clean {
			clean++
			require.True(t, v.Clean(), "the prefilter says clean, the engine finds %v: %s\n%+v", ids(v), about, tx)
		}
	}
	return clean, alerting
}
