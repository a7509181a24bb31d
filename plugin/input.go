package main

// #include "exports.h"
import "C"

import (
	"fmt"
	"runtime/cgo"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/fluent/fluent-bit-go/input"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/metrics"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/receive"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/fluentbit"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
	"github.com/fluent-bit-waf/fluent-bit-waf/plugin/host"
)

// source is one input nano of a pipeline. Apart from the receiver it is used on the thread of the host's event loop only.
type source struct {
	guard
	ins      unsafe.Pointer
	receiver *receive.Receiver
	key      string    // of the settings that the receiver has
	hold     time.Time // from when on records are not handed over, zero for never
	rest     time.Time // until when the event loop is left to outputs: timers come before them, however long it takes to serve one
	stint    stint
	threaded bool // the event loop is the input's own
	refused  limiter
	taken    uint64 // records that the host has taken
	metrics  *metrics.Instance
}

const (
	// turn is for how long records are handed over at a time; meanwhile the event loop does nothing else.
	turn = 50 * time.Millisecond
	// lastWords is for how long records are handed over after the host has asked for a pause: when it shuts down, the pause is all
	// that tells, and it goes on for a second at least.
	lastWords = 500 * time.Millisecond
	// parkTime is how long a receiver outlives its pipeline in a hot reload.
	parkTime = 15 * time.Second
	// batchSize is how many bytes of events are handed over together: enough for the filter to share out between cores, and little
	// enough for its inspect_budget. The host has room for 1,024 batches between the thread of an input and the engine's.
	batchSize = 64 << 10
)

// inputProperties reads what the host has for the input that is being initialized.
type inputProperties struct{ start unsafe.Pointer }

func (p inputProperties) Get(name string) string { return input.FLBPluginConfigKey(p.start, name) }

//export wafInputRegister
func wafInputRegister(def unsafe.Pointer) C.int {
	return C.int(input.FLBPluginRegister(def, "nano", "Receive records of Nano probes, and GELF, over UDP and TCP"))
}

//export wafInputUnregister
func wafInputUnregister(def unsafe.Pointer) { input.FLBPluginUnregister(def) }

// wafInputOpen starts an input and returns its handle; 0 prevents startup, with the reasons in the log.
//
//export wafInputOpen
func wafInputOpen(start unsafe.Pointer) (handle C.uintptr_t) {
	name := host.InputName(start)
	s := &source{guard: guard{log: pluginLogger("input", "nano", name)}, ins: host.InputInstance(start),
		threaded: host.OnInputThread()}
	defer s.recovered("start", func() {
		handle = 0
		s.abort()
	})
	advisor.opened(fluentbit.Input, s.log)
	r := setting.NewReader(inputProperties{start}, receive.InputProperties())
	settings := receive.ReadInput(r)
	if err := r.Err(); err != nil {
		s.log(filter.LevelError, err.Error())
		return 0
	}
	settings.Batch = batchSize
	s.key = describeSettings(r)
	if err := s.open(settings); err != nil {
		s.log(filter.LevelError, err.Error())
		return 0
	}
	s.metrics = shared.Metrics().Join("input", name, filter.Version, s.caught("metrics"))
	s.metrics.Add(s.receiver.Collector(), metrics.Collecting(func(to chan<- prometheus.Metric) {
		metrics.Panics.Send(to, float64(s.panics.Load())+float64(s.receiver.Counts().Panics))
	}))
	handle = C.uintptr_t(cgo.NewHandle(s))
	if s.threaded {
		ahead.addInput(1)
	}
	running.Add(1)
	return handle
}

// abort releases what a start that fails has opened.
func (s *source) abort() {
	if s.metrics != nil {
		s.metrics.Leave()
	}
	if s.receiver != nil {
		closeReceiver(s.receiver)
	}
}

// describeSettings tells whether two inputs have the same settings.
func describeSettings(r *setting.Reader) string {
	var b strings.Builder
	for _, p := range receive.InputProperties() {
		fmt.Fprintf(&b, "%s=%q ", p.Name, r.Text(p.Name))
	}
	return b.String()
}

// open takes over what a reload has left, or opens the places anew.
func (s *source) open(settings receive.Settings) (err error) {
	if s.receiver = parked.take(s.key); s.receiver != nil {
		s.log(filter.LevelInfo, fmt.Sprintf("continues receiving from %s, with %d records from before the reload", placeList(s.receiver),
			s.receiver.Queue.Waiting()))
		return nil
	}
	left := parked.replace(settings.Places)
	if s.receiver, err = receive.Open(settings, func(line string) { s.log(filter.LevelWarn, line) }); err != nil {
		return err
	}
	for _, former := range left {
		for b, ok := former.Queue.Take(); ok; b, ok = former.Queue.Take() {
			s.receiver.Queue.Put(b.Events, b.Records)
		}
	}
	s.log(filter.LevelInfo, "receives from "+placeList(s.receiver))
	return nil
}

func placeList(r *receive.Receiver) string {
	var all []string
	for _, p := range r.Places() {
		all = append(all, p.String())
	}
	return strings.Join(all, ", ")
}

func sourceOf(handle C.uintptr_t) *source { return cgo.Handle(handle).Value().(*source) }

// wafInputHandOver hands over to the host what has been received.
//
//export wafInputHandOver
func wafInputHandOver(handle C.uintptr_t) {
	s := sourceOf(handle)
	defer s.recovered("hand over", func() {})
	now := time.Now()
	if !s.hold.IsZero() && now.After(s.hold) {
		return
	}
	if now.Before(s.rest) {
		return
	}
	for s.mayHandOver() && s.handOver() && time.Since(now) < turn {
	}
	took := time.Since(now)
	s.rest = now.Add(took + took/4)
}

// mayHandOver reports whether the engine can take more.
func (s *source) mayHandOver() bool { return !s.threaded || ahead.allows(&s.stint, time.Now()) }

// handOver hands over one batch. It reports false when there is none, or the host does not take it.
func (s *source) handOver() bool {
	return s.give(func(b receive.Batch) bool {
		// The host copies what it takes.
		return host.AppendToInput(s.ins, b.Records, b.Events)
	})
}

// give gives a batch to the host, or back to the queue when the host does not take it, or panics.
func (s *source) give(toHost func(receive.Batch) bool) (taken bool) {
	b, ok := s.receiver.Queue.Take()
	if !ok {
		return false
	}
	defer func() {
		if !taken {
			s.receiver.Queue.Return(b)
		}
	}()
	if !toHost(b) {
		if n, now := s.refused.may(); now {
			s.log(filter.LevelWarn, fmt.Sprintf("the pipeline does not accept records (%d attempts); they wait within queue_limit", n))
		}
		return false
	}
	taken = true
	s.taken += uint64(b.Records)
	s.stint.bytes += len(b.Events)
	s.receiver.Queue.Done(b)
	return taken
}

// wafInputPause is the host's wish for no more records: its memory limit is reached, it shuts down, or it reloads. In a reload
// records wait for the next pipeline.
//
//export wafInputPause
func wafInputPause(handle C.uintptr_t, reloading C.int) {
	s := sourceOf(handle)
	defer s.recovered("pause", func() {})
	s.hold = time.Now()
	if reloading == 0 {
		s.hold = s.hold.Add(lastWords)
	}
}

//export wafInputResume
func wafInputResume(handle C.uintptr_t) {
	s := sourceOf(handle)
	defer s.recovered("resume", func() {})
	s.hold = time.Time{}
}

// wafInputClose ends an input. In a reload its receiver goes on until the next pipeline takes it over.
//
//export wafInputClose
func wafInputClose(handle C.uintptr_t, reloading C.int) {
	h := cgo.Handle(handle)
	s := h.Value().(*source)
	defer closed()
	defer s.recovered("exit", func() {})
	h.Delete()
	if s.threaded {
		defer ahead.addInput(-1) // whatever happens: filters tick for it
	}
	s.metrics.Leave()
	if reloading != 0 {
		s.log(filter.LevelInfo, s.summary())
		parked.put(s.key, s.receiver, &s.guard)
		return
	}
	closeReceiver(s.receiver)
	s.log(filter.LevelInfo, s.summary())
	warnOfLeft(s.receiver, s.log)
}

func closeReceiver(r *receive.Receiver) {
	r.Queue.Abandon()
	r.Close(0)
}

func warnOfLeft(r *receive.Receiver, log filter.Logger) {
	if n := r.Queue.Waiting(); n > 0 {
		log(filter.LevelWarn, fmt.Sprintf("%d records arrived too late for this pipeline and are dropped", n))
	}
}

func (s *source) summary() string {
	c := s.receiver.Counts()
	return fmt.Sprintf("datagrams %d, lines %d, records %d: handed over %d, waiting %d, dropped by the kernel %d, by the queue %d; "+
		"invalid %d, denied %d, limited %d; connections refused %d, closed as idle %d, to make room for others %d, with unfinished lines %d",
		c.Datagrams, c.Lines, c.Records, s.taken, s.receiver.Queue.Waiting(), c.KernelDrops, c.QueueDrops, c.Invalid, c.Denied, c.Limited,
		c.Refused, c.Idle, c.Displaced+c.Crowded, c.Cut)
}

// parked holds receivers between two pipelines: a hot reload ends the old one before it starts the new one, and meanwhile the
// sockets stay open.
var parked = lot{receivers: map[string]*parkedReceiver{}}

type lot struct {
	mu        sync.Mutex
	receivers map[string]*parkedReceiver
}

type parkedReceiver struct {
	*receive.Receiver
	timer *time.Timer
}

func (l *lot) put(key string, r *receive.Receiver, g *guard) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.receivers[key] = &parkedReceiver{r, time.AfterFunc(parkTime, func() {
		recovery.Once(g.caught("end of a reload"), func() { l.giveUp(key, g.log) })
	})}
}

// giveUp closes a receiver that no input has taken over.
func (l *lot) giveUp(key string, log filter.Logger) {
	if r := l.take(key); r != nil {
		defer warnOfLeft(r, log)
		defer closeReceiver(r)
		log(filter.LevelWarn, "no input has taken over the records received before the reload")
	}
}

func (l *lot) take(key string) *receive.Receiver {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.receivers[key]
	if p == nil {
		return nil
	}
	p.timer.Stop()
	delete(l.receivers, key)
	return p.Receiver
}

// replace closes the receivers that hold one of the places, and returns them: their queues may still hold records.
func (l *lot) replace(places []receive.Place) (closed []*receive.Receiver) {
	for _, key := range l.keys() {
		if r := l.takeAt(key, places); r != nil {
			closeReceiver(r)
			closed = append(closed, r)
		}
	}
	return closed
}

func (l *lot) keys() (all []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key := range l.receivers {
		all = append(all, key)
	}
	return all
}

// takeAt takes a receiver when it holds one of the places.
func (l *lot) takeAt(key string, places []receive.Place) *receive.Receiver {
	if !l.holds(key, places) {
		return nil
	}
	return l.take(key)
}

func (l *lot) holds(key string, places []receive.Place) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.receivers[key]
	return p != nil && p.Holds(places)
}
