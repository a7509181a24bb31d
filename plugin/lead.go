package main

import (
	"sync"
	"sync/atomic"
	"time"
)

// lead bounds how far inputs with threads of their own may be ahead of the engine. Fluent Bit's engine takes what they hand over
// until nothing is left, and serves timers and outputs only then: in a flood that filters cannot keep up with, an input that never
// stops leaves outputs no time at all. Filters tick on the engine's loop, which shows that it has turned to other things; the time
// between tells how much it can take in one go.
//
// Its zero value is ready for use.
type lead struct {
	inputs  atomic.Int32 // with threads of their own
	mu      sync.Mutex
	tickers int // until one ticks, and where none does, turns are of equal length
	last    time.Time
	turn    uint64
	limit   int // bytes for each input in a turn
}

const (
	// leadTurn is a little more than the time after which the engine looks again at what inputs have handed over.
	leadTurn = 260 * time.Millisecond
	// leadGoal is how long a turn may take before inputs hand over less; a tick is late by a tenth of a second at most.
	leadGoal = 500 * time.Millisecond
	// The host has room for 1,024 batches of each input.
	leadLeast, leadFirst, leadMost = batchSize, 4 << 20, 1024 * batchSize
)

// ahead is the lead of all inputs of the process.
var ahead lead

func (l *lead) addInput(n int32) {
	l.inputs.Add(n)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.limit = leadFirst
}

// needsTicks reports that there is an input which waits for the engine. It is asked with every chunk.
func (l *lead) needsTicks() bool { return l.inputs.Load() > 0 }

func (l *lead) addTicker(n int, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tickers += n
	l.last = now
}

// tick is to be called by each ticker, on the engine's loop.
func (l *lead) tick(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pass(now)
}

// pass begins a turn when it is time for one.
func (l *lead) pass(now time.Time) {
	took := now.Sub(l.last)
	if took < leadTurn {
		return
	}
	l.last = now
	l.turn++
	if l.tickers > 0 && took > leadGoal {
		l.limit = max(leadLeast, int(float64(l.limit)*float64(leadGoal)/float64(took)))
	} else {
		l.limit = min(leadMost, 2*l.limit)
	}
}

// bound returns the engine's turn, and how many bytes an input may hand over in it.
func (l *lead) bound(now time.Time) (turn uint64, limit int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tickers == 0 {
		l.pass(now)
	}
	return l.turn, l.limit
}

// stint is what one input has handed over in a turn of the engine.
type stint struct {
	turn  uint64
	bytes int
}

// allows reports whether the input may hand over more.
func (l *lead) allows(s *stint, now time.Time) bool {
	turn, limit := l.bound(now)
	if turn != s.turn {
		*s = stint{turn: turn}
	}
	return s.bytes < limit
}
