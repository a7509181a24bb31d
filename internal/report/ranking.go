package report

import (
	"cmp"
	"slices"
)

// ranking counts names and keeps a bounded number of them: those that come when it is full are counted together.
type ranking struct {
	counts map[string]int
	limit  int
	late   int // counts of names that are not kept
}

// ranked is one name of a ranking.
type ranked struct {
	Name  string
	Count int
}

func newRanking(limit int) ranking { return ranking{map[string]int{}, limit, 0} }

func (r *ranking) add(name string) {
	if _, known := r.counts[name]; !known && len(r.counts) == r.limit {
		r.late++
		return
	}
	r.counts[name]++
}

// top returns the names with the highest counts, and the sum of all others.
func (r *ranking) top(n int) (best []ranked, others int) {
	for name, count := range r.counts {
		best = append(best, ranked{name, count})
	}
	slices.SortFunc(best, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name))
	})
	others = r.late
	for _, x := range best[min(n, len(best)):] {
		others += x.Count
	}
	return best[:min(n, len(best))], others
}

// full reports whether names were counted together because there were too many.
func (r *ranking) full() bool { return r.late > 0 }

// sort sorts names by their counts, highest first.
func (r *ranking) sort(names []string) {
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(r.counts[b], r.counts[a]), cmp.Compare(a, b)) })
}
