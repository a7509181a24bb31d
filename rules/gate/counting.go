package gate

import (
	"slices"
	"strings"
	"sync"
)

// Rules that only add to a score do not alert by themselves: a numeric Host header, say. Whether those of a transaction
// together reach a threshold follows from which rules matched how many values, so the engine has to judge each such
// combination only once.

// marks are the counting rules that a transaction matches, in ascending order.
type marks struct {
	rules [maxMarks]mark
	n     int
}

type mark struct{ id, values int }

const (
	maxMarks        = 4
	maxCombinations = 4096
)

func (m *marks) has(id int) bool {
	for i := range m.n {
		if m.rules[i].id == id {
			return true
		}
	}
	return false
}

func (m *marks) add(id, values int) bool {
	if m.n == maxMarks {
		return false
	}
	at := m.n
	for at > 0 && m.rules[at-1].id > id {
		m.rules[at] = m.rules[at-1]
		at--
	}
	m.rules[at] = mark{id, values}
	m.n++
	return true
}

// combinations remembers marks with which the engine did not block. It is safe for concurrent use.
type combinations struct {
	mu    sync.RWMutex
	known map[marks]struct{}
}

func (c *combinations) knows(m marks) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	_, found := c.known[m]
	return found
}

func (c *combinations) learn(m marks) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		c.known = map[marks]struct{}{}
	}
	if len(c.known) < maxCombinations {
		c.known[m] = struct{}{}
	}
}

// Learn tells the gate what the engine made of a transaction that it did not block. values returns how many values a rule that
// can alert has matched, for all of these rules. When they are the marks of the answer, the next transaction with the same marks passes.
func (g *Gate) Learn(a Answer, rules int, values func(id int) int) {
	if a.marks.n == 0 || a.marks.n != rules {
		return
	}
	for _, m := range a.marks.rules[:a.marks.n] {
		if values(m.id) != m.values {
			return
		}
	}
	g.learned.learn(a.marks)
}

// findCounting finds the chains that do nothing but add to variables. blocks tells which chains block.
//
// A transaction can match fewer rules than the gate finds, never more, so a combination may only be learned if fewer matches
// never block more: all rules on which blocking depends must ask whether a variable is large.
func (f *flow) findCounting(blocks func(id int) bool) {
	if !f.onlyGrows() {
		return
	}
	for _, e := range f.entries {
		c := e.chain
		if c == nil || c.static || blocks(c.id) || !c.watched || c.controls || c.skips != "" || c.skip > 0 || len(e.rules) != 1 {
			continue
		}
		c.counts = !slices.ContainsFunc(f.writes, func(w write) bool { return w.chain == c && !f.adds(w) })
	}
}

// adds reports whether a write adds a constant that is not negative to a variable of a fixed name.
func (f *flow) adds(w write) bool {
	if strings.Contains(w.name, "%{") || !strings.HasPrefix(w.value, "+") || !f.constantMacros(w.value, w.chain) {
		return false
	}
	for _, m := range macroPattern.FindAllStringSubmatch(w.value, -1) {
		value, _, _ := f.constant(strings.ToLower(m[1])[len("tx."):], w.chain)
		if value == "" || strings.ContainsFunc(value, func(c rune) bool { return c < '0' || c > '9' }) {
			return false
		}
	}
	return !strings.Contains(w.value, "-")
}

// onlyGrows reports whether more matches never make static rules block, set or skip less.
func (f *flow) onlyGrows() bool {
	for _, e := range f.entries {
		c := e.chain
		if c == nil || !c.static || c.dead || c.phase > 4 {
			continue
		}
		for i := range e.rules {
			rule := &e.rules[i]
			for _, t := range rule.Targets {
				name := strings.ToLower(rule.Operator.Name)
				_, _, constant := f.constant(strings.ToLower(t.Key), c)
				if !constant && (t.Count || rule.Operator.Negated || name != "ge" && name != "gt") {
					return false
				}
			}
			if !f.constantMacros(rule.Operator.Argument, c) {
				return false
			}
		}
	}
	return !slices.ContainsFunc(f.writes, func(w write) bool {
		return w.chain.static && !w.chain.dead && w.chain.phase <= 4 && strings.HasPrefix(w.value, "-")
	})
}
