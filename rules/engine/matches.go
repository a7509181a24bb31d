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
		match.Variable = shown(last.Variable().Name(), last.Key())
		match.Others = otherNames(all[:len(all)-1], match.Variable)
		match.Value = strings.Clone(last.Value())
		match.Link = last.ChainLevel()
		match.Values = len(all)
	}
	if match.Message == "" {
		match.Message = info.FallbackMessage()
	}
	conceal(&match)
	return match
}

// maxOthers bounds the variables that a match lists: one rule can match thousands of arguments.
const maxOthers = 32

func otherNames(all []types.MatchData, last string) (names []string) {
	for _, data := range all {
		name := shown(data.Variable().Name(), data.Key())
		if name != last && !slices.Contains(names, name) {
			names = append(names, name)
		}
		if len(names) == maxOthers {
			break
		}
	}
	return names
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
	v.Inbound = number(firstSet(variables, "blocking_inbound_anomaly_score", "anomaly_score"))
	v.Outbound = number(firstSet(variables, "blocking_outbound_anomaly_score", "outbound_anomaly_score"))
	for _, s := range crsScores {
		if n := number(s.variable); n != 0 {
			v.Scores = append(v.Scores, model.Score{Name: s.name, Value: n})
		}
	}
}

// firstSet returns the first of the names under which CRS 4 and CRS 3 keep a sum.
func firstSet(variables interface{ Get(string) []string }, crs4, crs3 string) string {
	if len(variables.Get(crs4)) > 0 {
		return crs4
	}
	return crs3
}
