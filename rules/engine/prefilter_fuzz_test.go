package engine

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corazalink"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/testsize"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/load"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter"
)

// engineOf compiles rules behind the base configuration.
func engineOf(texts ...string) (*Engine, error) {
	return New(programOf(texts...), Options{Strict: true, Prefilter: true, Operators: new(Operators)})
}

func programOf(texts ...string) *load.Program {
	return load.Read(load.Config{Directives: strings.Join(texts, "\n")}, NewVocabulary())
}

// askAfresh asks a prefilter for the same rules that has seen no transaction.
func (e *Engine) askAfresh(t *testing.T, tx *model.Transaction) prefilter.Answer {
	t.Helper()
	compiled, err := corazalink.Compiled(e.waf)
	require.NoError(t, err)
	nameOperators(compiled)
	fresh := &Engine{waf: e.waf, table: e.table}
	fresh.prefilter, err = newPrefilter(&compiler{Program: programOf(), operators: e.compiler.operators, expressions: e.compiler.expressions}, e.waf, compiled, e.table)
	require.NoError(t, err)
	defer fresh.prefilter.baseline.Close()
	return fresh.Ask(tx, true)
}

// checkPrefilter makes random rules and a sequence of transactions, each new, like one before in all but little, or one before again. It
// requires of every transaction that the prefilter lets pass that no rule matches that can alert, and that the prefilter answers like one
// that has seen nothing.
func checkPrefilter(t *testing.T, seed uint64) (asked, sure int) {
	t.Helper()
	m := ruleMaker{rand.New(rand.NewPCG(seed, 17))}
	text := m.rules()
	e, err := engineOf(text)
	if err != nil {
		return 0, 0 // Coraza does not take these rules
	}
	defer e.Close() //nolint:errcheck // reported by the tests of close
	if e.unfiltered != "" {
		return 1, 0
	}
	pool := []*model.Transaction{m.transaction()}
	for i := range 30 {
		tx := pool[m.IntN(len(pool))]
		switch m.IntN(5) {
		case 0:
		case 1:
			tx = m.transaction()
		default:
			tx = m.change(tx)
		}
		pool = append(pool, tx)
		asked++
		a := e.Ask(tx, true)
		if i%10 == 9 && a.Clean != e.askAfresh(t, tx).Clean {
			t.Fatalf("seed %d: the prefilter says clean %v after other transactions\n%s\n%+v", seed, a.Clean, text, tx)
		}
		if !a.Clean && !a.Passes {
			checkIdle(t, seed, e, tx, a)
			continue
		}
		sure++
		for range 3 { // Coraza walks maps in random order
			v, err := e.inspect(tx)
			require.NoError(t, err)
			if a.Clean && v.Partial != a.Unread {
				t.Fatalf("seed %d: the prefilter has cut %v, the engine %v\n%s\n%+v", seed, a.Unread, v.Partial.Names(), text, tx)
			}
			if a.Clean && !v.Clean() || v.Blocked {
				t.Fatalf("seed %d: the prefilter says clean %v passes %v, the engine finds %v blocked %v\n%s\n%+v", seed, a.Clean, a.Passes, ids(v), v.Blocked, text, tx)
			}
		}
	}
	return asked, sure
}

// checkIdle requires of every run without the rules that the prefilter says do nothing that its verdict is one of those with all rules. These
// can be several: Coraza walks maps in random order, and its transactions remember a little of those before.
func checkIdle(t *testing.T, seed uint64, e *Engine, tx *model.Transaction, a prefilter.Answer) {
	t.Helper()
	verdict := func(idle []int) string {
		v, err := e.InspectWithout(idle, tx)
		require.NoError(t, err)
		e.Learn(a, v)
		return fmt.Sprint(ids(v), v.Blocked, v.Scores)
	}
	whole := map[string]bool{verdict(nil): true}
	for range 2 {
		got := verdict(a.Idle)
		for tries := 0; !whole[got]; tries++ {
			if tries == 50 {
				t.Fatalf("seed %d: without %v the engine finds %s, with all rules %v\n%+v", seed, a.Idle, got, whole, tx)
			}
			whole[verdict(nil)] = true
		}
	}
}

// Which parser reads the body follows from rules that match, not from those that can match.
func TestThePrefilterDoesNotGuessHowABodyIsRead(t *testing.T) {
	tx := sample()
	tx.Method, tx.RequestBody = "POST", `{"a":1}`
	tx.RequestHeaders = []model.Header{{Name: "Host", Value: "h"}, {Name: "Content-Type", Value: "multipart/form-data; boundary=b"}}
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
		require.False(t, e.Ask(tx, true).Clean, text)
		require.NoError(t, e.Close())
	}
}

// HTTP parameter pollution, as rule 921180 finds it.
func TestThePrefilterCountsNames(t *testing.T) {
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
		require.Equal(t, len(want) == 0, e.Ask(tx, true).Clean, uri)
	}
	require.NoError(t, e.Close())
}

// Rules share the values that they look at: those of all headers with those of one, and those of a variable with its twin.
func TestThePrefilterAsksAllRulesOfAValue(t *testing.T) {
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
		{uri: "/?c=4526018159083012"}, {uri: "/?c=411111111111111", want: []int{109}}, {uri: "/?c=1", want: []int{109}},
		{method: "PUT"}, {method: "PUT", header: "X-A", want: []int{110}}, {header: "X-A"}, {method: "PUT"},
	} {
		tx := sample()
		tx.URI, tx.RequestBody = cmp.Or(c.uri, "/"), c.body
		tx.Method = cmp.Or(c.method, "POST")
		tx.RequestHeaders = []model.Header{{Name: "Host", Value: "h"}, {Name: "Content-Type", Value: "application/x-www-form-urlencoded"},
			{Name: cmp.Or(c.header, "X-C"), Value: c.value}}
		v, err := e.inspect(tx)
		require.NoError(t, err)
		require.ElementsMatch(t, c.want, ids(v), c)
		require.Equal(t, len(c.want) == 0, e.Ask(tx, true).Clean, c)
	}
	require.NoError(t, e.Close())
}

// mutationsPerSet is how many mutations of EQUALITY one random rule set stands for. Each that can be prefiltered sees 30 transactions.
const mutationsPerSet = 15

func TestThePrefilterIsNeverWrongAboutRandomRules(t *testing.T) {
	var asked, sure int
	for seed := range uint64(testsize.Random(t, 600, mutationsPerSet)) {
		a, s := checkPrefilter(t, seed)
		asked, sure = asked+a, sure+s
	}
	t.Logf("%d transactions, of %d the prefilter is sure", asked, sure)
	if sure*20 < asked {
		t.Fatalf("the prefilter is sure of %d of %d transactions only: this test shows nothing", sure, asked)
	}
}

func FuzzPrefilterAgainstTheEngine(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { checkPrefilter(t, seed) })
}
