package pipeline

import (
	"runtime"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/ruleset"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
)

// slowQueue holds records that keep the engine busy, by sender, so that one sender's do not hold up those of the others. The async's
// lock guards it.
type slowQueue struct {
	bySender map[sender]*slowSender
	bytes    int64 // of all events in it, those under evaluation included
}

// slowSender is what one sender has in the queue.
type slowSender struct {
	jobs  []*slowJob // in the order in which they came
	bytes int64
	busy  int // jobs under evaluation
}

// slowJob is one record that waits.
type slowJob struct {
	job
	tag   string
	rules *ruleset.InUse // in use for it
}

// perJob is about what a job takes besides its event, in bytes.
const perJob = 1 << 10

func (j *slowJob) size() int64 { return int64(len(j.item.event.Raw)) + perJob }

// slowQueueWait is how long a block waits for room in the slow queue while others wait behind it.
const slowQueueWait = time.Second

// startSlowWorkers has slow records evaluated, on all cores but one: that is left for the pipeline and for records that take little.
func (q *async) startSlowWorkers() {
	q.slow.bySender = map[sender]*slowSender{}
	workers := max(1, runtime.GOMAXPROCS(0)-1)
	q.slowWorkers.Add(workers)
	for range workers {
		go func() {
			defer q.slowWorkers.Done()
			recovery.Loop(nil, q.panics.Caught("asynchronous inspection"), q.runSlow)
		}()
	}
}

// deferItems queues the items of a batch that wait for the engine. What has no room is late.
func (q *async) deferItems(b *batch, items []item, tag string) {
	begin := time.Now()
	for i := range items {
		it := &items[i]
		if it.kind != waiting {
			continue
		}
		it.pending.rules.Forget()
		j := &slowJob{job: job{item: it.copied(), sender: it.sender, bytes: it.pending.bytes}, tag: tag, rules: b.rules}
		b.rules.Share() // the batch has them still
		late := q.putSlow(j, begin)
		it.kind = deferred
		for _, j := range late {
			q.drop(j)
		}
	}
}

// putSlow queues a job, and returns those for which there is no room: of the sender that has the most, the last ones. While no other sender has
// had records lately, a queue that waits waits for room, ten seconds from begin on, or one while chunks wait that may be of others.
func (q *async) putSlow(j *slowJob, begin time.Time) (late []*slowJob) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.skips && !q.closed && !q.hasRoom(j) && q.slow.isOf(j.sender) && !q.recent.hasOthers(j.sender, begin) {
		until := begin.Add(maxPutWait)
		if len(q.queue) > 0 {
			until = begin.Add(slowQueueWait)
		}
		if !q.await(until) {
			break
		}
	}
	if q.closed {
		return []*slowJob{j}
	}
	q.slow.add(j)
	for q.slow.bytes > q.limit/2 {
		dropped := q.slow.shed()
		if dropped == nil {
			break
		}
		late = append(late, dropped)
	}
	q.changed.Broadcast()
	return late
}

// hasRoom reports whether half of the queue's memory is enough for a job, which it is for any when there is no other.
func (q *async) hasRoom(j *slowJob) bool {
	return q.slow.bytes == 0 || q.slow.bytes+j.size() <= q.limit/2
}

// isOf reports whether nobody but a sender has jobs.
func (s *slowQueue) isOf(from sender) bool {
	return len(s.bySender) == 0 || len(s.bySender) == 1 && s.bySender[from] != nil
}

// recentSenders are the last two senders of HTTP records, and when they had one.
type recentSenders [2]struct {
	sender sender
	at     time.Time
}

// recentWindow is how long after its last record others must not hold a sender up.
const recentWindow = time.Minute

func (s *recentSenders) note(items []item, now time.Time) {
	for i := range items {
		switch it := &items[i]; {
		case it.kind == NotHTTP || it.kind == Broken || it.kind == Skipped:
			continue
		case it.sender != s[0].sender:
			s[1], s[0].sender = s[0], it.sender
		}
		s[0].at = now
	}
}

// hasOthers reports whether another sender than one has had records lately.
func (s *recentSenders) hasOthers(than sender, now time.Time) bool {
	for i := range s {
		if s[i].sender != than && now.Sub(s[i].at) < recentWindow {
			return true
		}
	}
	return false
}

func (s *slowQueue) add(j *slowJob) {
	of := s.bySender[j.sender]
	if of == nil {
		of = &slowSender{}
		s.bySender[j.sender] = of
	}
	of.jobs = append(of.jobs, j)
	of.bytes += j.size()
	s.bytes += j.size()
}

// shed removes the last job of the sender that has the most bytes, nil when all that is left is the only job that waits.
func (s *slowQueue) shed() *slowJob {
	var most *slowSender
	waiting := 0
	for _, of := range s.bySender {
		waiting += len(of.jobs)
		if len(of.jobs) > 0 && (most == nil || of.bytes > most.bytes) {
			most = of
		}
	}
	if waiting < 2 {
		return nil
	}
	last := len(most.jobs) - 1
	j := most.jobs[last]
	most.jobs[last] = nil
	most.jobs = most.jobs[:last]
	s.remove(j)
	return j
}

// remove forgets a job that is no longer among those of its sender.
func (s *slowQueue) remove(j *slowJob) {
	of := s.bySender[j.sender]
	of.bytes -= j.size()
	s.bytes -= j.size()
	if of.bytes == 0 {
		delete(s.bySender, j.sender)
	}
}

// next takes the first job of the sender that has the fewest under evaluation, and of these the one that has used least of the engine.
func (s *slowQueue) next() *slowJob {
	now := time.Now()
	var best *slowSender
	var least time.Duration
	for from, of := range s.bySender {
		if len(of.jobs) == 0 {
			continue
		}
		used, _ := slots.usage.lookup(from, 0, now)
		if best == nil || of.busy < best.busy || of.busy == best.busy && used < least {
			best, least = of, used
		}
	}
	if best == nil {
		return nil
	}
	j := best.jobs[0]
	best.jobs[0] = nil
	best.jobs = best.jobs[1:]
	best.busy++
	return j
}

// runSlow evaluates slow records until the filter ends.
func (q *async) runSlow() {
	for {
		j := q.nextSlow()
		if j == nil {
			return
		}
		emits := q.evaluateSlow(j)
		q.mu.Lock()
		q.slow.bySender[j.sender].busy--
		q.slow.remove(j)
		q.addEmits(emits)
		q.mu.Unlock()
	}
}

// nextSlow waits for a job, and for room for its alert. It returns nil when the filter ends.
func (q *async) nextSlow() *slowJob {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.closed {
		if q.waiting <= q.limit {
			if j := q.slow.next(); j != nil {
				return j
			}
		}
		q.changed.Wait()
	}
	return nil
}

// evaluateSlow returns the alert of a slow record, if it is one.
func (q *async) evaluateSlow(j *slowJob) []Emit {
	defer j.rules.Done()
	i := q.inspector
	var out Outcome
	defer q.recovered("a record", func() {
		j.item.kind = Broken
		i.counts.countKinds(&batch{items: []item{j.item}})
	})
	if err := j.rules.Set.Compile(&j.item.pending.rules); err != nil {
		j.err = err
	}
	done := false
	for !done {
		slots.measure(j.sender, j.bytes, j.rules.Set, func() { done = i.evaluator.evaluateCopy(&j.job, j.rules.Set, i.inLine) })
	}
	b := i.batches.one(&j.item, j.rules)
	incidents := i.correlate(b, "", i.incidentTag, i.afterwards)
	i.writer.collectEmits(b.items, j.tag, &out)
	i.counts.countKinds(b)
	return append(out.Emits, incidents...)
}

// drop counts a job that is not evaluated.
func (q *async) drop(j *slowJob) {
	defer j.rules.Done()
	j.item.kind = Late
	q.inspector.counts.countKinds(&batch{items: []item{j.item}})
}

// closeSlow waits for what is under evaluation, and counts the rest.
func (q *async) closeSlow() {
	q.slowWorkers.Wait()
	for _, of := range q.slow.bySender {
		for _, j := range of.jobs {
			q.drop(j)
		}
	}
}
