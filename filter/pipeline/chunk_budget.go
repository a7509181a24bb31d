package pipeline

import (
	"slices"
	"time"
)

// chunkBudget is how long one goroutine has worked on the records of each sender in a batch with a time budget. Reading records does not count, nor
// does finding that one is cached as clean. A sender that has used its fraction is over its budget: the rest of its records waits until the others
// are inspected, so that it delays only itself.
//
// It has room for few senders. When there is none for a new one, each loses as much as that one takes (the summary of Misra and Gries): nobody's
// time is overstated, and it is understated by at most a 17th of the time of all.
type chunkBudget struct {
	budget  time.Duration // 0 when there is none
	total   time.Duration
	senders []senderTime
	buffer  [16]senderTime
}

// senderTime is what one sender has used.
type senderTime struct {
	sender sender
	took   time.Duration
	isOver bool
}

// senderFraction is the part of the remaining time that one sender may use, as 1/n: however many senders have used theirs, there is some left.
const senderFraction = 8

func (b *chunkBudget) start(budget time.Duration) {
	b.budget, b.total, b.senders = budget, 0, b.buffer[:0]
}

func (b *chunkBudget) isLimited() bool { return b.budget > 0 }

// isSpent reports whether nothing is left of the budget.
func (b *chunkBudget) isSpent() bool { return b.isLimited() && b.total >= b.budget }

// isSenderOver reports whether a sender has used its fraction.
func (b *chunkBudget) isSenderOver(from sender) bool {
	if !b.isLimited() {
		return false
	}
	for i := range b.senders {
		if of := &b.senders[i]; of.sender == from {
			of.isOver = of.isOver || of.took > (b.budget-b.total)/senderFraction
			return of.isOver
		}
	}
	return false
}

// add notes work on a record of a sender.
func (b *chunkBudget) add(from sender, took time.Duration) {
	if !b.isLimited() || took <= 0 {
		return
	}
	b.total += took
	for i := range b.senders {
		if b.senders[i].sender == from {
			b.senders[i].took += took
			return
		}
	}
	if len(b.senders) == cap(b.senders) {
		took = b.evict(took)
	}
	if took > 0 {
		b.senders = append(b.senders, senderTime{sender: from, took: took})
	}
}

// evict subtracts from all senders what a new one takes, or as much as the least has, and returns what is left of it.
func (b *chunkBudget) evict(took time.Duration) (rest time.Duration) {
	off := took
	for i := range b.senders {
		off = min(off, b.senders[i].took)
	}
	for i := range b.senders {
		b.senders[i].took -= off
	}
	b.senders = slices.DeleteFunc(b.senders, func(of senderTime) bool { return of.took == 0 })
	return took - off
}

// charge has senders that are over their budget wait also with what they send next.
func (b *chunkBudget) charge(to *senderUsage) {
	for i := range b.senders {
		if of := &b.senders[i]; of.isOver {
			to.addTime(of.sender, of.took, time.Now())
		}
	}
}
