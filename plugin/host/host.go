// Package host is the C side of the plugin, for Go: what Fluent Bit looks up in the object, the tables of properties, and everything that has to
// happen before Go may be entered. It looks up the functions of the process that has loaded the object, and wraps those that Go calls. C enters
// Go through the exports of package main, which exports.h lists.
//
// A pointer of the host is an unsafe.Pointer here. It is never followed, and is valid as long as what it stands for is open.
package host

// #cgo CFLAGS: -std=gnu11 -D_GNU_SOURCE -DWAF_HOST_SIDE -Wall -Wextra -fvisibility=hidden
// #cgo LDFLAGS: -ldl
// #include <stdlib.h>
// #include "host.h"
import "C"

import (
	"errors"
	"unsafe"
)

// What a filter answers.
const (
	FilterModified = C.WAF_FILTER_MODIFIED
	FilterNoTouch  = C.WAF_FILTER_NOTOUCH
)

// Log writes one line to the host's log at its log level, or to standard error in a process that has none.
func Log(level int, line string) {
	c := C.CString(line)
	defer C.free(unsafe.Pointer(c))
	C.waf_log(C.int(level), c)
}

// FilterProperty returns the value of a property of a filter instance, "" when it has none.
func FilterProperty(ins unsafe.Pointer, name string) string {
	key := C.CString(name)
	defer C.free(unsafe.Pointer(key))
	return C.GoString(C.waf_filter_property(key, ins))
}

// FilterName returns the name of a filter instance.
func FilterName(ins unsafe.Pointer) string { return C.GoString(C.waf_filter_name(ins)) }

// OutputName returns the name of the output that is being started.
func OutputName(start unsafe.Pointer) string { return C.GoString(C.waf_output_name(start)) }

// InputName returns the name of the input that is being started.
func InputName(start unsafe.Pointer) string { return C.GoString(C.waf_input_name(start)) }

// InputInstance returns the instance that a Go-proxy input is started for.
func InputInstance(start unsafe.Pointer) unsafe.Pointer { return C.waf_input_instance(start) }

// OnInputThread reports whether the calling thread is an input's own.
func OnInputThread() bool { return C.waf_on_input_thread() != 0 }

// AppendToInput appends msgpack events to an input, with the tag of the input. It reports whether the host has taken a copy of them.
func AppendToInput(ins unsafe.Pointer, records int, events []byte) bool {
	return C.waf_input_append(ins, C.size_t(records), unsafe.Pointer(unsafe.SliceData(events)), C.size_t(len(events))) == 0
}

// ChecksProxyProperties reports whether the host checks the names of properties of Go-proxy plugins, which it does from 5.1 on.
func ChecksProxyProperties() bool { return C.waf_output_config_map() != nil }

// Advise has the process print lines when it ends, after all that the host has logged; "" for none.
func Advise(lines string) {
	text := C.CString(lines)
	defer C.free(unsafe.Pointer(text))
	C.waf_advise(text)
}

// ReleasePages takes the pages of this object's file out of the resident memory, and returns their size in bytes.
func ReleasePages() int { return int(C.waf_release_pages()) }

// Copy returns a copy of bytes that the host may free, nil when there is no memory.
func Copy(data []byte) unsafe.Pointer {
	return C.waf_copy(unsafe.Pointer(unsafe.SliceData(data)), C.size_t(len(data)))
}

// CloseLoop frees a loop that an output has owned.
func CloseLoop(loop unsafe.Pointer) { C.free(loop) }

// StartTicker has wafFilterTick called every so often on the loop of the calling thread. It returns nil on the thread of an input, and when the
// host lacks what it takes.
func StartTicker(handle uintptr) unsafe.Pointer { return C.waf_ticker_start(C.uintptr_t(handle)) }

// StopTicker takes nil, too. It is to be called on the thread that has started the ticker.
func StopTicker(ticker unsafe.Pointer) { C.waf_ticker_stop(ticker) }

// Emitter sends records under another tag. A nil one is one that was never opened.
type Emitter struct{ c *C.struct_waf_emitter }

// OpenEmitter makes what is needed to send records from the filter instance that is being initialized. The limit of memory is in Fluent Bit's
// notation. The input behind it belongs to the host, which ends it with the configuration.
func OpenEmitter(alias, limit string, config unsafe.Pointer) (*Emitter, error) {
	name, bytes := C.CString(alias), C.CString(limit)
	defer C.free(unsafe.Pointer(name))
	defer C.free(unsafe.Pointer(bytes))
	opened := C.waf_emitter_open(name, bytes, config)
	if opened.problem != nil {
		return nil, errors.New(C.GoString(opened.problem))
	}
	return &Emitter{opened.emitter}, nil
}

// Answer is what became of a record that was to be sent.
type Answer int

// The answers of Emit. A host that refuses a record may take the next.
const (
	Taken   Answer = C.WAF_EMIT_TAKEN
	NoInput Answer = C.WAF_EMIT_NO_INPUT
)

// Emit sends one msgpack event that came from an input under a tag.
func (e *Emitter) Emit(tag string, event []byte, input, config unsafe.Pointer) Answer {
	return Answer(C.waf_emit(e.c, (*C.char)(unsafe.Pointer(unsafe.StringData(tag))), C.size_t(len(tag)),
		unsafe.Pointer(unsafe.SliceData(event)), C.size_t(len(event)), input, config))
}

// Close frees the emitter. Nothing is sent after it.
func (e *Emitter) Close() {
	if e != nil {
		C.waf_emitter_close(e.c)
	}
}
