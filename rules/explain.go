package rules

import (
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/engine"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
)

// Explain inspects a transaction without prefilter and cache and keeps what can be known of it.
func (s *Set) Explain(t *model.Transaction) (*engine.Explanation, error) {
	e, err := s.engine(t.MisleadingParts())
	if err != nil {
		return nil, err
	}
	return e.Explain(t, s.texts)
}
