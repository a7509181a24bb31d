package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

// ruleMaker writes random rules of the whole grammar, and transactions that have a fair chance to match them, from a seed. Names and values
// share few texts, among them letters beyond ASCII that lower case or folding turns into others.
type ruleMaker struct{ *rand.Rand }

func (m ruleMaker) pick(list ...string) string { return list[m.IntN(len(list))] }

// one returns a text once in n times.
func (m ruleMaker) one(n int, text string) string {
	if m.IntN(n) == 0 {
		return text
	}
	return ""
}

// Variables that have keys, those that have none, and some that the prefilter does not support or Coraza never fills.
var (
	keyedVariables = []string{"ARGS", "ARGS", "ARGS", "ARGS_NAMES", "ARGS_GET", "ARGS_POST", "ARGS_GET_NAMES", "ARGS_POST_NAMES", "REQUEST_HEADERS",
		"REQUEST_HEADERS", "REQUEST_HEADERS_NAMES", "REQUEST_COOKIES", "REQUEST_COOKIES_NAMES", "RESPONSE_HEADERS", "RESPONSE_HEADERS_NAMES",
		"FILES", "FILES_NAMES", "FILES_SIZES", "MULTIPART_PART_HEADERS", "MULTIPART_FILENAME", "MULTIPART_NAME", "TX", "TX", "MATCHED_VARS"}
	plainVariables = []string{"REQUEST_URI", "REQUEST_URI_RAW", "REQUEST_LINE", "REQUEST_METHOD", "REQUEST_FILENAME", "REQUEST_BASENAME",
		"QUERY_STRING", "REQUEST_BODY", "REQUEST_BODY_LENGTH", "REQUEST_PROTOCOL", "RESPONSE_BODY", "RESPONSE_STATUS", "RESPONSE_PROTOCOL",
		"RESPONSE_CONTENT_TYPE", "RESPONSE_CONTENT_LENGTH", "REQBODY_PROCESSOR", "REQBODY_ERROR", "ARGS_COMBINED_SIZE", "REMOTE_ADDR",
		"REMOTE_PORT", "SERVER_NAME", "SERVER_ADDR", "SERVER_PORT", "MATCHED_VAR", "URI_PARSE_ERROR", "URLENCODED_ERROR", "FULL_REQUEST_LENGTH",
		"FILES_COMBINED_SIZE", "MULTIPART_STRICT_ERROR", "INBOUND_DATA_ERROR", "OUTBOUND_DATA_ERROR", "ARGUMENTS_LIMIT_REACHED", "XML:/*", "XML://@*", "REQUEST_XML:/*", "REQUEST_XML"}
	strangeVariables = []string{"UNIQUE_ID", "MATCHED_VARS_NAMES", "MATCHED_VAR_NAME", "HIGHEST_SEVERITY", "ENV:X", "STATUS_LINE", "REMOTE_HOST",
		"MULTIPART_UNMATCHED_BOUNDARY", "MULTIPART_CRLF_LF_LINES", "RESPONSE_ARGS", "RULE:id", "ARGS_PATH", "DURATION"}
)

// key returns a key of a variable: plain, in another case, beyond ASCII, with a slash, or an expression.
func (m ruleMaker) key(variable string) string {
	if variable == "TX" {
		return m.pick("known", "Known", "set", "/^dyn_/", "/DYN/", "1", "0", "score", "/^\\d$/", "fresh", seclang.RawRequestBody, seclang.RawResponseBody)
	}
	return m.pick("a", "A", "x-a", "X-A", "b", "host", "Host", "cookie", "tok\u212aen", "\u212a", "\u017f", "a/b", "/^x/", "/^X-A$/", `/^\S+$/`, `/a\/b/`, "'/^a.?$/'",
		"/./", "/^$/", "content-type", "json.k", "id")
}

func (m ruleMaker) target() string {
	var text string
	switch m.IntN(12) {
	case 0:
		text = m.pick(strangeVariables...)
	case 1, 2, 3:
		text = m.pick(plainVariables...)
	default:
		variable := m.pick(keyedVariables...)
		text = variable
		if m.IntN(2) == 0 || variable == "TX" {
			text += ":" + m.key(variable)
		}
		for range m.IntN(6) - 4 {
			text += "|!" + variable + m.one(1, ":"+m.key(variable))
		}
	}
	return m.one(5, "&") + text
}

func (m ruleMaker) targets() string {
	all := make([]string, 1+max(0, m.IntN(5)-2))
	for i := range all {
		all[i] = m.target()
	}
	return strings.Join(all, "|")
}

func (m ruleMaker) operator() string {
	not := m.pick("", "", "", "!")
	return not + m.pick("@rx "+m.pattern(), "@rx "+m.pattern(), "@rx "+m.pattern(), "@pm foo select a%20", "@contains foo", "@streq foo",
		"@beginsWith /", "@endsWith x", "@within foo bar GET %{tx.known}", "@eq 0", "@eq 1", "@gt 1", "@ge %{tx.known}", "@lt 3", "@eq %{tx.fresh}",
		"@validateByteRange 32-126", "@detectSQLi", "@detectXSS", "@ipMatch 127.0.0.1,192.0.2.0/24", "@unconditionalMatch", "@strmatch oo",
		"@validateUrlEncoding", "@validateUtf8Encoding", "@streq %{tx.1}", "@le 2", "@noMatch", "@cardNumber any", "@nationalID nl",
		"@nationalID it", "@ge 0", "@contains %{tx.set}", "@rx "+m.pattern(), "@pm \u212a ſ bar", "@streq %{ARGS.a}")
}

func (m ruleMaker) pattern() string {
	var b strings.Builder
	b.WriteString(m.pick("", "(?i)", "^", "(?i:"))
	open := strings.HasSuffix(b.String(), ":")
	for range 1 + m.IntN(3) {
		b.WriteString(m.pick("foo", "select", `\bk`, "s+", "[a-c]", "(a|bc)", "(foo|bar)?", `\s*`, ".", "x{2,3}", `[^a-z]`, "%", `\x5c`, "é", `\d`,
			`(?:on|off)=`, "<", `\xbc`, "k", "(?!x)", "(?<=o)", "s++", `([a-c])\1`))
	}
	if open {
		b.WriteString(")")
	}
	return b.String() + m.pick("", "", "$")
}

func (m ruleMaker) transformations() string {
	out := m.one(2, ",t:none")
	for range max(0, m.IntN(6)-2) {
		out += ",t:" + m.pick("lowercase", "urlDecodeUni", "urlDecode", "htmlEntityDecode", "jsDecode", "cssDecode", "removeNulls", "replaceNulls",
			"compressWhitespace", "removeWhitespace", "utf8toUnicode", "cmdLine", "normalizePath", "normalizePathWin", "replaceComments", "removeComments",
			"removeCommentsChar", "base64Decode", "base64DecodeExt", "base64Encode", "length", "trim", "trimLeft", "trimRight", "escapeSeqDecode", "hexEncode",
			"hexDecode", "uppercase", "md5", "sha1", "urlEncode", "none")
	}
	return out + m.one(4, ",multiMatch")
}

// effects are actions that every rule of a chain can have.
func (m ruleMaker) effects() string {
	out := m.one(3, ",capture")
	for range max(0, m.IntN(4)-1) {
		out += "," + m.pick("setvar:'tx.set=%{MATCHED_VAR}'", "setvar:'tx.set=%{tx.0}'", "setvar:'tx.dyn_%{tx.0}=%{tx.1}'", "setvar:'tx.known=+1'",
			"setvar:'tx.score=+%{tx.known}'", "setvar:'!tx.known'", "setvar:tx.known", "setvar:'tx.dyn_a=1'", "setvar:!tx.dyn_a", "setvar:'tx.1=foo'",
			"setvar:'tx.dyn_%{MATCHED_VAR_NAME}=+1'", "setvar:'tx.dyn_%{matched_var_name}=+2'", "setvar:'tx.score=-1'", "setvar:'tx.Known=foo'",
			"setvar:'tx.score=+2'", "setvar:'tx.score=+1'", "setvar:'tx.%{MATCHED_VAR}=1'", "setvar:'tx.fresh=%{tx.known} bar'", "setvar:'tx.set=foo'")
	}
	return out + m.one(10, ","+m.control())
}

func (m ruleMaker) control() string {
	return "ctl:" + m.pick("ruleRemoveById=105", "ruleRemoveById=100-103", "ruleRemoveByTag=t1", "ruleRemoveByMsg=m", "requestBodyProcessor=JSON",
		"requestBodyProcessor=XML", "requestBodyProcessor=URLENCODED", "requestBodyProcessor=RAW", "ruleRemoveTargetById=104;ARGS",
		"ruleRemoveTargetById=101-104;ARGS:a", "ruleRemoveTargetByTag=t1;REQUEST_HEADERS", "ruleRemoveTargetByMsg=m;ARGS:/^A/",
		"ruleRemoveTargetById=102;REQUEST_HEADERS:Host", "forceRequestBodyVariable=On", "forceRequestBodyVariable=Off", "ruleEngine=Off", "ruleEngine=On",
		"requestBodyAccess=Off", "responseBodyAccess=Off", "auditEngine=Off", "auditLogParts=+E", "forceResponseBodyVariable=On", "debugLogLevel=3")
}

// flow are actions of a whole chain.
func (m ruleMaker) flow() string {
	return m.pick("", "", "", "", "", "", ",skipAfter:END", ",skipAfter:HALF", ",skipAfter:GONE", ",skip:1", ",skip:2", ","+m.control())
}

func (m ruleMaker) rule(id int) string {
	actions := func(more string, last bool) string {
		if !last {
			more += ",chain"
		}
		return strings.TrimPrefix(m.transformations()+m.effects()+more, ",")
	}
	text := fmt.Sprintf("id:%d,phase:%s,%s%s%s,msg:'m%s',tag:'t%d'%s", id, m.pick("1", "1", "2", "2", "2", "2", "2", "3", "4", "4", "5", "5", "5"), m.pick("pass", "pass", "pass", "deny", "block", "allow"),
		m.one(2, ",severity:'CRITICAL'"), m.flow(), m.one(3, " %{MATCHED_VAR}"), m.IntN(3), m.one(3, ",logdata:'%{tx.0} %{MATCHED_VAR_NAME}'"))
	if m.IntN(10) == 0 {
		return fmt.Sprintf("SecAction \"%s,%s\"\n", text, strings.TrimPrefix(actions("", true), ","))
	}
	links := max(0, m.IntN(5)-2)
	text = fmt.Sprintf("SecRule %s \"%s\" \"%s,%s\"\n", m.targets(), m.operator(), text, actions("", links == 0))
	for i := range links {
		text += fmt.Sprintf("SecRule %s \"%s\" \"%s\"\n", m.targets(), m.operator(), actions("", i == links-1))
	}
	return strings.ReplaceAll(text, ",\"", "\"")
}

func (m ruleMaker) rules() string {
	text := "SecAction \"id:90,phase:1,pass,nolog,setvar:'tx.known=1'\"\n"
	if m.IntN(8) == 0 {
		text = m.pick("SecDefaultAction \"phase:2,log,auditlog,deny,status:403\"\n", "SecDefaultAction \"phase:1,log,auditlog,pass,setvar:'tx.set=foo'\"\n") + text
	}
	text += m.one(4, m.limits())
	if m.IntN(3) == 0 {
		text += "SecRule TX:known \"@eq 1\" \"id:91,phase:2,pass,nolog,skipAfter:HALF\"\n"
	}
	for id := 100; id < 101+m.IntN(8); id++ {
		text += m.rule(id) + m.one(6, "SecMarker HALF\n")
	}
	text += "SecMarker HALF\nSecMarker END\n"
	text += m.one(2, "SecRule TX:score \"@ge 2\" \"id:190,phase:2,deny,t:none\"\n")
	return text + m.update() + m.update()
}

// limits are settings of the engine that bodies and arguments reach.
func (m ruleMaker) limits() string {
	return m.one(2, "SecArgumentsLimit "+m.pick("1", "2", "3")+"\n") +
		m.one(2, "SecRequestBodyLimit "+m.pick("6", "14", "30")+"\n") + m.one(8, "SecRequestBodyLimitAction Reject\n") +
		m.one(2, "SecResponseBodyLimit "+m.pick("1", "3", "9")+"\n") + m.one(8, "SecResponseBodyLimitAction Reject\n") +
		m.one(8, "SecRequestBodyAccess Off\n") + m.one(8, "SecResponseBodyAccess Off\n")
}

// update is a directive that changes rules before it.
func (m ruleMaker) update() string {
	return m.pick("", "", "", "", "SecRuleRemoveById 101\n", "SecRuleRemoveByTag t2\n", "SecRuleUpdateTargetById 102 \"!ARGS:a\"\n", "SecRuleUpdateTargetById 103 \"ARGS\"\n",
		"SecRuleUpdateTargetById 100 \"!REQUEST_HEADERS:/^X/\"\n", "SecRuleUpdateTargetByTag t1 \"REQUEST_METHOD\"\n", "SecRuleUpdateActionById 100 \"setvar:'tx.known=foo'\"\n",
		"SecRuleUpdateActionById 101 \"deny\"\n", "SecRuleUpdateActionById 100-104 \"severity:CRITICAL\"\n", "SecRuleUpdateActionById 102 \"t:lowercase,multiMatch\"\n",
		"SecRuleUpdateActionById 101 \"ctl:ruleRemoveTargetById=103;ARGS\"\n", "SecRuleUpdateActionById 102 \"capture,skipAfter:END\"\n")
}

func (m ruleMaker) value() string {
	var b strings.Builder
	for range m.IntN(4) {
		b.WriteString(m.pick("foo", "select", "a", "bc", "bar", " ", "1", "k", "\u212a", "ſ", "xx", "%2561", "%20", "é", "\xff", "\\u0061", "&lt;", "&ngE;", "<",
			"' or 1=1--", "<script>", "on=", "/../", "\x00", "/**/", "A", "s", "%", "+", "\xbc", "Zm9v", "4111-1111 1111.1111", " 111222333 ", "RSSMRA85T10A562S"))
	}
	return b.String()
}

func (m ruleMaker) name() string {
	return m.pick("a", "A", "b", "x-a", "\u212a", "ſ", "a/b", "id", "", "K", "s", "json.k")
}

func (m ruleMaker) header() model.Header {
	name := m.pick("Host", "host", "Ho\u017ft", "X-A", "x-b", "tok\u212aen", "token", "Coo\u212aie", "Cookie", "a", "A", "Content-Type", "User-Agent", "\xffx")
	value := m.value()
	if strings.HasPrefix(name, "Coo") {
		value = m.pick("a=", "A=; b=", ";;x-a =", "=", "a") + m.value() + m.pick("; b=1", ";", "; A=foo")
	}
	if name == "Content-Type" {
		value = m.pick("application/x-www-form-urlencoded", "Application/JSON", "text/xml", "text/plain")
	}
	return model.Header{Name: name, Value: value}
}

func (m ruleMaker) arguments() string {
	var parts []string
	for range m.IntN(4) {
		parts = append(parts, m.name()+m.pick("=", "=", "")+strings.NewReplacer(" ", "%20", "\x00", "%00", "\xff", "%ff").Replace(m.value()))
	}
	return strings.Join(parts, m.pick("&", "&", "&&"))
}

func (m ruleMaker) transaction() *model.Transaction {
	t := &model.Transaction{
		ClientIP: m.pick("127.0.0.1", "192.0.2.7", "203.0.113.9"), ClientPort: 40000 + m.IntN(2), ServerIP: "192.0.2.1", ServerPort: 80, ServerName: "h",
		Method: m.pick("GET", "POST", "foo", "HEAD"), Protocol: "HTTP/1.1", URI: "/" + m.pick("", "foo", "a/../x", "%66oo", "select#a") + "?" + m.arguments(),
	}
	t.RequestHeaders = []model.Header{{Name: "Host", Value: "h"}}
	for range m.IntN(4) {
		t.RequestHeaders = append(t.RequestHeaders, m.header())
	}
	m.body(t)
	m.response(t)
	return t
}

func (m ruleMaker) body(t *model.Transaction) {
	t.RequestHeaders = slices.DeleteFunc(t.RequestHeaders, func(h model.Header) bool { return h.Name == "Content-Type" })
	t.RequestBody = ""
	if m.IntN(2) == 0 {
		return
	}
	kind := m.pick("application/x-www-form-urlencoded", "application/json", "text/plain", "multipart/form-data; boundary=b", "text/xml", "APPLICATION/XML", "image/png", "")
	if kind != "" {
		t.RequestHeaders = append(t.RequestHeaders, model.Header{Name: m.pick("Content-Type", "content-type"), Value: kind})
	}
	t.RequestBody = m.pick(m.arguments(), m.arguments(), `{"a":"foo","k":[1,"bar"],"A":"`+strings.NewReplacer("\x00", "", "\\", "", "\xff", "", "\xbc", "").Replace(m.value())+`"}`, "{", m.value(),
		"<a b=\"foo\">"+m.pick("foo", "x", "select")+"<c>1</c></a>",
		"--b\r\nContent-Disposition: form-data; name=\""+m.pick("a", "A", "x")+"\"\r\n\r\n"+m.value()+"\r\n--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\""+m.pick("foo", "x.php")+
			"\"\r\nContent-Type: text/plain\r\n\r\nbar\r\n--b--\r\n")
}

func (m ruleMaker) response(t *model.Transaction) {
	t.HasResponse, t.ResponseStatus, t.ResponseProtocol, t.ResponseHeaders, t.ResponseBody = m.IntN(4) > 0, 0, "", nil, ""
	if t.HasResponse {
		t.ResponseStatus, t.ResponseProtocol = 200+m.IntN(2)*204, "HTTP/1.1"
		t.ResponseHeaders = []model.Header{{Name: m.pick("Content-Type", "content-type", "X-A"), Value: m.pick("text/html", "image/png", "text/html; charset=foo")}}
		t.ResponseBody = m.value()
	}
}

// change returns a transaction that differs in little: what is remembered of one must not count for the other.
func (m ruleMaker) change(t *model.Transaction) *model.Transaction {
	other := *t
	other.RequestHeaders = slices.Clone(t.RequestHeaders)
	at := m.IntN(len(other.RequestHeaders) + 1)
	switch m.IntN(9) {
	case 0:
		m.response(&other)
	case 1:
		m.body(&other)
	case 2:
		other.RequestHeaders = slices.Insert(other.RequestHeaders, at, m.header())
	case 3, 4:
		if at < len(other.RequestHeaders) {
			other.RequestHeaders = slices.Delete(other.RequestHeaders, at, at+1)
		}
	case 5:
		if at < len(other.RequestHeaders) {
			other.RequestHeaders[at].Name = m.header().Name
		}
	case 6:
		if at < len(other.RequestHeaders) {
			other.RequestHeaders[at].Value = m.value()
		}
	case 7:
		other.URI = "/?" + m.arguments()
	default:
		other.Method = m.pick("GET", "POST", "foo")
	}
	return &other
}
