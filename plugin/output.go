package main

// #include "exports.h"
import "C"

import (
	"context"
	"fmt"
	"os"
	"unsafe"

	"github.com/fluent/fluent-bit-go/output"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/fluentbit"
	"github.com/fluent-bit-waf/fluent-bit-waf/plugin/host"
)

// sink is one output waf of a pipeline. fluent-bit-go keeps it for as long as the process lives, so it holds nothing once it
// is closed.
type sink struct {
	guard
	output *filter.Output
	loop   unsafe.Pointer // nil where the host cannot wait
	life   context.Context
	end    context.CancelFunc
	turns  turns
	tell   limiter
}

// outputProperties reads what the host has for the output that is being initialized.
type outputProperties struct{ start unsafe.Pointer }

func (p outputProperties) Get(name string) string { return output.FLBPluginConfigKey(p.start, name) }

//export wafOutputRegister
func wafOutputRegister(def unsafe.Pointer) C.int {
	advisor.prepare()
	pluginLogger("output", "waf", "plugin")(filter.LevelInfo, "version "+filter.Version)
	return C.int(output.FLBPluginRegister(def, "waf", "Detect web attacks in HTTP records and deliver the alerts"))
}

//export wafOutputUnregister
func wafOutputUnregister(def unsafe.Pointer) { output.FLBPluginUnregister(def) }

// wafOutputOpen starts an output, which then owns the loop. FLB_ERROR prevents startup, with the reasons in the log.
//
//export wafOutputOpen
func wafOutputOpen(start unsafe.Pointer, loop unsafe.Pointer) (answer C.int) {
	name := host.OutputName(start)
	s := &sink{guard: guard{log: logger("output", name)}, loop: loop}
	s.turns.caught, s.turns.failed = s.caught("flush"), output.FLB_RETRY
	defer s.recovered("start", func() { answer = output.FLB_ERROR })
	advisor.opened(fluentbit.Output, s.log)
	defer beginLoading()()
	o, err := filter.NewOutput("output "+name, &lastGood, outputProperties{start}, s.log, os.Stdout)
	if err != nil {
		s.log(filter.LevelError, err.Error())
		host.CloseLoop(loop)
		return output.FLB_ERROR
	}
	s.output = o
	o.MeasureFlushes(s.turns.waiting)
	o.MeasurePanics(s.panics.Load)
	s.life, s.end = context.WithCancel(context.Background())
	output.FLBPluginSetContext(start, s)
	running.Add(1)
	return output.FLB_OK
}

// sinkOf returns the sink of a handle, nil for one that was never opened.
func sinkOf(handle unsafe.Pointer) *sink {
	s, _ := output.FLBPluginGetContext(handle).(*sink)
	return s
}

//export wafOutputLoop
func wafOutputLoop(handle unsafe.Pointer) unsafe.Pointer { return sinkOf(handle).loop }

// wafOutputFlush evaluates a chunk and delivers its alerts on the calling thread.
//
//export wafOutputFlush
func wafOutputFlush(handle, data unsafe.Pointer, size C.size_t, tag *C.char) C.int {
	return C.int(sinkOf(handle).flush(unsafe.Slice((*byte)(data), int(size)), C.GoString(tag)))
}

// wafOutputQueue returns the turn of a flush that will wait for it.
//
//export wafOutputQueue
func wafOutputQueue(handle unsafe.Pointer) C.uint64_t {
	return C.uint64_t(sinkOf(handle).turns.queue())
}

// wafOutputTurn starts the flush when its turn has come, and returns its answer once it is there, WAF_NOT_YET before. The
// chunk is copied, because a host that shuts down does not wait for the answer.
//
//export wafOutputTurn
func wafOutputTurn(handle unsafe.Pointer, turn C.uint64_t, data unsafe.Pointer, size C.size_t, tag *C.char) (answer C.int) {
	s := sinkOf(handle)
	defer s.recovered("flush", func() { answer = output.FLB_RETRY })
	return C.int(s.turns.take(uint64(turn), func() func() int {
		chunk, name := C.GoBytes(data, C.int(size)), C.GoString(tag)
		return func() int { return s.flush(chunk, name) }
	}))
}

// flush evaluates a chunk and delivers its alerts. FLB_RETRY asks for the chunk again.
func (s *sink) flush(chunk []byte, tag string) (answer int) {
	defer s.recovered("flush", func() { answer = output.FLB_RETRY })
	fault(tag)
	if err := s.output.Flush(s.life, chunk, tag); err != nil {
		if n, now := s.tell.may(); now {
			s.log(filter.LevelWarn, fmt.Sprintf("%v (%d failures since the last such line)", err, n))
		}
		return output.FLB_RETRY
	}
	return output.FLB_OK
}

// wafOutputClose ends an output. A delivery that is under way is given up; its chunk was not confirmed to the host. A host that
// only checks its configuration (--dry-run) closes outputs that it has not opened.
//
//export wafOutputClose
func wafOutputClose(handle unsafe.Pointer) {
	s := sinkOf(handle)
	if s == nil {
		return
	}
	defer closed()
	defer s.recovered("exit", func() {})
	s.end()
	s.turns.wait()
	if err := s.output.Close(); err != nil {
		s.log(filter.LevelWarn, err.Error())
	}
	s.log(filter.LevelInfo, s.output.Counts().String())
	host.CloseLoop(s.loop)
	s.output, s.loop = nil, nil
}
