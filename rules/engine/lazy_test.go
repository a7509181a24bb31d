package engine

import (
	"bufio"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corazalink"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/load"
)

// compiledWith returns the engine of a configuration, without a prefilter.
func compiledWith(t *testing.T, ops *Operators, c load.Config) *Engine {
	t.Helper()
	e, err := New(load.Read(c, NewVocabulary()), Options{Strict: true, Operators: ops})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

// count returns how many operators are made.
func (ops *Operators) count() int {
	ops.mu.Lock()
	defer ops.mu.Unlock()
	return len(ops.shared)
}

func (ops *Operators) ofExpression(expression string) *madeOperator {
	ops.mu.Lock()
	defer ops.mu.Unlock()
	return ops.shared["rx false "+expression].Value()
}

func (ops *Operators) usersOf(m *madeOperator) (n int) {
	for _, l := range ops.users {
		if m != nil && l.made.Load() == m {
			n++
		}
	}
	return n
}

func TestOperatorsAreMadeWithTheirFirstValueAndShared(t *testing.T) {
	const expression = "lazy[0-9]+value"
	ops := new(Operators)
	compile := func(id string) *Engine {
		return compiledWith(t, ops, load.Config{Directives: "SecRule ARGS \"@rx " + expression + "\" \"id:" + id + ",phase:2,deny\""})
	}
	one, two := compile("1"), compile("2")
	require.Nil(t, ops.ofExpression(expression))

	attack := sample()
	attack.URI = "/?a=lazy7value"
	before := ops.MakingTime()
	for _, e := range []*Engine{one, two} {
		v, err := e.inspect(attack)
		require.NoError(t, err)
		require.True(t, v.Blocked)
	}
	require.Equal(t, 2, ops.usersOf(ops.ofExpression(expression)))
	require.Greater(t, ops.MakingTime(), before)

	ops.coolDown()
	require.Eventually(t, func() bool { runtime.GC(); return ops.count() == 0 }, 10*time.Second, time.Millisecond)
	v, err := one.inspect(attack)
	require.NoError(t, err)
	require.True(t, v.Blocked)
	require.NotNil(t, ops.ofExpression(expression))
}

func TestLoadedRulesKeepNoOperatorThatNoTrafficNeeds(t *testing.T) {
	ops := new(Operators)
	compiledWith(t, ops, config(t, nil))
	require.Eventually(t, func() bool { runtime.GC(); return ops.count() == 0 }, 10*time.Second, time.Millisecond)
}

func TestWordListsAreToldApartByTheirText(t *testing.T) {
	dir := t.TempDir()
	attack := sample()
	attack.URI = "/?a=second"
	for words, blocked := range map[string]bool{"first": false, "second": true} {
		for name, text := range map[string]string{
			"main.conf": "SecRuleEngine On\nSecRule ARGS \"@pmFromFile words.data\" \"id:1,phase:2,deny\"\n", "words.data": words + "\n",
		} {
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
		}
		v, err := compiledWith(t, new(Operators), load.Config{Sources: []string{dir + "/main.conf"}}).inspect(attack)
		require.NoError(t, err)
		require.Equal(t, blocked, v.Blocked, words)
	}
}

// capture is as much of a transaction as a word list needs.
type capture struct {
	plugintypes.TransactionState
	is    bool
	words []string
}

func (c *capture) Capturing() bool { return c.is }

func (c *capture) CaptureField(_ int, word string) { c.words = append(c.words, word) }

// A list has the words that Coraza's automaton finds, and captures what that captures.
func TestWordListsAreReadAsCorazaReadsThem(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	pieces := []string{"a", "B", "ab", "#", " ", "\t", "\n", "\r\n", "É", "é", "K", "\u212a", "\xff", "c", "a b", "İ", "\u00a0"}
	text := func(most int) string {
		var b strings.Builder
		for range random.IntN(most) {
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
		return b.String()
	}
	evaluated := func(o plugintypes.Operator, value string, capturing bool) (matches bool, words []string) {
		tx := &capture{is: capturing}
		return o.Evaluate(tx, value), tx.words
	}
	found := 0
	for range 300 {
		options := plugintypes.OperatorOptions{Arguments: "list.data", Path: []string{"."}, Root: fstest.MapFS{"list.data": {Data: []byte(text(12))}}}
		coraza, err := corazalink.GetOperator("pmFromFile", options)
		require.NoError(t, err)
		lazy := &lazyOperator{name: "pmFromFile", options: options, maker: new(Operators)}
		for range 40 {
			value, capturing := text(8), random.IntN(2) == 0
			want, words := evaluated(coraza, value, capturing)
			got, captured := evaluated(lazy, value, capturing)
			require.Equal(t, want, got, "%q in %q", options.Root, value)
			require.Equal(t, words, captured)
			if want {
				found++
			}
		}
	}
	require.Greater(t, found, 500)

	long := "word\n" + strings.Repeat("x", bufio.MaxScanTokenSize) + "\nlast\n"
	lazy := &lazyOperator{name: "pmFromFile", maker: new(Operators), options: plugintypes.OperatorOptions{
		Arguments: "list.data", Path: []string{"."}, Root: fstest.MapFS{"list.data": {Data: []byte(long)}},
	}}
	matches, _ := evaluated(lazy, "last", false)
	require.False(t, matches, "Coraza stops reading there")
}
