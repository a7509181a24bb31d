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

// Word by word, a list has what Coraza's automaton finds.
func TestWordListsAreReadAsCorazaReadsThem(t *testing.T) {
	e := compiledWith(t, new(Operators), load.Config{Directives: `SecAction "id:1,phase:1,pass"`})
	tx := e.waf.NewTransaction()
	t.Cleanup(func() { require.NoError(t, tx.Close()) })
	state := tx.(plugintypes.TransactionState)
	random := rand.New(rand.NewPCG(7, 8))
	pieces := []string{"a", "B", "ab", "#", " ", "\t", "\n", "\r\n", "É", "é", "K", "\u212a", "\xff", "c", "a b", "İ", "\u00a0"}
	text := func(most int) string {
		var b strings.Builder
		for range random.IntN(most) {
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
		return b.String()
	}
	for range 300 {
		list := text(12)
		options := plugintypes.OperatorOptions{Arguments: "list.data", Path: []string{"."}, Root: fstest.MapFS{"list.data": {Data: []byte(list)}}}
		coraza, err := corazalink.GetOperator("pmFromFile", options)
		require.NoError(t, err)
		lazy := &lazyOperator{name: "pmFromFile", options: options}
		for range 40 {
			value := text(8)
			require.Equal(t, coraza.Evaluate(state, value), lazy.hasWord(value), "%q in %q", list, value)
		}
	}
	list := plugintypes.OperatorOptions{Arguments: "list.data", Path: []string{"."}, Root: fstest.MapFS{"list.data": {Data: []byte("word\n")}}}
	ops := new(Operators)
	lazy := &lazyOperator{name: "pmFromFile", options: list, maker: ops}
	require.False(t, lazy.Evaluate(state, strings.Repeat("x", shortValue)))
	require.Zero(t, ops.count(), "a short value is read word by word")
	require.False(t, lazy.Evaluate(state, strings.Repeat("x", shortValue+1)))
	require.Equal(t, 1, ops.count(), "a long one takes the automaton")

	long := &lazyOperator{options: plugintypes.OperatorOptions{Arguments: "list.data", Path: []string{"."}, Root: fstest.MapFS{"list.data": {
		Data: []byte(strings.Repeat("x", bufio.MaxScanTokenSize) + "\nword\n")}}}}
	require.True(t, long.hasWord("anything"), "Coraza stops reading there")
}
