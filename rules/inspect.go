package rules

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
	"github.com/corazawaf/coraza/v3/types"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/gate"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

// Inspect finds the verdict of the rules on a transaction, without those rules that need parts that are unknown. A panic
// inside the engine comes back as an error.
func (s *Set) Inspect(t *Transaction) (*Verdict, error) { return s.find(t, true) }

// Pass finds out whether a WAF in the request path would have blocked a transaction. It may be faster than Inspect, because
// the verdict on a transaction that is not blocked need not tell which rules matched.
func (s *Set) Pass(t *Transaction) (*Verdict, error) { return s.find(t, false) }

// find asks the gate, and the engine when the gate cannot tell.
func (s *Set) find(t *Transaction, matches bool) (*Verdict, error) {
	c := s.Case(t, matches)
	if err := s.Compile(&c); err != nil {
		return nil, err
	}
	if v := s.Gate(&c, t); v != nil {
		return v, nil
	}
	return s.Judge(&c, t)
}

// Case is what is known of a transaction while its verdict is found in steps. It does not refer to the transaction's memory.
type Case struct {
	matches bool
	form    Parts   // that are unknown
	engine  *engine // nil when it is not compiled yet
	asked   bool
	answer  gate.Answer
	way     Way
	ran     int
}

// Way tells how the verdict was found, once it was.
func (c *Case) Way() Way { return c.way }

// Forget has the prefilter be asked again: what it knows of a case may take more memory than the record.
func (c *Case) Forget() { c.asked, c.answer = false, gate.Answer{} }

// Asked reports whether the prefilter was asked.
func (c *Case) Asked() bool { return c.asked }

// Ran returns how many rules the engine has run to find the verdict.
func (c *Case) Ran() int { return c.ran }

// Case begins finding the verdict on a transaction: that of Inspect when matches are wanted, else that of Pass.
func (s *Set) Case(t *Transaction, matches bool) Case {
	form := t.unjudged()
	return Case{matches: matches, form: form, engine: s.compiled(form)}
}

// Compiled reports whether the form of the rules that the case needs is compiled.
func (c *Case) Compiled() bool { return c.engine != nil }

// Compile compiles the form of the rules that a case needs, which takes parts of a second for the first case of a form.
func (s *Set) Compile(c *Case) (err error) {
	if c.engine == nil {
		c.engine, err = s.engine(c.form)
	}
	return err
}

// Gate returns the verdict on the transaction of a compiled case when it is certain without running the rules, nil when it is not.
// It takes microseconds for a common transaction.
func (s *Set) Gate(c *Case, t *Transaction) *Verdict {
	c.asked, c.answer, c.way = true, s.ask(c.engine, t, c.matches), Gated
	partial := t.Partial | partialOfCut(c.answer.Cut)
	switch {
	case c.answer.Clean:
		s.speed.gated.Add(1)
		return cleanAsFarAs(partial)
	case c.answer.Passes && !c.matches && partial == 0:
		s.speed.gated.Add(1)
		return &passVerdict
	}
	return nil
}

// Judge finds the verdict on the transaction of a compiled case, or one equal to it, by running the rules, unless the gate has not
// been asked and is certain. It takes milliseconds, and more for a large transaction.
func (s *Set) Judge(c *Case, t *Transaction) (*Verdict, error) {
	if !c.asked {
		if v := s.Gate(c, t); v != nil {
			return v, nil
		}
	}
	c.way, c.ran = Judged, max(0, c.engine.rules()-len(c.answer.Idle))
	s.speed.judged.Add(1)
	v, err := s.judge(c.engine, c.answer.Idle, t)
	if err != nil {
		return nil, err
	}
	v.Partial |= t.Partial
	if v.Clean() {
		return cleanAsFarAs(v.Partial), nil
	}
	c.engine.learn(c.answer, v)
	return v, nil
}

func (s *Set) ask(e *engine, t *Transaction, matches bool) gate.Answer {
	if s.profile != nil {
		return s.profile.ask(e, t, matches)
	}
	return e.ask(t, matches)
}

func (s *Set) judge(e *engine, idle []int, t *Transaction) (*Verdict, error) {
	if s.profile != nil {
		return s.profile.inspect(e, idle, t)
	}
	return e.inspectWithout(idle, t)
}

// inspect runs all phases of the engine's rules over a transaction.
func (e *engine) inspect(t *Transaction) (*Verdict, error) { return e.inspectWithout(nil, t) }

// inspectWithout is inspect without rules of which the gate knows that they do nothing.
func (e *engine) inspectWithout(idle []int, t *Transaction) (v *Verdict, err error) {
	if err := e.run(t, idle, func(tx types.Transaction) { v = e.verdict(tx) }); err != nil {
		return nil, err
	}
	return v, nil
}

// remover is what Coraza's transaction does for ctl:ruleRemoveById.
type remover interface{ RemoveRuleByID(id int) }

// run runs all phases over a transaction, and calls read before Coraza's one is closed.
func (e *engine) run(t *Transaction, idle []int, read func(types.Transaction)) (err error) {
	tx := e.waf.NewTransaction()
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("inspect: engine panic: %v", cause)
			return // the transaction is in an unknown state and must not return to Coraza's pool
		}
		if closeErr := tx.Close(); closeErr != nil && err == nil {
			err = fmt.Errorf("inspect: %w", closeErr)
		}
	}()
	if r, can := tx.(remover); can {
		for _, id := range idle {
			r.RemoveRuleByID(id)
		}
	}
	if err := runAll(tx, t); err != nil {
		return err
	}
	read(tx)
	return nil
}

// runAll runs all phases that the log says something of.
func runAll(tx types.Transaction, t *Transaction) error {
	if err := runRequest(tx, t); err != nil {
		return err
	}
	if t.HasResponse {
		if err := runResponse(tx, t); err != nil {
			return err
		}
	}
	tx.ProcessLogging()
	return nil
}

func runRequest(tx types.Transaction, t *Transaction) error {
	tx.ProcessConnection(t.ClientIP, t.ClientPort, t.ServerIP, t.ServerPort)
	tx.SetServerName(t.ServerName)
	if t.Unknown&PartRequest == 0 {
		tx.ProcessURI(t.URI, t.Method, t.Protocol)
	}
	for i := range t.Arguments {
		tx.AddGetRequestArgument(t.Arguments[i].Name, t.Arguments[i].Value)
	}
	for i := range t.RequestHeaders {
		tx.AddRequestHeader(t.RequestHeaders[i].Name, t.RequestHeaders[i].Value)
	}
	giveRaw(tx, seclang.RawRequestBody, t.RequestBody, t.RequestHeaders)
	tx.ProcessRequestHeaders()
	if t.RequestBody != "" && tx.IsRequestBodyAccessible() {
		if _, _, err := tx.ReadRequestBodyFrom(strings.NewReader(t.RequestBody)); err != nil {
			return fmt.Errorf("inspect: request body: %w", err)
		}
	}
	if _, err := tx.ProcessRequestBody(); err != nil {
		return fmt.Errorf("inspect: request body: %w", err)
	}
	return nil
}

func runResponse(tx types.Transaction, t *Transaction) error {
	for i := range t.ResponseHeaders {
		tx.AddResponseHeader(t.ResponseHeaders[i].Name, t.ResponseHeaders[i].Value)
	}
	giveRaw(tx, seclang.RawResponseBody, t.ResponseBody, t.ResponseHeaders)
	tx.ProcessResponseHeaders(t.ResponseStatus, t.ResponseProtocol)
	if t.ResponseBody != "" && tx.IsResponseBodyAccessible() && tx.IsResponseBodyProcessable() {
		if _, _, err := tx.ReadResponseBodyFrom(strings.NewReader(t.ResponseBody)); err != nil {
			return fmt.Errorf("inspect: response body: %w", err)
		}
	}
	if _, err := tx.ProcessResponseBody(); err != nil {
		return fmt.Errorf("inspect: response body: %w", err)
	}
	return nil
}

func (e *engine) verdict(tx types.Transaction) *Verdict {
	v := &Verdict{Partial: partialOf(tx)}
	for _, m := range tx.MatchedRules() {
		id := m.Rule().ID()
		v.Blocked = v.Blocked || e.table.blocking[id]
		if info := e.table.infos[id]; info != nil && info.isDetection() {
			v.Matches = append(v.Matches, newMatch(info, m))
		}
	}
	if len(v.Matches) > 0 || v.Blocked {
		v.readScores(tx)
	}
	return v
}

// newMatch copies what an alert needs: Coraza's strings may be views of the record.
func newMatch(info *RuleInfo, m types.MatchedRule) Match {
	match := Match{Rule: info, Message: strings.Clone(m.Message()), Data: strings.Clone(m.Data())}
	if all := m.MatchedDatas(); len(all) > 0 {
		last := all[len(all)-1]
		match.Variable = shown(last.Variable().Name(), last.Key())
		match.Others = otherNames(all[:len(all)-1], match.Variable)
		match.Value = strings.Clone(last.Value())
		match.level = last.ChainLevel()
		match.values = len(all)
	}
	if match.Message == "" {
		match.Message = info.wording()
	}
	match.conceal()
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

func (v *Verdict) readScores(tx types.Transaction) {
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
			v.Scores = append(v.Scores, Score{s.name, n})
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
