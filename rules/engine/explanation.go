package engine

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	corazacollection "github.com/corazawaf/coraza/v3/collection"
	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
	"github.com/corazawaf/coraza/v3/types"
	corazavariables "github.com/corazawaf/coraza/v3/types/variables"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

// Explanation is what the rules see of one transaction, and why they say what they say. It shares no memory with the
// transaction.
type Explanation struct {
	Verdict   *model.Verdict
	Variables []Variable  // that have a value after the last phase, by name
	Reasons   []Reason    // one for each match of the verdict
	Matched   []Matched   // all rules that matched, those that only set things up or sum up among them
	Sums      []Threshold // that decide whether the transaction alerts
}

// Matched is any rule that matched, with what it would write to an error log.
type Matched struct {
	ID            int
	Message, Data string
	Tags          []string
	Logged        bool // ModSecurity would write it to its log
}

// Variable is one value that rules can read.
type Variable struct{ Name, Key, Value string }

// Label returns the name as rules write it, for instance ARGS:t.
func (v *Variable) Label() string {
	if v.Key == "" {
		return v.Name
	}
	return v.Name + ":" + v.Key
}

// Reason says why a rule matched.
type Reason struct {
	Text   string // of the rule, chained ones on lines of their own
	Values []MatchedValue
}

// MatchedValue is one value that a rule matched, as the operator saw it.
type MatchedValue struct {
	Variable
	Link int // place of the rule in its chain, 0 for the one with the id
}

// Step is a value after a transformation; the first one has no transformation and is the variable's own value.
type Step struct{ Transformation, Value string }

// Threshold is a sum of scores, and where it alerts.
type Threshold struct {
	Name   string // inbound or outbound
	Score  int
	Limit  int // 0 when the rules set none
	Alerts bool
}

// Explain inspects a transaction without prefilter and cache and keeps what can be known of it. texts returns the texts of the rules by id.
func (e *Engine) Explain(t *model.Transaction, texts func() map[int]string) (*Explanation, error) {
	x := &Explanation{}
	return x, e.run(t, nil, func(tx types.Transaction) { x.read(e, tx, texts()) })
}

func (x *Explanation) read(e *Engine, tx types.Transaction, texts map[int]string) {
	x.Verdict = e.verdict(tx)
	if state, can := tx.(plugintypes.TransactionState); can {
		x.Variables = readVariables(state.Variables())
	}
	x.Sums = []Threshold{
		x.sum("inbound", x.Verdict.Inbound, "inbound_anomaly_score_threshold"),
		x.sum("outbound", x.Verdict.Outbound, "outbound_anomaly_score_threshold"),
	}
	for _, m := range tx.MatchedRules() {
		id := m.Rule().ID()
		info := e.table.infos[id]
		x.Matched = append(x.Matched, Matched{id, strings.Clone(m.Message()), strings.Clone(m.Data()), m.Rule().Tags(), info != nil && info.Logs})
		if info != nil && info.Detects {
			x.Reasons = append(x.Reasons, newReason(texts[id], m.MatchedDatas()))
		}
	}
}

func (x *Explanation) sum(name string, score int, limit string) Threshold {
	t := Threshold{Name: name, Score: score}
	for _, v := range x.Variables {
		if v.Name == "TX" && v.Key == limit {
			t.Limit, _ = strconv.Atoi(v.Value) // CRS refuses other texts
		}
	}
	t.Alerts = t.Limit > 0 && score >= t.Limit
	return t
}

// passing are variables that say nothing of the transaction, or only what the last rule made of it.
var passing = []string{
	"DURATION", "ENV", "MATCHED_VAR", "MATCHED_VARS", "MATCHED_VARS_NAMES", "MATCHED_VAR_NAME", "RULE", "TIME", "TIME_DAY", "TIME_EPOCH",
	"TIME_HOUR", "TIME_MIN", "TIME_MON", "TIME_SEC", "TIME_WDAY", "TIME_YEAR", "UNIQUE_ID",
}

func readVariables(from plugintypes.TransactionVariables) []Variable {
	var all []Variable
	from.All(func(v corazavariables.RuleVariable, values corazacollection.Collection) bool {
		if slices.Contains(passing, v.Name()) {
			return true
		}
		for _, one := range values.FindAll() {
			if one.Value() != "" || one.Key() != "" && v.Name() != "TX" {
				all = append(all, Variable{v.Name(), strings.Clone(one.Key()), strings.Clone(one.Value())})
			}
		}
		return true
	})
	slices.SortStableFunc(all, func(a, b Variable) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Key, b.Key)) })
	return all
}

func newReason(text string, matched []types.MatchData) Reason {
	r := Reason{Text: text}
	for _, m := range matched {
		r.Values = append(r.Values, MatchedValue{
			Variable{m.Variable().Name(), strings.Clone(m.Key()), strings.Clone(m.Value())}, m.ChainLevel(),
		})
	}
	return r
}

// Steps returns how the rule's transformations have made a matched value from the variable's own; nil when the rule has none.
func (x *Explanation) Steps(r *Reason, matched *MatchedValue) []Step {
	links, _ := seclang.Split("", r.Text) // the compiler has accepted it
	if matched.Link >= len(links) {
		return nil
	}
	chain := transformationsOf(links[matched.Link])
	if len(chain) == 0 {
		return nil
	}
	for _, v := range x.Variables {
		if v.Name != matched.Name || v.Key != matched.Key {
			continue
		}
		steps, err := transform(v.Value, chain)
		if err != nil {
			return nil
		}
		for i := len(steps) - 1; i >= 0; i-- { // with multiMatch any of them may have matched
			if steps[i].Value == matched.Value {
				return steps[:i+1]
			}
		}
	}
	return nil
}

func transformationsOf(d seclang.Directive) (chain []string) {
	r, err := seclang.ParseRule(d)
	if err != nil {
		return nil
	}
	for _, name := range r.All("t") {
		if strings.EqualFold(name, "none") {
			chain = nil
			continue
		}
		chain = append(chain, name)
	}
	return chain
}
