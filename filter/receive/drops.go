package receive

import (
	"bufio"
	"encoding/binary"
	"io"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// dropCounter follows the number of datagrams that a socket had no room for. The kernel counts with 32 bits and starts again.
// It may be used by several goroutines.
type dropCounter struct{ last atomic.Uint32 }

// advance takes the kernel's count and returns how many datagrams were dropped since. A count that comes late is ignored.
func (c *dropCounter) advance(now uint32) (more uint64) {
	for {
		last := c.last.Load()
		if ahead := int32(now - last); ahead <= 0 {
			return 0
		} else if c.last.CompareAndSwap(last, now) {
			return uint64(ahead)
		}
	}
}

// controlSize is the size of the control message that tells of drops: a header and 32 bits.
var controlSize = unix.CmsgSpace(4)

// toldDrops reads the counter from the control messages of a datagram; a datagram has none before the first drop.
func toldDrops(control []byte) (drops uint32, told bool) {
	head := unix.CmsgLen(0)
	for len(control) >= head+4 {
		size := int(binary.NativeEndian.Uint64(control))
		if size < head || size > len(control) {
			return 0, false
		}
		level, kind := binary.NativeEndian.Uint32(control[8:]), binary.NativeEndian.Uint32(control[12:])
		if level == unix.SOL_SOCKET && kind == unix.SO_RXQ_OVFL && size >= head+4 {
			return binary.NativeEndian.Uint32(control[head:]), true
		}
		control = control[min(len(control), unix.CmsgSpace(size-head)):]
	}
	return 0, false
}

// socketTables are the kernel's tables of the UDP sockets of this network namespace. They stay open: Fluent Bit 3.2 closes some
// descriptors twice when it reloads, so that one that is opened at that moment can be closed by it, and the next one in its place
// by us.
type socketTables []*os.File

// openSocketTables opens those that there are.
func openSocketTables() (tables socketTables, err error) {
	for _, name := range []string{"/proc/self/net/udp", "/proc/self/net/udp6"} {
		file, err := os.Open(name)
		if os.IsNotExist(err) { // without IPv6
			continue
		}
		if err != nil {
			tables.close()
			return nil, err
		}
		tables = append(tables, file)
	}
	return tables, nil
}

func (t socketTables) close() {
	for _, file := range t {
		file.Close()
	}
}

// drops returns the counters of all sockets by inode. Unlike control messages they include what was dropped after the last
// datagram that was read.
func (t socketTables) drops() (map[uint64]uint32, error) {
	drops := map[uint64]uint32{}
	for _, file := range t {
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
		if err := readDrops(file, drops); err != nil {
			return nil, err
		}
	}
	return drops, nil
}

// Columns of the kernel's table of UDP sockets.
const (
	inodeColumn = 9
	dropColumn  = 12
)

func readDrops(table io.Reader, drops map[uint64]uint32) error {
	lines := bufio.NewScanner(table)
	lines.Scan() // names of columns
	for lines.Scan() {
		columns := strings.Fields(lines.Text())
		if len(columns) <= dropColumn {
			continue
		}
		inode, err := strconv.ParseUint(columns[inodeColumn], 10, 64)
		count, err2 := strconv.ParseUint(columns[dropColumn], 10, 64)
		if err == nil && err2 == nil {
			drops[inode] = uint32(count)
		}
	}
	return lines.Err()
}
