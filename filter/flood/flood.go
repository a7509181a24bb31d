// Package flood keeps alerts from flooding who reads them. Repeats are summed up, and a limit on all alerts holds.
// Nothing is dropped silently: summaries and notices show how many alerts they stand for.
package flood

import (
	"container/list"
	"sync"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
)

// Settings say how alerts are controlled.
type Settings struct {
	Window time.Duration // in which repeats are summed up; 0 sums nothing up
	Limit  int           // alerts a second over all kinds; 0 sets no limit
}

// What Control remembers is bounded: when there is more, the summary of the oldest kind comes early.
const (
	mostKinds  = 10_000
	mostMemory = 16 << 20 // bytes
	entryBytes = 400      // of an entry, its texts apart
)

// noticeEvery is how far apart, at least, notices of the limit are.
const noticeEvery = 10 * time.Second

// Repeat is an alert that stands for others, and the tag under which these would have been.
type Repeat struct {
	Alert *alert.Alert
	Tag   string
}

// Control decides which alerts are sent. It is safe for concurrent use.
type Control struct {
	settings Settings
	now      func() time.Time

	mu     sync.Mutex
	kinds  map[string]*list.Element // of *kind
	order  list.List                // by start of window, the oldest first
	bytes  int
	early  []Repeat // summaries of kinds that made room
	tokens float64
	filled time.Time // when tokens were counted last

	limited    alert.Repeats // alerts that the limit has skipped since the last notice
	worst      int           // severity of the worst of them
	limitedTag string
	ruleSet    string
	producer   alert.Producer
	noticed    time.Time
}

// kind is what is known of one kind of alerts.
type kind struct {
	key   string
	start time.Time // of the window
	alert *alert.Alert
	tag   string
	seen  alert.Repeats // in this window and not told yet
	bytes int
}

// New returns a Control, nil when the settings control nothing.
func New(s Settings) *Control {
	if s.Window <= 0 && s.Limit <= 0 {
		return nil
	}
	return newControl(s, time.Now)
}

func newControl(s Settings, now func() time.Time) *Control {
	return &Control{settings: s, now: now, kinds: map[string]*list.Element{}, tokens: float64(s.Limit), filled: now(), noticed: now()}
}

// Offer decides on an alert that is to go out under a tag: whether it is sent now. One that is not will be in a summary or in a
// notice.
func (c *Control) Offer(a *alert.Alert, tag string) (send bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if c.settings.Window > 0 && c.repeated(a, tag, now) {
		return false
	}
	if !c.allowed(now) {
		c.leaveOut(a, alert.Repeats{Count: 1, First: a.Time, Last: a.Time}, tag)
		return false
	}
	if c.settings.Window > 0 {
		k := &kind{key: a.Kind(), start: now, tag: tag}
		k.bytes = entryBytes + len(k.key) + len(tag)
		c.kinds[k.key] = c.order.PushBack(k)
		c.bytes += k.bytes
		c.bound()
	}
	return true
}

// repeated reports whether an alert is a repeat, and then counts it. A kind that was told in the window before starts the next
// one with a repeat, so that a flood makes one alert in each window.
func (c *Control) repeated(a *alert.Alert, tag string, now time.Time) bool {
	element, known := c.kinds[a.Kind()]
	if !known {
		return false
	}
	k := element.Value.(*kind)
	if c.over(k, now) {
		if k.seen.Count == 0 {
			c.forget(element)
			return false
		}
		if r, told := c.summary(k, now); told {
			c.early = append(c.early, r)
		}
		c.restart(element, now)
	}
	add(&k.seen, alert.Repeats{Count: 1, First: a.Time, Last: a.Time})
	if k.alert == nil {
		k.alert, k.tag = a.WithoutPayload(), tag
		k.bytes += k.alert.Size()
		c.bytes += k.alert.Size()
		c.bound()
	}
	return true
}

func (c *Control) over(k *kind, now time.Time) bool { return now.Sub(k.start) >= c.settings.Window }

func (c *Control) restart(e *list.Element, now time.Time) {
	k := e.Value.(*kind)
	k.start, k.seen = now, alert.Repeats{}
	c.order.MoveToBack(e)
}

func (c *Control) forget(e *list.Element) {
	k := e.Value.(*kind)
	delete(c.kinds, k.key)
	c.order.Remove(e)
	c.bytes -= k.bytes
}

// bound makes room when there is too much to remember; what has just been added stays.
func (c *Control) bound() {
	for c.order.Len() > 1 && (c.order.Len() > mostKinds || c.bytes > mostMemory) {
		oldest := c.order.Front()
		if k := oldest.Value.(*kind); k.seen.Count > 0 {
			if r, told := c.summary(k, c.now()); told {
				c.early = append(c.early, r)
			}
		}
		c.forget(oldest)
	}
}

// summary returns the alert that stands for the repeats of a kind, unless the limit skips it.
func (c *Control) summary(k *kind, now time.Time) (r Repeat, told bool) {
	if !c.allowed(now) {
		c.leaveOut(k.alert, k.seen, k.tag)
		return r, false
	}
	return Repeat{k.alert.Summing(k.seen), k.tag}, true
}

// allowed takes a token of the limit, when there is one.
func (c *Control) allowed(now time.Time) bool {
	if c.settings.Limit <= 0 {
		return true
	}
	limit := float64(c.settings.Limit)
	c.tokens = min(limit, c.tokens+limit*now.Sub(c.filled).Seconds())
	c.filled = now
	if c.tokens < 1 {
		return false
	}
	c.tokens--
	return true
}

// leaveOut counts alerts that the limit skips.
func (c *Control) leaveOut(a *alert.Alert, seen alert.Repeats, tag string) {
	if c.limited.Count == 0 || a.Severity < c.worst {
		c.worst = a.Severity
	}
	c.limitedTag, c.ruleSet, c.producer = tag, a.RuleSet, a.Producer
	add(&c.limited, seen)
}

func add(to *alert.Repeats, more alert.Repeats) {
	if to.Count == 0 || more.First.Before(to.First) {
		to.First = more.First
	}
	if to.Count == 0 || more.Last.After(to.Last) {
		to.Last = more.Last
	}
	to.Count += more.Count
}

// Due returns the summaries of windows that are over, and a notice when the limit has left alerts out and the last notice is
// long enough ago. With all, everything that was not told yet is due.
func (c *Control) Due(all bool) (due []Repeat) {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	due, c.early = c.early, nil
	for e := c.order.Front(); e != nil; {
		k, next := e.Value.(*kind), e.Next()
		if !all && !c.over(k, now) {
			break
		}
		if k.seen.Count == 0 || all {
			c.forget(e)
		}
		if k.seen.Count > 0 {
			if r, told := c.summary(k, now); told {
				due = append(due, r)
			}
			if !all {
				c.restart(e, now)
			}
		}
		e = next
	}
	if c.limited.Count > 0 && (all || now.Sub(c.noticed) >= noticeEvery) {
		due = append(due, Repeat{alert.NewNotice(c.limited, c.worst, c.settings.Limit, c.ruleSet, c.producer), c.limitedTag})
		c.limited, c.noticed = alert.Repeats{}, now
	}
	return due
}

// Waiting returns how many alerts wait for their summary or notice.
func (c *Control) Waiting() (n int) {
	if c == nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for e := c.order.Front(); e != nil; e = e.Next() {
		n += e.Value.(*kind).seen.Count
	}
	for i := range c.early {
		n += c.early[i].Alert.Repeats.Count
	}
	return n + c.limited.Count
}
