package filter

import (
	"fmt"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/fieldmap"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// SourceCount tells how many records were read with a field map.
type SourceCount struct {
	Map     string // name of the field map, "none" for records that no map fits
	Records uint64
}

// countSources counts the records of a batch by field map. The first record of each map is told, so that a wrong guess shows.
func (f *Filter) countSources(b *batch) {
	for i := 0; i < len(b.items); {
		source, first := b.items[i].source, i
		if b.items[i].kind == several {
			i++
			continue
		}
		for i < len(b.items) && b.items[i].source == source && b.items[i].kind != several {
			i++
		}
		n := uint64(i - first)
		if f.sources[source].Add(n) == n && source > 0 {
			f.log(LevelInfo, fmt.Sprintf("records are read with field map %s", f.maps.Names()[source-1]))
		}
	}
}

// sourceCounts returns the counts of the field maps that were used, those without a map last.
func (f *Filter) sourceCounts() (counts []SourceCount) {
	for i, name := range append(f.maps.Names(), "none") {
		if n := f.sources[(i+1)%len(f.sources)].Load(); n > 0 {
			counts = append(counts, SourceCount{name, n})
		}
	}
	return counts
}

func sourcesText(counts []SourceCount) string {
	if len(counts) == 0 {
		return ""
	}
	words := make([]string, len(counts))
	for i, c := range counts {
		words[i] = fmt.Sprintf("%s %d", c.Map, c.Records)
	}
	return "; field maps: " + strings.Join(words, ", ")
}

// FieldMaps returns the field maps in the order in which they are tried.
func (f *Filter) FieldMaps() []*fieldmap.Map { return f.maps.Maps() }

// CompareRules tells what is different in the rules of another filter.
func (f *Filter) CompareRules(other *Filter) rules.Difference {
	return rules.Compare(f.set(), other.set())
}

// LeftOut returns the detection rules that do not run for records of a field map, even when these have all keys, and those that
// have nothing to look at in them.
func (f *Filter) LeftOut(m *fieldmap.Map) (left []rules.LeftOut, idle []rules.Loaded) {
	return f.LeftOutWithout(m.Unknown(), m.Absent())
}

// LeftOutWithout is LeftOut for records of which some parts are unknown, and some in none of them.
func (f *Filter) LeftOutWithout(unknown, absent rules.Parts) (left []rules.LeftOut, idle []rules.Loaded) {
	left = f.set().LeftOut(unknown)
	isLeft := map[int]bool{}
	for _, l := range left {
		isLeft[l.ID] = true
	}
	for _, l := range f.set().Idle(absent) {
		if !isLeft[l.ID] {
			idle = append(idle, l)
		}
	}
	return left, idle
}
