package rules

// Explain inspects a transaction without gate and cache and keeps what can be known of it.
func (s *Set) Explain(t *Transaction) (*Explanation, error) {
	e, err := s.engine(t.unjudged())
	if err != nil {
		return nil, err
	}
	return e.explain(t, s.texts)
}
