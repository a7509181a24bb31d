//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"time"

	"github.com/stretchr/testify/require"
)

// holding is what a process holds, and the time of the processor that it has taken.
type holding struct {
	resident, anonymous  int // kB
	threads, descriptors int
	cpu                  time.Duration
}

var statusLine = regexp.MustCompile(`(?m)^(VmRSS|RssAnon|Threads):\s+(\d+)`)

// clockTick is the unit of times in /proc: USER_HZ, 100 on all architectures that Fluent Bit runs on.
const clockTick = 10 * time.Millisecond

// holds returns what Fluent Bit holds now.
func (p *pipeline) holds() (h holding) {
	p.t.Helper()
	dir := fmt.Sprintf("/proc/%d/", p.command.Process.Pid)
	status, err := os.ReadFile(dir + "status")
	require.NoError(p.t, err)
	values := map[string]int{}
	for _, m := range statusLine.FindAllSubmatch(status, -1) {
		values[string(m[1])], err = strconv.Atoi(string(m[2]))
		require.NoError(p.t, err)
	}
	require.Len(p.t, values, 3)
	open, err := os.ReadDir(dir + "fd")
	require.NoError(p.t, err)
	stat, err := os.ReadFile(dir + "stat")
	require.NoError(p.t, err)
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:]) // behind the name: the state is the first
	for _, field := range fields[11:13] {                           // in user mode, in the kernel
		ticks, err := strconv.Atoi(string(field))
		require.NoError(p.t, err)
		h.cpu += time.Duration(ticks) * clockTick
	}
	h.resident, h.anonymous, h.threads, h.descriptors = values["VmRSS"], values["RssAnon"], values["Threads"], len(open)
	return h
}

// resident returns the memory of the process in kB.
func (p *pipeline) resident() int {
	p.t.Helper()
	return p.holds().resident
}
