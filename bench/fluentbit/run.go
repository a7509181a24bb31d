// Package fluentbit runs real Fluent Bits for measurements. Each has a directory and a page of metrics of its own,
// and runs until it is stopped. What is measured, and how, is up to the commands next to it.
package fluentbit

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
)

// Patience is how long to wait for what should happen soon.
const Patience = 2 * time.Minute

const (
	settle = 1500 * time.Millisecond // nothing has arrived for so long: nothing more comes
	glance = 20 * time.Millisecond
	awake  = 300 * time.Millisecond // what starts besides, once the first answer comes
	rest   = 400 * time.Millisecond // the process has computed next to nothing for so long: it is at rest
)

// Process is a running Fluent Bit.
type Process struct {
	Dir     string // its own, removed with Stop
	command *exec.Cmd
	ended   chan struct{} // closed with the process; nil until it has started
	metrics int
}

// Config is what a Fluent Bit is to run. DIR in it becomes its directory.
type Config struct {
	Pipeline string // the section of that name, indented by two spaces
	Sections string // others
	Args     []string
	Prepare  func(dir string) error // makes what the pipeline wants to find in the directory, nil for nothing
}

// Start runs Fluent Bit and returns when its pipeline runs.
func Start(path string, c Config) (*Process, error) {
	dir, err := os.MkdirTemp("", "waf-bench-")
	if err != nil {
		return nil, err
	}
	p := &Process{Dir: dir}
	if err := p.start(path, c); err != nil {
		text, _ := os.ReadFile(filepath.Join(dir, "log"))
		p.Stop()
		return nil, fmt.Errorf("start of Fluent Bit: %w\n%s", err, text)
	}
	return p, nil
}

func (p *Process) start(path string, c Config) (err error) {
	if c.Prepare != nil {
		if err := c.Prepare(p.Dir); err != nil {
			return err
		}
	}
	if p.metrics, err = loopback.FreePort(); err != nil {
		return err
	}
	text := fmt.Sprintf(`service:
  flush: 0.2
  grace: 1
  log_level: warn
  http_server: on
  http_listen: 127.0.0.1
  http_port: %d
%spipeline:
%s`, p.metrics, c.Sections, c.Pipeline)
	config := filepath.Join(p.Dir, "pipeline.yaml")
	if err := os.WriteFile(config, []byte(strings.ReplaceAll(text, "DIR", p.Dir)), 0o600); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(p.Dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	p.command = exec.Command(path, append([]string{"-c", config}, c.Args...)...)
	p.command.Stdout, p.command.Stderr = log, log
	if err := p.command.Start(); err != nil {
		return err
	}
	p.ended = make(chan struct{})
	go func() {
		defer close(p.ended)
		p.command.Wait() //nolint:errcheck // how it ended is in its log
	}()
	for end := time.Now().Add(Patience); ; time.Sleep(glance) {
		if _, err = p.Delivered(); err == nil {
			time.Sleep(awake)
			return nil
		}
		select {
		case <-p.ended:
			return errors.New("it has ended")
		default:
			if time.Now().After(end) {
				return err
			}
		}
	}
}

// Stop ends the process at once and removes its directory.
func (p *Process) Stop() {
	if p.ended != nil {
		p.command.Process.Signal(syscall.SIGKILL) //nolint:errcheck // it may have ended
		<-p.ended
	}
	os.RemoveAll(p.Dir) //nolint:errcheck // left to the system
}

var passed = regexp.MustCompile(`fluentbit_output_proc_records_total\{name="null\.0"\} (\d+)`)

// Delivered asks for the number of records that the output null has taken.
func (p *Process) Delivered() (int, error) {
	client := http.Client{Timeout: Patience}
	answer, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/api/v1/metrics/prometheus", p.metrics))
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, err
	}
	found := passed.FindSubmatch(body)
	if found == nil {
		return 0, nil
	}
	return strconv.Atoi(string(found[1]))
}

// Settled waits until so many records have arrived, or nothing more does, and returns how many have.
func (p *Process) Settled(want int) (int, error) {
	return p.wait(want, func(n int, still time.Duration) bool {
		// A number that has not begun to move belongs to a pipeline that is still busy.
		return still > settle && (n > 0 || still > Patience)
	})
}

// Await waits until so many records have arrived. It fails when none comes for as long as Patience.
func (p *Process) Await(want int) error {
	n, err := p.wait(want, func(_ int, still time.Duration) bool { return still > Patience })
	if err == nil && n < want {
		err = fmt.Errorf("%d records arrived of %d", n, want)
	}
	return err
}

// wait waits until so many records have arrived, or it is over with n of them, to which none has been added for a time.
func (p *Process) wait(want int, over func(n int, still time.Duration) bool) (n int, err error) {
	last, since := -1, time.Now()
	for {
		if n, err = p.Delivered(); err != nil || n >= want {
			return n, err
		}
		if n != last {
			last, since = n, time.Now()
		}
		if over(n, time.Since(since)) {
			return n, nil
		}
		time.Sleep(2 * glance)
	}
}

// Rest waits until the process is at rest, and returns when it was last at work. It knows that to some hundredths of a second, where the
// page of metrics is renewed once a second.
func (p *Process) Rest() (last time.Time, err error) {
	last = time.Now()
	for begin, seen := last, p.CPU(); time.Since(begin) < Patience; {
		time.Sleep(glance)
		now, cpu := time.Now(), p.CPU()
		if cpu-seen >= glance/2 {
			last = now
		} else if now.Sub(last) > rest {
			return last, nil
		}
		seen = cpu
	}
	return last, fmt.Errorf("the work of Fluent Bit does not end within %v", Patience)
}

// CPU is the time that the process has computed for so far.
func (p *Process) CPU() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.command.Process.Pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	user, err := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	if errors.Join(err, err2) != nil {
		return 0
	}
	return time.Duration(user+system) * 10 * time.Millisecond // the unit of /proc is 1/100 s
}

// Descriptor finds the descriptor with which the process has opened a file, "" while it has not.
func (p *Process) Descriptor(file string) (string, error) {
	descriptors := fmt.Sprintf("/proc/%d/fd", p.command.Process.Pid)
	all, err := os.ReadDir(descriptors)
	if err != nil {
		return "", fmt.Errorf("descriptors of Fluent Bit: %w", err)
	}
	for _, d := range all {
		if of, err := os.Readlink(filepath.Join(descriptors, d.Name())); err == nil && of == file {
			return d.Name(), nil
		}
	}
	return "", nil
}

// Position tells how many bytes the process has read by a descriptor.
func (p *Process) Position(descriptor string) (at int64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%s", p.command.Process.Pid, descriptor))
	if err != nil {
		return 0, fmt.Errorf("place in a file: %w", err)
	}
	if _, err := fmt.Sscanf(string(text), "pos: %d", &at); err != nil {
		return 0, fmt.Errorf("place in a file: %w", err)
	}
	return at, nil
}

// Memory is the resident memory of a process in bytes: what it has written, and what it has read of files, its program included.
// The peak is that of both together.
type Memory struct{ Anon, File, Peak int64 }

// Sum returns all resident memory.
func (m Memory) Sum() int64 { return m.Anon + m.File }

// Memory returns what is resident now, and the largest sum so far.
func (p *Process) Memory() (m Memory, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	if err != nil {
		return m, fmt.Errorf("memory of Fluent Bit: %w", err)
	}
	figures := map[string]*int64{"RssAnon": &m.Anon, "RssFile": &m.File, "VmHWM": &m.Peak}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		if into := figures[name]; into != nil {
			kilobytes, err := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
			if err != nil {
				return m, fmt.Errorf("memory of Fluent Bit: %w", err)
			}
			*into = kilobytes << 10
		}
	}
	return m, nil
}
