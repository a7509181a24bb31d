package rules

import (
	"strconv"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

// removeByID replaces each SecRuleRemoveByMsg, which makes Coraza 3.8 panic when a rule without msg is loaded, by a
// SecRuleRemoveById of the rules before it that have the message.
func (p *program) removeByID() {
	byMessage := map[string][]string{}
	kept := p.directives[:0]
	for _, d := range p.directives {
		switch {
		case d.Is("SecRule"), d.Is("SecAction"):
			r, err := seclang.ParseRule(d)
			if message, found := r.Action("msg"); err == nil && found && r.ID() != 0 {
				byMessage[message] = append(byMessage[message], strconv.Itoa(r.ID()))
			}
		case d.Is("SecRuleRemoveByMsg"):
			ids := byMessage[strings.Trim(d.Args, `"`)]
			if len(ids) == 0 {
				continue
			}
			d = seclang.NewDirective(d.File, d.Line, "SecRuleRemoveById "+strings.Join(ids, " "))
		}
		kept = append(kept, d)
	}
	p.directives = kept
}
