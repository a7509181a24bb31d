package rules

import "github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"

// Properties are the settings of a rule set in the order in which help lists them.
func Properties() []setting.Property { return properties() }

// ReadConfig reads the settings of a rule set; problems stay in the reader.
func ReadConfig(r *setting.Reader) Config { return readConfig(r, NewVocabulary()) }
