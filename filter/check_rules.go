package filter

import (
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// CheckRules loads the rules of a configuration and reports all that is wrong with them. The error is about the configuration
// itself.
func CheckRules(get setting.Getter) (rules.Report, error) {
	reader := setting.NewReader(get, Properties())
	c := rules.ReadConfig(reader)
	if err := reader.Err(); err != nil {
		return rules.Report{}, err
	}
	return rules.Check(c), nil
}
