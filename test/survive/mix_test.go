package survive

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// noProgress is how long nothing may get done before a run counts as stopped. The longest wait that the filter itself allows is ten seconds.
const noProgress = 40 * time.Second

// mix is a random combination of limits and faults.
type mix struct {
	*rand.Rand
	settings setting.Map
	threads  int  // that call the filter at once
	chunks   int  // of each thread
	ticks    bool // the host asks for alerts also while no records come
	destiny  string
}

func newMix(seed uint64) *mix {
	m := &mix{Rand: rand.New(rand.NewPCG(seed, 29))}
	pick := func(list ...string) string { return list[m.IntN(len(list))] }
	m.settings = setting.Map{
		"inspect_budget": pick("off", "1ms", "5ms", "50ms"), "cache_size": pick("0", "64K", "16M"), "emit_tag": pick("alert", "alert.$TAG"),
		"emit_format": pick("msa", "record", "ecs", "cef"), "flood_window": pick("off", "off", "1s"), "gate": pick("on", "on", "on", "off"),
		"alert_key": "off",
	}
	if m.IntN(3) > 0 {
		m.settings["mode"], m.settings["async_full"] = "async", pick("wait", "skip")
		m.settings["async_limit"] = pick("1K", "20K", "300K", "4M", "16M")
		delete(m.settings, "inspect_budget")
	} else {
		m.settings["alert_key"] = pick("waf", "off")
	}
	m.threads, m.chunks, m.ticks = 1+m.IntN(4), 2+m.IntN(12), m.IntN(3) > 0
	m.destiny = pick("", "dead", "hangs", "slow", "closes")
	return m
}

// chunk makes a random chunk: few small records, many, or large ones of one client or of many.
func (m *mix) chunk() (chunk []byte, records int) {
	records = 1 + m.IntN(20)
	client := func() string { return fmt.Sprintf("192.0.2.%d", m.IntN(1+m.IntN(200))) }
	size := []int{10, 300, 20_000, 300_000, 600_000}[m.IntN(5)]
	if size > 1000 {
		records = 1 + m.IntN(4)
	}
	for range records {
		n := m.Uint64() >> 8
		switch m.IntN(4) {
		case 0:
			r := corpus.Clean(n)
			chunk = r.AppendEvent(chunk, 0)
		case 1:
			r := corpus.Attack(n)
			chunk = r.AppendEvent(chunk, 0)
		default:
			text := []string{"plain words and more ", "union select 1 from users where '1'='1 ", "You have an error in your SQL syntax "}[m.IntN(3)]
			chunk = append(chunk, event("L7_PROTOCOL", "http", "SRC_IP", client(), "DST_IP", "192.0.2.1", "METHOD", "GET", "URL", fmt.Sprintf("/%d", n), "RETCODE", "200",
				"REQ_HEADER", fmt.Sprintf("GET /%d HTTP/1.1\r\nHost: shop.example\r\n\r\n", n),
				"RSP_HEADER", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n", "RSP_BODY", strings.Repeat(text, 1+size/len(text)))...)
		}
	}
	return chunk, records
}

// stalled fails a run that makes no progress and prints where every goroutine waits.
func stalled(t *testing.T, progress *atomic.Int64, over <-chan struct{}, what string) {
	last, since := int64(-1), time.Now()
	for {
		select {
		case <-over:
			return
		case <-time.After(100 * time.Millisecond):
		}
		if n := progress.Load(); n != last {
			last, since = n, time.Now()
			continue
		}
		if time.Since(since) > noProgress {
			stacks := make([]byte, 1<<20)
			fmt.Fprintf(os.Stderr, "%s: no progress after %d steps\n%s\n", what, last, stacks[:runtime.Stack(stacks, true)])
			panic(t.Name() + ": a run has stopped")
		}
	}
}

// Limits and faults come together at random, as they do in life: whatever the mix is, the filter goes on, ends in time, and counts every record.
func TestMixesOfLimitsAndFaultsGoOn(t *testing.T) {
	end := time.Now().Add(duration(t))
	least := uint64(sized(t, 40, 8))
	seed := uint64(0)
	var records uint64
	for ; seed < least || time.Now().Before(end); seed++ {
		m := newMix(seed)
		what := fmt.Sprintf("seed %d: %v, %d threads, ticks %v, peer %q", seed, m.settings, m.threads, m.ticks, m.destiny)
		var progress atomic.Int64
		over := make(chan struct{})
		go stalled(t, &progress, over, what)
		if m.destiny == "" || m.settings["mode"] == "async" {
			records += m.filter(t, what, &progress)
		} else {
			records += m.output(t, what, &progress)
		}
		close(over)
	}
	t.Logf("%d mixes, %d records", seed, records)
}

// filter has a mix go through the filter, as threads of a host do, and requires that the sums are right.
func (m *mix) filter(t *testing.T, what string, progress *atomic.Int64) uint64 {
	f, err := filter.New(host, m.settings, func(filter.Level, string) {})
	require.NoError(t, err, what)
	var sent, taken atomic.Uint64
	take := func(emits []filter.Emit) {
		for i := range emits {
			f.EmitTaken(&emits[i])
			if !emits[i].Summary {
				taken.Add(1)
			}
		}
		progress.Add(1)
	}
	var threads, ticker sync.WaitGroup
	stop := make(chan struct{})
	if m.ticks {
		ticker.Add(1)
		go func() {
			defer ticker.Done()
			for {
				select {
				case <-stop:
					return
				case <-time.After(20 * time.Millisecond):
					take(f.Due(nil))
				}
			}
		}()
	}
	for range m.threads {
		own := &mix{Rand: rand.New(rand.NewPCG(m.Uint64(), 1))}
		threads.Add(1)
		go func() {
			defer threads.Done()
			var out filter.Outcome
			for range m.chunks {
				chunk, n := own.chunk()
				sent.Add(uint64(n))
				f.Process(chunk, "nano", &out)
				take(out.Emits)
			}
		}()
	}
	threads.Wait()
	close(stop)
	ticker.Wait()
	require.NoError(t, f.Close(), what)
	progress.Add(1)
	c := f.Counts()
	require.Equal(t, sent.Load(), c.Records, "%s: %s", what, c)
	require.Equal(t, c.Records, c.Clean+c.Alerts+c.NotHTTP+c.Broken+c.Skipped, "%s: %s", what, c)
	require.Zero(t, c.Broken+c.Panics, "%s: %s", what, c)
	require.LessOrEqual(t, taken.Load(), c.Alerts, what)
	return sent.Load()
}

// output has a mix go to a peer with a fault, and requires that a flush ends when its time is over.
func (m *mix) output(t *testing.T, what string, progress *atomic.Int64) uint64 {
	settings := setting.Map{"alert_to": "json+tcp://" + peer(t, m.destiny), "cache_size": m.settings["cache_size"], "emit_format": m.settings["emit_format"]}
	o, err := filter.NewOutput("", host, settings, func(filter.Level, string) {}, os.Stderr)
	require.NoError(t, err, what)
	sent := uint64(0)
	for range m.chunks {
		chunk, n := m.chunk()
		sent += uint64(n)
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		_ = o.Flush(ctx, chunk, "nano") // the peer may take nothing
		cancel()
		progress.Add(1)
	}
	require.NoError(t, o.Close(), what)
	progress.Add(1)
	require.Equal(t, sent, o.Counts().Records, what)
	return sent
}

// peer is a receiver on a loopback port that has a fault.
func peer(t *testing.T, fault string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	if fault == "dead" {
		require.NoError(t, l.Close())
		return l.Addr().String()
	}
	t.Cleanup(func() { l.Close() })
	go loopback.Accept(l, func(c net.Conn) {
		switch fault {
		case "hangs":
			<-t.Context().Done()
		case "slow":
			b := make([]byte, 256)
			for {
				if _, err := c.Read(b); err != nil {
					return
				}
				time.Sleep(time.Millisecond)
			}
		}
	})
	return l.Addr().String()
}
