package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// engine takes what an input hands over at a speed of its own, and ticks between.
type engine struct {
	lead
	stint
	now   time.Time
	speed int // bytes in a millisecond
}

// run lets the input hand over as much as it may, so many times, and returns how long the engine was away from its timers at last.
func (e *engine) run(turns int) (away time.Duration) {
	for range turns {
		handed := 0
		for e.now = e.now.Add(leadTurn); e.allows(&e.stint, e.now); handed += batchSize {
			e.bytes += batchSize
		}
		away = time.Duration(handed/e.speed) * time.Millisecond
		e.now = e.now.Add(away)
		e.tick(e.now)
	}
	return away
}

func TestInputsHandOverWhatTheEngineTakesInOneGo(t *testing.T) {
	e := engine{now: time.Unix(1, 0), speed: 1 << 10}
	e.addInput(1)
	e.addTicker(1, e.now)
	require.Equal(t, 4*1024*time.Millisecond, e.run(1), "nothing is known yet")
	require.Less(t, e.run(9), time.Second)
	require.Less(t, e.run(1), time.Second, "it stays so")

	e.speed = 1 << 20 // the flood is over
	require.Less(t, e.run(12), leadTurn)
	_, limit := e.bound(e.now)
	require.Equal(t, leadMost, limit, "and inputs may fill all the host has room for")
}

// Without a filter nothing ticks, and nothing is known to be slow.
func TestInputsHandOverEverMoreWithoutTicks(t *testing.T) {
	var l lead
	now := time.Unix(1, 0)
	l.addInput(1)
	_, limit := l.bound(now)
	for range 10 {
		now = now.Add(10 * leadTurn)
		_, limit = l.bound(now)
	}
	require.Equal(t, leadMost, limit)
	turn, _ := l.bound(now)
	again, _ := l.bound(now.Add(leadTurn - 1))
	require.Equal(t, turn, again)
	again, _ = l.bound(now.Add(leadTurn))
	require.Equal(t, turn+1, again)
}

// Several filters tick shortly after each other; that is one turn.
func TestTicksOfSeveralFiltersAreOneTurn(t *testing.T) {
	var l lead
	now := time.Unix(1, 0)
	l.addTicker(1, now)
	l.addTicker(1, now)
	for range 10 {
		l.tick(now)
		l.tick(now.Add(time.Millisecond))
		now = now.Add(100 * time.Millisecond)
	}
	turn, _ := l.bound(now)
	require.EqualValues(t, 3, turn)
}
