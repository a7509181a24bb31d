// Package frequent finds the most frequent of any number of names in bounded memory. How much a count may be too low
// is known. Reports and live views use it, because an attacker chooses how many names there are.
package frequent

import (
	"cmp"
	"slices"
)

// Counter counts names and keeps something with each. It is not safe for concurrent use.
//
// It keeps at most a fixed number of names. When a new one finds no room, each name that is kept loses the median of what they have,
// and those with nothing left go (the summary of Misra and Gries, in batches). So a count lacks at most 2/limit of everything counted,
// whatever an attacker sends besides, and counting a name takes constant time on average.
type Counter[T any] struct {
	limit  int
	names  map[string]*entry[T]
	total  int
	missed int
}

// Entry is a name with its count, which may lack up to Missed of what came before the name was kept, and what is kept with it.
type Entry[T any] struct {
	Name  string
	Count int
	Data  T
}

type entry[T any] struct {
	Entry[T]
	weight int // the count, less what the name has lost
}

// New returns a Counter that keeps up to limit names, at least two.
func New[T any](limit int) *Counter[T] {
	return &Counter[T]{limit: max(limit, 2), names: map[string]*entry[T]{}}
}

// Add counts a name and returns what is kept with it, for the caller to change until the next call. It is the zero value where the
// name is new.
func (c *Counter[T]) Add(name string) *T {
	c.total++
	e := c.names[name]
	if e == nil {
		if len(c.names) == c.limit {
			c.makeRoom()
		}
		e = &entry[T]{Entry: Entry[T]{Name: name}}
		c.names[name] = e
	}
	e.Count++
	e.weight++
	return &e.Data
}

func (c *Counter[T]) makeRoom() {
	weights := make([]int, 0, len(c.names))
	for _, e := range c.names {
		weights = append(weights, e.weight)
	}
	slices.Sort(weights)
	median := weights[len(weights)/2]
	for name, e := range c.names {
		if e.weight -= median; e.weight <= 0 {
			delete(c.names, name)
		}
	}
	c.missed += median
}

// Top returns up to n names with the highest counts, highest first.
func (c *Counter[T]) Top(n int) []Entry[T] {
	all := make([]Entry[T], 0, len(c.names))
	for _, e := range c.names {
		all = append(all, e.Entry)
	}
	slices.SortFunc(all, func(a, b Entry[T]) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name)) })
	return all[:min(n, len(all))]
}

// Len returns how many names are kept.
func (c *Counter[T]) Len() int { return len(c.names) }

// Total returns the count of all names, kept or not.
func (c *Counter[T]) Total() int { return c.total }

// Missed returns how much a count may lack at most, 0 while every name is kept.
func (c *Counter[T]) Missed() int { return c.missed }
