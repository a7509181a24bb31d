package prefilter

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"

	corazavariables "github.com/corazawaf/coraza/v3/types/variables"

	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
	"github.com/corazawaf/coraza/v3/types"
	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corazalink"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/testsize"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/regex"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/transform"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/variables"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

// duoSettings are what stands behind the base configuration in turn: as it is, as the Core Rule Set has bodies of unknown types read, with
// limits that random transactions reach, and without bodies.
var duoSettings = []string{
	"",
	`SecRule REQBODY_PROCESSOR "!@rx (?:URLENCODED|MULTIPART|XML|JSON)" "id:901340,phase:1,pass,nolog,ctl:forceRequestBodyVariable=On"`,
	"SecArgumentsLimit 6\nSecRequestBodyLimit 2000\nSecResponseBodyLimit 500\nSecRequestBodyJsonDepthLimit 3\n" +
		`SecRule REQUEST_HEADERS:X-A "@streq 1" "id:1000,phase:1,pass,nolog,ctl:requestBodyProcessor=RAW"`,
	"SecRequestBodyAccess Off\nSecResponseBodyAccess Off",
}

// duo is a WAF and its prefilter.
type duo struct {
	text    string // directives
	waf     coraza.WAF
	scratch *scratch // one for all transactions, as some come after each other in a real one
}

func newDuo(t *testing.T, settings string) *duo {
	t.Helper()
	base, err := os.ReadFile("../load/engine.conf")
	require.NoError(t, err)
	text := string(base) + "\n" + settings + "\n"
	waf, err := coraza.NewWAF(coraza.NewWAFConfig().WithDirectives(text))
	require.NoError(t, err)
	compiled, err := corazalink.Compiled(waf)
	require.NoError(t, err)
	fresh := waf.NewTransaction()
	defer fresh.Close()

	plain := model.Transaction{Method: "GET", URI: "/", Protocol: "HTTP/1.1", RequestHeaders: []model.Header{{Name: "Host", Value: "h"}}, HasResponse: true, ResponseStatus: 200}
	silent := plain
	silent.HasResponse = false
	b := Baseline{Requests: [2]model.Transaction{plain, silent}}
	for i := range b.Requests {
		tx := runPhases(t, waf, &b.Requests[i])
		b.Matched[i] = map[int]bool{}
		for _, m := range tx.MatchedRules() {
			b.Matched[i][m.Rule().ID()] = true
		}
		if i == 0 {
			b.State = stateOf(t, tx)
			continue
		}
		require.NoError(t, tx.Close())
	}
	g, err := New(Rules{
		Yield: func() {}, WAF: compiled, Data: fstest.MapFS{}, Place: strconv.Itoa,
		Watched: func(id int) bool { return id == 200002 || id == 200003 }, Blocking: func(int) bool { return false },
		Baseline: b, Fresh: stateOf(t, fresh).Variables(), Own: func(string, string) (Requirements, bool) { return Requirements{}, false }, Expressions: regex.NewBudget(new(atomic.Int64)),
	})
	require.NoError(t, err)
	require.Len(t, g.effects, 3+strings.Count(settings, "SecRule "))
	return &duo{text, waf, newScratch(g)}
}

// with returns the prefilter together with a WAF that has more rules, which must not change what the prefilter knows.
func (d *duo) with(t *testing.T, rules string) *duo {
	t.Helper()
	waf, err := coraza.NewWAF(coraza.NewWAFConfig().WithDirectives(d.text + rules))
	require.NoError(t, err)
	return &duo{d.text, waf, d.scratch}
}

func (d *duo) limits() *variables.Limits { return &d.scratch.prefilter.limits }

// runPhases gives Coraza a transaction as package rules does. Coraza's one is to be closed.
func runPhases(t *testing.T, waf coraza.WAF, in *model.Transaction) types.Transaction {
	t.Helper()
	tx := waf.NewTransaction()
	raw := func(name, body string, headers []model.Header) {
		if body != "" && model.HasText(model.ContentType(headers)) {
			stateOf(t, tx).Variables().TX().Set(name, []string{body})
		}
	}
	tx.ProcessConnection(in.ClientIP, in.ClientPort, in.ServerIP, in.ServerPort)
	tx.SetServerName(in.ServerName)
	tx.ProcessURI(in.URI, in.Method, in.Protocol)
	for _, h := range in.RequestHeaders {
		tx.AddRequestHeader(h.Name, h.Value)
	}
	raw(seclang.RawRequestBody, in.RequestBody, in.RequestHeaders)
	tx.ProcessRequestHeaders()
	if in.RequestBody != "" && tx.IsRequestBodyAccessible() {
		_, _, err := tx.ReadRequestBodyFrom(strings.NewReader(in.RequestBody))
		require.NoError(t, err)
	}
	_, err := tx.ProcessRequestBody()
	require.NoError(t, err)
	if in.HasResponse {
		for _, h := range in.ResponseHeaders {
			tx.AddResponseHeader(h.Name, h.Value)
		}
		raw(seclang.RawResponseBody, in.ResponseBody, in.ResponseHeaders)
		tx.ProcessResponseHeaders(in.ResponseStatus, in.ResponseProtocol)
		if in.ResponseBody != "" && tx.IsResponseBodyAccessible() && tx.IsResponseBodyProcessable() {
			_, _, err = tx.ReadResponseBodyFrom(strings.NewReader(in.ResponseBody))
			require.NoError(t, err)
		}
		_, err = tx.ProcessResponseBody()
		require.NoError(t, err)
	}
	tx.ProcessLogging()
	return tx
}

func stateOf(t *testing.T, tx types.Transaction) plugintypes.TransactionState {
	t.Helper()
	state, can := tx.(plugintypes.TransactionState)
	require.True(t, can)
	return state
}

// read has the prefilter read a transaction as it does for an answer. It reports false when the engine has to evaluate because of how it is read.
func (d *duo) read(in *model.Transaction) (*variables.Values, bool) {
	d.scratch.ask(in, Query{})
	return &d.scratch.variables, d.scratch.scannedAll
}

// datum is a value of a variable, with its name in a collection.
type datum struct{ name, value string }

func inOrder(all []datum) []datum {
	slices.SortFunc(all, func(a, b datum) int {
		return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.value, b.value))
	})
	return all
}

func dataOf(found []types.MatchData) (all []datum) {
	for _, m := range found {
		all = append(all, datum{m.Key(), m.Value()})
	}
	return inOrder(all)
}

// picks returns what a target selects of a view.
func picks(v *variables.Values, g *target) (all []datum) {
	switch {
	case g.counts:
		return []datum{{"", strconv.Itoa(count(v, g))}}
	case g.Kind == variables.OfSingle && g.selects(""):
		return []datum{{"", v.Single[g.Variable]}}
	case g.Kind == variables.OfSize && g.selects(""):
		return []datum{{"", strconv.Itoa(v.ArgumentBytes())}}
	}
	for _, c := range g.Collections {
		for _, p := range v.Pairs[c] {
			switch {
			case !g.selects(p.Key):
			case g.Kind == variables.OfNames:
				all = append(all, datum{p.Name, p.Name})
			default:
				all = append(all, datum{p.Name, p.Value})
			}
		}
	}
	return inOrder(all)
}

// viewed are the variables that the view has, with their names in order.
var viewed = slices.DeleteFunc(slices.Sorted(maps.Keys(variables.Sources)), func(name string) bool {
	return variables.Sources[name].Kind == variables.OfTX || variables.Sources[name].Kind == variables.OfMatched
})

// difference returns the first variable in which view and engine differ, "" when there is none.
func (d *duo) difference(in *model.Transaction, v *variables.Values, state plugintypes.TransactionState) string {
	for c := range v.Pairs {
		for _, p := range v.Pairs[c] {
			if p.Key != strings.ToLower(p.Name) {
				return fmt.Sprintf("collection %d keeps %q under %q", c, p.Name, p.Key)
			}
		}
	}
	if why := forget(in, v, d, state); why != "" {
		return why
	}
	for _, name := range viewed {
		variable, err := corazavariables.Parse(name)
		if err != nil {
			return err.Error()
		}
		want, got := dataOf(state.Collection(variable).FindAll()), picks(v, &target{Source: variables.Sources[name]})
		if !slices.Equal(want, got) {
			return fmt.Sprintf("%s: Coraza has %d values %.2000q, the view %d %.2000q", name, len(want), want, len(got), got)
		}
	}
	for name, source := range variables.RawBodies {
		// Of a body that was not logged Coraza has no value, and the view an empty one: a rule can match that, and the engine then evaluates.
		want, got := strings.Join(state.Variables().TX().Get(name), "\x00"), v.Single[source.Variable]
		if want != got {
			return fmt.Sprintf("TX:%s: Coraza has %.2000q, the view %.2000q", name, want, got)
		}
	}
	return ""
}

// forget takes the arguments of a form out of the view that Coraza does not keep: of names with the same key, as those that differ in case
// only, it has the values of one, because each name overwrites the one before, in random order. This is the one difference that is meant: the
// view has them all, so that rules match whichever Coraza keeps. Those are the ones that Coraza finds in the same text as a query.
func forget(in *model.Transaction, v *variables.Values, d *duo, state plugintypes.TransactionState) (difference string) {
	if !d.limits().ReadRequest || state.Variables().RequestBodyProcessor().Get() != "URLENCODED" {
		return ""
	}
	tx := d.waf.NewTransaction()
	defer tx.Close()
	asQuery, can := tx.(interface {
		plugintypes.TransactionState
		ExtractGetArguments(query string)
	})
	if !can {
		return "Coraza does not read queries"
	}
	asQuery.ExtractGetArguments(in.RequestBody[:min(len(in.RequestBody), d.limits().RequestBody)])
	want, got := dataOf(asQuery.Variables().ArgsGet().FindAll()), picks(v, &target{Source: variables.Sources["ARGS_POST"]})
	if !slices.Equal(want, got) {
		return fmt.Sprintf("form: Coraza has %.2000q, the view %.2000q", want, got)
	}
	kept := map[string]string{}
	for _, m := range state.Variables().ArgsPost().FindAll() {
		kept[strings.ToLower(m.Key())] = m.Key()
	}
	v.Pairs[variables.ArgsPost] = slices.DeleteFunc(v.Pairs[variables.ArgsPost], func(p variables.Pair) bool {
		name, found := kept[p.Key]
		return found && name != p.Name
	})
	return ""
}

// mutationsPerTransaction is how many mutations of EQUALITY one random transaction stands for.
const mutationsPerTransaction = 5

// bodyReadAs tells how the engine has read a body.
func bodyReadAs(in *model.Transaction, l *variables.Limits, state plugintypes.TransactionState) string {
	processor := state.Variables().RequestBodyProcessor().Get()
	switch {
	case !l.ReadRequest:
		return "none is read"
	case in.RequestBody == "":
		return "no body"
	case processor == "":
		return "unknown type"
	case len(state.Variables().Files().FindAll()) > 0:
		return "files"
	}
	return processor
}

// What the prefilter concludes from the values of a transaction is right when the engine has the same: names, values and how many, byte for byte.
func TestTheVariablesAreCorazasInRandomTransactions(t *testing.T) {
	var all []*duo
	for _, s := range duoSettings {
		all = append(all, newDuo(t, s))
	}
	turns := []*duo{all[0], all[1], all[2], all[0], all[1], all[2], all[2], all[3]}
	n := testsize.Random(t, 1600, mutationsPerTransaction)
	compared, byKind := 0, map[string]int{}
	for seed := range n {
		d := turns[seed%len(turns)]
		in := newMaker(uint64(seed), d.limits()).transaction()
		v, ok := d.read(in)
		if !ok {
			continue // the engine evaluates, which is always right
		}
		tx := runPhases(t, d.waf, in)
		state := stateOf(t, tx)
		if why := d.difference(in, v, state); why != "" {
			t.Fatalf("transaction %d: %s\n%.9000q", seed, why, fmt.Sprintf("%+v", *in))
		}
		compared++
		byKind[bodyReadAs(in, d.limits(), state)]++
		require.NoError(t, tx.Close())
	}
	t.Logf("%d of %d transactions are compared: %v", compared, n, byKind)
	require.Greater(t, compared*100, n*60, "of most the engine judges: this test shows little")
	for _, kind := range []string{"no body", "unknown type", "URLENCODED", "MULTIPART", "files", "JSON", "XML", "RAW"} {
		require.GreaterOrEqual(t, byKind[kind]*100, n, kind)
	}
}

func TestTheVariablesAreCorazasAtItsLimits(t *testing.T) {
	d := newDuo(t, duoSettings[2])
	l := d.limits()
	const sixth = `{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6`
	for _, c := range []struct {
		query                       string
		contentType, body, response string
		cut                         model.Partial
		isCandidate                 bool // left to the engine
	}{
		{contentType: "application/json", body: sixth + "}"},
		{contentType: "application/json", body: sixth + `,"g":7}`, cut: model.PartialArguments},
		{contentType: "application/json", body: sixth + `,"g":{}}`, cut: model.PartialArguments}, // Coraza counts before it looks
		{contentType: "application/json", body: sixth[:len(sixth)-6] + `,"g":{"h":{}}}`},
		{contentType: "application/json", body: `[[1],[2],[3],[4],[5]]`},
		{contentType: "application/json", body: `[[1],[2],[3],[4],[],[[]]]`},
		{contentType: "application/json", body: `[[1],[2],[3],[4],[5],[6]]`, cut: model.PartialArguments},
		{contentType: "application/json", body: `[[[]],[[]],[[]],[[]],[[]],[[]],[[]],[1,2]]`, cut: model.PartialArguments}, // lengths count apart
		{contentType: "application/json", body: sixth + `,"g":{"h":{"i":{"j":1}}}}`, isCandidate: true},                    // too deep behind the limit
		{contentType: "application/json", body: sixth + `,"g":}`, isCandidate: true},
		{contentType: "application/json", body: `{"a":{"b":{"c":{}}}}`, isCandidate: true},
		{contentType: "application/json", body: `{"a":"` + strings.Repeat("x", l.RequestBody), cut: model.PartialBody, isCandidate: true},
		{contentType: "application/x-www-form-urlencoded", body: "a&b&c&d&e&f&&"},
		{contentType: "application/x-www-form-urlencoded", body: "a&b&c&d&e&f&=", cut: model.PartialArguments},
		{contentType: "application/x-www-form-urlencoded", body: "a=1&" + strings.Repeat("x", l.RequestBody), cut: model.PartialBody},
		{contentType: "text/plain", body: strings.Repeat("x", l.RequestBody-1)},
		{contentType: "text/plain", body: strings.Repeat("x", l.RequestBody), cut: model.PartialBody},
		{contentType: "multipart/form-data; boundary=b", body: "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n" + strings.Repeat("x", l.RequestBody),
			cut: model.PartialBody},
		{query: "?a&b&c&d&e&f"},
		{query: "?a&b&c&d&e&f&g", cut: model.PartialArguments},
		{query: "?a&b&c&d&e&f&g", contentType: "application/json", body: "{}", cut: model.PartialArguments},
		{query: "?a&b&c&d&e&f&g", contentType: "text/xml", body: "<a>b</a>", cut: model.PartialArguments},
		{contentType: "text/xml", body: "<a>" + strings.Repeat("<b>c</b>", 10) + "</a>"},
		{response: strings.Repeat("x", l.ResponseBody-1)},
		{response: strings.Repeat("x", l.ResponseBody), cut: model.PartialResponse},
		{response: strings.Repeat("x", l.ResponseBody) + "y", cut: model.PartialResponse},
	} {
		in := &model.Transaction{URI: "/" + c.query, RequestHeaders: []model.Header{{Name: "Content-Type", Value: c.contentType}}, RequestBody: c.body, HasResponse: true,
			ResponseHeaders: []model.Header{{Name: "Content-Type", Value: "text/html"}}, ResponseBody: c.response}
		v, ok := d.read(in)
		if ok {
			tx := runPhases(t, d.waf, in)
			require.Empty(t, d.difference(in, v, stateOf(t, tx)), c.body)
			require.NoError(t, tx.Close())
		}
		require.Equal(t, !c.isCandidate, ok, "%+v", c)
		require.Equal(t, c.cut, v.Unread(), "%+v", c)
	}
}

// recorder is an operator that notes the values that it is asked about.
type recorder struct{ values []string }

func (r *recorder) Evaluate(_ plugintypes.TransactionState, value string) bool {
	r.values = append(r.values, value)
	return true
}

// targetMaker writes random targets from a seed.
type targetMaker struct{ maker }

func (m targetMaker) target() string {
	name := m.pick(viewed...)
	if variables.Sources[name].Kind == variables.OfSingle && !m.once(4) { // there is not much to select of these
		name = m.pick(viewed...)
	}
	if m.once(20) { // which nothing fills
		name = m.pick("AUTH_TYPE", "FULL_REQUEST", "MULTIPART_UNMATCHED_BOUNDARY", "PATH_INFO", "USERID", "IP")
	}
	variable, err := corazavariables.Parse(name)
	if err != nil {
		return name // which no WAF takes
	}
	count := m.pick("", "", "", "&")
	if !variable.CanBeSelected() {
		return count + name + m.pick("", "", "", "|!"+name)
	}
	text := count + name + m.selector(name)
	for range m.IntN(3) {
		except := m.pick(name, name, name, name, "ARGS", "REQUEST_HEADERS")
		text += "|!" + except + m.selector(except)
	}
	return text
}

func (m targetMaker) selector(name string) string {
	if name == "XML" { // whose keys are paths, never expressions
		return m.pick("", ":/*", "://@*", ":/a")
	}
	key := m.folded(m.pick("a", "a", "ab", "b", "key", "k", "s", "id", "é", "x-a", "a\xff", "json.a", "json.a.b", "json", "0", "json.0", "host",
		"cookie", "content-type", "x-k", "Keep-Alive", "\ufffd", "a\ufffd"))
	return m.pick("", ":"+key, ":"+key, ":"+key, ":"+m.expression())
}

func (m targetMaker) expression() string {
	return "/" + m.pick("^a", "A", "^x-", "K", "k", "(?i)K", ".", "^$", "^.$", `\S`, `\W`, "s$", "é", "É", `^json\.`, `json\.A$`, "a|b", "[^a-z]",
		"i", `\x{fffd}`, "ſ", "(?i)s", "cookie") + "/"
}

func TestTargetsSelectWhatCorazaSelects(t *testing.T) {
	const rules, each = 40, 12
	duos := []*duo{newDuo(t, duoSettings[0]), newDuo(t, duoSettings[1]), newDuo(t, duoSettings[2])}
	compared, byKey, found := 0, 0, 0
	for round := range max(1, testsize.Random(t, 480, mutationsPerTransaction)/each) {
		l := *duos[round%len(duos)].limits()
		l.Arguments = 6 // a thousand would take long
		m := targetMaker{newMaker(uint64(round)+1<<32, &l)}
		lines := make([]string, rules)
		for i := range lines {
			lines[i] = fmt.Sprintf(`SecRule %s "@unconditionalMatch" "id:%d,phase:5,pass,log,msg:'x'"`, m.target(), i+1)
		}
		d := duos[round%len(duos)].with(t, strings.Join(lines, "\n"))
		targets := compiledTargets(t, d, rules)
		for range each {
			in := m.transaction()
			v, ok := d.read(in)
			if !ok {
				continue
			}
			tx := runPhases(t, d.waf, in)
			require.Empty(t, d.difference(in, v, stateOf(t, tx)))
			matched := map[int][]datum{}
			for _, rule := range tx.MatchedRules() {
				matched[rule.Rule().ID()] = dataOf(rule.MatchedDatas())
			}
			for id, g := range targets {
				want, got, tested := matched[id], picks(v, &g), d.tested(v, &g)
				if g.counts && len(want) == 1 {
					want[0].name = "" // the key as the rule has it
				}
				if !slices.Equal(want, got) || !slices.Equal(valuesOf(want), tested) {
					t.Fatalf("round %d: Coraza selects %q, the prefilter %q, of which it tests %q\n%s\n%+v", round, want, got, tested, lines[id-1], *in)
				}
				compared++
				if g.key != "" || g.keyRx != nil {
					byKey, found = byKey+1, found+min(1, len(got))
				}
			}
			require.NoError(t, tx.Close())
		}
		if closer, can := d.waf.(io.Closer); can { // it keeps expressions for other WAFs
			require.NoError(t, closer.Close())
		}
	}
	t.Logf("%d selections are compared, %d of them by key, of which %d find something", compared, byKey, found)
	require.Greater(t, found*10, byKey, "most keys find nothing: this test shows little")
}

// compiledTargets returns the targets of the rules from 1 on as the prefilter makes them, by the ids of their rules. Those that it leaves to the
// engine are not there; few are with an operator that matches more when it matches less.
func compiledTargets(t *testing.T, d *duo, rules int) map[int]target {
	t.Helper()
	compiled, err := corazalink.Compiled(d.waf)
	require.NoError(t, err)
	p := &compiler{state: d.scratch.prefilter.state, dataFlow: &dataFlow{}}
	targets := map[int]target{}
	for _, r := range compiled.Rules {
		if r.ID > rules {
			continue
		}
		require.Len(t, r.Links[0].Targets, 1)
		g, why := p.newTarget(&r.Links[0].Targets[0])
		require.Empty(t, why)
		if p.fits(&chain{phase: r.Phase}, 0, &test{name: "ge", last: transform.NewTree().Root}, &g) {
			targets[r.ID] = g
		}
	}
	require.Greater(t, len(targets)*10, rules*8)
	return targets
}

func valuesOf(all []datum) (values []string) {
	for i := range all {
		values = append(values, all[i].value)
	}
	slices.Sort(values)
	return values
}

// tested returns the values that an operator is asked about when a chain is evaluated.
func (d *duo) tested(v *variables.Values, g *target) []string {
	r := recorder{}
	run := run{v: v, results: &transform.Results{}, steps: 1}
	run.target(&test{operator: &r, last: transform.NewTree().Root}, g)
	slices.Sort(r.values)
	return r.values
}
