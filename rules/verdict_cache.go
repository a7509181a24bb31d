package rules

import (
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/cache"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter"
)

// Reads says what of a transaction the rules look at: what they do not look at makes no difference to the verdict. It is nil when
// verdicts are not cached.
func (s *Set) Reads() *prefilter.Reads {
	if s.cache == nil {
		return nil
	}
	return s.engines.whole.Reads()
}

// Recall returns the verdict that is cached for an identity, nil when there is none, and the key with which to cache one. An identity
// holds all that the rules read of a transaction (see Reads). With matches, a verdict that only says that the transaction passes does not count. It
// must not be called when Reads is nil.
func (s *Set) Recall(identity []byte, client string, matches bool) (*model.Verdict, cache.Key) {
	v, k := s.cache.Recall(identity, client, matches)
	if v != nil {
		s.speed.cached.Add(1)
	}
	return v, k
}

// Remember caches a verdict for the transactions of a key as long as there is memory for it. What a rule did not find for lack of time
// is looked for again.
func (s *Set) Remember(k cache.Key, client string, v *model.Verdict) {
	s.cache.Remember(k, client, v, s.Reads().Reduces())
}

// CacheUsage returns the usage of the verdict cache as it stands, nothing where verdicts are not cached.
func (s *Set) CacheUsage() cache.Usage {
	if s.cache == nil {
		return cache.Usage{}
	}
	return s.cache.Usage()
}
