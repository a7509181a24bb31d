package engine

import (
	"slices"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/sensitive"
)

// Tags with which a rule says what of its matches may leave in an alert.
const (
	TagMasked  = "masked"  // logdata is a secret, and so is the value around it
	tagExcerpt = "excerpt" // logdata says enough; the value around it is a secret, or too long
)

// longestExcerpt is how many bytes of what a rule found stand for the value.
const longestExcerpt = 200

// conceal takes out of a match what must not leave with an alert.
func conceal(m *model.Match) {
	switch {
	case slices.Contains(m.Rule.Tags, TagMasked):
		secret := m.Data
		m.Data = sensitive.Mask(secret)
		m.Value = m.Data
		if secret != "" {
			m.Message = strings.ReplaceAll(m.Message, secret, m.Data)
		}
	case slices.Contains(m.Rule.Tags, tagExcerpt):
		m.Data = shortened(m.Data, longestExcerpt)
		m.Value = m.Data
	}
}
