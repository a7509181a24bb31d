package engine

import (
	"fmt"
	"maps"
	"slices"

	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
	"github.com/corazawaf/coraza/v3/types"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corazalink"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter"
)

// filter is the prefilter of an engine, with the transaction from which it knows what every transaction has in common.
type enginePrefilter struct {
	*prefilter.Prefilter
	baseline types.Transaction
}

// plain is a request and response as every rule set lets them pass.
var plain = model.Transaction{
	ClientIP: "192.0.2.1", ClientPort: 40000, ServerIP: "192.0.2.2", ServerPort: 80,
	Method: "GET", URI: "/", Protocol: "HTTP/1.1", ServerName: "www.example.com",
	RequestHeaders: []model.Header{
		{Name: "Host", Value: "www.example.com"},
		{Name: "User-Agent", Value: "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"},
		{Name: "Accept", Value: "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
		{Name: "Accept-Language", Value: "en-US,en;q=0.5"},
		{Name: "Accept-Encoding", Value: "gzip, deflate"},
	},
	HasResponse: true, ResponseStatus: 200, ResponseProtocol: "HTTP/1.1",
	ResponseHeaders: []model.Header{{Name: "Content-Type", Value: "text/html"}}, ResponseBody: "<p>ok</p>",
}

// PlainTransaction returns a request and response as every rule set lets them pass.
func PlainTransaction() *model.Transaction {
	t := plain
	return &t
}

// newPrefilter derives the prefilter of a compiled program. The error says why the engine evaluates every transaction.
func newPrefilter(p *compiler, waf coraza.WAF, compiled *corazalink.WAF, table *ruleTable) (g *enginePrefilter, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			g, err = nil, fmt.Errorf("prefilter: panic on a plain transaction: %v", cause)
		}
	}()
	fresh := waf.NewTransaction()
	defer fresh.Close()
	freshState, can := fresh.(plugintypes.TransactionState)
	if !can {
		return nil, fmt.Errorf("prefilter: the engine's variables are not accessible")
	}
	g = &enginePrefilter{}
	baseline, err := g.runPlain(waf)
	if err != nil {
		return nil, err
	}
	made, err := prefilter.New(prefilter.Rules{
		Yield: p.yield, WAF: compiled, Data: newProgramFiles(p), Place: p.Places(), Watched: table.watched,
		Blocking: func(id int) bool { return table.blocking[id] },
		Baseline: baseline, Fresh: freshState.Variables(), Own: requirementsOf, Scores: scoreVariables(), Expressions: p.expressions,
	})
	if made == nil {
		g.baseline.Close() // it has nothing on disk that could fail to go away
		return nil, err
	}
	g.Prefilter = made
	p.warnAboutBlocked(baseline, table)
	return g, err
}

// warnAboutBlocked warns of rules that block whatever comes: of those that block the plain transaction with its response and without.
func (p *compiler) warnAboutBlocked(b prefilter.Baseline, table *ruleTable) {
	for _, id := range slices.Sorted(maps.Keys(b.Matched[0])) {
		if b.Matched[1][id] && table.blocking[id] {
			p.Warnings = append(p.Warnings, fmt.Sprintf("%s: rule %d blocks every request, so every record alerts", p.Places()(id), id))
		}
	}
}

// runPlain finds out what the rules make of the plain transaction, with and without its response. The one with it stays open.
func (g *enginePrefilter) runPlain(waf coraza.WAF) (b prefilter.Baseline, err error) {
	for i, response := range []bool{true, false} {
		t := plain
		t.HasResponse = response
		tx := waf.NewTransaction()
		if err := runAll(tx, &t); err != nil {
			return b, err
		}
		b.Requests[i], b.Matched[i] = t, map[int]bool{}
		for _, m := range tx.MatchedRules() {
			b.Matched[i][m.Rule().ID()] = true
		}
		if partialOf(tx)&model.PartialRules != 0 {
			tx.Close() // as below
			return b, fmt.Errorf("prefilter: an expression exceeded its limit on a plain transaction")
		}
		if response {
			g.baseline = tx
			b.State, _ = tx.(plugintypes.TransactionState)
			continue
		}
		tx.Close() // it has nothing on disk that could fail to go away
	}
	return b, nil
}

// Ask asks the prefilter; with matches for a transaction that the engine evaluates also when it passes. A panic in it leaves the answer
// to the engine.
func (e *Engine) Ask(t *model.Transaction, matches bool) prefilter.Answer {
	if e.profile != nil {
		return e.profile.ask(e, t, matches)
	}
	return e.askPrefilter(t, matches)
}

func (e *Engine) askPrefilter(t *model.Transaction, matches bool) (a prefilter.Answer) {
	if e.unfiltered != "" || t.Unknown&model.PartRequest != 0 || len(t.Arguments) > 0 {
		return prefilter.Answer{}
	}
	defer func() {
		if recover() != nil {
			a = prefilter.Answer{}
		}
	}()
	return e.prefilter.Ask(t, prefilter.Query{Exempt: e.exempt, Matches: matches})
}

// watched reports whether a match of a rule can make an alert.
func (t *ruleTable) watched(id int) bool {
	info := t.infos[id]
	return info == nil || info.Detects || t.blocking[id]
}
