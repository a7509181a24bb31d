package pipeline

import (
	"slices"
	"time"
)

// spending is how long one goroutine has worked on the records of each sender in a batch that is to be inspected within a budget. Reading them is not
// in it, nor is recalling that one is clean. A sender that has had its part is behind: what is left of its records waits
// until the others are inspected, so that it delays only itself.
//
// It notes few senders. When one comes that has no room, each loses as much as that one takes (the summary of Misra and Gries): nobody's time is
// overstated, and it is understated by at most a 17th of the time of all.
type spending struct {
	budget time.Duration // 0 when there is none
	total  time.Duration
	most   []spent
	room   [16]spent
}

// spent is what one sender has had.
type spent struct {
	sender sender
	took   time.Duration
	behind bool
}

// partOfRest is which part of the time that is left a sender may have had: however many have had theirs, there is some left.
const partOfRest = 8

func (s *spending) start(budget time.Duration) {
	s.budget, s.total, s.most = budget, 0, s.room[:0]
}

func (s *spending) isBounded() bool { return s.budget > 0 }

// isOver reports whether nothing is left of the budget.
func (s *spending) isOver() bool { return s.isBounded() && s.total >= s.budget }

// isBehind reports whether a sender has had its part.
func (s *spending) isBehind(from sender) bool {
	if !s.isBounded() {
		return false
	}
	for i := range s.most {
		if of := &s.most[i]; of.sender == from {
			of.behind = of.behind || of.took > (s.budget-s.total)/partOfRest
			return of.behind
		}
	}
	return false
}

// add notes work on a record of a sender.
func (s *spending) add(from sender, took time.Duration) {
	if !s.isBounded() || took <= 0 {
		return
	}
	s.total += took
	for i := range s.most {
		if s.most[i].sender == from {
			s.most[i].took += took
			return
		}
	}
	if len(s.most) == cap(s.most) {
		took = s.makeRoom(took)
	}
	if took > 0 {
		s.most = append(s.most, spent{sender: from, took: took})
	}
}

// makeRoom takes off from all senders what a new one takes, or as much as the least has, and returns what is left of it.
func (s *spending) makeRoom(took time.Duration) (rest time.Duration) {
	off := took
	for i := range s.most {
		off = min(off, s.most[i].took)
	}
	for i := range s.most {
		s.most[i].took -= off
	}
	s.most = slices.DeleteFunc(s.most, func(of spent) bool { return of.took == 0 })
	return took - off
}

// charge has senders that are behind be so also with what they send next.
func (s *spending) charge(to *shares) {
	for i := range s.most {
		if of := &s.most[i]; of.behind {
			to.use(of.sender, of.took, time.Now())
		}
	}
}
