package rules

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/testtool"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
)

// openRules opens rules, and nothing else.
func openRules(t *testing.T, rules, prefilter string) *Set {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, map[string]string{"own.conf": rules})
	return open(t, setting.Map{"rules": dir, "rule_packs": "off", "prefilter": prefilter})
}

func TestRulesWithExpressionsThatBacktrack(t *testing.T) {
	set := openRules(t, `
SecRule ARGS:a "@rx <\?(?!xml)" "id:1,phase:2,deny,severity:2"
SecRule ARGS:b "!@rx ^\w++$" "id:2,phase:2,deny,severity:2"
SecRule ARGS:c "@rx (?i)([a-z]+)(=)\1(x)?" "id:3,phase:2,deny,severity:2,t:none,t:removeNulls,capture,msg:'m',logdata:'%{tx.0}|%{tx.1}|%{tx.3}|%{tx.4}'"
SecRule ARGS:e "@rx (.)(?=(x))" "id:5,phase:2,deny,severity:2,capture,chain"
SecRule TX:2 "@streq x" "t:none,chain"
SecRule TX:1 "@streq y" "t:none"
SecRule ARGS:d "(?<!\d)7{1001}" "id:4,phase:2,deny,severity:2"`, "on")
	require.Empty(t, set.Notes())
	for query, want := range map[string][]int{
		"": nil, "a=%3C?php": {1}, "a=%3C?xml": nil, "b=%20": {2}, "b=x_1": nil, "c=aB%00=Ab": {3}, "c=ab=cd": nil, "c=%ff": nil, "b=%ff": {2},
		"d=" + strings.Repeat("7", 1001): {4}, "d=" + strings.Repeat("7", 1000): nil, "b=": {2}, "e=yx": {5}, "e=zx": nil, "a=%3C?%ff": {1},
	} {
		tx := sample()
		tx.URI = "/?" + query
		v, err := set.Inspect(tx)
		require.NoError(t, err)
		require.Equal(t, want, ids(v), query)
		require.Zero(t, v.Partial)
		if len(want) > 0 && want[0] == 3 {
			require.Equal(t, "aB=Ab|aB||", v.Matches[0].Data)
		}
		if len(want) > 0 && want[0] == 1 {
			require.Contains(t, v.Matches[0].Wording(), "Operator `Rx' with parameter `<\\?(?!xml)'")
		}
	}
}

// Keys of targets are Coraza's: RE2 alone compiles them.
func TestKeysThatBacktrackAreRejected(t *testing.T) {
	_, err := library.Open(config(t, setting.Map{"rules": "", "rule_packs": "off", "directives": `SecRule ARGS:/^(?!a)/ "@rx a" "id:1,phase:2,deny"`}))
	require.ErrorContains(t, err, "pattern cannot be compiled: invalid or unsupported Perl syntax: `(?!` (RE2 has no look-ahead and look-behind)")
}

// givingUp have an expression that takes 2 to the power of the value's length, and rules that look for others.
const givingUp = `SecRule ARGS "@rx ^(?:a|aa)*(?!a)[bc]" "id:1,phase:2,deny,severity:2"
SecRule ARGS "@rx (?<!x)evil" "id:2,phase:2,deny,severity:2"
`

// givesUp returns a transaction on which the expression of givingUp gives up.
func givesUp() *model.Transaction {
	tx := sample()
	tx.URI = "/?q=" + strings.Repeat("a", 80) + "-c"
	return tx
}

func TestWhatAnExpressionGivesUpOnIsPartial(t *testing.T) {
	for _, prefilter := range []string{"on", "off"} {
		set := openRules(t, givingUp, prefilter)
		v, err := set.Inspect(givesUp())
		require.NoError(t, err)
		require.Empty(t, ids(v))
		require.Equal(t, []string{"rules"}, v.Partial.Names())

		attack := givesUp()
		attack.URI += "&b=evil"
		v, err = set.Inspect(attack)
		require.NoError(t, err)
		require.Equal(t, []int{2}, ids(v), "other rules go on")
		require.Equal(t, []string{"rules"}, v.Partial.Names())

		clean := sample()
		clean.URI = "/?q=aab&b=xevil"
		v, err = set.Inspect(clean)
		require.NoError(t, err)
		require.Equal(t, []int{1}, ids(v))
		require.Zero(t, v.Partial, "what gave up goes on")
	}
}

func TestVerdictsOfExpressionsThatGiveUpAreNotRemembered(t *testing.T) {
	set := openRules(t, givingUp, "on")
	require.NotNil(t, set.Reads())
	v, err := set.Inspect(givesUp())
	require.NoError(t, err)
	_, key := set.Recall([]byte("slow"), "192.0.2.1", true)
	set.Remember(key, "192.0.2.1", v)
	remembered, _ := set.Recall([]byte("slow"), "192.0.2.1", true)
	require.Nil(t, remembered)

	v, err = set.Inspect(sample())
	require.NoError(t, err)
	set.Remember(key, "192.0.2.1", v)
	remembered, _ = set.Recall([]byte("slow"), "192.0.2.1", true)
	require.NotNil(t, remembered)
}

// ModSecurity's rule 200005 looks at what it calls an internal error.
func TestModSecurityRuleForLimitsOfExpressions(t *testing.T) {
	set := openRules(t, givingUp+`SecRule TX:/^MSC_/ "!@streq 0" "id:200005,phase:2,deny,msg:'internal error: %{MATCHED_VAR_NAME}'"`, "on")
	v, err := set.Inspect(givesUp())
	require.NoError(t, err)
	require.Equal(t, []int{200005}, ids(v))
	require.Equal(t, "internal error: TX:msc_pcre_limits_exceeded", v.Matches[0].Message)
	v, err = set.Inspect(sample())
	require.NoError(t, err)
	require.True(t, v.Clean())
}

// The time that one transaction can take is bounded, also where many run at the same time and the prefilter asks before the engine.
func TestTransactionsOnWhichExpressionsGiveUpEnd(t *testing.T) {
	set := openRules(t, givingUp, "on")
	many := givesUp()
	for i := range 100 {
		many.URI += fmt.Sprintf("&q%d=%s-c", i, strings.Repeat("a", 60+i))
	}
	many.URI += "&b=evil"
	begin := time.Now()
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			v, err := set.Inspect(many)
			if err != nil || v.Partial&model.PartialRules == 0 {
				t.Errorf("%v, %v", v, err)
			}
		})
	}
	all.Wait()
	require.Less(t, time.Since(begin), 30*time.Second)
}

// The rules of CRS 3.3 whose expressions need backtracking.
func TestBacktrackingRulesOfTheCoreRuleSet3(t *testing.T) {
	const dir = "/usr/share/modsecurity-crs/rules"
	testtool.Path(t, dir, "modsecurity-crs")
	argument := func(value string) func(*model.Transaction) {
		return func(tx *model.Transaction) { tx.URI = "/?q=" + value }
	}
	part := func(head string) func(*model.Transaction) {
		return func(tx *model.Transaction) {
			tx.Method, tx.RequestBody = "POST", "--b\r\n"+head+"\r\n\r\nx\r\n--b--\r\n"
			tx.RequestHeaders = append(tx.RequestHeaders, model.Header{Name: "Content-Type", Value: "multipart/form-data; boundary=b"})
		}
	}
	accept := func(value string) func(*model.Transaction) {
		return func(tx *model.Transaction) {
			tx.RequestHeaders = append(tx.RequestHeaders, model.Header{Name: "Accept", Value: value})
		}
	}
	page := func(body string) func(*model.Transaction) {
		return func(tx *model.Transaction) {
			tx.HasResponse, tx.ResponseStatus, tx.ResponseProtocol, tx.ResponseBody = true, 200, "HTTP/1.1", body
			tx.ResponseHeaders = []model.Header{{Name: "Content-Type", Value: "text/html"}}
		}
	}
	for _, prefilter := range []string{"on", "off"} {
		set := open(t, setting.Map{"rules": "/etc/modsecurity/crs/crs-setup.conf," + dir + "/*.conf", "rule_packs": "off", "blocking_paranoia": "4", "prefilter": prefilter})
		for _, c := range []struct {
			rule    int
			yes, no []func(*model.Transaction)
		}{
			{920120, []func(*model.Transaction){part(`Content-Disposition: form-data; name="a"; filename="x;y=z.php"`), part(`Content-Disposition: form-data; name="a"; filename="it's.txt"`)},
				[]func(*model.Transaction){part(`Content-Disposition: form-data; name="a"; filename="caf&eacute;.txt"`), part(`Content-Disposition: form-data; name="a"; filename="plain.txt"`)}},
			{920600, []func(*model.Transaction){accept("text/html; charset=utf-7"), accept("text"), accept("text/html;charset=\xff")},
				[]func(*model.Transaction){accept("text/html, application/json ; q=0.9"), accept("*/*"), accept(`text/html ; charset = "utf-8"`)}},
			{942130, []func(*model.Transaction){argument("1%20or%20'cat'='cat'"), argument("x%20like%20x"), argument("a%20%3C%3E%20b"), argument("Red=rED")},
				[]func(*model.Transaction){argument("a%20=%20b"), argument("a%20%3C%3E%20a"), argument("plain")}},
			{942260, []func(*model.Transaction){argument("'%20union%20select%20"), argument("'%20%23%23(%20a%20+%20b")}, []func(*model.Transaction){argument("unions%20and%20selections"), argument("plain")}},
			{953120, []func(*model.Transaction){page("<p><?php echo 1;"), page("<?= $x ?>")}, []func(*model.Transaction){page(`<?xml version="1.0"?><a/>`), page("<p>?</p>")}},
		} {
			for hit, changes := range map[bool][]func(*model.Transaction){true: c.yes, false: c.no} {
				for i, change := range changes {
					tx := sample()
					tx.URI = "/"
					change(tx)
					v, err := set.Inspect(tx)
					require.NoError(t, err)
					require.Zero(t, v.Partial&model.PartialRules)
					require.Equal(t, hit, slices.Contains(ids(v), c.rule), "rule %d, %v %d, prefilter %s: %v", c.rule, hit, i, prefilter, ids(v))
				}
			}
		}
	}
}
