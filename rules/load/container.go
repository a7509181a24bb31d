package load

import (
	"fmt"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

// container is an Apache section such as <IfModule security2_module> that is open.
type container struct {
	opening seclang.Directive
	name    string
	active  bool // what it holds counts
}

// securityModules are the names under which Apache knows ModSecurity.
var securityModules = []string{
	"security2_module", "mod_security2.c", "security3_module", "mod_security3.c", "unique_id_module", "mod_unique_id.c",
}

// unwrap returns the directives of a file without Apache's sections: those for the security module count, those for other
// modules do not, and those for a part of a server are rejected, because a log record does not say to which part it
// belongs.
func (p *Program) unwrap(directives []seclang.Directive) []seclang.Directive {
	var open []container
	kept := directives[:0:0]
	for _, d := range directives {
		switch {
		case strings.HasPrefix(d.Name, "</"):
			name := strings.ToLower(strings.TrimSuffix(d.Name[2:], ">"))
			if len(open) == 0 || open[len(open)-1].name != name {
				p.fail(fmt.Errorf("%s: %s closes no section", d.Place(), d.Name))
				continue
			}
			open = open[:len(open)-1]
		case strings.HasPrefix(d.Name, "<"):
			outer := len(open) == 0 || open[len(open)-1].active
			c := p.open(d, outer)
			c.active = c.active && outer
			open = append(open, c)
		case len(open) == 0 || open[len(open)-1].active:
			kept = append(kept, d)
		}
	}
	for _, c := range open {
		p.fail(fmt.Errorf("%s: <%s> is not closed", c.opening.Place(), c.name))
	}
	return kept
}

// open decides what becomes of a section, and reports it unless the section is in one that is omitted anyway.
func (p *Program) open(d seclang.Directive, reported bool) container {
	c := container{opening: d, name: strings.ToLower(strings.TrimPrefix(d.Name, "<"))}
	condition := unquoted(strings.TrimSpace(strings.TrimSuffix(d.Args, ">")))
	wanted, negated := strings.CutPrefix(condition, "!")
	var why string
	switch c.name {
	case "ifmodule":
		c.active = isSecurityModule(wanted) != negated
		if why = "only ModSecurity counts as a loaded module"; isSecurityModule(wanted) {
			why = ""
		}
	case "ifdefine":
		c.active = negated
		why = "nothing is defined"
	case "ifversion":
		why = "there is no Apache version"
	default:
		p.Rejected = append(p.Rejected, rejection{d, fmt.Errorf("%s: %s %s applies to a part of a server, which a log record "+
			"does not identify", d.Place(), d.Name, d.Args)})
		return c
	}
	if reported && !c.active && why != "" {
		p.Warnings = append(p.Warnings, fmt.Sprintf("%s: section %s %s skipped: %s", d.Place(), d.Name, d.Args, why))
	}
	return c
}

func isSecurityModule(name string) bool {
	for _, known := range securityModules {
		if strings.EqualFold(name, known) {
			return true
		}
	}
	return false
}
