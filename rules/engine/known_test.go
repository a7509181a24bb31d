package engine

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/testsize"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter"
)

// scoring writes rules that add to scores, as the Core Rule Set's do, among rules of all kinds.
func (m ruleMaker) scoring() string {
	text := "SecAction \"id:90,phase:1,pass,nolog,setvar:'tx.known=2'" + m.one(2, ",setvar:'tx.inbound_anomaly_score_pl1=0'") + "\"\n" + m.one(8, m.limits())
	for id := 91; id < 91+m.IntN(3); id++ {
		text += fmt.Sprintf("SecRule %s \"%s\" \"id:%d,phase:%s,pass,nolog,t:none%s\"\n", m.pick("REQUEST_METHOD", "REQUEST_METHOD", "ARGS:a", "ARGS_GET", "REQUEST_HEADERS:X-A", "RESPONSE_STATUS", "TX:sql_injection_score"),
			m.pick("@streq GET", "@streq foo", "@rx ^[fP]", "!@rx a", "@contains a"), id, m.pick("1", "1", "2", "4"),
			m.pick(",skipAfter:END", ",skip:2", ",ctl:ruleRemoveById=100-104", ",ctl:ruleRemoveByTag=t1", ",ctl:ruleRemoveTargetById=100-108;ARGS", ",ctl:ruleRemoveTargetByTag=t0;REQUEST_HEADERS:Host", ","+m.control(), m.removal()))
	}
	for id := 100; id < 103+m.IntN(7); id++ {
		if m.IntN(16) == 0 {
			text += m.rule(id)
			continue
		}
		targets, phase := m.scoredTargets(), m.pick("1", "2", "2", "2", "2", "5")
		if strings.Contains(targets, "RESPONSE") {
			phase = m.pick("3", "4", "4")
		}
		actions := fmt.Sprintf("id:%d,phase:%s,%s,severity:'%s',tag:'t%d'%s%s", id, phase, m.pick("block", "block", "pass"), m.pick("CRITICAL", "WARNING"), m.IntN(3), m.message("msg"), m.message("logdata"))
		text += m.scored(targets, actions)
	}
	text += "SecMarker END\nSecMarker HALF\n" +
		"SecRule TX:inbound_anomaly_score_pl1 \"@gt 0\" \"id:180,phase:2,pass,nolog,t:none,setvar:'tx.blocking_inbound_anomaly_score=+%{tx.inbound_anomaly_score_pl1}'\"\n" +
		"SecRule TX:BLOCKING_INBOUND_ANOMALY_SCORE \"@ge " + m.pick("2", "5", "50") + "\" \"id:190,phase:2," + m.pick("deny", "pass") + ",t:none" + m.one(2, ",severity:'CRITICAL'") +
		m.one(2, ",msg:'total "+m.pick("%{tx.blocking_inbound_anomaly_score}", "%{MATCHED_VAR} %{MATCHED_VAR_NAME}", "%{tx.0}", "%{REMOTE_ADDR}", "%{tx.known}")+"'") + "\"\n" +
		m.one(3, "SecRule TX:sql_injection_score|TX:inbound_anomaly_score_pl1 \"@gt 1\" \"id:191,phase:5,pass,t:none,log,msg:'sums %{tx.sql_injection_score}'\"\n")
	text += m.one(3, fmt.Sprintf("SecRule TX:inbound_anomaly_score_pl1 \"@ge 3\" \"id:192,phase:%s,t:none,%s\"\n", m.pick("3", "4"), m.pick("deny", "deny,severity:'CRITICAL'", "pass,log,msg:'late'",
		"pass,nolog,setvar:'tx.blocking_inbound_anomaly_score=+1'")))
	text += m.one(5, fmt.Sprintf("SecRuleUpdateActionById 10%d \"setvar:'tx.%s'\"\n", m.IntN(6), m.pick("rce_score=%{REMOTE_PORT}", "rce_score=%{REMOTE_PORT}", "xss_score=3", "0=+4")))
	return text + m.one(4, m.update())
}

// scored is a rule that scores, or a chain of which the last rule does.
func (m ruleMaker) scored(targets, actions string) string {
	rule := func(targets, operator, actions string) string {
		return fmt.Sprintf("SecRule %s \"%s\" \"%s\"\n", targets, operator, strings.TrimPrefix(actions, ","))
	}
	transformed := func() string { return m.scoredTransformations() + m.pick(",capture", ",capture", "") }
	switch m.IntN(6) {
	case 0:
		return rule(targets, m.scoredOperator(), actions+transformed()+m.one(6, m.score())+",chain") + rule(m.scoredTargets(), m.scoredOperator(), transformed()+m.score())
	case 1:
		return rule(targets, m.scoredOperator(), actions+",t:none,chain") + rule(m.pick("&REQUEST_HEADERS:X-A", "&REQUEST_HEADERS:Content-Type", "REQUEST_METHOD", "&ARGS", "&REQUEST_COOKIES"), m.pick("@eq 0", "!@eq 0", "@gt 0", "!@streq HEAD"),
			"t:none,chain") + rule(m.scoredTargets(), m.scoredOperator(), transformed()+m.score()+m.one(9, ",setvar:'tx.other=1'"))
	case 2:
		name := fmt.Sprint("Own", m.IntN(3))
		return rule(m.pick(targets, "REQUEST_BASENAME", "REQUEST_URI"), "@rx "+m.pick(`(o+)(.*)$`, `([a-z]+)`, `.(.)$`), fmt.Sprintf("%s,t:none,capture,setvar:'tx.%s=%s'%s,chain", actions, name, m.pick(".%{tx.1}/", "%{tx.0}", "%{MATCHED_VAR}", "foo"),
			m.one(9, ",setvar:'tx.own1=foo'"))) + rule("TX:"+strings.ToLower(name), m.pick("@within .o/ oo foo a b c .x/ /", "!@within foo a", "@rx ^(.)", "@pm foo o a"), transformed()+m.score())
	}
	return rule(targets, m.scoredOperator(), actions+transformed()+m.score())
}

func (m ruleMaker) score() string {
	return m.pick("", ",setvar:'tx.inbound_anomaly_score_pl1=+%{tx.known}'", ",setvar:'tx.inbound_anomaly_score_pl1=+%{tx.known}'", ",setvar:'tx.inbound_anomaly_score_pl1=+1',setvar:'tx.sql_injection_score=+3'",
		",setvar:'tx.sql_injection_score=+2',setvar:'tx.inbound_anomaly_score_pl1=+5'")
}

func (m ruleMaker) scoredTargets() string {
	if m.IntN(4) == 0 {
		return m.targets()
	}
	return m.pick("ARGS", "ARGS|ARGS_NAMES", "REQUEST_COOKIES|!REQUEST_COOKIES:a|REQUEST_COOKIES_NAMES|ARGS_NAMES|ARGS|XML:/*", "REQUEST_HEADERS", "REQUEST_HEADERS:Host", "REQUEST_URI|REQUEST_HEADERS|!REQUEST_HEADERS:X-A",
		"REQUEST_FILENAME|ARGS", "REQUEST_BODY", "RESPONSE_BODY", "TX:raw_request_body|ARGS", "REQUEST_LINE", "FILES|FILES_NAMES", "REQUEST_HEADERS_NAMES", "ARGS:/^A/", "RESPONSE_HEADERS|RESPONSE_STATUS", "MULTIPART_PART_HEADERS")
}

func (m ruleMaker) scoredOperator() string {
	if m.IntN(4) == 0 {
		return m.operator()
	}
	return m.pick("@rx "+m.pattern(), "@rx "+m.pattern(), "@rx (?i)(s)(e)?lect|(foo)", "@rx (.)(.)(.)", "@pm foo select bar a", "@detectSQLi", "@detectXSS", "@contains a", "!@rx ^[a-z]*$", "@validateByteRange 32-126", "@rx .", "!@within GET POST foo",
		"@cardNumber any", "@nationalID nl", "@streq foo", "@endsWith o")
}

func (m ruleMaker) scoredTransformations() string {
	if m.IntN(3) == 0 {
		return m.transformations()
	}
	return m.pick(",t:none", ",t:none,t:lowercase", ",t:none,t:urlDecodeUni", ",t:none,t:urlDecodeUni,t:htmlEntityDecode,t:jsDecode", ",t:none,t:urlDecode,t:lowercase,multiMatch", ",t:none,t:removeNulls,t:compressWhitespace")
}

// message is a msg or logdata with macros, or none.
func (m ruleMaker) message(action string) string {
	var b strings.Builder
	for range m.IntN(4) {
		if m.IntN(12) == 0 { // what is not known without the engine
			b.WriteString(m.pick("%{tx.1}", "%{TX.3}", "%{tx.inbound_anomaly_score_pl1}", "%{ARGS.a}", "%{rule.id}", "%{MATCHED_VARS}", "%{tx.0}"))
		}
		b.WriteString(m.one(6, m.pick("%{tx.1}", "%{TX.3}", "%{tx.2}")))
		b.WriteString(m.pick("text ", "Matched Data: %{TX.0} found within %{MATCHED_VAR_NAME}: %{MATCHED_VAR}", "%{MATCHED_VAR}", "%{matched_var_name}", "%{tx.known}", "%{tx.unknown}",
			"%{REQUEST_METHOD}", "%{request_headers.host}", "%{REQUEST_HEADERS.X-A}", "%{REQUEST_URI}", "%{REMOTE_ADDR}", "%{RESPONSE_STATUS}", "%{REQUEST_BODY}"))
	}
	if b.Len() == 0 {
		return ""
	}
	return fmt.Sprintf(",%s:'%s'", action, b.String())
}

// reported is all that a verdict says, apart from its matches.
func reported(v *model.Verdict) string {
	return fmt.Sprintln(v.Blocked, v.Inbound, v.Outbound, v.Scores, v.Partial, ids(v))
}

// reportedMatches is all that the matches of a verdict say.
func reportedMatches(v *model.Verdict) (all []string) {
	for i := range v.Matches {
		m := &v.Matches[i]
		all = append(all, fmt.Sprintf("%d %q %q %q %q %d %d %q", m.Rule.ID, m.Message, m.Data, m.Variable, m.Value, m.Link, m.Values, m.Others))
	}
	return all
}

var ruleAt = regexp.MustCompile(`^prefilter: rule (\d+) at`)

// scoringEngine compiles random rules that score, without those because of which the engine would evaluate every transaction. It returns nil
// for rules that Coraza does not take.
func (m ruleMaker) scoringEngine(t *testing.T) (e *Engine, text string) {
	t.Helper()
	text = m.scoring()
	for {
		e, err := engineOf(text)
		if err != nil {
			return nil, ""
		}
		if e.unfiltered == "" {
			return e, text
		}
		require.NoError(t, e.Close())
		id := ruleAt.FindStringSubmatch(e.unfiltered)
		if id == nil {
			return nil, ""
		}
		without := fmt.Sprintf("SecRuleRemoveById %s\n", id[1])
		if strings.Contains(text, without) {
			return nil, ""
		}
		text += without
	}
}

// checkKnown requires of every verdict that is known without the engine that the engine can find it, and of findings that they are matches
// of one of its verdicts. It lets the prefilter learn those verdicts.
func checkKnown(t *testing.T, e *Engine, tx *model.Transaction, what string) (found, known int) {
	t.Helper()
	const tries = 60                                     // Coraza walks maps in random order, anew for each rule
	unseen := func(rest string, all []string) []string { // of the matches, in verdicts that say the rest, or whatever they say
		for range tries {
			v, err := e.inspect(tx)
			require.NoError(t, err)
			if rest != "" && reported(v) != rest {
				continue
			}
			matches := reportedMatches(v)
			if all = slices.DeleteFunc(all, func(match string) bool { return slices.Contains(matches, match) }); len(all) == 0 {
				return nil
			}
		}
		return append(all, rest)
	}
	a := e.Ask(tx, true)
	if a.Findings != nil {
		found = 1
		v := &model.Verdict{}
		for i := range a.Findings {
			v.Matches = append(v.Matches, matchOf(e.Rule(a.Findings[i].Rule), &a.Findings[i]))
		}
		require.Nil(t, unseen("", reportedMatches(v)), "%s: only the prefilter has found these\n%+v", what, tx)
	}
	v, err := e.InspectWithout(a.Idle, tx)
	require.NoError(t, err)
	e.Learn(a, v)
	for _, a := range []prefilter.Answer{a, e.Ask(tx, true)} {
		if v := e.Known(&a); v != nil {
			known = 1
			require.Nil(t, unseen(reported(v), reportedMatches(v)), "%s: the engine never says this, which is known\n%+v", what, tx)
		}
	}
	return found, known
}

func TestKnownVerdictsAreTheEngines(t *testing.T) {
	var asked, found, known int
	for seed := range uint64(testsize.Random(t, 400, mutationsPerSet)) {
		m := ruleMaker{rand.New(rand.NewPCG(seed, 29))}
		e, text := m.scoringEngine(t)
		if e == nil {
			continue
		}
		tx := m.transaction()
		for i := range 30 {
			if tx = m.change(tx); m.IntN(3) == 0 {
				tx = m.transaction()
			}
			f, k := checkKnown(t, e, tx, fmt.Sprintf("seed %d, transaction %d\n%s", seed, i, text))
			asked, found, known = asked+1, found+f, known+k
		}
		require.NoError(t, e.Close())
	}
	t.Logf("%d transactions, of %d the prefilter has found all matches, of %d the verdict is known", asked, found, known)
	require.Greater(t, known*20, asked, "this test shows little")
}

// Of names in a form that differ in case only, Coraza keeps one.
func TestMatchesUnderNamesThatDifferInCaseAreLeftToTheEngine(t *testing.T) {
	e, err := engineOf(`SecRule ARGS "@contains evil" "id:100,phase:2,pass,severity:'CRITICAL',t:none,msg:'m',setvar:'tx.inbound_anomaly_score_pl1=+5'"`)
	require.NoError(t, err)
	defer e.Close() //nolint:errcheck // reported by the tests of close
	tx := sample()
	tx.Method, tx.RequestHeaders = "POST", append(tx.RequestHeaders, model.Header{Name: "Content-Type", Value: "application/x-www-form-urlencoded"})
	for body, want := range map[string]bool{"a=evil&b=evil": true, "a=evil&a=evil": true, "a=evil&A=evil": false, "a=evil&A=good": false, "a=evil&b=good&B=good": true} {
		tx.RequestBody = body
		found, _ := checkKnown(t, e, tx, body)
		require.Equal(t, want, found == 1, body)
	}
}

// Coraza has the values of a name in a row, in the place of one of them.
func TestMatchesOfANameThatAreApartAreLeftToTheEngine(t *testing.T) {
	e, err := engineOf(`SecRule ARGS "@contains evil" "id:100,phase:2,pass,severity:'CRITICAL',t:none,msg:'%{MATCHED_VAR}',setvar:'tx.inbound_anomaly_score_pl1=+5'"`)
	require.NoError(t, err)
	defer e.Close() //nolint:errcheck // reported by the tests of close
	for query, want := range map[string]bool{"a=evil1&b=evil2&a=evil3": false, "a=good&b=evil1&a=evil2": false, "a=evil1&a=evil2&b=evil3": true, "a=evil1&b=good&a=evil2": true} {
		tx := sample()
		tx.URI = "/?" + query
		found, _ := checkKnown(t, e, tx, query)
		require.Equal(t, want, found == 1, query)
	}
}

// A response without a body has none as it was logged either, not an empty one.
func TestABodyThatIsNotThereIsNotReported(t *testing.T) {
	e, err := engineOf(`SecRule TX:raw_response_body|RESPONSE_HEADERS:X-A "@rx ^$" "id:100,phase:4,pass,severity:'CRITICAL',t:none,msg:'m',setvar:'tx.outbound_anomaly_score_pl1=+5'"`)
	require.NoError(t, err)
	require.Empty(t, e.unfiltered)
	defer e.Close() //nolint:errcheck // reported by the tests of close
	tx := sample()
	tx.HasResponse, tx.ResponseStatus, tx.ResponseProtocol = true, 200, "HTTP/1.1"
	tx.ResponseHeaders = []model.Header{{Name: "Content-Type", Value: "text/html"}, {Name: "X-A", Value: ""}}
	for body, want := range map[string]bool{"": false, "<p>ok</p>": true} {
		tx.ResponseBody = body
		found, _ := checkKnown(t, e, tx, body)
		require.Equal(t, want, found == 1, "%q", body)
	}
}

// Coraza expands a message after the assignments of its rule.
func TestCapturedGroupsThatRulesSetAreNotReported(t *testing.T) {
	const rule = `SecRule REQUEST_HEADERS:X-A "@rx (\d)" "id:100,phase:1,pass,severity:'CRITICAL',capture,t:none,msg:'%{tx.1}',setvar:'tx.inbound_anomaly_score_pl1=+5'`
	for rest, want := range map[string]int{`"`: 1, `,setvar:'tx.1=+5'"`: 0} {
		e, err := engineOf(rule + rest)
		require.NoError(t, err)
		require.Empty(t, e.unfiltered)
		tx := sample()
		tx.RequestHeaders = append(tx.RequestHeaders, model.Header{Name: "X-A", Value: "7"})
		found, known := checkKnown(t, e, tx, rule+rest)
		require.Equal(t, want, found)
		require.Equal(t, want, known)
		require.NoError(t, e.Close())
	}
}

// What a rule takes from the transaction does not follow from which rules match.
func TestScoresThatRulesTakeFromTheTransactionAreNotKnown(t *testing.T) {
	for value, want := range map[string]int{"+2": 1, "2": 1, "%{tx.two}": 1, "%{MATCHED_VAR}": 0, "%{tx.0}": 0} {
		e, err := engineOf(fmt.Sprintf("SecAction \"id:90,phase:1,pass,nolog,setvar:'tx.two=2'\"\n"+
			"SecRule ARGS:n \"@rx ^\\d+$\" \"id:100,phase:2,pass,severity:'CRITICAL',capture,t:none,setvar:'tx.sql_injection_score=%s'\"", value))
		require.NoError(t, err)
		require.Empty(t, e.unfiltered)
		for _, uri := range []string{"/?n=3", "/?n=7"} {
			tx := sample()
			tx.URI = uri
			_, known := checkKnown(t, e, tx, value)
			require.Equal(t, want, known, value)
		}
		require.NoError(t, e.Close())
	}
}
