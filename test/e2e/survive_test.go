//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
)

// longForm reports whether tests have their full size: with SURVIVE set, as make survive does.
func longForm() bool { return os.Getenv("SURVIVE") != "" }

// attackNumber returns a record that alerts, told apart by a number.
func attackNumber(t *testing.T, n int) []byte {
	t.Helper()
	return bytes.ReplaceAll(sample(t), []byte("t=../../etc/passwd"), fmt.Appendf(nil, "n=%d&t=../../etc/passwd", n))
}

var numberOf = regexp.MustCompile(`[?&](?:n|page)=(\d+)`)

// told returns which numbers the records of a file have, and how often. A last line that is not whole yet is skipped.
func (p *pipeline) told(file string) map[int]int {
	p.t.Helper()
	all := map[int]int{}
	for line := range strings.Lines(p.read(file)) {
		if !strings.HasSuffix(line, "\n") {
			break
		}
		if !json.Valid([]byte(line)) {
			continue // the end of the process has torn it
		}
		if m := numberOf.FindStringSubmatch(line); m != nil {
			n, err := strconv.Atoi(m[1])
			require.NoError(p.t, err)
			all[n]++
		}
	}
	return all
}

// tailing is a pipeline that reads the file "in" of its directory and remembers how far.
func tailing(service, storage, filters, outputs string) string {
	return fmt.Sprintf(`
parsers:
  - name: plain_json
    format: json
service:
  flush: 0.2
  grace: 5
%s
pipeline:
  inputs:
    - name: tail
      tag: nano.east
      path: DIR/in
      db: DIR/in.db
      db.sync: full
      parser: plain_json
      read_from_head: on
      refresh_interval: 1
      buffer_max_size: 256k
%s
  filters:%s
  outputs:%s
`, service, storage, filters, outputs)
}

// numbered returns record n; every tenth is an attack.
func numbered(t *testing.T, n int) []byte {
	t.Helper()
	if n%10 == 0 {
		return attackNumber(t, n)
	}
	return clean(t, n)
}

// numberedLine returns record n as a line of its own.
func numberedLine(t *testing.T, n int) []byte {
	t.Helper()
	return append(bytes.ReplaceAll(numbered(t, n), []byte("\n"), []byte(" ")), '\n')
}

// copying is a filter that emits a copy of each record, as the plugin emits alerts.
const copying = `    - name: rewrite_tag
      match: nano.*
      rule: $METHOD .* copy true
      emitter_name: copies
`

// feed appends numbered records to the file "in" until it is told to stop, every tenth one an attack, and returns how many.
func feed(t *testing.T, dir string, stop <-chan struct{}) (n int) {
	t.Helper()
	file, err := os.OpenFile(filepath.Join(dir, "in"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	require.NoError(t, err)
	defer file.Close()
	for ; ; n++ {
		_, err := file.Write(numberedLine(t, n))
		require.NoError(t, err)
		select {
		case <-stop:
			return n + 1
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// arrived waits until all records have, and all alerts.
func (p *pipeline) arrived(n int) {
	p.t.Helper()
	p.wait(fmt.Sprintf("%d records", n), func() bool { return len(p.told("all")) == n })
	p.wait(fmt.Sprintf("the alerts of %d records", n), func() bool { return len(p.told("alerts")) == (n+9)/10 })
	for number := range p.told("alerts") {
		require.Zero(p.t, number%10)
	}
}

// middle returns the median.
func middle(values []int) int {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// Verdicts are not remembered, because what remembers them is kept through reloads and fills up to its bound while they go on.
func TestSurvivesReloadsUnderLoad(t *testing.T) {
	reloads := 3
	if longForm() {
		reloads = 100
	}
	onEach(t, func(t *testing.T, f fluentBit) {
		dir := t.TempDir()
		plugins := fmt.Sprintf("\nplugins:\n  - %s\n  - %s\n", plugin(), filepath.Join(filepath.Dir(plugin()), "flb-filter_waf.so"))
		config := plugins + tailing("  hot_reload: on", "", `
    - name: waf
      match: nano.*
      emit_tag: alert
      inspect_budget: off
      cache_size: 0
`+copying, `
    - name: waf
      match: nano.*
      alert_to: file://DIR/alerts
      cache_size: 0
`+toFile("alert", "emitted")+toFile("nano.*", "all")+toFile("copy", "copies"))
		p := f.launch(t, dir, strings.ReplaceAll(config, "DIR", dir))
		p.waitReady(1)

		stop, sent := make(chan struct{}), 0
		var feeding sync.WaitGroup
		feeding.Go(func() { sent = feed(t, dir, stop) })
		var resident []int // after each reload
		for n := range reloads {
			time.Sleep(300 * time.Millisecond)
			p.reload(n + 2)
			resident = append(resident, p.resident())
		}
		close(stop)
		feeding.Wait()
		p.arrived(sent)
		t.Logf("%d reloads: all of %d records and %d alerts are there; of the alerts that the filter emits %d, of the copies that rewrite_tag emits %d",
			reloads, sent, len(p.told("alerts")), len(p.told("emitted")), len(p.told("copies")))
		t.Logf("resident memory in kB after each reload: %d", resident)
		if part := reloads / 10; part > 0 {
			warm, end := middle(resident[part:2*part]), middle(resident[9*part:])
			t.Logf("resident memory: %d kB after %d to %d reloads, %d kB at the end", warm, part+1, 2*part, end)
			require.Less(t, end-warm, 5<<10, "kB that reloads leave behind")
		}
		p.stop()
		require.Equal(t, p.lines("all"), p.balance("filter").records, "records that the filters of all pipelines have seen")
		require.Equal(t, p.lines("all"), p.balance("output").records, "records that the outputs of all pipelines have seen")
		require.Equal(t, p.balance("filter").alerts, p.balance("output").alerts)
	})
}

// reload has the pipeline reload until its engine has started for the nth time: Fluent Bit refuses one while it is at another.
func (p *pipeline) reload(nth int) {
	p.t.Helper()
	next := time.Now()
	p.wait("a reload", func() bool {
		if strings.Count(p.log(), "stream processor started") >= nth {
			return true
		}
		if time.Now().After(next) {
			require.NoError(p.t, p.command.Process.Signal(syscall.SIGHUP))
			next = time.Now().Add(10 * time.Second)
		}
		return false
	})
}

// What the filter emits is in the memory of Fluent Bit's emitter for a moment, and lost with it, as with its own rewrite_tag; the
// output has nothing of its own that waits.
func TestTerminatedOutputDeliversWithTheNextStart(t *testing.T) {
	records := 300
	if longForm() {
		records = 3000
	}
	onEach(t, func(t *testing.T, f fluentBit) {
		dir := t.TempDir()
		write(t, dir, records)
		config := strings.ReplaceAll(tailing("  storage.path: DIR/storage", "      storage.type: filesystem", "\n"+copying, `
    - name: waf
      match: nano.*
      alert_to: file://DIR/alerts
`+toFile("nano.*", "all")+toFile("copy", "copies")), "DIR", dir)
		p := f.launch(t, dir, config, "-e", plugin())
		p.wait("the first records", func() bool { return len(p.told("all")) > 0 })
		p.stop()
		all := p.told("all")
		require.Len(t, p.told("alerts"), alertsAmong(all), "every record that was delivered has its alert")
		require.Equal(t, p.lines("all"), p.balance("output").records)
		t.Logf("%d of %d records before the end, and %d copies of rewrite_tag", len(all), records, len(p.told("copies")))

		p = f.launch(t, dir, config, "-e", plugin()) // reads on where it was
		p.arrived(records)
		p.stop()
	})
}

// write writes numbered records into the file "in".
func write(t *testing.T, dir string, records int) {
	t.Helper()
	var all []byte
	for n := range records {
		all = append(all, numberedLine(t, n)...)
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "in"), all, 0o644))
}

func alertsAmong(numbers map[int]int) (n int) {
	for number := range numbers {
		if number%10 == 0 {
			n++
		}
	}
	return n
}

func TestKilledOutputDeliversEveryAlertAfterRestart(t *testing.T) {
	const records = 200
	onEach(t, func(t *testing.T, f fluentBit) {
		dir := t.TempDir()
		write(t, dir, records)
		port := loopback.Port(t)
		config := strings.ReplaceAll(tailing("  storage.path: DIR/storage\n  storage.sync: full\n  scheduler.base: 1\n  scheduler.cap: 2",
			"      storage.type: filesystem", " []", fmt.Sprintf(`
    - name: waf
      match: nano.*
      alert_to: json+tcp://127.0.0.1:%d, file://DIR/alerts
      retry_limit: no_limits
`, port)+toFile("nano.*", "all")), "DIR", dir)
		p := f.launch(t, dir, config, "-e", plugin())
		p.waitLog("connection refused") // the destination is down: chunks stay in the storage
		p.wait("all records", func() bool { return len(p.told("all")) == records })
		require.NoError(t, p.command.Process.Kill())
		require.Error(t, p.end())

		received := collect(t, port)
		p = f.launch(t, dir, config, "-e", plugin())
		p.wait("every alert", func() bool { return len(received()) == records/10 })
		p.stop()
		for n := 0; n < records; n += 10 {
			require.GreaterOrEqual(t, received()[n], 1, "alert %d", n)
		}
	})
}

// collect listens for lines of JSON over TCP, and returns how often each number has come.
func collect(t *testing.T, port int) (received func() map[int]int) {
	t.Helper()
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	var mu sync.Mutex
	all := map[int]int{}
	read := func(conn net.Conn) {
		defer conn.Close()
		lines := json.NewDecoder(conn)
		for {
			var alert map[string]any
			if lines.Decode(&alert) != nil {
				return
			}
			url, _ := alert["url"].(string)
			if m := numberOf.FindStringSubmatch(url); m != nil {
				n, err := strconv.Atoi(m[1])
				mu.Lock()
				if err == nil {
					all[n]++
				}
				mu.Unlock()
			}
		}
	}
	go accept(listener, func(conn net.Conn) { go read(conn) })
	return func() map[int]int {
		mu.Lock()
		defer mu.Unlock()
		copied := map[int]int{}
		for n, times := range all {
			copied[n] = times
		}
		return copied
	}
}
