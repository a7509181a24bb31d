package ruleset

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/telemetry"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// reloads looks after changed rule files, and reports how that went.
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
}

// Reloads shows how often rule files have changed, and what became of that.
type Reloads struct {
	Done      uint64 // the new rules have taken over
	Failed    uint64 // the new rules cannot be used
	Unchanged uint64 // the files say the same as before
}

// Reloads returns what became of changes of rule files so far.
func (c *Current) Reloads() Reloads { return c.reloads.counts() }

func (r *reloads) counts() Reloads {
	return Reloads{Done: r.done.Load(), Failed: r.failed.Load(), Unchanged: r.unchanged.Load()}
}

// maxSettle bounds how long files that never rest keep their rules from being read.
const maxSettle = 30 * time.Second

// Start logs what the rules are, and starts to look after changed rule files, when there are any. Stop ends that.
func (c *Current) Start(interval time.Duration) {
	c.logRules(c.Set())
	if interval == 0 {
		return
	}
	r := &c.reloads
	if r.watch.Files() == 0 {
		c.log(telemetry.LevelWarn, "reload_interval: no rule is from a file")
		return
	}
	r.interval = interval
	r.settle = min(time.Second, r.interval)
	r.stop, r.ended = make(chan struct{}), make(chan struct{})
	c.log(telemetry.LevelInfo, fmt.Sprintf("checking %d rule files and directories every %s", r.watch.Files(), r.interval))
	go c.runReloads()
}

func (c *Current) runReloads() {
	defer close(c.reloads.ended)
	recovery.Loop(c.reloads.stop, c.panics.Caught("reload of rules"), c.lookForChanges)
}

func (c *Current) lookForChanges() {
	r := &c.reloads
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
			c.Reload()
		}
	}
}

// LookForChanges has changed rule files read now instead of with the next look after them. It does nothing where none are looked after.
func (c *Current) LookForChanges() {
	select {
	case c.reloads.asked <- struct{}{}:
	default: // asked already
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

// Stop waits for a reload that is under way.
func (c *Current) Stop() {
	if r := &c.reloads; r.stop != nil {
		close(r.stop)
		<-r.ended
	}
}

// Reload compiles the rules as their files are now, beside those in use, and puts them in their place. Where that fails, those
// in use stay.
func (c *Current) Reload() {
	start := time.Now()
	err := c.tryReload()
	took := time.Since(start)
	c.reloads.last.Store(&reloading{at: start, took: took})
	switch {
	case errors.Is(err, errUnchanged):
		c.reloads.unchanged.Add(1)
		c.reloads.broken.Store(false)
		c.log(telemetry.LevelInfo, "rule files were written without changes")
	case err != nil:
		c.reloads.failed.Add(1)
		c.reloads.broken.Store(true)
		c.log(telemetry.LevelError, fmt.Sprintf("reload of rules: %v", err))
		c.log(telemetry.LevelError, "the changed rules cannot be used: THE PREVIOUS RULES STAY IN USE")
	default:
		c.reloads.done.Add(1)
		c.reloads.broken.Store(false)
		c.log(telemetry.LevelInfo, fmt.Sprintf("rules were reloaded in %s", took.Round(time.Millisecond)))
	}
}

var errUnchanged = errors.New("unchanged")

func (c *Current) tryReload() (err error) {
	var unused *rules.Set
	defer func() {
		if cause := recover(); cause != nil {
			c.panics.Caught("reload of rules")(cause, debug.Stack())
			err = fmt.Errorf("panic: %s", recovery.Describe(cause))
			if unused != nil {
				err = errors.Join(err, unused.Close())
			}
		}
	}()
	set, err := c.reloads.watch.Open()
	if err != nil {
		return err
	}
	unused = set
	before := c.rules.Load()
	if set == before.Set {
		unused = nil
		return errors.Join(errUnchanged, set.Close())
	}
	if err := set.Prepare(before.Set); err != nil {
		unused = nil
		return errors.Join(err, set.Close())
	}
	difference := rules.Compare(before.Set, set)
	c.rules.Store(newInUse(set))
	unused = nil
	defer c.retire(before, set)
	c.logRules(set)
	c.log(telemetry.LevelInfo, "compared with the previous rules: "+difference.String())
	return nil
}

// retire closes rules that others have taken the place of.
func (c *Current) retire(before *InUse, set *rules.Set) {
	if err := errors.Join(c.last.keep(c.name, set), before.release()); err != nil {
		c.log(telemetry.LevelWarn, fmt.Sprintf("closing the previous rules: %v", err))
	}
	runtime.GC() // compiling has used more than the rules do
}
