package receive

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
)

const (
	// watchEvery is how often the kernel's counters are read.
	watchEvery = time.Second
	// tellEvery is how often losses are logged, in watchEvery.
	tellEvery = 10
)

// watch follows what the kernel drops and which messages stay incomplete, and tells of losses now and then.
func (r *Receiver) watch() {
	var told Counts
	last := func() {
		r.readKernelDrops()
		r.tellLosses(told)
	}
	recovery.Loop(r.end, r.Caught("watch"), func() { r.tick(&told) })
	recovery.Once(r.Caught("last watch"), last)
}

// tick looks every so often until the end.
func (r *Receiver) tick(told *Counts) {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for n := 1; ; n++ {
		select {
		case now := <-ticker.C:
			r.chunks.Expire(now)
			r.readKernelDrops()
			// The first losses are logged at once, the others every so often.
			if n%tellEvery == 0 || *told == (Counts{}) {
				*told = r.tellLosses(*told)
			}
		case <-r.end:
			return
		}
	}
}

func (r *Receiver) readKernelDrops() {
	drops, err := r.tables.drops()
	if err != nil {
		r.tellUncounted(err)
		return
	}
	for _, s := range r.sockets {
		if now, found := drops[s.inode]; found {
			r.counters.kernelDrops.Add(s.drops.advance(now))
		}
	}
}

func (r *Receiver) tellUncounted(reason error) {
	r.tell.once(fmt.Sprintf("datagrams dropped by the kernel cannot be counted completely: %v", reason))
}

// tellLosses logs what was lost since counts were logged, and returns the counts that are logged now. Without losses these stay.
func (r *Receiver) tellLosses(told Counts) Counts {
	now := r.Counts()
	var parts []string
	for _, loss := range []struct {
		now, told uint64
		text      string
	}{
		{now.KernelDrops, told.KernelDrops, "datagrams dropped by the kernel (a larger receive_buffer helps against bursts)"},
		{now.QueueDrops, told.QueueDrops, "records dropped because the pipeline is slower than the senders (queue_limit)"},
		{now.Invalid, told.Invalid, "messages not JSON"},
		{now.Denied, told.Denied, "datagrams and connections from senders outside allow"},
		{now.Limited, told.Limited, "messages above source_rate"},
		{now.ChunksGone, told.ChunksGone, "GELF chunks of messages that stayed incomplete"},
		{now.ChunksRefused, told.ChunksRefused, "GELF chunks refused"},
		{now.TooLong, told.TooLong, "lines longer than max_message"},
		{now.Refused, told.Refused, "connections refused (max_connections, source_connections, ulimit -n)"},
		{now.Idle, told.Idle, "connections closed after idle_timeout"},
		{now.Displaced, told.Displaced, "connections closed to make room for others (max_connections)"},
		{now.Crowded, told.Crowded, "connections closed because unfinished lines took a quarter of queue_limit"},
		{now.Cut, told.Cut, "unfinished lines of closed connections"},
	} {
		if more := loss.now - loss.told; more > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", more, loss.text))
		}
	}
	if len(parts) == 0 {
		return told
	}
	r.tell.warn("lost or dropped since the last such line: " + strings.Join(parts, ", "))
	return now
}

// teller warns of single events, at most one every so often. It may be used by several goroutines.
type teller struct {
	warn func(string)
	mu   sync.Mutex
	last time.Time
	held int
}

const onceEvery = 10 * time.Second

// once warns, unless it has just done so.
func (t *teller) once(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Since(t.last) < onceEvery {
		t.held++
		return
	}
	if t.held > 0 {
		line += fmt.Sprintf(" (and %d more since the last such line)", t.held)
	}
	t.last, t.held = time.Now(), 0
	t.warn(line)
}

// invalid tells what is wrong with a message that is not JSON; its text stays out of the log.
func (t *teller) invalid(reason error) { t.once("a message is invalid: " + reason.Error()) }

// Caught returns what counts a panic and tells of the first.
func (r *Receiver) Caught(where string) recovery.Caught {
	return func(cause any, stack []byte) {
		if r.counters.panics.Add(1) == 1 {
			r.tell.warn(fmt.Sprintf("%s: recovered from a panic, %s; further ones are only counted\n%s", where, recovery.Describe(cause), stack))
		}
	}
}
