package cache

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// slotMemory is memory for slots beside Go's heap: the garbage collector counts the heap to decide how much garbage it may hold, and
// what the cache holds is none. Of memory that was never written, the system has no page.
type slotMemory struct {
	slots  []slot
	mapped []byte // nil when the system gave none, and the slots are in the heap after all
}

// newSlotMemory returns n slots, all empty.
func newSlotMemory(n int) slotMemory {
	mapped, err := unix.Mmap(-1, 0, n*slotBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		return slotMemory{slots: make([]slot, n)}
	}
	// A huge page would hold megabytes for the first slot. Where the system has none, there is nothing to refuse.
	_ = unix.Madvise(mapped, unix.MADV_NOHUGEPAGE)
	return slotMemory{unsafe.Slice((*slot)(unsafe.Pointer(unsafe.SliceData(mapped))), n), mapped}
}

// release gives the memory back. Nobody may use the slots any more.
func (m *slotMemory) release() {
	if m.mapped != nil {
		_ = unix.Munmap(m.mapped) // fails for memory only that is not mapped
	}
	*m = slotMemory{}
}
