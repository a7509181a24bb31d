package rules

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
)

func TestFieldsOfOtherLogsAreInspectedAsArguments(t *testing.T) {
	set := open(t, nil)
	record := func(value string) *model.Transaction {
		return &model.Transaction{Arguments: []model.Header{{Name: "comment", Value: value}, {Name: "user", Value: "anna"}}, Unknown: model.AllParts}
	}
	attack, err := set.Inspect(record("1' or '1'='1' union select password from users--"))
	require.NoError(t, err)
	require.True(t, attack.Blocked)
	require.Contains(t, ids(attack), 942100)
	require.Equal(t, "ARGS:comment", attack.Matches[0].Variable)

	clean, err := set.Inspect(record("thank you, the order of 12 May has arrived"))
	require.NoError(t, err)
	require.True(t, clean.Clean(), "matches %v", ids(clean))
}
