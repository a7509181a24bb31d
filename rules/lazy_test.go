package rules

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

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
	rule := func(id string) setting.Map {
		return setting.Map{"rules": "", "gate": "off", "cache_size": "0", "rule_packs": "off",
			"directives": "SecRule ARGS \"@rx " + expression + "\" \"id:" + id + ",phase:2,deny\""}
	}
	one, two := open(t, rule("1")), open(t, rule("2"))
	require.Nil(t, made(t, expression))

	attack := sample()
	attack.URI = "/?a=lazy7value"
	before := MakingTime()
	for _, set := range []*Set{one, two} {
		v, err := set.Inspect(attack)
		require.NoError(t, err)
		require.True(t, v.Blocked)
	}
	require.Equal(t, 2, usersOf(made(t, expression)))
	require.Greater(t, MakingTime(), before)

	coolDown()
	require.Eventually(t, func() bool { runtime.GC(); return sharedOperators() == 0 }, 10*time.Second, time.Millisecond)
	v, err := one.Inspect(attack)
	require.NoError(t, err)
	require.True(t, v.Blocked)
	require.NotNil(t, made(t, expression))
}

func TestLoadedRulesKeepNoOperatorThatNoTrafficNeeds(t *testing.T) {
	open(t, nil)
	require.Eventually(t, func() bool { runtime.GC(); return sharedOperators() == 0 }, 10*time.Second, time.Millisecond)
}

func TestWordListsAreToldApartByTheirText(t *testing.T) {
	dir := t.TempDir()
	attack := sample()
	attack.URI = "/?a=second"
	for words, blocked := range map[string]bool{"first": false, "second": true} {
		write(t, dir, map[string]string{
			"main.conf": "SecRuleEngine On\nSecRule ARGS \"@pmFromFile words.data\" \"id:1,phase:2,deny\"\n", "words.data": words + "\n",
		})
		v, err := open(t, setting.Map{"rules": dir + "/main.conf", "rule_packs": "off"}).Inspect(attack)
		require.NoError(t, err)
		require.Equal(t, blocked, v.Blocked, words)
	}
}
