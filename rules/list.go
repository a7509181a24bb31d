package rules

import (
	"slices"
	"strconv"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

// Loaded is one rule of a set with what only people want to know of it.
type Loaded struct {
	*model.RuleInfo
	Message   string // msg, its variables not expanded
	Text      string // the directive and those chained to it, a line each
	Detection bool   // says something of the traffic; the others set things up or sum up
}

// List returns the rules of the set in load order, without those that a directive has removed.
func (s *Set) List() []Loaded { return list(s.engines.program.Directives, s.engines.whole.Rule) }

// list returns the rules that directives have, of which rule returns what is known.
func list(directives []seclang.Directive, rule func(id int) *model.RuleInfo) []Loaded {
	var list []Loaded
	chained := false
	for _, d := range directives {
		switch {
		case d.IsRule():
			r, err := seclang.ParseRule(d)
			if err != nil {
				continue
			}
			if chained && len(list) > 0 {
				list[len(list)-1].Text += "\n" + d.Name + " " + d.Args
			} else if info := rule(r.ID()); info != nil {
				list = append(list, newLoaded(info, &r))
			}
			chained = r.Chained()
		case strings.HasPrefix(strings.ToLower(d.Name), "secruleremoveby"):
			list = slices.DeleteFunc(list, removedBy(d))
		}
	}
	return list
}

// texts returns the texts of the rules by id.
func (s *Set) texts() map[int]string {
	s.textsOnce.Do(func() {
		s.textsByID = map[int]string{}
		for _, r := range s.List() {
			s.textsByID[r.ID] = r.Text
		}
	})
	return s.textsByID
}

func newLoaded(info *model.RuleInfo, r *seclang.Rule) Loaded {
	message, _ := r.Action("msg")
	if message == "" && info.Detects {
		message = info.FallbackMessage()
	}
	return Loaded{RuleInfo: info, Message: message, Text: r.Name + " " + r.Args, Detection: info.Detects}
}

// removedBy returns what a SecRuleRemoveBy directive says of a rule; its reading is Coraza's.
func removedBy(d seclang.Directive) func(Loaded) bool {
	argument := strings.Trim(d.Args, `"`)
	if d.Is("SecRuleRemoveByTag") {
		return func(l Loaded) bool { return slices.Contains(l.Tags, argument) }
	}
	return func(l Loaded) bool {
		return slices.ContainsFunc(strings.Fields(argument), func(part string) bool {
			low, high, isRange := strings.Cut(part, "-")
			first, err := strconv.Atoi(low)
			last := first
			if isRange && err == nil {
				last, err = strconv.Atoi(high)
			}
			return err == nil && first <= l.ID && l.ID <= last
		})
	}
}
