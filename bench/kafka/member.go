package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// member is a wafctl run.
type member struct {
	cmd      *exec.Cmd
	messages bytes.Buffer
}

// start starts a run with a file as its standard input.
func start(wafctl, input string, args ...string) (*member, error) {
	file, err := os.Open(input)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	m := &member{cmd: exec.Command(wafctl, append([]string{"run", "--emit-format", "ecs"}, args...)...)}
	m.cmd.Stdin, m.cmd.Stderr = file, &m.messages
	return m, m.cmd.Start()
}

// wait waits for the end of the run and returns the time that it took of all cores.
func (m *member) wait() (time.Duration, error) {
	if err := m.cmd.Wait(); err != nil {
		return 0, fmt.Errorf("wafctl: %w\n%s", err, m.messages.String())
	}
	return m.cmd.ProcessState.UserTime() + m.cmd.ProcessState.SystemTime(), nil
}

// ownTime returns the time that this process has taken of all cores.
func ownTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
