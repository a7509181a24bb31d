package filter

import (
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/fieldmap"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// FieldMaps returns the field maps in the order in which they are tried.
func (f *Filter) FieldMaps() []*fieldmap.Map { return f.maps.Maps() }

// CompareRules tells what is different in the rules of another filter.
func (f *Filter) CompareRules(other *Filter) rules.Difference {
	return rules.Compare(f.rules.Set(), other.rules.Set())
}

// LeftOut returns the detection rules that do not run for records of a field map, even when these have all keys, and those that
// have nothing to look at in them.
func (f *Filter) LeftOut(m *fieldmap.Map) (left []rules.LeftOut, idle []rules.Loaded) {
	return f.LeftOutWithout(m.Unknown(), m.Absent())
}

// LeftOutWithout is LeftOut for records of which some parts are unknown, and some in none of them.
func (f *Filter) LeftOutWithout(unknown, absent rules.Parts) (left []rules.LeftOut, idle []rules.Loaded) {
	left = f.rules.Set().LeftOut(unknown)
	isLeft := map[int]bool{}
	for _, l := range left {
		isLeft[l.ID] = true
	}
	for _, l := range f.rules.Set().Idle(absent) {
		if !isLeft[l.ID] {
			idle = append(idle, l)
		}
	}
	return left, idle
}
