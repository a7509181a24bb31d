package alert

import "cmp"

// Producer is the program that has made an alert, and what it does about attacks. The zero value is Fluent Bit, which reads logs.
type Producer struct {
	Program string // "" for Fluent Bit
	Inline  bool   // requests wait for its decision, so that it knows what was blocked: a status is the application's
	Blocks  bool   // attacks are blocked, not only reported
}

func (p Producer) program() string { return cmp.Or(p.Program, "Fluent Bit") }

// engine is the setting SecRuleEngine as libmodsecurity's audit log has it.
func (p Producer) engine() string {
	if p.Blocks {
		return "Enabled"
	}
	return "DetectionOnly"
}
