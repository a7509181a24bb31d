package engine

import (
	"slices"
	"strconv"
	"strings"

	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
	"github.com/corazawaf/coraza/v3/types"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
)

func (e *Engine) verdict(tx types.Transaction) *model.Verdict {
	v := &model.Verdict{Partial: partialOf(tx)}
	for _, m := range tx.MatchedRules() {
		id := m.Rule().ID()
		v.Blocked = v.Blocked || e.table.blocking[id]
		if info := e.table.infos[id]; info != nil && info.Detects {
			v.Matches = append(v.Matches, newMatch(info, m))
		}
	}
	if len(v.Matches) > 0 || v.Blocked {
		readScores(v, tx)
	}
	return v
}

// newMatch copies what an alert needs: Coraza's strings may be views of the record.
func newMatch(info *model.RuleInfo, m types.MatchedRule) model.Match {
	match := model.Match{Rule: info, Message: strings.Clone(m.Message()), Data: strings.Clone(m.Data())}
	if all := m.MatchedDatas(); len(all) > 0 {
		last := all[len(all)-1]
		match.Value = strings.Clone(last.Value())
		match.Link = last.ChainLevel()
		nameValues(&match, len(all), func(i int) string { return shown(all[i].Variable().Name(), all[i].Key()) })
	}
	complete(&match)
	return match
}

// complete adds the message of a match that has none, and takes out what must not leave with an alert.
func complete(match *model.Match) {
	if match.Message == "" {
		match.Message = match.Rule.FallbackMessage()
	}
	conceal(match)
}

// maxOthers bounds the variables that a match lists: one rule can match thousands of arguments.
const maxOthers = 32

// nameValues notes the names of the values that matched, in order.
func nameValues(match *model.Match, n int, name func(i int) string) {
	match.Values = n
	match.Variable = strings.Clone(name(n - 1))
	for i := range n - 1 {
		if len(match.Others) == maxOthers {
			return
		}
		if other := name(i); other != match.Variable && !slices.Contains(match.Others, other) {
			match.Others = append(match.Others, strings.Clone(other))
		}
	}
}

// crsScores are the sums that CRS keeps in TX variables, and their names in an alert.
var crsScores = []struct{ variable, name string }{
	{"sql_injection_score", "sql_injection"},
	{"xss_score", "xss"},
	{"rce_score", "rce"},
	{"lfi_score", "lfi"},
	{"rfi_score", "rfi"},
	{"php_injection_score", "php_injection"},
	{"session_fixation_score", "session_fixation"},
	{"http_violation_score", "http_violation"},
	{"lateral_movement_score", "lateral_movement"},
	{"sensitive_data_score", "sensitive_data"},
	{"inbound_anomaly_score_pl1", "inbound_pl1"},
	{"inbound_anomaly_score_pl2", "inbound_pl2"},
	{"inbound_anomaly_score_pl3", "inbound_pl3"},
	{"inbound_anomaly_score_pl4", "inbound_pl4"},
	{"outbound_anomaly_score_pl1", "outbound_pl1"},
	{"outbound_anomaly_score_pl2", "outbound_pl2"},
	{"outbound_anomaly_score_pl3", "outbound_pl3"},
	{"outbound_anomaly_score_pl4", "outbound_pl4"},
}

// The names under which CRS 4 and CRS 3 keep the sums that decide.
var (
	inboundSums  = []string{"blocking_inbound_anomaly_score", "anomaly_score"}
	outboundSums = []string{"blocking_outbound_anomaly_score", "outbound_anomaly_score"}
)

// scoreVariables returns the names of all TX variables that readScores reads.
func scoreVariables() []string {
	names := slices.Concat(inboundSums, outboundSums)
	for _, s := range crsScores {
		names = append(names, s.variable)
	}
	return names
}

func readScores(v *model.Verdict, tx types.Transaction) {
	state, can := tx.(plugintypes.TransactionState)
	if !can {
		return
	}
	variables := state.Variables().TX()
	number := func(name string) int {
		if values := variables.Get(name); len(values) > 0 {
			n, _ := strconv.Atoi(values[0]) // a text counts as 0, as it does for Coraza's operators
			return n
		}
		return 0
	}
	v.Inbound = number(firstSet(variables, inboundSums))
	v.Outbound = number(firstSet(variables, outboundSums))
	for _, s := range crsScores {
		if n := number(s.variable); n != 0 {
			v.Scores = append(v.Scores, model.Score{Name: s.name, Value: n})
		}
	}
}

// firstSet returns the first name under which a sum is kept, the last when it is not kept.
func firstSet(variables interface{ Get(string) []string }, names []string) string {
	for _, name := range names {
		if len(variables.Get(name)) > 0 {
			return name
		}
	}
	return names[len(names)-1]
}
