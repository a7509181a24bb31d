package filter

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// loaded is a rule set in use. It is closed after its last user: the filter, as long as it is the current one, and each chunk
// that is being evaluated with it.
type loaded struct {
	set   *rules.Set
	at    time.Time
	users atomic.Int64
	idle  chan struct{} // closed by the last user
}

func newLoaded(set *rules.Set) *loaded {
	l := &loaded{set: set, at: time.Now(), idle: make(chan struct{})}
	l.users.Store(1)
	return l
}

// use returns the current rules for one chunk, which gives them back with done; nil when the filter is closed. Nothing waits: a
// chunk that comes while rules are swapped gets the old ones or the new ones.
func (f *Filter) use() *loaded {
	for {
		l := f.current.Load()
		switch n := l.users.Load(); {
		case n > 0 && l.users.CompareAndSwap(n, n+1):
			return l
		case n == 0 && f.current.Load() == l:
			return nil
		}
	}
}

func (l *loaded) done() {
	if l.users.Add(-1) == 0 {
		close(l.idle)
	}
}

// release gives up rules that are no longer the current ones, and closes them when no chunk needs them.
func (l *loaded) release() error {
	l.done()
	<-l.idle
	return l.set.Close()
}

// reloads looks after changed rule files, and tells how that went.
type reloads struct {
	watch    *rules.Watch
	interval time.Duration
	settle   time.Duration // files may be written one after the other: they are read once they have been alone for so long
	stop     chan struct{} // nil when nothing is watched
	ended    chan struct{}
	asked    chan struct{} // for a look at once

	done, failed, unchanged atomic.Uint64
	last                    atomic.Pointer[reloading] // nil before the first change
	broken                  atomic.Bool               // the files say something that cannot be used
}

// reloading is what became of one change of rule files.
type reloading struct {
	at   time.Time
	took time.Duration
	err  error
}

// maxSettle bounds how long files that never rest keep their rules from being read.
const maxSettle = 30 * time.Second

// watchRules starts to look after changed rule files, when there are any. The goroutine ends with the filter.
func (f *Filter) watchRules(w *rules.Watch) {
	if f.config.reloadInterval == 0 {
		return
	}
	if w.Files() == 0 {
		f.log(LevelWarn, "reload_interval: no rule is from a file, so none can change")
		return
	}
	r := &f.reloads
	r.watch, r.interval = w, f.config.reloadInterval
	r.settle = min(time.Second, r.interval)
	r.stop, r.ended, r.asked = make(chan struct{}), make(chan struct{}), make(chan struct{}, 1)
	f.log(LevelInfo, fmt.Sprintf("looking after %d rule files and directories every %s", w.Files(), r.interval))
	go f.runReloads()
}

func (f *Filter) runReloads() {
	defer close(f.reloads.ended)
	recovery.Loop(f.reloads.stop, f.Caught("reload of rules"), f.lookForChanges)
}

func (f *Filter) lookForChanges() {
	r := &f.reloads
	ticker := time.NewTicker(r.interval)
	defer ticker.Stop()
	for {
		select {
		case <-r.stop:
			return
		case <-ticker.C:
		case <-r.asked:
		}
		if r.watch.Changed() && r.rests() {
			f.reload(r.watch)
		}
	}
}

// Reload has changed rule files read now instead of with the next look after them. It does nothing where none are looked after.
func (f *Filter) Reload() {
	select {
	case f.reloads.asked <- struct{}{}:
	default: // asked already, or nothing is watched
	}
}

// rests waits until files do not change any more. It reports false when the filter ends.
func (r *reloads) rests() bool {
	for start := time.Now(); time.Since(start) < maxSettle; {
		select {
		case <-r.stop:
			return false
		case <-time.After(r.settle):
		}
		if !r.watch.Changed() {
			break
		}
	}
	return true
}

// end waits for a reload that is under way.
func (r *reloads) end() {
	if r.stop != nil {
		close(r.stop)
		<-r.ended
	}
}

// reload compiles the rules as their files are now, beside those in use, and puts them in their place. Where that fails, those
// in use stay.
func (f *Filter) reload(w *rules.Watch) {
	start := time.Now()
	err := f.tryReload(w)
	took := time.Since(start)
	f.reloads.last.Store(&reloading{at: start, took: took, err: err})
	switch {
	case errors.Is(err, errUnchanged):
		f.reloads.unchanged.Add(1)
		f.reloads.broken.Store(false)
		f.log(LevelInfo, "rule files were written, and say the same as before")
	case err != nil:
		f.reloads.failed.Add(1)
		f.reloads.broken.Store(true)
		f.log(LevelError, fmt.Sprintf("reload of rules: %v", err))
		f.log(LevelError, "the changed rules cannot be used: THE RULES OF BEFORE STAY IN USE")
	default:
		f.reloads.done.Add(1)
		f.reloads.broken.Store(false)
		f.log(LevelInfo, fmt.Sprintf("rules were reloaded in %s", took.Round(time.Millisecond)))
	}
}

var errUnchanged = errors.New("unchanged")

func (f *Filter) tryReload(w *rules.Watch) (err error) {
	var unused *rules.Set
	defer func() {
		if cause := recover(); cause != nil {
			f.Caught("reload of rules")(cause, debug.Stack())
			err = fmt.Errorf("panic: %s", recovery.Describe(cause))
			if unused != nil {
				err = errors.Join(err, unused.Close())
			}
		}
	}()
	set, err := w.Open()
	if err != nil {
		return err
	}
	unused = set
	before := f.current.Load()
	if set == before.set {
		unused = nil
		return errors.Join(errUnchanged, set.Close())
	}
	if err := set.Prepare(before.set); err != nil {
		unused = nil
		return errors.Join(err, set.Close())
	}
	difference := rules.Compare(before.set, set)
	f.current.Store(newLoaded(set))
	unused = nil
	defer f.retire(before, set)
	f.tellRules(set)
	f.log(LevelInfo, "compared with those of before: "+difference.String())
	return nil
}

// retire closes rules that others have taken the place of.
func (f *Filter) retire(before *loaded, set *rules.Set) {
	if err := errors.Join(keepRules(f.name, set), before.release()); err != nil {
		f.log(LevelWarn, fmt.Sprintf("closing the rules of before: %v", err))
	}
	runtime.GC() // compiling has used more than the rules do
}

// tellRules says in the log what the rules are.
func (f *Filter) tellRules(set *rules.Set) {
	for _, warning := range set.Warnings() {
		f.log(LevelWarn, warning)
	}
	for _, note := range set.Notes() {
		f.log(LevelWarn, note)
	}
	f.log(LevelInfo, fmt.Sprintf("%d rules loaded: %s", set.Rules(), set.Name()))
}
