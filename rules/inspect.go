package rules

import (
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/engine"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter"
)

// Inspect finds the verdict of the rules on a transaction, without those rules that need parts that are unknown. A panic
// inside the engine comes back as an error.
func (s *Set) Inspect(t *model.Transaction) (*model.Verdict, error) { return s.find(t, true) }

// Pass finds out whether a WAF in the request path would have blocked a transaction. It may be faster than Inspect, because
// the verdict on a transaction that is not blocked need not have the rules that matched.
func (s *Set) Pass(t *model.Transaction) (*model.Verdict, error) { return s.find(t, false) }

// find asks the prefilter, and the engine when the prefilter is not certain.
func (s *Set) find(t *model.Transaction, matches bool) (*model.Verdict, error) {
	c := s.Case(t, matches)
	if err := s.Compile(&c); err != nil {
		return nil, err
	}
	if v := s.Prefilter(&c, t); v != nil {
		return v, nil
	}
	return s.Evaluate(&c, t)
}

// Case is what is known of a transaction while its verdict is found in steps. It does not refer to the transaction's memory.
type Case struct {
	matches bool
	unknown model.Parts    // that the rules could take for absent ones
	engine  *engine.Engine // nil when it is not compiled yet
	asked   bool
	answer  prefilter.Answer
	way     Way
	ran     int
}

// Way returns how the verdict was found, once it was.
func (c *Case) Way() Way { return c.way }

// Forget has the prefilter be asked again: what it knows of a case may take more memory than the record.
func (c *Case) Forget() { c.asked, c.answer = false, prefilter.Answer{} }

// Asked reports whether the prefilter was asked.
func (c *Case) Asked() bool { return c.asked }

// Ran returns how many rules the engine has run to find the verdict.
func (c *Case) Ran() int { return c.ran }

// Case begins finding the verdict on a transaction: that of Inspect when matches are wanted, else that of Pass.
func (s *Set) Case(t *model.Transaction, matches bool) Case {
	unknown := t.MisleadingParts()
	return Case{matches: matches, unknown: unknown, engine: s.compiled(unknown)}
}

// Compiled reports whether the variant of the rules that the case needs is compiled.
func (c *Case) Compiled() bool { return c.engine != nil }

// Compile compiles the variant of the rules that a case needs, which takes parts of a second for the first case of a variant.
func (s *Set) Compile(c *Case) (err error) {
	if c.engine == nil {
		c.engine, err = s.engine(c.unknown)
	}
	return err
}

// Prefilter returns the verdict on the transaction of a compiled case when it is certain without running the rules, or known from the same
// combination of rules in another transaction, nil when it is neither.
// It takes microseconds for a common transaction.
func (s *Set) Prefilter(c *Case, t *model.Transaction) *model.Verdict {
	c.asked, c.answer, c.way = true, c.engine.Ask(t, c.matches), Prefiltered
	partial := t.Partial | c.answer.Unread
	switch {
	case c.answer.Clean:
		s.speed.prefiltered.Add(1)
		return model.CleanVerdict(partial)
	case c.answer.Passes && !c.matches && partial == 0:
		s.speed.prefiltered.Add(1)
		return model.PassVerdict()
	}
	if v := c.engine.Known(&c.answer); v != nil {
		s.speed.prefiltered.Add(1)
		v.Partial |= partial
		return v
	}
	return nil
}

// Evaluate finds the verdict on the transaction of a compiled case, or one equal to it, by running the rules, unless the prefilter has not
// been asked and is certain. It takes milliseconds, and more for a large transaction.
func (s *Set) Evaluate(c *Case, t *model.Transaction) (*model.Verdict, error) {
	if !c.asked {
		if v := s.Prefilter(c, t); v != nil {
			return v, nil
		}
	}
	c.way, c.ran = Evaluated, max(0, c.engine.Rules()-len(c.answer.Idle))
	s.speed.evaluated.Add(1)
	v, err := c.engine.InspectWithout(c.answer.Idle, t)
	if err != nil {
		return nil, err
	}
	v.Partial |= t.Partial
	if v.Clean() {
		return model.CleanVerdict(v.Partial), nil
	}
	c.engine.Learn(c.answer, v)
	return v, nil
}
