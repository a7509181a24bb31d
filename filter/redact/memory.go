package redact

import "sync"

// memory is what a Pass writes into while it reads texts. The next Pass uses it again.
type memory struct {
	bytes   arena[byte]
	places  arena[int32]
	views   arena[view]
	parts   arena[part]
	extents []extent // of the parts that are being read
}

// arena gives out pieces of one array, all of which are given up at once.
type arena[T any] struct{ taken []T }

// take returns room for n elements, which nobody else gets when it is kept.
func (a *arena[T]) take(n int) []T {
	if cap(a.taken)-len(a.taken) < n {
		a.taken = make([]T, 0, max(n, 2*cap(a.taken), leastArena)) // those that have pieces of the old one hold it
	}
	return a.taken[len(a.taken) : len(a.taken) : len(a.taken)+n]
}

// keep keeps what was written into the room that was taken last.
func (a *arena[T]) keep(n int) { a.taken = a.taken[:len(a.taken)+n] }

// reset gives up all pieces.
func (a *arena[T]) reset() {
	a.taken = emptied(a.taken)
}

const leastArena = 64

// copied returns a copy of bytes as a text.
func (m *memory) copied(bytes []byte) string {
	text := append(m.bytes.take(len(bytes)), bytes...)
	m.bytes.keep(len(text))
	return shared(text)
}

// lowered returns a text of the same length with the letters of ASCII in lower case.
func (m *memory) lowered(text string) string {
	for i := range len(text) {
		if isUpper(text[i]) {
			low := append(m.bytes.take(len(text)), text...)
			m.bytes.keep(len(low))
			for ; i < len(low); i++ {
				low[i] = lowerByte[low[i]]
			}
			return shared(low)
		}
	}
	return text
}

// passes are those that were released.
var passes = sync.Pool{New: func() any {
	p := &Pass{}
	p.learned.memory = &p.memory
	return p
}}

// largePass is the size in bytes from which a Pass is left to the garbage collector: one odd record must not be kept.
const largePass = 256 << 10

// pass returns a Pass that has learned nothing.
func (r *Redactor) pass() *Pass {
	if r == nil {
		return nil
	}
	p := passes.Get().(*Pass)
	p.r, p.isReleased, p.learned.full = r, false, false
	return p
}

// Release ends the use of a Pass, whose memory the next one gets. What it has returned stays as it is.
func (p *Pass) Release() {
	if p == nil || p.isReleased {
		return
	}
	p.isReleased, p.learned.full = true, true // whoever uses it nevertheless gets placeholders
	if p.size() > largePass {
		return
	}
	p.views = emptied(p.views)
	p.cleaned = emptied(p.cleaned)
	p.found = [kindCount]bool{}
	p.learned.reset()
	p.memory.extents = p.memory.extents[:0]
	p.memory.bytes.reset()
	p.memory.places.reset()
	p.memory.views.reset()
	p.memory.parts.reset()
	passes.Put(p)
}

// size returns about how many bytes the Pass holds.
func (p *Pass) size() int {
	m := &p.memory
	return cap(m.bytes.taken) + cap(m.places.taken)*4 + cap(m.views.taken)*64 + cap(m.parts.taken)*96 + p.learned.size()
}

// emptied returns a list without its elements, and what they refer to is let go.
func emptied[T any](list []T) []T {
	clear(list)
	return list[:0]
}
