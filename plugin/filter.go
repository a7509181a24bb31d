package main

// #include "exports.h"
import "C"

import (
	"fmt"
	"runtime/cgo"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/fluentbit"
	"github.com/fluent-bit-waf/fluent-bit-waf/plugin/host"
)

// instance is one filter or processor waf of a pipeline. The host knows it by a cgo.Handle.
type instance struct {
	guard
	filter  *filter.Filter
	emitter *host.Emitter // nil without emit_tag
	tag     atomic.Pointer[string]
	noInput sync.Once

	ticking sync.Once
	ticker  unsafe.Pointer                 // asks for alerts that become ready while no records come, and tells when the engine turns
	input   atomic.Pointer[unsafe.Pointer] // from which records came last
}

var outcomes = sync.Pool{New: func() any { return new(filter.Outcome) }}

// largeOutcome is the size in bytes of a chunk from which its outcome is left to the garbage collector.
const largeOutcome = 4 << 20

// filterProperties reads what the host has for one of its filter instances.
type filterProperties struct{ ins unsafe.Pointer }

func (p filterProperties) Get(name string) string {
	return host.FilterProperty(p.ins, name)
}

// wafFilterOpen makes an instance and returns its handle; 0 prevents startup, with the reasons in the log.
//
//export wafFilterOpen
func wafFilterOpen(ins, config unsafe.Pointer) (handle C.uintptr_t) {
	name := host.FilterName(ins)
	i := &instance{guard: guard{log: logger("filter", name)}}
	defer i.recovered("start", func() { handle = 0 })

	advisor.opened(fluentbit.Filter, i.log)
	defer beginLoading()()
	f, err := filter.NewNamed("filter "+name, &lastGood, filterProperties{ins}, i.log)
	if err != nil {
		i.log(filter.LevelError, err.Error())
		return 0
	}
	i.filter = f
	f.MeasurePanics(i.panics.Load)
	if err := i.openEmitter(name, config); err != nil {
		i.log(filter.LevelError, err.Error())
		i.close()
		return 0
	}
	running.Add(1)
	return C.uintptr_t(cgo.NewHandle(i))
}

// openEmitter prepares for alerts under the emit tag, when there is one.
func (i *instance) openEmitter(name string, config unsafe.Pointer) error {
	limit, wanted := i.filter.Emitter()
	if !wanted {
		return nil
	}
	var err error
	if i.emitter, err = host.OpenEmitter("emitter_for_"+name, limit, config); err != nil {
		return fmt.Errorf("property emit_tag: %w", err)
	}
	return nil
}

// wafFilterRun evaluates one chunk and returns what cb_filter returns. The chunk and the tag are borrowed for the call; a changed
// chunk goes to the host as memory from malloc.
//
//export wafFilterRun
func wafFilterRun(handle C.uintptr_t, data unsafe.Pointer, size C.size_t, tag *C.char, tagLen C.int,
	out *unsafe.Pointer, outSize *C.size_t, input, config unsafe.Pointer,
) (answer C.int) {
	i := cgo.Handle(handle).Value().(*instance)
	chunk := unsafe.Slice((*byte)(data), int(size))
	o := outcomes.Get().(*filter.Outcome)
	o.Reset()
	defer i.recovered("filter", func() {
		answer = host.FilterNoTouch
		i.filter.Abandon(chunk, o)
	})

	if i.filter.Ticks() || ahead.needsTicks() {
		i.startTicking(handle, input)
	}
	name := i.tagName(unsafe.Slice((*byte)(unsafe.Pointer(tag)), int(tagLen)))
	fault(name)
	i.filter.Process(chunk, name, o)
	for _, e := range o.Emits {
		i.emit(e, input, config)
	}
	answer = host.FilterNoTouch
	if o.Changed {
		answer = handOver(o.Data, out, outSize)
	}
	if cap(o.Data) <= largeOutcome {
		outcomes.Put(o)
	}
	return answer
}

// startTicking makes the host's loop ask for alerts and tell inputs of its turns, and notes where alerts come from.
func (i *instance) startTicking(handle C.uintptr_t, input unsafe.Pointer) {
	if last := i.input.Load(); last == nil || *last != input {
		i.input.Store(&input)
	}
	i.ticking.Do(func() {
		if i.ticker = host.StartTicker(uintptr(handle)); i.ticker != nil {
			ahead.addTicker(1, time.Now())
		}
	})
}

// wafFilterTick sends the alerts that have become ready since records came last, and tells inputs that the engine has turned.
//
//export wafFilterTick
func wafFilterTick(handle C.uintptr_t, config unsafe.Pointer) {
	i := cgo.Handle(handle).Value().(*instance)
	defer i.recovered("timer", func() {})
	ahead.tick(time.Now())
	for _, e := range i.filter.Due(nil) {
		i.emit(e, *i.input.Load(), config)
	}
}

// handOver gives the host a copy of a changed chunk that is the host's to free. Without memory for it the old chunk stays.
func handOver(chunk []byte, out *unsafe.Pointer, outSize *C.size_t) C.int {
	if len(chunk) == 0 {
		*out, *outSize = nil, 0
		return host.FilterModified
	}
	copied := host.Copy(chunk)
	if copied == nil {
		return host.FilterNoTouch
	}
	*out, *outSize = copied, C.size_t(len(chunk))
	return host.FilterModified
}

// tagName returns the tag as a string of Go's; chunks in a row mostly have the same one.
func (i *instance) tagName(tag []byte) string {
	if last := i.tag.Load(); last != nil && *last == string(tag) {
		return *last
	}
	name := string(tag)
	i.tag.Store(&name)
	return name
}

func (i *instance) emit(e filter.Emit, input, config unsafe.Pointer) {
	switch i.emitter.Emit(e.Tag, e.Event, input, config) {
	case host.Taken:
		i.filter.EmitTaken(&e)
		return
	case host.NoInput:
		i.noInput.Do(func() {
			i.log(filter.LevelError, "emit_tag works in filters and input processors, not in output processors; "+
				"alerts count as not emitted")
		})
	}
	i.filter.EmitFailed(&e)
}

// wafFilterClose ends an instance.
//
//export wafFilterClose
func wafFilterClose(handle C.uintptr_t) {
	h := cgo.Handle(handle)
	i := h.Value().(*instance)
	defer closed()
	defer i.recovered("exit", func() {})
	if i.ticker != nil {
		host.StopTicker(i.ticker)
		ahead.addTicker(-1, time.Now())
	}
	h.Delete()
	i.close()
}

// close releases what the instance holds, and says in the log what it has done.
func (i *instance) close() {
	if err := i.filter.Close(); err != nil {
		i.log(filter.LevelWarn, err.Error())
	}
	i.emitter.Close()
	i.log(filter.LevelInfo, i.filter.Counts().String())
	if n := i.panics.Load(); n > 0 {
		i.log(filter.LevelWarn, fmt.Sprintf("%d panics in calls from Fluent Bit", n))
	}
}

// lastGood keeps the rules of the instances of this process across hot reloads. It is never closed: the next instance may need them.
var lastGood filter.LastGood
