package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// setup is a pipeline: an input, with or without the filter, and an output that counts.
type setup struct {
	name, input string
	more        string // properties of the input
	filter      bool
}

// result is what has come of a run.
type result struct {
	sent, delivered int           // messages
	kernel          int           // datagrams that the kernel has dropped
	cpu             time.Duration // of Fluent Bit
	rate, reached   int           // messages a second that were to be sent, and that were
}

func (r result) lost() int { return r.sent - r.delivered }

// short reports whether the sender could not send as fast as it was to.
func (r result) short() bool { return r.reached < r.rate*9/10 }

// loss tells what was lost, in percent, and at which rate when the sender did not reach the one asked for.
func (r result) loss() string {
	text := "no loss"
	if r.lost() > 0 {
		text = fmt.Sprintf("%.2f %% lost", 100*float64(r.lost())/float64(r.sent))
	}
	if r.short() {
		text += " at " + grouped(r.reached)
	}
	return text
}

func (r result) microseconds() float64 {
	return float64(r.cpu.Microseconds()) / float64(max(r.delivered, 1))
}

// median is the one in the middle by loss, with the CPU time in the middle.
func median(all []result) result {
	slices.SortFunc(all, func(a, b result) int { return a.lost() - b.lost() })
	m := all[len(all)/2]
	slices.SortFunc(all, func(a, b result) int { return int(a.microseconds()*1000) - int(b.microseconds()*1000) })
	m.cpu = time.Duration(all[len(all)/2].microseconds() * float64(m.delivered) * 1000)
	return m
}

const (
	patience = 30 * time.Second
	settle   = 1500 * time.Millisecond // nothing has arrived for so long: nothing more comes
)

// run starts a pipeline, sends to it, and waits for what arrives at its end.
func (p *plan) run(s setup, t *traffic, rate int) (r result, err error) {
	fb, err := p.start(s)
	if err != nil {
		return r, err
	}
	defer fb.stop()
	before, begin := fb.cpu(), time.Now()
	if r.sent, err = t.send(fb.port, rate, p.length); err != nil {
		return r, err
	}
	r.rate, r.reached = rate, int(float64(r.sent)/time.Since(begin).Seconds())
	if r.delivered, err = fb.settled(r.sent); err != nil {
		return r, err
	}
	r.cpu = fb.cpu() - before
	r.kernel = kernelDrops(fb.port)
	if p.verbose {
		fmt.Fprintf(os.Stderr, "%s, %s, %d a second (%d): sent %d, delivered %d, dropped by the kernel %d, %.1f µs\n", s.name, kilo(t.size), rate, r.reached, r.sent,
			r.delivered, r.kernel, r.microseconds())
	}
	return r, nil
}

// fluentBit is a running pipeline.
type fluentBit struct {
	command       *exec.Cmd
	dir           string
	port, metrics int
}

func (p *plan) start(s setup) (*fluentBit, error) {
	dir, err := os.MkdirTemp("", "udp-bench-")
	if err != nil {
		return nil, err
	}
	f := &fluentBit{dir: dir}
	if f.port, err = freePort(); err == nil {
		f.metrics, err = freePort()
	}
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "pipeline.yaml")
	if err := os.WriteFile(config, []byte(f.pipeline(s)), 0o600); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	f.command = exec.Command(p.fluentBit, "-c", config, "-e", p.plugin)
	f.command.Stdout, f.command.Stderr = log, log
	if err := f.command.Start(); err != nil {
		return nil, err
	}
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if _, err := f.delivered(); err == nil {
			time.Sleep(300 * time.Millisecond) // what starts besides
			return f, nil
		} else if time.Now().After(end) {
			text, _ := os.ReadFile(filepath.Join(dir, "log"))
			f.stop()
			return nil, fmt.Errorf("%s does not start: %w\n%s", s.name, err, text)
		}
	}
}

func (f *fluentBit) pipeline(s setup) string {
	input := fmt.Sprintf("\n    - name: nano\n      tag: nano\n      listen_on: udp://127.0.0.1:%d%s", f.port, s.more)
	if s.input == "udp" {
		input = fmt.Sprintf("\n    - name: udp\n      tag: nano\n      listen: 127.0.0.1\n      port: %d\n      format: json\n      chunk_size: 64%s",
			f.port, s.more)
	}
	filters := " []"
	if s.filter {
		filters = "\n    - name: waf\n      match: nano\n      inspect_budget: off"
	}
	return fmt.Sprintf(`service:
  flush: 0.2
  grace: 1
  log_level: warn
  http_server: on
  http_listen: 127.0.0.1
  http_port: %d
pipeline:
  inputs:%s
  filters:%s
  outputs:
    - name: 'null'
      match: '*'
`, f.metrics, input, filters)
}

// freePort returns a port of the loopback that was free a moment ago, for udp and tcp alike.
func freePort() (int, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	conn, err := net.ListenPacket("udp4", listener.Addr().String())
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

var passed = regexp.MustCompile(`fluentbit_output_proc_records_total\{name="null\.0"\} (\d+)`)

// delivered asks for the number of records that the output has taken.
func (f *fluentBit) delivered() (int, error) {
	client := http.Client{Timeout: patience}
	answer, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/api/v1/metrics/prometheus", f.metrics))
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

// settled waits until all have arrived or nothing more does.
func (f *fluentBit) settled(want int) (int, error) {
	last, since := -1, time.Now()
	for {
		n, err := f.delivered()
		if err != nil {
			return 0, err
		}
		if n >= want {
			return n, nil
		}
		if n != last {
			last, since = n, time.Now()
		}
		// A number that has not begun to move belongs to a pipeline that is still busy.
		if time.Since(since) > settle && (n > 0 || time.Since(since) > patience) {
			return n, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// cpu is the time that Fluent Bit has computed for so far.
func (f *fluentBit) cpu() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", f.command.Process.Pid))
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

func (f *fluentBit) stop() {
	f.command.Process.Signal(syscall.SIGKILL) //nolint:errcheck // it may have ended
	f.command.Wait()                          //nolint:errcheck // killed
	os.RemoveAll(f.dir)                       //nolint:errcheck // left to the system
}

// kernelDrops adds up what the kernel has dropped at the sockets of a port.
func kernelDrops(port int) (n int) {
	table, err := os.ReadFile("/proc/self/net/udp")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(table)) {
		columns := strings.Fields(line)
		if len(columns) > 12 && strings.HasSuffix(columns[1], fmt.Sprintf(":%04X", port)) {
			drops, err := strconv.Atoi(columns[12])
			if err == nil {
				n += drops
			}
		}
	}
	return n
}

func kilo(size int) string { return fmt.Sprintf("%d kB", size/1000) }

// grouped writes a number with commas.
func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
