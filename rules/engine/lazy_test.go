package engine

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/load"
)

// compiledOf returns the engine of a configuration, without a prefilter.
func compiledOf(t *testing.T, c load.Config) *Engine {
	t.Helper()
	e, err := New(load.Read(c, NewVocabulary()), Options{Strict: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

// sharedOperators returns how many operators are made.
func sharedOperators() int {
	workshop.mu.Lock()
	defer workshop.mu.Unlock()
	return len(workshop.shared)
}

func made(t *testing.T, expression string) *madeOperator {
	t.Helper()
	workshop.mu.Lock()
	defer workshop.mu.Unlock()
	return workshop.shared["rx false "+expression].Value()
}

func usersOf(m *madeOperator) (n int) {
	for _, l := range workshop.users {
		if m != nil && l.made.Load() == m {
			n++
		}
	}
	return n
}

func TestOperatorsAreMadeWithTheirFirstValueAndShared(t *testing.T) {
	const expression = "lazy[0-9]+value"
	compile := func(id string) *Engine {
		return compiledOf(t, load.Config{Directives: "SecRule ARGS \"@rx " + expression + "\" \"id:" + id + ",phase:2,deny\""})
	}
	one, two := compile("1"), compile("2")
	require.Nil(t, made(t, expression))

	attack := sample()
	attack.URI = "/?a=lazy7value"
	before := MakingTime()
	for _, e := range []*Engine{one, two} {
		v, err := e.inspect(attack)
		require.NoError(t, err)
		require.True(t, v.Blocked)
	}
	require.Equal(t, 2, usersOf(made(t, expression)))
	require.Greater(t, MakingTime(), before)

	coolDown()
	require.Eventually(t, func() bool { runtime.GC(); return sharedOperators() == 0 }, 10*time.Second, time.Millisecond)
	v, err := one.inspect(attack)
	require.NoError(t, err)
	require.True(t, v.Blocked)
	require.NotNil(t, made(t, expression))
}

func TestLoadedRulesKeepNoOperatorThatNoTrafficNeeds(t *testing.T) {
	compiledOf(t, config(t, nil))
	require.Eventually(t, func() bool { runtime.GC(); return sharedOperators() == 0 }, 10*time.Second, time.Millisecond)
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
		v, err := compiledOf(t, load.Config{Sources: []string{dir + "/main.conf"}}).inspect(attack)
		require.NoError(t, err)
		require.Equal(t, blocked, v.Blocked, words)
	}
}
