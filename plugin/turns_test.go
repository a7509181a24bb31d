package main

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTurnsRunInOrderOneAtATime(t *testing.T) {
	const flushes = 20
	var line turns
	var mu sync.Mutex
	var order []uint64
	busy := false
	var waiting sync.WaitGroup
	for range flushes {
		turn := line.queue()
		waiting.Go(func() {
			answer := notYet
			for ; answer == notYet; time.Sleep(time.Millisecond) {
				answer = line.take(turn, func() func() int {
					return func() int {
						mu.Lock()
						require.False(t, busy)
						busy = true
						mu.Unlock()
						time.Sleep(time.Millisecond)
						mu.Lock()
						busy = false
						order = append(order, turn)
						mu.Unlock()
						return int(turn)
					}
				})
			}
			require.EqualValues(t, turn, answer)
		})
	}
	waiting.Wait()
	require.Len(t, order, flushes)
	require.IsIncreasing(t, order)
}

func TestWaitReturnsAfterWorkWhoseAnswerNobodyTook(t *testing.T) {
	var line turns
	done := false
	require.Equal(t, notYet, line.take(line.queue(), func() func() int {
		return func() int {
			time.Sleep(10 * time.Millisecond)
			done = true
			return 0
		}
	}))
	line.wait()
	require.True(t, done)
}
