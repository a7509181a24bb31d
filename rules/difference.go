package rules

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Difference is what differs between two rule sets. The place of a rule does not count.
type Difference struct {
	Added    []Loaded
	Removed  []Loaded
	Changed  []Changed
	Settings []Setting
}

// Changed is a rule that both sets have, and that differs.
type Changed struct {
	Before, After Loaded
	Data          bool // a file that its operator reads differs; the text may be the same
}

// Setting is a directive that is no rule and differs: how bodies are read, say, or an exception from a rule.
type Setting struct {
	Name          string
	Before, After string // arguments, "" when only the other set has it
}

// Compare returns how a second set differs from a first.
func Compare(before, after *Set) Difference {
	var d Difference
	old, oldData := byID(before.List()), before.engines.program.DataByRule()
	data := after.engines.program.DataByRule()
	for _, rule := range after.List() {
		was, known := old[rule.ID]
		delete(old, rule.ID)
		switch otherData := !bytes.Equal(oldData[rule.ID], data[rule.ID]); {
		case !known:
			d.Added = append(d.Added, rule)
		case was.Text != rule.Text || otherData:
			d.Changed = append(d.Changed, Changed{was, rule, otherData})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(old)) {
		d.Removed = append(d.Removed, old[id])
	}
	d.Settings = compareSettings(before.engines.program.Settings(), after.engines.program.Settings())
	return d
}

// Empty reports whether nothing is different.
func (d *Difference) Empty() bool {
	return len(d.Added)+len(d.Removed)+len(d.Changed)+len(d.Settings) == 0
}

// String sums the difference up in one line.
func (d *Difference) String() string {
	if d.Empty() {
		return "no rule differs"
	}
	var parts []string
	tell := func(what string, names []string) {
		const shown = 8
		if len(names) == 0 {
			return
		}
		list := strings.Join(names[:min(shown, len(names))], ", ")
		if len(names) > shown {
			list += ", …"
		}
		parts = append(parts, fmt.Sprintf("%d %s (%s)", len(names), what, list))
	}
	id := func(l Loaded) string { return strconv.Itoa(l.ID) }
	tell("added", collect(d.Added, id))
	tell("removed", collect(d.Removed, id))
	tell("changed", collect(d.Changed, func(c Changed) string { return id(c.After) }))
	if names := collect(d.Settings, func(s Setting) string { return s.Name }); len(names) > 0 {
		parts = append(parts, "other settings: "+strings.Join(slices.Compact(names), ", "))
	}
	return strings.Join(parts, ", ")
}

func collect[T any](all []T, name func(T) string) (names []string) {
	for _, one := range all {
		names = append(names, name(one))
	}
	return names
}

func byID(list []Loaded) map[int]Loaded {
	m := make(map[int]Loaded, len(list))
	for _, l := range list {
		m[l.ID] = l
	}
	return m
}

// compareSettings pairs off what is the same, and the rest of the same name in its order.
func compareSettings(before, after map[string][]string) (differing []Setting) {
	names := maps.Clone(before)
	maps.Copy(names, after)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		gone, come := without(before[name], after[name]), without(after[name], before[name])
		for i := range max(len(gone), len(come)) {
			s := Setting{Name: name}
			if i < len(gone) {
				s.Before = gone[i]
			}
			if i < len(come) {
				s.After = come[i]
			}
			differing = append(differing, s)
		}
	}
	return differing
}

// without returns the texts of a list that another does not have.
func without(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(text string) bool { return slices.Contains(other, text) })
}
