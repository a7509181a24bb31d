package engine

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/testsize"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
)

// unionMaker makes rules whose expressions have a literal that most of its values have, too, and that look at few different texts.
type unionMaker struct{ ruleMaker }

func (m unionMaker) rule(id int) string {
	expression := m.pick("", "(?i)", `\b`, "^") + m.pick("e", "t", "a", "et") + m.pick(" ", ";", "%", "/", `\W`, "", `[^a-z]`, `\b`) + m.pick("", "a", "e", "T$", `\w{3}`, "é", "|zz;")
	return fmt.Sprintf(`SecRule %s "%s@rx %s" "id:%d,phase:2,deny,severity:'CRITICAL',t:none%s%s"`, m.pick("ARGS", "ARGS", "ARGS|ARGS_NAMES", "ARGS_NAMES", "ARGS|REQUEST_HEADERS:X-A"),
		m.one(9, "!"), expression, id, m.pick("", ",t:urlDecodeUni", ",t:removeWhitespace", ",t:urlDecodeUni,t:lowercase"), m.one(4, ",multiMatch"))
}

func (m unionMaker) value() (text string) {
	for range 1 + m.IntN(5) {
		text += m.pick("e", "t", "a", "et", "T", "zz", "é", "7") + m.one(3, m.pick(" ", ";", "%3b", "%20", "/", "\n", "\xff", "%"))
	}
	return text
}

func (m unionMaker) transaction() *model.Transaction {
	tx := sample()
	tx.URI = "/?" + url.QueryEscape(m.value()) + "=" + url.QueryEscape(m.value()) + "&b=" + url.QueryEscape(m.value())
	tx.RequestHeaders = []model.Header{{Name: "Host", Value: "h"}, {Name: "X-A", Value: m.value()}}
	return tx
}

func TestThePrefilterIsNeverWrongAboutUnions(t *testing.T) {
	clean, alerting := 0, 0
	for seed := range uint64(testsize.Random(t, 300, mutationsPerSet)) {
		m := unionMaker{ruleMaker{rand.New(rand.NewPCG(seed, 47))}}
		var rules []string
		for id := range 2 + m.IntN(5) {
			rules = append(rules, m.rule(100+id))
		}
		e, err := engineOf(rules...)
		require.NoError(t, err, strings.Join(rules, "\n"))
		c, a := requireNeverWrong(t, e, m.transaction, fmt.Sprintf("seed %d\n%s", seed, strings.Join(rules, "\n")))
		clean, alerting = clean+c, alerting+a
		require.NoError(t, e.Close())
	}
	t.Logf("%d clean, %d alerting", clean, alerting)
	require.Greater(t, clean, 500)
	require.Greater(t, alerting, 500)
}
