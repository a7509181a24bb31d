package load

import (
	"fmt"
	"slices"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/packs"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

// readPacks returns the packs that the property rule_packs names, in load order.
func readPacks(r *setting.Reader) (names []string) {
	const property = "rule_packs"
	given := r.List(property)
	for _, name := range given {
		switch {
		case slices.Contains(packs.Names, name):
		case name == "off" || name == "none":
			if len(given) > 1 {
				r.Problem(property, fmt.Errorf("%q cannot be combined with others", name))
			}
		default:
			r.Problem(property, fmt.Errorf("unknown pack %q (want %s, or off)", name, setting.Choice(packs.Names)))
		}
	}
	for _, name := range packs.Names {
		if slices.Contains(given, name) {
			names = append(names, name)
		}
	}
	return names
}

// The ids of the rules with which CRS compares the score of a request with its threshold.
const (
	firstBlocking = 949000
	lastBlocking  = 949999
)

// addPacks puts packs where their scores count: before the rules with which CRS sums scores up, or before the scoring rules of the packs where
// there is no CRS.
func (p *Program) addPacks(names []string) {
	alone := len(names) > 0 && p.ruleBetween(firstBlocking, lastBlocking) < 0
	if alone { // in front of the user's rules, which may set something else
		p.insert(p.engineDirectives(), packFile(packs.ScoringSetup), p.packText(packs.ScoringSetup))
	}
	for _, name := range names {
		p.insertBefore(firstBlocking, lastBlocking, packFile(name), p.packText(name))
	}
	if alone {
		p.addText(packFile(packs.Scoring), p.packText(packs.Scoring))
	}
}

func packFile(name string) string { return "@packs/" + name + ".conf" }

func (p *Program) packText(name string) string {
	text, err := packs.Text(name)
	if err != nil {
		p.fail(err)
	}
	if p.crs3 {
		text = crs3Names.Replace(text)
	}
	return text
}

// insertBefore puts text in front of the first rule whose id lies in a range, at the end when there is none.
func (p *Program) insertBefore(low, high int, name, text string) {
	at := p.ruleBetween(low, high)
	if at < 0 {
		at = len(p.Directives)
	}
	p.insert(at, name, text)
}

func (p *Program) insert(at int, name, text string) {
	added, err := seclang.Split(name, text)
	if err != nil {
		p.fail(err)
	}
	p.Directives = slices.Insert(p.Directives, at, added...)
}

// engineDirectives returns the number of directives of the base configuration, which come first.
func (p *Program) engineDirectives() (n int) {
	for n < len(p.Directives) && p.Directives[n].File == baseFile {
		n++
	}
	return n
}

// ruleBetween returns the index of the first rule whose id lies in a range, -1 when there is none.
func (p *Program) ruleBetween(low, high int) int {
	return slices.IndexFunc(p.Directives, func(d seclang.Directive) bool {
		if !d.IsRule() {
			return false
		}
		r, err := seclang.ParseRule(d)
		return err == nil && r.ID() >= low && r.ID() <= high
	})
}
