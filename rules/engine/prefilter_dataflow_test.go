package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/testsize"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
)

// dataFlow writes rules that do little but set TX variables and read them, so that what the prefilter concludes of their values decides.
func (m ruleMaker) dataFlow() string {
	text := "SecAction \"id:90,phase:1,pass,nolog,setvar:tx.known=" + m.pick("1", "Foo", "0") + m.one(2, m.assignment()) + "\"\n"
	for id := 100; id < 102+m.IntN(6); id++ {
		actions := fmt.Sprintf("id:%d,phase:%s,pass,%s,%s%s", id, m.pick("1", "1", "1", "2", "3", "5"), m.pick("nolog", "nolog", "nolog", "nolog,tag:'t1'", "severity:'CRITICAL'"),
			m.pick("t:none", "t:none", "t:none,t:lowercase,multiMatch", "t:none,capture", "t:none,t:length"), m.pick("", "", "", "", ",skipAfter:M", ",skip:1"))
		for range 1 + m.IntN(3) {
			actions += m.assignment()
		}
		actions += m.one(5, m.removal())
		rest := m.one(4, fmt.Sprintf("SecRule %s \"@streq 1\" \"t:none%s\"\n", m.pick("ARGS:b", "ARGS:c", "TX:x", "&TX:y"), m.assignment()))
		if rest != "" {
			actions += ",chain"
		}
		switch m.IntN(6) {
		case 0:
			text += "SecAction \"" + actions + "\"\n"
		case 1, 2:
			text += fmt.Sprintf("SecRule %s \"@streq 1\" \"%s\"\n", m.pick("ARGS:b", "ARGS:c", "ARGS:d"), actions)
		default:
			text += fmt.Sprintf("SecRule %s%s \"%s%s\" \"%s\"\n", m.one(3, "&"), m.pick("TX:x", "TX:y", "TX:X", "TX:x|TX:y", "TX:known"), m.one(4, "!"),
				m.pick("@eq 0", "@eq 1", "@eq 2", "@ge 1", "@rx .", "@eq %{tx.y}", "@lt 1", "@streq tx.x"), actions)
		}
		text += rest + m.one(6, "SecMarker M\n")
	}
	return text + "SecMarker M\n" + m.reader() + m.one(3, fmt.Sprintf("SecRule TX:x \"@ge 2\" \"id:180,phase:2,pass,nolog,t:none%s\"\nSecRule TX:x \"@ge 1\" \"id:190,phase:%s,deny,t:none\"\n",
		m.pick(",ctl:ruleRemoveById=190", ",ctl:ruleRemoveTargetById=190;TX", m.assignment()), m.pick("2", "4")))
}

func (m ruleMaker) assignment() string {
	return ",setvar:'" + strings.ReplaceAll(m.pick("tx.N=0", "tx.N=1", "tx.N=2", "tx.N=3", "tx.N=+1", "tx.N=+1", "tx.N=-1", "!tx.N", "tx.N=%{tx.known}", "tx.N=%{tx.N}1", "tx.N=Foo", "tx.N=%{tx.x}",
		"tx.N=%{tx.1}", "tx.N=%{tx.01}", "tx.N=%{MATCHED_VAR}", "tx.%{tx.N}=1", "tx.N=+%{tx.known}"), "tx.N", "tx."+m.pick("x", "y", "x", "y", "z")) + "'"
}

func (m ruleMaker) removal() string {
	return ",ctl:" + strings.ReplaceAll(m.pick("ruleRemoveById=10I", "ruleRemoveTargetById=10I;TX", "ruleRemoveTargetById=10I;TX:x", "ruleRemoveTargetById=100-10I;TX:y", "ruleRemoveTargetById=10I;ARGS:a",
		"ruleRemoveTargetById=10I;TX:/x/", "ruleRemoveByTag=t1", "ruleRemoveById=100-10I"), "10I", fmt.Sprint(100+m.IntN(6)))
}

// reader is a rule that alerts if a TX variable has a value that it can have.
func (m ruleMaker) reader() string {
	name := m.pick("x", "y", "x", "z")
	switch m.IntN(6) {
	case 0:
		return "SecRule ARGS:a \"@streq 1\" \"id:150,phase:2,deny,severity:'CRITICAL',t:none,chain\"\nSecRule &TX:" + name + " \"@eq 0\" \"t:none\"\n"
	case 1:
		return "SecRule ARGS:a \"@streq %{tx." + name + "}\" \"id:150,phase:2,deny,severity:'CRITICAL',t:none\"\n"
	case 2:
		return "SecRule TX:" + name + " \"@rx .\" \"id:150,phase:2,deny,severity:'CRITICAL',t:none,t:lowercase,multiMatch,chain\"\nSecRule MATCHED_VAR \"@streq " + m.pick("foo", "1", "2") +
			"\" \"t:none,chain\"\nSecRule ARGS:a \"@streq 1\" \"t:none\"\n"
	}
	return fmt.Sprintf("SecRule ARGS:a \"@streq 1\" \"id:150,phase:%s,deny,severity:'CRITICAL',t:none,chain\"\nSecRule TX:%s \"@streq %s\" \"t:none\"\n", m.pick("2", "2", "5", "1", "4"), name,
		m.pick("0", "1", "2", "3", "-1", "Foo", "11", "4", "01", "21", "tx.01"))
}

func (m ruleMaker) flowTransaction() *model.Transaction {
	t := sample()
	t.Method, t.URI, t.HasResponse, t.ResponseStatus = m.pick("GET", "POST"), "/?", m.IntN(3) > 0, 200
	for _, name := range []string{"a", "b", "c", "d", "A"} {
		t.URI += m.one(2, name+"="+m.pick("1", "1", "1", "1", "foo", "tx.x", "2", "Foo", "3", "0")+"&")
	}
	return t
}

func TestThePrefilterIsNeverWrongAboutRandomDataFlow(t *testing.T) {
	seeds := uint64(testsize.Random(t, 600, mutationsPerSet))
	var sure int
	for seed := range seeds {
		m := ruleMaker{rand.New(rand.NewPCG(seed, 7))}
		text := m.dataFlow()
		e, err := engineOf(text)
		if err != nil || e.unfiltered != "" {
			if err == nil {
				require.NoError(t, e.Close())
			}
			continue
		}
		for i := range 30 {
			tx := m.flowTransaction()
			if a := e.Ask(tx, true); a.Clean || a.Passes {
				sure++
				v, err := e.inspect(tx)
				require.NoError(t, err)
				require.False(t, a.Clean && !v.Clean() || v.Blocked, "seed %d, transaction %d: the prefilter says clean %v, passes %v, rules %v match\n%s\n%s", seed, i, a.Clean, a.Passes, ids(v), text, tx.URI)
			} else {
				checkIdle(t, seed, e, tx, a)
			}
		}
		require.NoError(t, e.Close())
	}
	t.Logf("the prefilter is sure of %d transactions of %d rule sets", sure, seeds)
	require.Greater(t, sure, int(seeds))
}

// Two transactions with the same identity share a verdict in the cache. What a rule reads that only candidates switch on belongs to it.
func TestIdentitiesHaveWhatRulesOfCandidatesRead(t *testing.T) {
	for _, c := range []struct{ name, rules, uri string }{
		{"a message that a later rule reads", `SecRule REMOTE_ADDR "@ipMatch 10.0.0.0/8" "id:90,phase:1,pass,nolog,t:none"
SecRule ARGS:a "@rx ." "id:91,phase:1,pass,nolog,t:none,msg:'%{MATCHED_VAR}',setvar:'tx.y=%{rule.msg}'"
SecRule TX:y "@streq 10.0.0.5" "id:101,phase:2,deny,severity:'CRITICAL',t:none"`, "/?a=b"},
		{"a message that the chain reads", `SecRule REMOTE_ADDR "@ipMatch 10.0.0.0/8" "id:101,phase:1,deny,severity:'CRITICAL',t:none,chain"
SecRule RULE:msg "@streq 10.0.0.5" "t:none,msg:'%{MATCHED_VAR}'"`, "/?a=b"},
		{"a port behind a score", `SecRule ARGS:a "@contains evil" "id:100,phase:2,pass,severity:'CRITICAL',t:none,setvar:tx.score=+5"
SecRule TX:score "@ge 5" "id:101,phase:2,pass,nolog,t:none,setvar:'tx.p=%{REMOTE_PORT}'"
SecRule TX:p "@streq 40005" "id:102,phase:2,deny,severity:'CRITICAL',t:none"`, "/?a=evil"},
		{"an address behind a skip", `SecAction "id:90,phase:1,pass,nolog,setvar:tx.pl=1"
SecRule ARGS:a "@contains evil" "id:100,phase:1,pass,severity:'CRITICAL',t:none,setvar:tx.pl=2"
SecRule TX:pl "@lt 2" "id:95,phase:2,pass,nolog,t:none,skipAfter:END"
SecRule REMOTE_ADDR "@streq 10.0.0.5" "id:102,phase:2,deny,severity:'CRITICAL',t:none"
SecMarker END`, "/?a=evil"},
		{"an address behind a skip that is removed", `SecAction "id:90,phase:1,pass,nolog,setvar:tx.pl=1"
SecRule ARGS:a "@contains evil" "id:100,phase:1,pass,severity:'CRITICAL',t:none,ctl:ruleRemoveById=95"
SecRule TX:pl "@lt 2" "id:95,phase:2,pass,nolog,t:none,skipAfter:END"
SecRule REMOTE_ADDR "@streq 10.0.0.5" "id:102,phase:2,deny,severity:'CRITICAL',t:none"
SecMarker END`, "/?a=evil"},
		{"an address in the text of an alert", `SecRule ARGS:a "@contains evil" "id:100,phase:2,pass,severity:'CRITICAL',t:none,setvar:tx.score=+5"
SecRule TX:score "@ge 5" "id:190,phase:2,deny,severity:'CRITICAL',t:none,msg:'from %{REMOTE_ADDR}'"`, "/?a=evil"},
		{"a port without a response", `SecAction "id:90,phase:4,pass,nolog,setvar:tx.r=1"
SecRule &TX:r "@eq 0" "id:91,phase:5,pass,nolog,t:none,setvar:'tx.y=%{REMOTE_PORT}'"
SecRule ARGS:a "@streq b" "id:101,phase:5,deny,severity:'CRITICAL',t:none,chain"
SecRule TX:y "@streq 40005" "t:none"`, "/?a=b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, err := engineOf(c.rules)
			require.NoError(t, err)
			if e.prefilter == nil || e.prefilter.Reads().Volatile != "" {
				return // nothing is cached
			}
			r := e.prefilter.Reads()
			verdicts := map[string]string{}
			for n := 4; n < 6; n++ {
				tx := sample()
				tx.URI, tx.ClientIP, tx.ClientPort, tx.HasResponse = c.uri, fmt.Sprint("10.0.0.", n), 40000+n, false
				v, err := e.inspect(tx)
				require.NoError(t, err)
				address, networks := r.ClientAddress(tx.ClientIP)
				if r.Reduces() && !v.Clean() {
					address = tx.ClientIP
				}
				identity := fmt.Sprint(address, networks)
				if r.Ports {
					identity += fmt.Sprint(" ", tx.ClientPort)
				}
				said := ""
				for i := range v.Matches {
					said += fmt.Sprint(v.Matches[i].Rule.ID, v.Matches[i].Message, v.Matches[i].Data, "; ")
				}
				if other, known := verdicts[identity]; known {
					require.Equal(t, other, said)
				}
				verdicts[identity] = said
			}
			require.NoError(t, e.Close())
		})
	}
}

// An engine without rules that cannot be answered shares the prefilter of the whole.
func TestThePrefilterKnowsWhatExemptRulesHaveWritten(t *testing.T) {
	p := programOf(`SecAction "id:90,phase:1,pass,nolog,setvar:tx.known=1"
SecRule TX:known "@eq 1" "id:920350,phase:1,deny,severity:'CRITICAL',t:none,setvar:tx.x=foo,chain"
SecRule TX:known "@eq 2" "t:none"
SecRule ARGS:a "@streq b" "id:101,phase:2,deny,severity:'CRITICAL',t:none,chain"
SecRule &TX:x "@eq 0" "t:none"`)
	e, err := New(p, Options{Strict: true, Prefilter: true, Operators: new(Operators)})
	require.NoError(t, err)
	defer e.Close() //nolint:errcheck // reported by the tests of close
	less, err := e.Without([]int{920350})
	require.NoError(t, err)
	tx := sample()
	tx.URI = "/?a=b"
	v, err := less.inspect(tx)
	require.NoError(t, err)
	require.Equal(t, []int{101}, ids(v))
	require.False(t, less.Ask(tx, true).Clean)
}

// Coraza 3.8 keeps compiled expressions and phrases under the same keys.
func TestAPanicOfCorazasCompilerIsAnError(t *testing.T) {
	_, err := engineOf(`SecRule ARGS "@restpath foo" "id:1,phase:1,pass"` + "\n" + `SecRule ARGS "@pm foo" "id:2,phase:1,pass"`)
	require.ErrorContains(t, err, "coraza panics")
}

// Coraza expands a message before the rule is evaluated, so that RULE is the rule before: the alert must name the same one without idle
// rules.
func TestMessagesAreTheSameWithoutIdleRules(t *testing.T) {
	e, err := engineOf(`SecRule ARGS:z "@streq zz" "id:90,phase:2,pass,severity:'CRITICAL',t:none,msg:'first'"
SecRule ARGS:a "@streq b" "id:101,phase:2,deny,severity:'CRITICAL',t:none,msg:'after %{rule.msg}'"`)
	require.NoError(t, err)
	defer e.Close() //nolint:errcheck // reported by the tests of close
	tx := sample()
	tx.URI = "/?a=b"
	whole, err := e.inspect(tx)
	require.NoError(t, err)
	less, err := e.InspectWithout(e.Ask(tx, true).Idle, tx)
	require.NoError(t, err)
	require.Len(t, whole.Matches, 1)
	require.Len(t, less.Matches, 1)
	require.Equal(t, whole.Matches[0].Message, less.Matches[0].Message)
}

// A rule about a body as it was logged is idle where the body cannot match it, unless a rule writes the variable.
func TestRulesAboutLoggedBodiesAreIdle(t *testing.T) {
	const (
		detection = `SecRule TX:raw_response_body "@secret token \b(sk_live_[0-9a-zA-Z]{24})\b" "id:100,phase:4,pass,severity:'CRITICAL',t:none"
SecRule RESPONSE_BODY "@contains error" "id:101,phase:4,deny,severity:'CRITICAL',t:none"`
		writes = `SecRule ARGS:a "@streq b" "id:90,phase:2,pass,nolog,t:none,setvar:'tx.raw_response_body=sk_live_0123456789abcdefABCDEF01'"` + "\n"
	)
	tx := sample()
	tx.URI = "/?a=b"
	tx.HasResponse, tx.ResponseStatus, tx.ResponseProtocol, tx.ResponseBody = true, 200, "HTTP/1.1", "an error"
	tx.ResponseHeaders = []model.Header{{Name: "Content-Type", Value: "text/html"}}
	for rules, idle := range map[string]bool{detection: true, writes + detection: false} {
		e, err := engineOf(rules)
		require.NoError(t, err)
		defer e.Close() //nolint:errcheck // reported by the tests of close
		a := e.Ask(tx, true)
		require.Equal(t, idle, slices.Contains(a.Idle, 100), rules)
		whole, err := e.inspect(tx)
		require.NoError(t, err)
		less, err := e.InspectWithout(a.Idle, tx)
		require.NoError(t, err)
		require.Equal(t, ids(whole), ids(less), rules)
	}
}
