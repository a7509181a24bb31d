//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
)

// intakeObject is the built object of the input nano.
func intakeObject() string { return filepath.Join(filepath.Dir(plugin()), "in_nano.so") }

// nanoInput is an input nano on a port, with more properties.
func nanoInput(port int, more ...string) string {
	input := fmt.Sprintf(`
    - name: nano
      tag: nano
      listen_on: udp://127.0.0.1:%d,tcp://127.0.0.1:%[1]d`, port)
	for _, property := range more {
		input += "\n      " + property
	}
	return input
}

// fromNano is a pipeline from the input nano to outputs.
func fromNano(input, outputs string) string {
	return "\nservice:\n  flush: 0.2\n  grace: 3\npipeline:\n  inputs:" + input + "\n  outputs:" + outputs
}

// numberSender sends datagrams {"n":0}, {"n":1} … until it is told to stop.
type numberSender struct {
	stop chan struct{}
	done sync.WaitGroup
	sent int
	err  error
}

func sendNumbers(t *testing.T, port, perSecond int) *numberSender {
	t.Helper()
	conn, err := net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", port))
	require.NoError(t, err)
	s := &numberSender{stop: make(chan struct{})}
	s.done.Go(func() {
		defer conn.Close()
		begin := time.Now()
		for {
			select {
			case <-s.stop:
				return
			case <-time.After(time.Millisecond):
			}
			for due := int(time.Since(begin).Seconds() * float64(perSecond)); s.sent < due; s.sent++ {
				if _, err := fmt.Fprintf(conn, `{"n":%d}`, s.sent); err != nil {
					s.err = err
					return
				}
			}
		}
	})
	return s
}

// end stops sending and returns how many datagrams were sent.
func (s *numberSender) end(t *testing.T) int {
	t.Helper()
	close(s.stop)
	s.done.Wait()
	require.NoError(t, s.err)
	return s.sent
}

var numberLine = regexp.MustCompile(`(?m)^\{"n":(\d+)`)

// numbers returns how often each number is in a file of the pipeline.
func (p *pipeline) numbers(file string) map[int]int {
	p.t.Helper()
	seen := map[int]int{}
	for _, found := range numberLine.FindAllStringSubmatch(p.read(file), -1) {
		n, err := strconv.Atoi(found[1])
		require.NoError(p.t, err)
		seen[n]++
	}
	return seen
}

// exactly waits until the numbers below n are in a file, each once.
func (p *pipeline) exactly(file string, n int) {
	p.t.Helper()
	p.wait(fmt.Sprintf("%d numbers in %s", n, file), func() bool { return strings.Count(p.read(file), "\n") >= n })
	seen := p.numbers(file)
	require.Len(p.t, seen, n)
	for number, times := range seen {
		require.Equal(p.t, 1, times, "number %d", number)
	}
}

// Each way to run the input, and what is added to its configuration.
var nanoWays = map[string][]string{"on its own thread": nil, "on the engine's thread": {"threaded: off"}}

func TestNanoHandsOverEveryDatagramOnce(t *testing.T) {
	const sent = 20_000
	for name, more := range nanoWays {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, f fluentBit) {
				port := loopback.Port(t)
				p := f.start(t, fromNano(nanoInput(port, more...), toFile("nano", "all")))
				var datagrams [][]byte
				for n := range sent {
					datagrams = append(datagrams, fmt.Appendf(nil, `{"n":%d}`, n))
				}
				sendUDP(t, port, datagrams...)
				p.exactly("all", sent)

				conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
				require.NoError(t, err)
				defer conn.Close()
				_, err = io.WriteString(conn, fmt.Sprintf("{\"n\":%d}\n{\"n\":%d}\x00", sent, sent+1))
				require.NoError(t, err)
				p.exactly("all", sent+2)
				p.stop()
				require.Contains(t, p.log(), fmt.Sprintf("datagrams %d, lines 2, records %d: handed over %[2]d, waiting 0, dropped by the kernel 0",
					sent, sent+2))
			})
		})
	}
}

func TestNanoRunsBesideTheFilterAndItsAlerts(t *testing.T) {
	onEach(t, func(t *testing.T, f fluentBit) {
		port := loopback.Port(t)
		p := f.start(t, strings.Replace(fromNano(nanoInput(port, "source_address_key: probe", "time_key: BEGIN_TIME"), toFile("nano", "all")+
			toFile("alert", "alerts")), "\n  outputs:", `
  filters:
    - name: waf
      match: nano
      inspect_budget: off
      emit_tag: alert
  outputs:`, 1))
		sendUDP(t, port, clean(t, 1), sample(t))
		all := p.records("all", 2)
		require.Equal(t, "127.0.0.1", all[0]["probe"])
		require.NotNil(t, all[1]["waf"])
		require.Equal(t, "932160", p.records("alerts", 1)[0]["rule_id"])
		p.stop()
	})
}

// Fluent Bit ends the old pipeline before it starts the new one.
func TestNanoLosesNothingInAHotReload(t *testing.T) {
	for name, more := range nanoWays {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, f fluentBit) {
				port := loopback.Port(t)
				yaml := fmt.Sprintf("plugins:\n  - %s\n  - %s\n", plugin(), intakeObject()) +
					strings.Replace(fromNano(nanoInput(port, more...), toFile("nano", "all")), "flush: 0.2", "flush: 0.2\n  hot_reload: on", 1)
				p := f.launch(t, t.TempDir(), yaml)
				p.waitReady(1)
				numbers := sendNumbers(t, port, 2_000)
				for reload := 2; reload <= 3; reload++ {
					time.Sleep(1200 * time.Millisecond) // Fluent Bit refuses a reload while it believes in an earlier one
					p.reload(reload)
				}
				time.Sleep(time.Second) // until Fluent Bit has let go of the old configuration, which the signal's dump would read
				require.NoError(t, p.command.Process.Signal(syscall.SIGCONT))
				p.waitLog("caught signal (SIGCONT)")
				time.Sleep(300 * time.Millisecond)
				p.exactly("all", numbers.end(t))
				p.stop()
				require.Contains(t, p.log(), "continues receiving from udp://127.0.0.1:"+strconv.Itoa(port))
			})
		})
	}
}

// summary is the line in which an input tells at its end what has become of what was sent.
var summary = regexp.MustCompile(`datagrams (\d+), lines \d+, records (\d+): handed over (\d+), waiting (\d+), dropped by the kernel (\d+), by the queue (\d+)`)

// accounts returns the numbers of the summary.
func (p *pipeline) accounts() (datagrams, records, handedOver, waiting, kernel, queue int) {
	p.t.Helper()
	found := summary.FindStringSubmatch(p.log())
	if found == nil {
		p.skipWithoutLastLines()
	}
	var n [6]int
	for i := range n {
		n[i], _ = strconv.Atoi(found[i+1])
	}
	return n[0], n[1], n[2], n[3], n[4], n[5]
}

func TestNanoAccountsForWhatComesWhileItShutsDown(t *testing.T) {
	for name, more := range nanoWays {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, f fluentBit) {
				port := loopback.Port(t)
				p := f.start(t, fromNano(nanoInput(port, more...), toFile("nano", "all")))
				numbers := sendNumbers(t, port, 3_000)
				time.Sleep(time.Second)
				before := numbers.end(t) // everything so far is in the kernel or further
				require.NoError(t, p.command.Process.Signal(syscall.SIGTERM))
				require.NoError(t, p.end())
				_, records, handedOver, waiting, kernel, queue := p.accounts()
				require.Equal(t, before, records+kernel, "sent is received and dropped by the kernel")
				require.Equal(t, records, handedOver+waiting+queue)
				require.Zero(t, waiting, "what came before the signal is handed over")
				p.exactly("all", handedOver)
			})
		})
	}
}

func TestNanoCountsWhatTheKernelDropsInAFlood(t *testing.T) {
	const sent = 60_000
	for name, more := range nanoWays {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, f fluentBit) {
				port := loopback.Port(t)
				p := f.start(t, fromNano(nanoInput(port, append(more, "receive_buffer: 16K", "sockets: 1")...), toFile("nano", "all")))
				var datagrams [][]byte
				for n := range sent {
					datagrams = append(datagrams, fmt.Appendf(nil, `{"n":%d}`, n))
				}
				sendUDP(t, port, datagrams...)
				p.waitLog("datagrams dropped by the kernel")
				require.NoError(t, p.command.Process.Signal(syscall.SIGTERM))
				require.NoError(t, p.end())
				received, records, handedOver, waiting, kernel, queue := p.accounts()
				require.Equal(t, sent, received+kernel)
				require.NotZero(t, kernel)
				require.Equal(t, []int{received, received, 0, 0}, []int{records, handedOver, waiting, queue})
				p.exactly("all", handedOver)
			})
		})
	}
}

// The timer of the input comes before everything that outputs wait for, and it is always due when filters take long.
func TestNanoLeavesOutputsTheirTimeInAFlood(t *testing.T) {
	for name, more := range map[string]string{
		"on the engine's thread": "threaded: off", "on its own thread": "threaded: on",
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, f fluentBit) {
				port := loopback.Port(t)
				p := f.start(t, strings.Replace(fromNano(nanoInput(port, more), toFile("nano", "all")), "\n  outputs:", `
  filters:
    - name: waf
      match: nano
  outputs:`, 1))
				stop := flood(t, port)
				p.wait("records in the flood", func() bool { return p.lines("all") > 100 })
				require.True(t, stop(), "the flood was over before the first records had passed")
				p.stop()
			})
		})
	}
}

// The output is down, so that the pipeline is paused when it reaches its limit.
func TestNanoAccountsForWhatAPausedPipelineDoesNotTake(t *testing.T) {
	const sent = 30_000
	for name, more := range nanoWays {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, f fluentBit) {
				port := loopback.Port(t)
				p := f.start(t, fromNano(nanoInput(port, append(more, "mem_buf_limit: 1M", "queue_limit: 2M")...), fmt.Sprintf(`
    - name: http
      match: nano
      host: 127.0.0.1
      port: %d
      retry_limit: no_limits
`, loopback.Port(t))))
				padding := strings.Repeat("x", 900)
				var datagrams [][]byte
				for n := range sent {
					datagrams = append(datagrams, fmt.Appendf(nil, `{"n":%d,"padding":"%s"}`, n, padding))
				}
				sendUDP(t, port, datagrams...)
				p.waitLog("lost or dropped")
				require.NoError(t, p.command.Process.Signal(syscall.SIGTERM))
				require.NoError(t, p.end())
				datagrams2, records, handedOver, waiting, kernel, queue := p.accounts()
				require.Equal(t, sent, datagrams2+kernel)
				require.Equal(t, records, handedOver+waiting+queue)
				require.NotZero(t, queue, "the queue is bounded")
				require.NotZero(t, handedOver)
			})
		})
	}
}

// Fluent Bit makes an input of each registration of the name.
func TestNanoIsThereOnceHoweverItIsLoaded(t *testing.T) {
	link := filepath.Join(filepath.Dir(plugin()), "flb-filter_waf.so")
	for name, objects := range map[string][]string{
		"brought along":  {plugin()},
		"alone":          {intakeObject()},
		"before":         {intakeObject(), plugin(), link},
		"behind":         {plugin(), link, intakeObject()},
		"by two options": {plugin(), intakeObject(), intakeObject()},
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, f fluentBit) {
				var args []string
				for _, o := range objects {
					args = append(args, "-e", o)
				}
				port := loopback.Port(t)
				p := f.launch(t, t.TempDir(), fromNano(nanoInput(port), toFile("nano", "all")), args...)
				p.waitReady(1)
				sendUDP(t, port, []byte(`{"n":0}`))
				p.exactly("all", 1)
				p.stop()
				require.NotContains(t, p.log(), "nano.1")
			})
		})
	}
}

func TestNanoRefusesBadSettingsWithAllProblems(t *testing.T) {
	onEach(t, func(t *testing.T, f fluentBit) {
		p := f.launch(t, t.TempDir(), fromNano(nanoInput(loopback.Port(t), "allow: everyone", "time_zone: Mars/Base"), toFile("nano", "all")), "-e", plugin())
		p.waitLog(`property allow: malformed network "everyone"`)
		p.waitLog("property time_zone: ")
		if !strings.HasPrefix(f.version, "3.") { // which goes on without an input on its own thread that does not start
			require.Error(t, p.end())
		}
	})
}
