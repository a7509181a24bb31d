package rules

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/engine"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
)

func TestRulesDoNotLookAtExcludedTargets(t *testing.T) {
	attack := func(name string) *model.Transaction {
		tx := *engine.PlainTransaction()
		tx.URI = "/?" + name + "=1+union+select+password+from+users"
		return &tx
	}
	set := open(t, setting.Map{"exclude_rules": `tag:attack-sqli:ARGS:query,tag:attack-sqli:ARGS:/^a\x2eb$/,942100-942999:ARGS:other`})
	for name, blocked := range map[string]bool{"q": true, "query": false, "a.b": false, "axb": true, "other": false} {
		verdict, err := set.Inspect(attack(name))
		require.NoError(t, err)
		require.Equal(t, blocked, verdict.Blocked, name)
	}
}
