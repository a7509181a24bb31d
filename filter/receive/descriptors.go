package receive

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// The descriptors that connections leave to the rest of the process: files, outputs, other inputs. It is a quarter of what the process
// may have, and no more than mostReserved, since there are at most max_connections.
const (
	reservedShare = 4
	mostReserved  = 1024
)

// spareDescriptors reports whether enough descriptors are left beside that of a connection. The kernel gives the lowest number that is
// free, so all below it are in use, by whomever.
func spareDescriptors(conn any) bool {
	var limit unix.Rlimit
	of, known := conn.(syscall.Conn)
	if !known || unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return true
	}
	raw, err := of.SyscallConn()
	if err != nil {
		return true // reading it tells
	}
	most := limit.Cur - min(limit.Cur/reservedShare, mostReserved)
	spare := true
	err = raw.Control(func(fd uintptr) { spare = uint64(fd) < most })
	return spare || err != nil
}
