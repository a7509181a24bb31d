package engine

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
)

// prefilterCase is a rule set and transactions in their order: what the prefilter remembers of one must not count for another.
type prefilterCase struct {
	name         string
	rules        string
	transactions []*model.Transaction
}

// prefilterCases are rule sets on which the prefilter was wrong once, or that were made to prove it wrong.
func prefilterCases() []prefilterCase {
	but := func(change func(*model.Transaction)) *model.Transaction {
		tx := sample()
		tx.URI = "/"
		if change != nil {
			change(tx)
		}
		return tx
	}
	target := func(uri string) *model.Transaction { return but(func(t *model.Transaction) { t.URI = uri }) }
	with := func(uri string, headers ...model.Header) *model.Transaction {
		return but(func(t *model.Transaction) { t.URI, t.RequestHeaders = uri, append(t.RequestHeaders, headers...) })
	}
	body := func(uri, contentType, body string, headers ...model.Header) *model.Transaction {
		return but(func(t *model.Transaction) {
			t.Method, t.URI, t.RequestBody = "POST", uri, body
			t.RequestHeaders = append(append(t.RequestHeaders, model.Header{Name: "Content-Type", Value: contentType}), headers...)
		})
	}
	post := but(func(t *model.Transaction) { t.Method = "POST" })
	resp := func(uri string) *model.Transaction {
		return but(func(t *model.Transaction) { t.URI, t.HasResponse, t.ResponseStatus = uri, true, 200 })
	}
	var us []*model.Transaction
	for _, value := range []string{"2x22", "214", "2", "x"} {
		us = append(us, target("/?a="+value))
	}
	return []prefilterCase{
		{"literals first, negated", "SecRxPreFilter On\n" + `SecRule ARGS:a "!@rx 2(?:14|.22)" "id:101,phase:2,deny,severity:'CRITICAL',t:none"`, us},
		{"literals first, body processor", "SecRxPreFilter On\n" + `SecRule ARGS:a "@rx 2(?:14|.22)" "id:101,phase:1,pass,nolog,t:none,ctl:requestBodyProcessor=RAW"
SecRule ARGS "@contains evil" "id:102,phase:2,deny,severity:'CRITICAL',t:none"`, []*model.Transaction{body("/?a=2x22", "application/x-www-form-urlencoded", "b=evil")}},
		{"shared: names counted by key", `SecRule &REQUEST_HEADERS_NAMES:accept-language "@eq 0" "id:101,phase:1,deny,severity:'CRITICAL'"`, []*model.Transaction{target("/")}},
		{"shared: name in a regex key", `SecRule ARGS_NAMES:/^\S+$/ "@rx evil" "id:102,phase:2,deny,severity:'CRITICAL'"`, []*model.Transaction{target("/?evil=1")}},
		{"shared: regex exclusion", `SecRule REQUEST_HEADERS|!REQUEST_HEADERS:/^user\W/ "@contains attack" "id:103,phase:1,deny,severity:'CRITICAL'"`, []*model.Transaction{with("/", model.Header{Name: "User-Agent", Value: "attack/5.0"})}},
		{"shared: header beyond ASCII", `SecRule REQUEST_HEADERS:x-token "@rx evil" "id:131,phase:1,deny,severity:'CRITICAL'"`, []*model.Transaction{with("/", model.Header{Name: "X-To\u212aen", Value: "evil"})}},
		{"shared: cookies beyond ASCII", `SecRule REQUEST_COOKIES "@contains evil" "id:132,phase:1,deny,severity:'CRITICAL'"`, []*model.Transaction{with("/", model.Header{Name: "Coo\u212aie", Value: "a=evil"})}},
		{"shared: a long s is no s", `SecRule &REQUEST_HEADERS:Host "@eq 0" "id:133,phase:1,deny,severity:'CRITICAL'"`, []*model.Transaction{
			but(func(t *model.Transaction) { t.RequestHeaders = []model.Header{{Name: "Ho\u017ft", Value: "h"}} }), but(func(t *model.Transaction) { t.RequestHeaders = nil })}},
		{"shared: change that is not reported", `SecRule ARGS "@streq &nge;" "id:104,phase:2,deny,severity:'CRITICAL',t:htmlEntityDecode,t:lowercase,multiMatch"`, []*model.Transaction{target("/?a=%26ngE%3B")}},
		{"shared: capture of @pm", `SecRule ARGS:a "@rx ^(\w+) (\w+)$" "id:105,phase:2,deny,severity:'CRITICAL',capture,chain"
SecRule ARGS:b "@pm foo bar" "capture,chain"
SecRule TX:1 "@streq bar" "t:none"`, []*model.Transaction{target("/?a=hello%20world&b=foo%20bar")}},
		{"shared: capture of @detectSQLi", `SecRule ARGS:a "@detectSQLi" "id:105,phase:2,deny,severity:'CRITICAL',capture,chain"
SecRule TX:0 "@rx ^s" "t:none"`, []*model.Transaction{target("/?a=1'%20or%20'1'='1")}},
		{"shared: setvar of a group", `SecRule ARGS:a "@rx (x)" "id:105,phase:2,deny,severity:'CRITICAL',capture,setvar:tx.1=evil,chain"
SecRule TX:1 "@streq evil" "t:none"`, []*model.Transaction{target("/?a=x")}},
		{"shared: slash in a key", `SecRule ARGS:a/b "@rx evil" "id:108,phase:2,deny,severity:'CRITICAL'"`, []*model.Transaction{target("/?banana=evil")}},
		{"shared: count without its target", `SecRule ARGS:x "@streq 1" "id:90,phase:1,pass,nolog,ctl:ruleRemoveTargetById=100;REQUEST_HEADERS:Host"
SecRule &REQUEST_HEADERS:Host "@eq 0" "id:100,phase:1,deny,severity:'CRITICAL'"`, []*model.Transaction{target("/?x=1")}},
		{"shared: setvar by update", `SecAction "id:90,phase:1,pass,nolog,setvar:tx.known=1"
SecRule ARGS "@contains foo" "id:91,phase:1,pass,nolog"
SecRule TX:known "@eq 2" "id:100,phase:2,deny,severity:'CRITICAL'"
SecRuleUpdateActionById 91 "setvar:tx.known=2"`, []*model.Transaction{target("/?a=foo")}},
		{"shared: name count", `SecRule &REQUEST_HEADERS_NAMES:x-debug "@eq 1" "id:100,phase:1,deny,severity:'CRITICAL'"`, []*model.Transaction{with("/", model.Header{Name: "x-debug", Value: "1"})}},
		{"shared: XML by path", `SecRule REQUEST_XML:/* "@contains evil" "id:100,phase:2,deny,severity:'CRITICAL'"`, []*model.Transaction{body("/", "text/xml", `<a><b sid="evil"/></a>`)}},
		{"shared: engine off half way", `SecRule REQUEST_METHOD "!@streq FOO" "id:103,phase:4,pass,nolog,ctl:ruleEngine=Off,chain"
SecRule ARGS:never "@streq x" "t:none"
SecRule &TX:flag "@eq 0" "id:106,phase:5,deny,severity:'CRITICAL'"`, []*model.Transaction{but(func(t *model.Transaction) { t.HasResponse = false })}},
		{"shared: skip over a body processor", `SecRule ARGS:x "@streq 1" "id:90,phase:1,pass,nolog,skipAfter:M"
SecRule REQUEST_HEADERS:Content-Type "@streq text/plain" "id:91,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON"
SecMarker M
SecRule ARGS_POST:/./ "@contains evil" "id:100,phase:2,deny,severity:'CRITICAL'"
SecRule REQBODY_PROCESSOR "!@streq JSON" "id:101,phase:2,deny,severity:'CRITICAL',chain"
SecRule ARGS:x "@eq 1" "t:none"`, []*model.Transaction{body("/?x=1", "text/plain", "a=evil")}},
		{"shared: TX by regex", `SecRule ARGS:a "@rx (.+)" "id:90,phase:1,pass,nolog,capture,setvar:'tx.foo_%{tx.1}=evil'"
SecRule TX:/^foo_x$|bar/ "@streq evil" "id:100,phase:2,deny,severity:'CRITICAL'"`, []*model.Transaction{target("/?a=y"), target("/?a=xbar")}},
		{"shared: combination with a response", `SecRule ARGS "@contains evil" "id:100,phase:2,pass,severity:'CRITICAL',setvar:tx.score=+5"
SecRule TX:score "@ge 5" "id:190,phase:4,deny"`, []*model.Transaction{but(func(t *model.Transaction) { t.URI, t.HasResponse = "/?a=evil", false }), resp("/?a=evil")}},
		{"cache matched_var", `SecRule REQUEST_METHOD "@rx GET" "id:101,phase:1,pass,nolog,t:none,chain"
SecRule MATCHED_VAR "@streq zzz" "t:none,t:lowercase"
SecRule REQUEST_URI "@rx /" "id:102,phase:1,deny,severity:'CRITICAL',t:none,chain"
SecRule MATCHED_VAR "@streq get" "t:none,t:lowercase"`, []*model.Transaction{but(func(t *model.Transaction) { t.Method = "GET" })}},
		{"cache matched_var 2", `SecRule ARGS:a "@rx ." "id:101,phase:2,pass,nolog,t:none,chain"
SecRule MATCHED_VAR "@streq zzz" "t:none,t:lowercase"
SecRule ARGS:b "@rx ." "id:102,phase:2,deny,severity:'CRITICAL',t:none,chain"
SecRule MATCHED_VAR "@streq evil" "t:none,t:lowercase"`, []*model.Transaction{target("/?a=evil&b=good")}},
		{"cache matched_vars", `SecRule QUERY_STRING "@rx ." "id:101,phase:2,pass,nolog,t:none,chain"
SecRule MATCHED_VARS "@streq zzz" "t:none,t:lowercase"
SecRule QUERY_STRING "@rx ." "id:102,phase:2,deny,severity:'CRITICAL',t:none,t:urlDecode,chain"
SecRule MATCHED_VARS "@contains %61" "t:none,t:lowercase"`, []*model.Transaction{target("/?a=%61")}},
		{"cache count single", `SecRule &REQUEST_BASENAME "@eq 5" "id:101,phase:2,pass,nolog,t:none,t:lowercase"
SecRule REQUEST_BASENAME "@streq 1" "id:102,phase:2,deny,severity:'CRITICAL',t:none,t:lowercase"`, []*model.Transaction{target("/x")}},
		{"cache count single rev", `SecRule REQUEST_BASENAME "@streq zz" "id:101,phase:2,deny,severity:'CRITICAL',t:none,t:lowercase"
SecRule &REQUEST_BASENAME "@eq 5" "id:102,phase:2,deny,severity:'CRITICAL',t:none,t:lowercase"`, []*model.Transaction{target("/5")}},
		{"cache count args", `SecRule ARGS "@streq zz" "id:101,phase:2,deny,severity:'CRITICAL',t:none,t:lowercase"
SecRule &ARGS "@ge 5" "id:102,phase:2,deny,severity:'CRITICAL',t:none,t:lowercase"`, []*model.Transaction{target("/?=5")}},
		{"cache count args get", `SecRule ARGS_GET "@streq zz" "id:101,phase:2,deny,severity:'CRITICAL',t:none,t:lowercase"
SecRule &ARGS_GET "@eq 5" "id:102,phase:2,deny,severity:'CRITICAL',t:none,t:lowercase"`, []*model.Transaction{target("/?=5")}},
		{"cache reqbody processor", `SecRule REQBODY_PROCESSOR "@streq zz" "id:101,phase:1,pass,nolog,t:none,t:lowercase"
SecRule REQUEST_HEADERS:X-J "@streq 1" "id:102,phase:1,pass,nolog,t:none,ctl:requestBodyProcessor=JSON"
SecRule REQBODY_PROCESSOR "@streq json" "id:103,phase:1,pass,nolog,t:none,t:lowercase,ctl:requestBodyProcessor=RAW"
SecRule ARGS "@contains evil" "id:104,phase:2,deny,severity:'CRITICAL',t:none"`,
			[]*model.Transaction{body("/", "text/plain", `{"a":"evil"}`, model.Header{Name: "X-J", Value: "1"})}},
		{"constant link sets", `SecAction "id:90,phase:1,pass,nolog,setvar:'tx.known=1'"
SecRule TX:known "@eq 1" "id:101,phase:2,deny,severity:'CRITICAL',t:none,setvar:'tx.x=foo',chain"
SecRule ARGS:a "@streq b" "t:none,chain"
SecRule TX:x "@streq foo" "t:none"`, []*model.Transaction{target("/?a=b")}},
		{"constant link matched_var", `SecAction "id:90,phase:1,pass,nolog,setvar:'tx.known=1'"
SecRule ARGS:a "@streq b" "id:101,phase:2,deny,severity:'CRITICAL',t:none,chain"
SecRule TX:known "@eq 1" "t:none,chain"
SecRule MATCHED_VAR "@eq 1" "t:none"`, []*model.Transaction{target("/?a=b")}},
		{"constant link matched_vars", `SecAction "id:90,phase:1,pass,nolog,setvar:'tx.known=1'"
SecRule ARGS:a "@streq b" "id:101,phase:2,deny,severity:'CRITICAL',t:none,chain"
SecRule TX:known "@eq 1" "t:none,chain"
SecRule MATCHED_VARS "@eq 1" "t:none"`, []*model.Transaction{target("/?a=b")}},
		{"constant link captures", `SecAction "id:90,phase:1,pass,nolog,setvar:'tx.known=1'"
SecRule ARGS:a "@rx (b)" "id:101,phase:2,deny,severity:'CRITICAL',t:none,capture,chain"
SecRule TX:known "@rx (1)" "t:none,capture,chain"
SecRule TX:1 "@eq 1" "t:none"`, []*model.Transaction{target("/?a=b")}},
		{"constant link feeds", `SecAction "id:90,phase:1,pass,nolog,setvar:'tx.known=1'"
SecRule TX:known "@eq 1" "id:100,phase:2,pass,nolog,t:none,setvar:'tx.x=1',chain"
SecRule ARGS:zz "@streq b" "t:none"
SecRule ARGS:a "@streq b" "id:101,phase:2,deny,severity:'CRITICAL',t:none,chain"
SecRule TX:x "@eq 1" "t:none"`, []*model.Transaction{target("/?a=b")}},
		{"all link feeds", `SecAction "id:90,phase:1,pass,nolog,setvar:'tx.known=1'"
SecAction "id:100,phase:2,pass,nolog,t:none,setvar:'tx.x=1',chain"
SecRule ARGS:zz "@streq b" "t:none"
SecRule ARGS:a "@streq b" "id:101,phase:2,deny,severity:'CRITICAL',t:none,chain"
SecRule TX:x "@eq 1" "t:none"`, []*model.Transaction{target("/?a=b")}},
		{"skip over static skip", `SecRule ARGS:x "@streq 1" "id:100,phase:1,pass,nolog,skip:2"
SecAction "id:101,phase:1,pass,nolog,skipAfter:M"
SecRule ARGS:q "@streq zzz" "id:102,phase:1,deny,severity:'CRITICAL'"
SecRule REQUEST_URI "@rx ." "id:103,phase:1,deny,severity:'CRITICAL'"
SecMarker M`, []*model.Transaction{target("/?x=1")}},
		{"skip over removable", `SecRule ARGS:y "@streq 1" "id:99,phase:1,pass,nolog,ctl:ruleRemoveById=104"
SecRule ARGS:x "@streq 1" "id:100,phase:1,pass,nolog,skip:2"
SecRule ARGS:q "@streq zzz" "id:104,phase:1,deny,severity:'CRITICAL'"
SecAction "id:101,phase:1,pass,nolog,skipAfter:M"
SecRule REQUEST_URI "@rx ." "id:103,phase:1,deny,severity:'CRITICAL'"
SecMarker M`, []*model.Transaction{target("/?x=1")}},
		{"removed marker", `SecRule ARGS:x "@streq 1" "id:100,phase:1,pass,nolog,ctl:ruleRemoveById=0,skip:1"
SecMarker M
SecAction "id:101,phase:1,pass,nolog,setvar:tx.ok=1"
SecRule &TX:ok "@eq 0" "id:102,phase:1,deny,severity:'CRITICAL'"`, []*model.Transaction{target("/?x=1")}},
		{"removed marker range", `SecRule ARGS:x "@streq 1" "id:100,phase:1,pass,nolog,ctl:ruleRemoveById=0-99,skip:1"
SecMarker M
SecAction "id:101,phase:1,pass,nolog,setvar:tx.ok=1"
SecRule &TX:ok "@eq 0" "id:102,phase:1,deny,severity:'CRITICAL'"`, []*model.Transaction{target("/?x=1")}},
		{"learned removal", `SecRule ARGS:x "@streq 1" "id:99,phase:1,pass,nolog,ctl:ruleRemoveById=190"
SecRule ARGS:a "@contains evil" "id:100,phase:2,pass,severity:'CRITICAL',setvar:tx.score=+5"
SecRule TX:score "@ge 5" "id:190,phase:2,deny,t:none"`, []*model.Transaction{target("/?x=1&a=evil"), target("/?a=evil")}},
		{"learned skip", `SecRule ARGS:a "@contains evil" "id:100,phase:2,pass,severity:'CRITICAL',setvar:tx.score=+5"
SecRule ARGS:x "@streq 1" "id:99,phase:2,pass,nolog,skipAfter:M"
SecRule TX:score "@ge 5" "id:190,phase:2,deny,t:none"
SecMarker M`, []*model.Transaction{target("/?x=1&a=evil"), target("/?a=evil")}},
		{"learned unsure", `SecRule REQUEST_HEADERS:X-F "@rx ." "id:99,phase:1,pass,nolog,t:none,setvar:'tx.x=%{REQUEST_HEADERS.x-g}'"
SecRule ARGS|TX:x "@contains evil" "id:100,phase:2,pass,severity:'CRITICAL',t:none,setvar:tx.score=+5"
SecRule TX:score "@ge 10" "id:190,phase:2,deny,t:none"`, []*model.Transaction{
			but(func(t *model.Transaction) {
				t.URI = "/?a=evil"
				t.RequestHeaders = append(t.RequestHeaders, model.Header{Name: "X-F", Value: "1"}, model.Header{Name: "X-G", Value: "good"})
			}), but(func(t *model.Transaction) {
				t.URI = "/?a=evil"
				t.RequestHeaders = append(t.RequestHeaders, model.Header{Name: "X-F", Value: "1"}, model.Header{Name: "X-G", Value: "evil"})
			})}},
		{"learned conditional sum", `SecRule ARGS:x "@streq 1" "id:99,phase:1,pass,nolog,ctl:ruleRemoveTargetById=100;ARGS:b"
SecRule ARGS "@contains evil" "id:100,phase:2,pass,severity:'CRITICAL',t:none,setvar:tx.score=+5"
SecRule TX:score "@ge 5" "id:180,phase:2,pass,nolog,t:none,setvar:tx.high=+1"
SecRule TX:score "@ge 10" "id:181,phase:2,pass,nolog,t:none,setvar:tx.high=+1"
SecRule TX:high "@eq 1" "id:190,phase:2,deny,t:none"`, []*model.Transaction{target("/?a=evil&b=evil"), target("/?a=evil&b=evil&x=1")}},
		{"learned conditional sum case", `SecRule ARGS "@contains evil" "id:100,phase:2,pass,severity:'CRITICAL',t:none,setvar:tx.score=+5"
SecRule TX:score "@ge 5" "id:180,phase:2,pass,nolog,t:none,setvar:tx.high=+1"
SecRule TX:score "@ge 10" "id:181,phase:2,pass,nolog,t:none,setvar:tx.high=+1"
SecRule TX:high "@eq 1" "id:190,phase:2,deny,t:none"`, []*model.Transaction{target("/?a=evil&b=evil"), body("/", "application/x-www-form-urlencoded", "a=evil&A=evil")}},
		{"learned alert body processor", `SecRule ARGS_GET:x "@streq 1" "id:100,phase:1,pass,severity:'CRITICAL',t:none,ctl:requestBodyProcessor=JSON"
SecRule ARGS "@contains evil" "id:190,phase:2,deny,severity:'CRITICAL',t:none"`, []*model.Transaction{body("/?x=1", "text/plain", `{"a":"good"}`), body("/?x=1", "text/plain", `{"a":"evil"}`)}},
		{"idle alert body processor", `SecRule ARGS_GET:x "@streq 1" "id:100,phase:1,deny,severity:'CRITICAL',t:none,ctl:requestBodyProcessor=JSON"
SecRule ARGS "@contains evil" "id:190,phase:2,deny,severity:'CRITICAL',t:none"`, []*model.Transaction{body("/?x=1", "text/plain", `{"a":"evil"}`)}},
		{"idle alert force response", `SecRule ARGS_GET:x "@streq 1" "id:100,phase:1,deny,severity:'CRITICAL',t:none,ctl:forceResponseBodyVariable=On"
SecRule RESPONSE_BODY "@contains evil" "id:190,phase:4,deny,severity:'CRITICAL',t:none"`, []*model.Transaction{but(func(t *model.Transaction) {
			t.URI, t.HasResponse, t.ResponseStatus, t.ResponseBody = "/?x=1", true, 200, "evil"
			t.ResponseHeaders = []model.Header{{Name: "Content-Type", Value: "application/x"}}
		})}},
		{"learned alert force response", `SecRule ARGS_GET:x "@streq 1" "id:100,phase:1,pass,severity:'CRITICAL',t:none,ctl:forceResponseBodyVariable=On"
SecRule RESPONSE_BODY "@contains evil" "id:190,phase:4,deny,severity:'CRITICAL',t:none"`, []*model.Transaction{but(func(t *model.Transaction) {
			t.URI, t.HasResponse, t.ResponseStatus, t.ResponseBody = "/?x=1", true, 200, "good"
			t.ResponseHeaders = []model.Header{{Name: "Content-Type", Value: "application/x"}}
		}), but(func(t *model.Transaction) {
			t.URI, t.HasResponse, t.ResponseStatus, t.ResponseBody = "/?x=1", true, 200, "evil"
			t.ResponseHeaders = []model.Header{{Name: "Content-Type", Value: "application/x"}}
		})}},
		{"idle through static", `SecAction "id:90,phase:1,pass,nolog,setvar:'tx.b=qqq'"
SecRule ARGS:x "@streq 1" "id:100,phase:1,deny,severity:'CRITICAL',t:none,setvar:tx.a=1"
SecRule TX:a "@eq 1" "id:101,phase:1,pass,nolog,t:none,setvar:tx.b=zzz"
SecRule ARGS "@contains %{tx.b}" "id:102,phase:2,deny,severity:'CRITICAL',t:none"`, []*model.Transaction{target("/?x=1&c=zzz")}},
		{"idle body through static", `SecRule ARGS:x "@streq 1" "id:100,phase:1,deny,severity:'CRITICAL',t:none,setvar:tx.a=1"
SecRule TX:a "@eq 1" "id:101,phase:1,pass,nolog,t:none,ctl:requestBodyProcessor=JSON"
SecRule ARGS "@contains evil" "id:102,phase:2,deny,severity:'CRITICAL',t:none"`, []*model.Transaction{body("/?x=1", "text/plain", `{"a":"evil"}`)}},
		{"idle rule:msg", `SecRule ARGS "@contains zzz" "id:100,phase:2,deny,severity:'CRITICAL',t:none,msg:'foo'"
SecRule RULE:msg "@contains foo" "id:101,phase:2,pass,nolog,t:none,setvar:tx.x=1"
SecRule ARGS:a "@streq go" "id:102,phase:2,deny,severity:'CRITICAL',t:none,chain"
SecRule TX:x "@eq 1" "t:none"`, []*model.Transaction{target("/?a=go")}},
		{"nested macro", `SecRule ARGS:b "@rx ." "id:100,phase:1,pass,nolog,t:none,setvar:'tx.b=%{MATCHED_VAR}'"
SecRule ARGS:c "@streq %{tx.a%{tx.b}" "id:102,phase:2,deny,severity:'CRITICAL',t:none"`, []*model.Transaction{target("/?b=hello&c=tx.ahello")}},
		{"baseline skips alert", `SecRule REQUEST_METHOD "@within GET HEAD" "id:100,phase:1,pass,nolog,t:none,skipAfter:M"
SecAction "id:101,phase:1,deny,severity:'CRITICAL'"
SecMarker M`, []*model.Transaction{post}},
		{"baseline skips write", `SecRule REQUEST_METHOD "@within GET HEAD" "id:100,phase:1,pass,nolog,t:none,skipAfter:M"
SecAction "id:101,phase:1,pass,nolog,setvar:tx.x=1"
SecMarker M
SecRule TX:x "@eq 1" "id:102,phase:1,deny,severity:'CRITICAL'"`, []*model.Transaction{post}},
		{"baseline removes alert", `SecRule REQUEST_METHOD "@within GET HEAD" "id:100,phase:1,pass,nolog,t:none,ctl:ruleRemoveById=101"
SecAction "id:101,phase:1,deny,severity:'CRITICAL'"`, []*model.Transaction{post}},
		{"baseline skips static skip", `SecRule REQUEST_METHOD "@within GET HEAD" "id:100,phase:1,pass,nolog,t:none,skipAfter:M"
SecAction "id:101,phase:1,pass,nolog,skipAfter:N"
SecMarker M
SecAction "id:102,phase:1,pass,nolog,setvar:tx.ok=1"
SecMarker N
SecRule &TX:ok "@eq 0" "id:103,phase:1,deny,severity:'CRITICAL'"`, []*model.Transaction{post}},
		{"skipped static removal", `SecRule ARGS:x "@streq 1" "id:89,phase:1,pass,nolog,t:none,skipAfter:M"
SecAction "id:90,phase:1,pass,nolog,ctl:ruleRemoveById=101"
SecMarker M
SecAction "id:101,phase:2,deny,severity:'CRITICAL'"`, []*model.Transaction{target("/?x=1")}},
		{"counter order", `SecRule ARGS_NAMES "@rx ." "id:100,phase:2,pass,nolog,t:none,setvar:'tx.c_%{MATCHED_VAR_NAME}=+3'"
SecRule ARGS_NAMES "@rx ." "id:101,phase:1,pass,nolog,t:none,setvar:'tx.c_%{MATCHED_VAR_NAME}=+2'"
SecRule TX:/^c_/ "@gt 0" "id:102,phase:1,deny,severity:'CRITICAL',t:none,chain"
SecRule MATCHED_VAR "@eq 2" "t:none"`, []*model.Transaction{target("/?a=1")}},
		{"exempt-like static removal of writer", `SecRule ARGS:x "@streq 1" "id:89,phase:1,pass,nolog,t:none,ctl:ruleRemoveByTag=tt"
SecAction "id:90,phase:1,pass,nolog,tag:'tt',ctl:ruleRemoveById=101"
SecAction "id:101,phase:2,deny,severity:'CRITICAL'"`, []*model.Transaction{target("/?x=1")}},
		{"skipped static target removal", `SecRule ARGS:x "@streq 1" "id:89,phase:1,pass,nolog,t:none,skipAfter:M"
SecAction "id:90,phase:1,pass,nolog,ctl:ruleRemoveTargetById=101;REQUEST_METHOD"
SecMarker M
SecRule REQUEST_METHOD "@streq GET" "id:101,phase:2,deny,severity:'CRITICAL'"`, []*model.Transaction{target("/?x=1")}},
		{"static set by regex macro", `SecAction "id:90,phase:1,pass,nolog,setvar:'tx.x=%{tx.a%{request_method}'"
SecRule TX:x "@streq tx.aPOST" "id:101,phase:2,deny,severity:'CRITICAL',t:none"`, []*model.Transaction{post}},
		{"macro names of setvar", `SecRule ARGS:a "@rx ." "id:90,phase:1,pass,nolog,t:none,setvar:'tx.%{tx.q%{matched_var}=1'"
SecRule ARGS:b "@streq 1" "id:101,phase:2,deny,severity:'CRITICAL',t:none,chain"
SecRule TX:tx.qevil "@eq 1" "t:none"`, []*model.Transaction{target("/?a=evil&b=1")}},
		{"static count phase5", `SecAction "id:90,phase:4,pass,nolog,setvar:'tx.x=1'"
SecRule &TX:x "@eq 0" "id:91,phase:5,pass,nolog,t:none,setvar:tx.y=1"
SecRule ARGS:a "@streq b" "id:101,phase:5,deny,severity:'CRITICAL',t:none,chain"
SecRule TX:y "@eq 1" "t:none"`, []*model.Transaction{target("/?a=b")}},
		{"phase5 response", `SecRule RESPONSE_STATUS "!@streq 200" "id:101,phase:5,deny,severity:'CRITICAL',t:none"`, []*model.Transaction{target("/?a=b")}},
		{"matched in same link", `SecRule ARGS:a "@rx ." "id:101,phase:2,deny,severity:'CRITICAL',t:none,t:length,chain"
SecRule MATCHED_VAR|ARGS:b "@rx ^3$" "t:none"`, []*model.Transaction{target("/?a=foo&b=b")}},
		{"removed matched target", `SecRule ARGS:x "@streq 1" "id:89,phase:1,pass,nolog,t:none,ctl:ruleRemoveTargetById=101;TX"
SecRule ARGS:a "@streq b" "id:101,phase:2,deny,severity:'CRITICAL',t:none,chain"
SecRule &TX:x "@eq 0" "t:none"`, []*model.Transaction{target("/?a=b&x=1")}},
		{"cache shared header", `SecRule REQUEST_HEADERS:X-A "@streq zz" "id:101,phase:1,deny,severity:'CRITICAL',t:none,t:lowercase"
SecRule &REQUEST_HEADERS:X-A "@eq 5" "id:102,phase:1,deny,severity:'CRITICAL',t:none,t:lowercase"`, []*model.Transaction{with("/", model.Header{Name: "X-A", Value: "5"})}},
		{"cache idle count", `SecRule REQUEST_BASENAME "@streq zz" "id:101,phase:2,deny,severity:'CRITICAL',t:none,t:lowercase"
SecRule ARGS:a "@streq b" "id:102,phase:2,deny,severity:'CRITICAL',t:none,chain"
SecRule &REQUEST_BASENAME "@eq 1" "t:none,t:lowercase"`, []*model.Transaction{target("/5?a=b")}},
		{"files count", `SecRule &FILES "@eq 7" "id:101,phase:2,deny,severity:'CRITICAL',t:none,t:lowercase"
SecRule FILES "@streq 1" "id:102,phase:2,deny,severity:'CRITICAL',t:none,t:lowercase"`, []*model.Transaction{but(func(t *model.Transaction) {
			t.Method, t.RequestBody = "POST", "--b\r\nContent-Disposition: form-data; name=\"a\"; filename=\"f\"\r\n\r\nfoo\r\n--b--\r\n"
			t.RequestHeaders = append(t.RequestHeaders, model.Header{Name: "Content-Type", Value: "multipart/form-data; boundary=b"})
		})}},
		{"cookies count", `SecRule &REQUEST_COOKIES "@eq 7" "id:101,phase:2,deny,severity:'CRITICAL',t:none,t:lowercase"
SecRule REQUEST_COOKIES "@streq 1" "id:102,phase:2,deny,severity:'CRITICAL',t:none,t:lowercase"`, []*model.Transaction{with("/", model.Header{Name: "Cookie", Value: "=foo"})}},
		{"counter overwritten", `SecRule ARGS_NAMES "@rx ." "id:100,phase:1,pass,nolog,t:none,setvar:'tx.c_%{MATCHED_VAR_NAME}=+1'"
SecRule ARGS_NAMES "@rx ." "id:101,phase:1,pass,nolog,t:none,setvar:'tx.c_%{MATCHED_VAR_NAME}=-5'"
SecRule TX:/^c_/ "@lt 0" "id:102,phase:1,deny,severity:'CRITICAL',t:none"`, []*model.Transaction{target("/?a=1")}},
		{"set in chain then other link", `SecRule ARGS:a "@rx ^(.)" "id:102,phase:1,deny,severity:'CRITICAL',t:none,capture,setvar:'tx.x=%{tx.1}%{tx.1}',chain"
SecRule TX:x "@streq bb" "t:none"`, []*model.Transaction{target("/?a=b")}},
		{"update action ctl", `SecRule ARGS:x "@streq 1" "id:100,phase:1,pass,nolog,t:none"
SecRuleUpdateActionById 100 "ctl:requestBodyProcessor=JSON"
SecRule ARGS "@contains evil" "id:101,phase:2,deny,severity:'CRITICAL',t:none"`, []*model.Transaction{but(func(t *model.Transaction) {
			t.Method, t.URI, t.RequestBody = "POST", "/?x=1", `{"a":"evil"}`
			t.RequestHeaders = append(t.RequestHeaders, model.Header{Name: "Content-Type", Value: "text/plain"})
		})}},
		{"update action deny", `SecRule ARGS:x "@streq 1" "id:100,phase:1,pass,nolog,t:none"
SecRuleUpdateActionById 100 "deny"`, []*model.Transaction{target("/?x=1")}},
		{"default deny", `SecDefaultAction "phase:1,deny,log"
SecRule ARGS:x "@streq 1" "id:100,phase:1,t:none"`, []*model.Transaction{target("/?x=1")}},
		{"idle skip removed marker", `SecRule ARGS:x "@streq 1" "id:100,phase:1,pass,nolog,t:none,ctl:ruleRemoveById=0,skip:1"
SecMarker M
SecRule ARGS:q "@streq zz" "id:101,phase:1,deny,severity:'CRITICAL',t:none"
SecRule ARGS:x "@streq 1" "id:102,phase:1,deny,severity:'CRITICAL',t:none"`, []*model.Transaction{target("/?x=1")}},
		{"baseline self", `SecRule REQUEST_METHOD "@streq %{tx.m}" "id:101,phase:2,deny,severity:'CRITICAL',t:none,setvar:tx.m=zzz"
SecAction "id:90,phase:1,pass,nolog,setvar:tx.m=GET"`, []*model.Transaction{target("/")}},
		{"baseline self partial", `SecAction "id:90,phase:1,pass,nolog,setvar:tx.m=GET"
SecRule REQUEST_METHOD "@streq %{tx.m}" "id:101,phase:1,pass,nolog,t:none,setvar:tx.m=zzz,ctl:forceResponseBodyVariable=On,chain"
SecRule ARGS:zz "@streq 1" "t:none"
SecRule RESPONSE_BODY "@contains evil" "id:102,phase:4,deny,severity:'CRITICAL',t:none"`, []*model.Transaction{but(func(t *model.Transaction) {
			t.HasResponse, t.ResponseStatus, t.ResponseBody = true, 200, "evil"
			t.ResponseHeaders = []model.Header{{Name: "Content-Type", Value: "application/x"}}
		})}},
		{"baseline divert skipped", `SecRule REQUEST_METHOD "@within GET HEAD" "id:100,phase:1,pass,nolog,t:none,skipAfter:M"
SecAction "id:101,phase:1,pass,nolog,ctl:forceResponseBodyVariable=On"
SecMarker M
SecRule RESPONSE_BODY "@contains evil" "id:102,phase:4,deny,severity:'CRITICAL',t:none"`, []*model.Transaction{but(func(t *model.Transaction) {
			t.Method, t.HasResponse, t.ResponseStatus, t.ResponseBody = "POST", true, 200, "evil"
			t.ResponseHeaders = []model.Header{{Name: "Content-Type", Value: "application/x"}}
		})}},
		{"crs-like exclusion", `SecAction "id:90,phase:1,pass,nolog,setvar:tx.critical=5"
SecRule REMOTE_ADDR "@ipMatch 10.0.0.1" "id:99,phase:1,pass,nolog,t:none,ctl:ruleRemoveById=949110"
SecRule ARGS "@contains evil" "id:100,phase:2,block,severity:'CRITICAL',t:none,setvar:'tx.score=+%{tx.critical}'"
SecRule TX:score "@ge 5" "id:949110,phase:2,deny,t:none"`, []*model.Transaction{
			but(func(t *model.Transaction) { t.ClientIP, t.URI = "10.0.0.1", "/?a=evil" }), but(func(t *model.Transaction) { t.ClientIP, t.URI = "10.0.0.2", "/?a=evil" })}},
		{"idle cache static", `SecRule REQUEST_BASENAME "@streq zz" "id:101,phase:2,deny,severity:'CRITICAL',t:none,t:lowercase"
SecRule ARGS:a "@streq b" "id:102,phase:2,deny,severity:'CRITICAL',t:none,chain"
SecRule &REQUEST_BASENAME "@eq 1" "t:none,t:lowercase"`, []*model.Transaction{target("/5?a=b")}},
		{"multimatch negated capture", `SecRule REQUEST_BASENAME "!@rx ^(A|x)" "id:101,phase:2,deny,severity:'CRITICAL',t:none,t:lowercase,multiMatch,capture,chain"
SecRule TX:1 "@streq A" "t:none,chain"
SecRule ARGS:go "@streq 1" "t:none"`, []*model.Transaction{target("/A?go=1")}},
		{"possible: post only write", `SecRule REQUEST_METHOD "@streq GET" "id:89,phase:1,pass,nolog,t:none,skipAfter:M"
SecAction "id:90,phase:1,pass,nolog,setvar:tx.x=1"
SecMarker M
SecRule ARGS:zz "@streq 1" "id:91,phase:1,pass,nolog,t:none,setvar:tx.x=2"
SecRule ARGS:a "@streq b" "id:101,phase:2,deny,severity:'CRITICAL',t:none,chain"
SecRule TX:x "@eq 1" "t:none"`, []*model.Transaction{but(func(t *model.Transaction) { t.Method, t.URI = "POST", "/?a=b" })}},
		{"possible: removed by range of markers", `SecRule ARGS:x "@streq 1" "id:89,phase:1,pass,nolog,t:none,ctl:ruleRemoveById=0,skip:1"
SecMarker M
SecAction "id:90,phase:1,pass,nolog,setvar:tx.x=1"
SecRule ARGS:zz "@streq 1" "id:91,phase:1,pass,nolog,t:none,setvar:tx.x=2"
SecRule ARGS:a "@streq b" "id:101,phase:2,deny,severity:'CRITICAL',t:none,chain"
SecRule &TX:x "@eq 0" "t:none"`, []*model.Transaction{target("/?a=b&x=1")}},
		{"possible: remover in a chain link", `SecRule ARGS:x "@streq 1" "id:89,phase:1,pass,nolog,t:none,ctl:ruleRemoveById=90,chain"
SecRule ARGS:never "@streq 1" "t:none"
SecAction "id:90,phase:1,pass,nolog,setvar:tx.x=1"
SecRule ARGS:zz "@streq 1" "id:91,phase:1,pass,nolog,t:none,setvar:tx.x=2"
SecRule ARGS:a "@streq b" "id:101,phase:2,deny,severity:'CRITICAL',t:none,chain"
SecRule &TX:x "@eq 0" "t:none"`, []*model.Transaction{target("/?a=b&x=1")}},
		{"possible: target removed from default", `SecRule ARGS:x "@streq 1" "id:89,phase:1,pass,nolog,t:none,ctl:ruleRemoveTargetById=90;REQUEST_URI"
SecRule REQUEST_URI "@beginsWith /" "id:90,phase:1,pass,nolog,t:none,setvar:tx.x=1"
SecRule ARGS:a "@streq b" "id:101,phase:2,deny,severity:'CRITICAL',t:none,chain"
SecRule &TX:x "@eq 0" "t:none"`, []*model.Transaction{target("/?a=b&x=1")}},
		{"possible: target removed default TX", `SecRule ARGS:x "@streq 1" "id:89,phase:1,pass,nolog,t:none,ctl:ruleRemoveTargetById=90;TX:x"
SecRule ARGS:y "@streq 1" "id:88,phase:1,pass,nolog,t:none,setvar:tx.x=2"
SecRule &TX:x "@ge 0" "id:90,phase:1,pass,nolog,t:none,setvar:tx.x=1"
SecRule ARGS:a "@streq b" "id:101,phase:2,deny,severity:'CRITICAL',t:none,chain"
SecRule TX:x "!@eq 1" "t:none"`, []*model.Transaction{target("/?a=b&x=1&y=1"), target("/?a=b&x=1")}},
		{"static differs", `SecAction "id:90,phase:4,pass,nolog,setvar:'tx.x=1'"
SecRule &TX:x "@eq 0" "id:91,phase:5,pass,nolog,t:none,setvar:tx.y=1"
SecRule ARGS:a "@streq b" "id:101,phase:5,deny,severity:'CRITICAL',t:none,chain"
SecRule TX:y "@eq 1" "t:none"`, []*model.Transaction{target("/?a=b"), resp("/?a=b")}},
		{"possible: exempt skip", `SecRule ARGS:zz "@streq 1" "id:91,phase:1,pass,nolog,t:none,setvar:tx.x=2"
SecRule TX:x "@eq 2" "id:92,phase:1,pass,nolog,t:none,setvar:tx.z=+1"
SecRule ARGS:a "@streq %{tx.z}" "id:101,phase:2,deny,severity:'CRITICAL',t:none"`, []*model.Transaction{target("/?a=1&zz=1"), target("/?a=tx.z"), target("/?a=1")}},
		{"possible: case of macro", `SecRule ARGS:zz "@streq 1" "id:91,phase:1,pass,nolog,t:none,setvar:tx.x=2"
SecRule ARGS:a "@streq %{TX.X}" "id:101,phase:2,deny,severity:'CRITICAL',t:none"`, []*model.Transaction{target("/?a=TX.X"), target("/?a=2&zz=1"), target("/?a=2")}},
		{"possible: two writes of one match", `SecAction "id:90,phase:1,pass,nolog,setvar:tx.x=0"
SecRule ARGS:zz "@streq 1" "id:91,phase:1,pass,nolog,t:none,setvar:tx.x=3"
SecRule TX:x "@eq 0" "id:92,phase:1,pass,nolog,t:none,setvar:tx.x=5,setvar:tx.x=+1"
SecRule ARGS:a "@streq b" "id:101,phase:2,deny,severity:'CRITICAL',t:none,chain"
SecRule TX:x "@eq 6" "t:none"`, []*model.Transaction{target("/?a=b")}},
		{"possible: set and removed by one match", `SecAction "id:90,phase:1,pass,nolog,setvar:tx.x=0"
SecRule ARGS:zz "@streq 1" "id:91,phase:1,pass,nolog,t:none,setvar:tx.x=3"
SecRule TX:x "@eq 0" "id:92,phase:1,pass,nolog,t:none,setvar:tx.x=5,setvar:!tx.x"
SecRule ARGS:a "@streq b" "id:101,phase:2,deny,severity:'CRITICAL',t:none,chain"
SecRule &TX:x "@eq 0" "t:none"`, []*model.Transaction{target("/?a=b")}},
		{"possible: target removed from what replaces", `SecRule ARGS:x "@streq 1" "id:88,phase:1,pass,nolog,t:none,ctl:ruleRemoveTargetById=90;TX"
SecRule ARGS:y "@streq 1" "id:89,phase:1,pass,nolog,t:none,setvar:tx.x=2"
SecRule TX:x "@eq 2" "id:90,phase:1,pass,nolog,t:none,setvar:tx.x=3"
SecRule ARGS:a "@streq b" "id:101,phase:2,deny,severity:'CRITICAL',t:none,chain"
SecRule TX:x "@eq 2" "t:none"`, []*model.Transaction{target("/?a=b&x=1&y=1")}},
		{"possible: target removed from a constant test", `SecRule ARGS:x "@streq 1" "id:88,phase:1,pass,nolog,t:none,ctl:ruleRemoveTargetById=92;TX"
SecAction "id:89,phase:1,pass,nolog,setvar:tx.y=1,setvar:tx.x=2"
SecRule ARGS:zz "@streq 1" "id:91,phase:1,pass,nolog,t:none,setvar:tx.y=2,setvar:tx.x=4"
SecRule TX:y "@ge 1" "id:92,phase:1,pass,nolog,t:none,setvar:tx.x=3"
SecRule ARGS:a "@streq b" "id:101,phase:2,deny,severity:'CRITICAL',t:none,chain"
SecRule TX:x "@eq 2" "t:none"`, []*model.Transaction{target("/?a=b&x=1")}},
		{"constant link with multiMatch, matched_var", `SecAction "id:90,phase:1,pass,nolog,setvar:'tx.known=Foo'"
SecRule TX:known "@rx ." "id:101,phase:2,deny,severity:'CRITICAL',t:none,t:lowercase,multiMatch,chain"
SecRule MATCHED_VAR "@streq foo" "t:none,chain"
SecRule ARGS:a "@streq b" "t:none"`, []*model.Transaction{target("/?a=b")}},
		{"constant link with multiMatch, setvar", `SecAction "id:90,phase:1,pass,nolog,setvar:'tx.known=Foo'"
SecRule TX:known "@rx ." "id:101,phase:2,deny,severity:'CRITICAL',t:none,t:lowercase,multiMatch,setvar:'tx.y=%{MATCHED_VAR}',chain"
SecRule TX:y "@streq foo" "t:none,chain"
SecRule ARGS:a "@streq b" "t:none"`, []*model.Transaction{target("/?a=b")}},
		{"learned: a sum removes what blocks", `SecRule ARGS:x "@streq 1" "id:99,phase:1,pass,nolog,t:none,ctl:ruleRemoveTargetById=100;ARGS:a"
SecRule ARGS "@contains evil" "id:100,phase:2,pass,severity:'CRITICAL',t:none,setvar:tx.score=+5"
SecRule TX:score "@ge 10" "id:180,phase:2,pass,nolog,t:none,ctl:ruleRemoveById=190"
SecRule TX:score "@ge 5" "id:190,phase:2,deny,t:none"`, []*model.Transaction{target("/?a=evil&b=evil"), target("/?a=evil&b=evil&x=1")}},
		{"learned: a sum removes a target of what blocks", `SecRule ARGS:x "@streq 1" "id:99,phase:1,pass,nolog,t:none,ctl:ruleRemoveTargetById=100;ARGS:a"
SecRule ARGS "@contains evil" "id:100,phase:2,pass,severity:'CRITICAL',t:none,setvar:tx.score=+5"
SecRule TX:score "@ge 10" "id:180,phase:2,pass,nolog,t:none,ctl:ruleRemoveTargetById=190;TX"
SecRule TX:score "@ge 5" "id:190,phase:2,deny,t:none"`, []*model.Transaction{target("/?a=evil&b=evil"), target("/?a=evil&b=evil&x=1")}},
		{"group with a zero in front", `SecRule ARGS:a "@rx ^(b)$" "id:101,phase:2,deny,severity:'CRITICAL',t:none,capture,setvar:'tx.x=%{tx.01}',chain"
SecRule TX:x "@streq tx.01" "t:none"`, []*model.Transaction{target("/?a=b")}},
		{"a constant made of itself", `SecAction "id:90,phase:1,pass,nolog,setvar:'tx.x=%{tx.x}1'"
SecRule TX:x "@streq 1" "id:101,phase:1,deny,severity:'CRITICAL',t:none"`, []*model.Transaction{target("/")}},
		{"constants made of each other", `SecAction "id:90,phase:1,pass,nolog,setvar:'tx.x=%{tx.y}',setvar:'tx.y=%{tx.x}'"
SecRule TX:x "@streq 1" "id:101,phase:1,deny,severity:'CRITICAL',t:none"`, []*model.Transaction{target("/")}},
		{"memo: a name beyond ASCII is selected", `SecRule REQUEST_METHOD "!@streq POST" "id:101,phase:1,deny,severity:'CRITICAL',t:none,chain"
SecRule REQUEST_HEADERS:X-Kind "!@rx ^a" "t:none"`, []*model.Transaction{with("/"), with("/", model.Header{Name: "X-\u212aind", Value: "b"}), with("/", model.Header{Name: "X-Kind", Value: "b"})}},
		{"TX by regex, a plain name", `SecRule ARGS:a "@streq y" "id:90,phase:1,pass,nolog,t:none,setvar:'tx.foo_x=evil'"
SecRule TX:/^foo_x$|bar/ "@streq evil" "id:100,phase:2,deny,severity:'CRITICAL',t:none"`, []*model.Transaction{target("/?a=y")}},
		{"capture of a rule that does not match", `SecRule ARGS:z "!@rx ^(foo)$" "id:90,phase:1,pass,nolog,t:none,capture"
SecRule ARGS:a "@streq b" "id:101,phase:2,deny,severity:'CRITICAL',t:none,chain"
SecRule TX:1 "@streq foo" "t:none"`, []*model.Transaction{target("/?a=b&z=foo")}},
		{"group that a rule writes", `SecRule ARGS:z "@streq 1" "id:90,phase:1,pass,nolog,t:none,setvar:tx.1=foo"
SecRule ARGS:a "@streq b" "id:101,phase:2,deny,severity:'CRITICAL',t:none,chain"
SecRule TX:1 "@streq foo" "t:none"`, []*model.Transaction{target("/?a=b&z=1")}},
		{"skip over the body processor", `SecRule ARGS_GET:x "@streq 1" "id:90,phase:1,pass,nolog,t:none,skipAfter:E"
SecRule REQUEST_HEADERS:Content-Type "@contains plain" "id:91,phase:1,pass,nolog,t:none,ctl:requestBodyProcessor=JSON"
SecMarker E
SecRule REQBODY_PROCESSOR "!@streq JSON" "id:102,phase:2,deny,severity:'CRITICAL',t:none,chain"
SecRule ARGS_GET:x "@streq 1" "t:none"`, []*model.Transaction{body("/?x=1", "text/plain", `{"a":"b"}`)}},
		{"constants that double", doubling(40), []*model.Transaction{target("/?a=b")}},
	}
}

// doubling makes variables each of which holds the one before twice.
func doubling(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "SecRule TX:zz \"@eq 1\" \"id:%d,phase:1,pass,nolog,setvar:'tx.x%d=%%{tx.x%d}%%{tx.x%d}'\"\n", 200+i, i+1, i, i)
	}
	return b.String() + fmt.Sprintf("SecRule ARGS:a \"@streq %%{tx.x%d}\" \"id:101,phase:2,deny,severity:'CRITICAL',t:none\"", n)
}

// Whatever the prefilter says of the cases, the engine has to agree; a rule set that it does not prefilter is the safe answer.
func TestThePrefilterIsRightAboutRulesThatOnceDeceivedIt(t *testing.T) {
	prefiltered := 0
	for _, c := range prefilterCases() {
		t.Run(c.name, func(t *testing.T) {
			e, err := engineOf(c.rules)
			require.NoError(t, err)
			defer e.Close() //nolint:errcheck // reported by the tests of close
			if e.unfiltered != "" {
				require.NotContains(t, e.unfiltered, "panic")
				return
			}
			prefiltered++
			for i, tx := range c.transactions {
				requireRightAnswer(t, e, tx, fmt.Sprintf("transaction %d", i))
			}
		})
	}
	require.Greater(t, prefiltered, len(prefilterCases())/2, "rule sets that are not prefiltered show little")
}

// requireRightAnswer compares the prefilter's answer with what the engine makes of a transaction, with and without the rules that are idle,
// and lets the prefilter learn that.
func requireRightAnswer(t *testing.T, e *Engine, tx *model.Transaction, what string) {
	t.Helper()
	a := e.Ask(tx, true)
	all, reduced := map[string]bool{}, map[string]bool{}
	for range 12 { // Coraza walks maps in random order
		v, err := e.inspect(tx)
		require.NoError(t, err)
		require.False(t, a.Clean && !v.Clean(), "%s: the prefilter says clean, rules %v match", what, ids(v))
		require.False(t, a.Clean && v.Partial != a.Unread, "%s: the prefilter has not read %v, the engine %v", what, a.Unread, v.Partial.Names())
		require.False(t, a.Passes && v.Blocked, "%s: the prefilter says it passes, rules %v block", what, ids(v))
		all[fmt.Sprint(ids(v), v.Blocked, v.Scores)] = true
		if v, err = e.InspectWithout(a.Idle, tx); err == nil {
			reduced[fmt.Sprint(ids(v), v.Blocked, v.Scores)] = true
			e.Learn(a, v)
		}
	}
	for opinion := range reduced {
		require.True(t, all[opinion], "%s: without %v the engine says %s, with all rules %v", what, a.Idle, opinion, strings.Join(keysOf(all), " or "))
	}
}

func keysOf(set map[string]bool) (keys []string) {
	for key := range set {
		keys = append(keys, key)
	}
	return keys
}
