package engine

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A rule of one's own need not have a severity or a message to be what an alert names.
func TestRulesThatBlockOrLogAMessageAreDetections(t *testing.T) {
	for _, c := range []struct {
		rule     string
		detected bool
		severity int
		message  string
	}{
		{`SecRule ARGS:a "@streq x" "id:100,phase:2,deny,status:403"`, true, 2, "Rule 100 matched"},
		{`SecRule ARGS:a "@streq x" "id:100,phase:2,drop,nolog,msg:'m'"`, true, 2, "m"},
		{`SecRule ARGS:a "@streq x" "id:100,phase:2,redirect:https://www.example.com"`, true, 2, "Rule 100 matched"},
		{`SecRule ARGS:a "@streq x" "id:100,phase:2,deny,msg:'m',chain"` + "\n" + `SecRule REQUEST_METHOD "@streq GET"`, true, 2, "m"},
		{`SecRule ARGS:a "@streq x" "id:100,phase:2,pass,log,msg:'m'"`, true, 5, "m"},
		{`SecRule ARGS:a "@streq x" "id:100,phase:2,pass,log,msg:'m',severity:ERROR"`, true, 3, "m"},
		{`SecRule ARGS:a "@streq x" "id:100,phase:2,pass,nolog,msg:'m',severity:ERROR"`, true, 3, "m"},
		{`SecDefaultAction "phase:2,log,deny"` + "\n" + `SecRule ARGS:a "@streq x" "id:100,phase:2,block,msg:'m'"`, true, 2, "m"},
		{`SecRule ARGS:a "@streq x" "id:100,phase:2,pass"` + "\n" + `SecRuleUpdateActionById 100 "deny,msg:'m'"`, true, 2, "m"},
		{`SecRule ARGS:a "@streq x" "id:100,phase:1,pass,msg:'m'"`, true, 5, "m"},
		{`SecRule ARGS:a "@streq x" "id:100,phase:5,pass,msg:'m'"`, true, 5, "m"},
		{`SecDefaultAction "phase:1,nolog,pass"` + "\n" + `SecRule ARGS:a "@streq x" "id:100,phase:2,pass,msg:'m'"`, true, 5, "m"},
		{`SecDefaultAction "phase:2,nolog,pass"` + "\n" + `SecRule ARGS:a "@streq x" "id:100,phase:2,pass,log,msg:'m'"`, true, 5, "m"},
		{`SecRule ARGS:a "@streq x" "id:100,phase:2,pass,nolog,msg:'m'"` + "\n" + `SecRuleUpdateActionById 100 "log"`, true, 5, "m"},
		{`SecRule ARGS:a "@streq x" "id:100,phase:1,deny"`, true, 2, "Rule 100 matched"},
		{`SecRule ARGS:a "@streq x" "id:100,phase:1,deny,nolog"`, true, 2, "Rule 100 matched"},
		{`SecAction "id:100,phase:1,deny"`, true, 2, "Rule 100 matched"},
		{`SecRule ARGS:a "@streq x" "id:100,phase:2,pass,nolog,msg:'m'"`, false, 0, ""},
		{`SecDefaultAction "phase:1,nolog,pass"` + "\n" + `SecRule ARGS:a "@streq x" "id:100,phase:1,pass,msg:'m'"`, false, 0, ""},
		{`SecRule ARGS:a "@streq x" "id:100,phase:1,pass,msg:'m'"` + "\n" + `SecRuleUpdateActionById 100 "nolog"`, false, 0, ""},
		{`SecRule ARGS:a "@streq x" "id:100,phase:1,pass"`, false, 0, ""},
		{`SecRule ARGS:a "@streq x" "id:100,phase:2,pass,log"`, false, 0, ""},
		{`SecRule ARGS:a "@streq x" "id:901100,phase:2,deny,log,msg:'m'"`, false, 0, ""},
	} {
		e, err := engineOf(c.rule)
		require.NoError(t, err, c.rule)
		tx := plain
		tx.URI = "/?a=x"
		a := e.Ask(&tx, true)
		v, err := e.inspect(&tx)
		require.NoError(t, err, c.rule)
		require.Equal(t, c.detected, len(v.Matches) == 1, c.rule)
		if c.detected {
			require.False(t, a.Clean, c.rule)
			require.Equal(t, c.severity, v.Matches[0].Severity(), c.rule)
			require.Equal(t, c.message, v.Matches[0].Message, c.rule)
		}
		require.NoError(t, e.Close())
	}
}
