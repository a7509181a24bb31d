package rules

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/gate"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

// ruleMaker writes random rules and transactions that have a fair chance to match them, from a seed.
type ruleMaker struct{ *rand.Rand }

func (m ruleMaker) pick(list ...string) string { return list[m.IntN(len(list))] }

func (m ruleMaker) targets() string {
	all := make([]string, 1+m.IntN(3))
	for i := range all {
		all[i] = m.pick("ARGS", "ARGS_NAMES", "ARGS_GET", "ARGS_POST", "REQUEST_HEADERS", "REQUEST_HEADERS:X-A", "REQUEST_HEADERS_NAMES",
			"REQUEST_COOKIES", "REQUEST_COOKIES:a", "REQUEST_URI", "REQUEST_URI_RAW", "REQUEST_LINE", "REQUEST_METHOD", "REQUEST_FILENAME",
			"REQUEST_BASENAME", "QUERY_STRING", "REQUEST_BODY", "REQUEST_PROTOCOL", "&ARGS", "&REQUEST_HEADERS:X-A", "&TX:known",
			"TX:known", "TX:set", "TX:/^dyn_/", "TX:1", "RESPONSE_BODY", "RESPONSE_STATUS", "RESPONSE_HEADERS", "REQBODY_PROCESSOR",
			"ARGS:a", "ARGS:/^A/", "ARGS|!ARGS:b", "ARGS_COMBINED_SIZE", "REMOTE_ADDR", "SERVER_NAME", "MATCHED_VAR", "MATCHED_VARS",
			"ARGS_POST_NAMES", "URI_PARSE_ERROR", "UNIQUE_ID", "TX:score", "REQUEST_HEADERS|!REQUEST_HEADERS:X-A", "REQUEST_HEADERS:/^x-/",
			"RESPONSE_HEADERS:Content-Type", "TX:"+seclang.RawRequestBody, "TX:"+seclang.RawResponseBody)
	}
	return strings.Join(all, "|")
}

func (m ruleMaker) operator() string {
	not := m.pick("", "", "", "!")
	return not + m.pick("@rx "+m.pattern(), "@rx "+m.pattern(), "@rx "+m.pattern(), "@pm foo select a%20", "@contains foo", "@streq foo",
		"@beginsWith /", "@endsWith x", "@within foo bar GET %{tx.known}", "@eq 0", "@eq 1", "@gt 1", "@ge %{tx.known}", "@lt 3",
		"@validateByteRange 32-126", "@detectSQLi", "@detectXSS", "@ipMatch 127.0.0.1,192.0.2.0/24", "@unconditionalMatch",
		"@validateUrlEncoding", "@validateUtf8Encoding", "@streq %{tx.1}", "@le 2", "@noMatch", "@cardNumber any", "@nationalID nl",
		"@nationalID it")
}

func (m ruleMaker) pattern() string {
	var b strings.Builder
	b.WriteString(m.pick("", "(?i)", "^", "(?i:"))
	open := strings.HasSuffix(b.String(), ":")
	for range 1 + m.IntN(3) {
		b.WriteString(m.pick("foo", "select", `\bk`, "s+", "[a-c]", "(a|bc)", "(foo|bar)?", `\s*`, ".", "x{2,3}", `[^a-z]`, "%", `\x5c`, "é", `\d`,
			`(?:on|off)=`, "<", `\xbc`, "k"))
	}
	if open {
		b.WriteString(")")
	}
	return b.String() + m.pick("", "", "$")
}

func (m ruleMaker) transformations() string {
	out := "t:none"
	for range m.IntN(4) {
		out += ",t:" + m.pick("lowercase", "urlDecodeUni", "urlDecode", "htmlEntityDecode", "jsDecode", "cssDecode", "removeNulls",
			"compressWhitespace", "removeWhitespace", "utf8toUnicode", "cmdLine", "normalizePath", "normalizePathWin", "replaceComments",
			"base64Decode", "length", "trim", "escapeSeqDecode", "hexEncode", "uppercase")
	}
	return out + m.pick("", "", "", ",multiMatch")
}

func (m ruleMaker) effects() string {
	out := ""
	if m.IntN(3) == 0 {
		out += ",capture"
	}
	for range m.IntN(2) {
		out += "," + m.pick("setvar:'tx.set=%{MATCHED_VAR}'", "setvar:'tx.set=%{tx.0}'", "setvar:'tx.dyn_%{tx.0}=%{tx.1}'", "setvar:'tx.known=+1'",
			"setvar:'tx.score=+%{tx.known}'", "setvar:'!tx.known'", "setvar:tx.known", "setvar:'tx.dyn_a=1'", "setvar:!tx.dyn_a",
			"setvar:'tx.dyn_%{MATCHED_VAR_NAME}=+1'", "setvar:'tx.dyn_%{matched_var_name}=+2'")
	}
	return out
}

func (m ruleMaker) rule(id int) string {
	phase := m.pick("1", "2", "2", "2", "4", "5")
	severity := m.pick(",severity:'CRITICAL'", ",severity:'CRITICAL'", "")
	flow := m.pick("", "", "", "", ",skipAfter:END", ",skip:1", ",ctl:ruleRemoveById=105", ",ctl:requestBodyProcessor=JSON",
		",ctl:ruleRemoveTargetById=104;ARGS", ",ctl:forceRequestBodyVariable=On")
	links := m.IntN(3)
	actions := func(more string, last bool) string {
		if !last {
			more += ",chain"
		}
		return m.transformations() + m.effects() + more
	}
	text := fmt.Sprintf("SecRule %s \"%s\" \"id:%d,phase:%s,pass%s%s,msg:'m',%s\"\n", m.targets(), m.operator(), id, phase, severity, flow,
		actions("", links == 0))
	for i := range links {
		text += fmt.Sprintf("SecRule %s \"%s\" \"%s\"\n", m.targets(), m.operator(), actions("", i == links-1))
	}
	return text
}

func (m ruleMaker) rules() string {
	text := "SecAction \"id:90,phase:1,pass,nolog,setvar:'tx.known=1'\"\n"
	if m.IntN(3) == 0 {
		text += "SecRule TX:known \"@eq 1\" \"id:91,phase:2,pass,nolog,skipAfter:HALF\"\n"
	}
	for id := 100; id < 101+m.IntN(8); id++ {
		text += m.rule(id)
		if m.IntN(6) == 0 {
			text += "SecMarker HALF\n"
		}
	}
	text += "SecMarker HALF\nSecMarker END\n"
	if m.IntN(2) == 0 {
		text += "SecRule TX:score \"@ge 2\" \"id:190,phase:2,deny,t:none\"\n"
	}
	return text + m.pick("", "", "SecRuleRemoveById 101\n", "SecRuleUpdateTargetById 102 \"!ARGS:a\"\n", "SecRuleUpdateTargetById 103 \"ARGS\"\n")
}

func (m ruleMaker) value() string {
	var b strings.Builder
	for range m.IntN(4) {
		b.WriteString(m.pick("foo", "select", "a", "bc", "bar", " ", "1", "k", "\u212a", "ſ", "xx", "%2561", "%20", "é", "\xff", "\\u0061", "&lt;", "<",
			"' or 1=1--", "<script>", "on=", "/../", "\x00", "/**/", "A", "s", "%", "+", "\xbc", "Zm9v", "4111-1111 1111.1111", " 111222333 ", "RSSMRA85T10A562S"))
	}
	return b.String()
}

func (m ruleMaker) transaction() *Transaction {
	t := &Transaction{ClientIP: m.pick("127.0.0.1", "192.0.2.7", "203.0.113.9"), ServerIP: "192.0.2.1", ServerPort: 80, ServerName: "h",
		Method: m.pick("GET", "POST", "foo"), Protocol: "HTTP/1.1", HasResponse: m.IntN(4) > 0, ResponseStatus: 200, ResponseProtocol: "HTTP/1.1"}
	escape := strings.NewReplacer(" ", "%20", "\x00", "%00", "\xff", "%ff").Replace
	t.URI = "/" + m.pick("", "foo", "a/../x") + "?a=" + escape(m.value()) + "&" + m.pick("A", "b", "c") + "=" + escape(m.value())
	t.RequestHeaders = []Header{{Name: "Host", Value: "h"}, {Name: m.pick("X-A", "x-b"), Value: m.value()},
		{Name: "Cookie", Value: "a=" + m.value() + "; b=1"}}
	if m.IntN(2) == 0 {
		t.RequestHeaders = append(t.RequestHeaders, Header{Name: "Content-Type",
			Value: m.pick("application/x-www-form-urlencoded", "application/json", "text/plain", "multipart/form-data; boundary=b")})
		t.RequestBody = m.pick("a="+m.value()+"&d="+m.value(), `{"a":"foo","k":[1,"bar"]}`, "{", m.value(),
			"--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nfoo\r\n--b--\r\n")
	}
	if t.HasResponse {
		t.ResponseHeaders = []Header{{Name: "Content-Type", Value: m.pick("text/html", "image/png")}}
		t.ResponseBody = m.value()
	}
	return t
}

// engineOf compiles rules behind the base configuration.
func engineOf(texts ...string) (*engine, error) {
	p := &program{data: map[string][]byte{}}
	p.addText(engineFile, engineText)
	for i, text := range texts {
		p.addText(fmt.Sprintf("%d.conf", i), text)
	}
	p.settle()
	return newEngine(p, &Config{Strict: true, Gate: true})
}

// checkGate makes random rules and requires of every transaction that the gate lets pass that no rule matches that can alert.
func checkGate(t *testing.T, seed uint64) (asked, sure int) {
	t.Helper()
	m := ruleMaker{rand.New(rand.NewPCG(seed, 17))}
	text := m.rules()
	e, err := engineOf(text)
	if err != nil {
		return 0, 0 // Coraza does not take these rules
	}
	defer e.close() //nolint:errcheck // reported by the tests of close
	for range 25 {
		tx := m.transaction()
		asked++
		a := e.ask(tx, true)
		if !a.Clean && !a.Passes {
			checkIdle(t, seed, e, tx, a)
			continue
		}
		sure++
		for range 3 { // Coraza walks maps in random order
			v, err := e.inspect(tx)
			require.NoError(t, err)
			if a.Clean && !v.Clean() || v.Blocked {
				t.Fatalf("seed %d: the gate says clean %v passes %v, the engine finds %v blocked %v\n%s\n%+v", seed, a.Clean, a.Passes, ids(v), v.Blocked, text, tx)
			}
		}
	}
	return asked, sure
}

// checkIdle requires the same verdict without the rules that the gate says do nothing.
func checkIdle(t *testing.T, seed uint64, e *engine, tx *Transaction, a gate.Answer) {
	t.Helper()
	got, err := e.inspectWithout(a.Idle, tx)
	require.NoError(t, err)
	e.learn(a, got)
	opinions := map[string]bool{}
	for range 20 { // Coraza walks maps in random order, and its transactions remember a little of those before
		v, err := e.inspect(tx)
		require.NoError(t, err)
		opinions[fmt.Sprint(ids(v), v.Blocked, v.Scores)] = true
		if opinions[fmt.Sprint(ids(got), got.Blocked, got.Scores)] {
			return
		}
		got, err = e.inspectWithout(a.Idle, tx)
		require.NoError(t, err)
	}
	t.Fatalf("seed %d: without %v the engine finds %v, with all rules %v\n%+v", seed, a.Idle, ids(got), opinions, tx)
}

// Which parser reads the body follows from rules that match, not from those that can match.
func TestGateDoesNotGuessHowABodyIsRead(t *testing.T) {
	tx := sample()
	tx.Method, tx.RequestBody = "POST", `{"a":1}`
	tx.RequestHeaders = []Header{{Name: "Host", Value: "h"}, {Name: "Content-Type", Value: "multipart/form-data; boundary=b"}}
	for _, text := range []string{
		`SecRule TX:1 "@rx ^a" "id:101,phase:1,pass,ctl:requestBodyProcessor=JSON,t:none"`,
		`SecRule MATCHED_VAR "@rx ^a" "id:101,phase:1,pass,ctl:requestBodyProcessor=JSON,t:none"`,
		`SecRule ARGS "@rx ^a" "id:100,phase:1,pass,setvar:tx.json"` + "\n" + `SecRule TX:json "@eq 1" "id:101,phase:1,pass,ctl:requestBodyProcessor=JSON"`,
	} {
		e, err := engineOf(text)
		require.NoError(t, err)
		v, err := e.inspect(tx)
		require.NoError(t, err)
		require.Equal(t, []int{200002, 200003}, ids(v))
		require.False(t, e.ask(tx, true).Clean, text)
		require.NoError(t, e.close())
	}
}

// HTTP parameter pollution, as rule 921180 finds it.
func TestGateCountsNames(t *testing.T) {
	e, err := engineOf(`SecRule ARGS_NAMES "@rx ." "id:100,phase:2,pass,nolog,setvar:'TX.count_%{MATCHED_VAR_NAME}=+1'"
SecRule TX:/count_.*/ "@gt 1" "id:101,phase:2,deny,severity:'CRITICAL'"
SecRule TX:/names:b$/ "@gt 0" "id:102,phase:2,deny,severity:'CRITICAL'"`)
	require.NoError(t, err)
	for uri, want := range map[string][]int{
		"/": nil, "/?a=1&c=1": nil, "/?a=1&c=1&ac=1&=1": nil, "/?a=1&c=1&a=2": {101}, "/?a=1&A=1": {101}, "/?b=1": {102}, "/?names:b=1": {102}, "/?B=&b=": {101, 102},
	} {
		tx := sample()
		tx.URI = uri
		v, err := e.inspect(tx)
		require.NoError(t, err)
		require.ElementsMatch(t, want, ids(v), uri)
		require.Equal(t, len(want) == 0, e.ask(tx, true).Clean, uri)
	}
	require.NoError(t, e.close())
}

// Rules share the values that they look at: those of all headers with those of one, and those of a variable with its twin.
func TestGateAsksAllRulesOfAValue(t *testing.T) {
	var texts []string
	for id, rule := range map[int]string{
		101: `REQUEST_URI "@contains parsed"`, 102: `REQUEST_URI_RAW "@contains raw"`,
		103: `REQUEST_HEADERS "@contains any"`, 104: `REQUEST_HEADERS:X-A "@contains one"`, 105: `REQUEST_HEADERS|!REQUEST_HEADERS:X-A "@contains other"`,
		106: `REQUEST_BODY "@contains body"`, 107: `TX:raw_request_body "@contains logged"`,
		108: `ARGS "@nationalID nl"`, 109: `ARGS:c "!@cardNumber any"`,
		110: `REQUEST_METHOD "!@streq POST" "id:110,phase:1,deny,severity:'CRITICAL',chain"` + "\n" + `SecRule &REQUEST_HEADERS:X-A "@eq 1" "t:none"`,
	} {
		if !strings.Contains(rule, "id:") {
			rule += fmt.Sprintf(` "id:%d,phase:2,deny,severity:'CRITICAL',t:none"`, id)
		}
		texts = append(texts, "SecRule "+rule)
	}
	e, err := engineOf(texts...)
	require.NoError(t, err)
	for _, c := range []struct {
		method, uri, header, value, body string
		want                             []int
	}{
		{uri: "/quiet"}, {uri: "/parsed", want: []int{101}}, {uri: "/raw", want: []int{102}}, {uri: "/parsed#a", want: []int{101}},
		{uri: "/a#parsed"}, {uri: "/a#raw", want: []int{102}},
		{header: "X-A", value: "any", want: []int{103}}, {header: "X-B", value: "any", want: []int{103}},
		{header: "x-a", value: "one", want: []int{104}}, {header: "X-B", value: "one"},
		{header: "X-A", value: "other"}, {header: "X-B", value: "other", want: []int{105}},
		{body: "a=quiet"}, {body: "a=body", want: []int{106}}, {body: "a=logged", want: []int{107}},
		{uri: "/?a=111222333", want: []int{108}}, {uri: "/?a=111222334"},
		{uri: "/?c=4111111111111111"}, {uri: "/?c=411111111111111", want: []int{109}}, {uri: "/?c=1", want: []int{109}},
		{method: "PUT"}, {method: "PUT", header: "X-A", want: []int{110}}, {header: "X-A"}, {method: "PUT"},
	} {
		tx := sample()
		tx.URI, tx.RequestBody = cmp.Or(c.uri, "/"), c.body
		tx.Method = cmp.Or(c.method, "POST")
		tx.RequestHeaders = []Header{{Name: "Host", Value: "h"}, {Name: "Content-Type", Value: "application/x-www-form-urlencoded"},
			{Name: cmp.Or(c.header, "X-C"), Value: c.value}}
		v, err := e.inspect(tx)
		require.NoError(t, err)
		require.ElementsMatch(t, c.want, ids(v), c)
		require.Equal(t, len(c.want) == 0, e.ask(tx, true).Clean, c)
	}
	require.NoError(t, e.close())
}

func TestGateIsNeverWrongAboutRandomRules(t *testing.T) {
	seeds := uint64(600)
	if n, err := strconv.ParseUint(os.Getenv("EQUALITY"), 10, 32); err == nil {
		seeds = n / 25 // each rule set sees 25 transactions
	}
	var asked, sure int
	for seed := range seeds {
		a, s := checkGate(t, seed)
		asked, sure = asked+a, sure+s
	}
	t.Logf("%d transactions, of %d the gate is sure", asked, sure)
	if sure*20 < asked {
		t.Fatalf("the gate is sure of %d of %d transactions only: this test shows nothing", sure, asked)
	}
}

func FuzzGateAgainstTheEngine(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { checkGate(t, seed) })
}
