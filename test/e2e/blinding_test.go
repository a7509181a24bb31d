//go:build e2e

package e2e

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
)

// half is the size in bytes of what a flood sends in each second; the engine reads so much of a response.
const half = 512 << 10

// floodBodies are what floods answer with: plain words, words at the length that the engine reads, and what rules have to look at closely.
var floodBodies = map[string]func(random *rand.Rand) string{
	"text":   func(r *rand.Rand) string { return prose(r, half) },
	"longer": func(r *rand.Rand) string { return prose(r, half+4096) },
	"suspect": func(r *rand.Rand) string {
		return strings.Repeat("You have an error in your SQL syntax; ", 3) + prose(r, half-4096)
	},
}

func prose(r *rand.Rand, size int) string {
	words := strings.Fields("the report of this month shows more orders from more shops than in the year before while fewer parcels came back unopened")
	var b strings.Builder
	for b.Len() < size {
		b.WriteString(words[r.IntN(len(words))])
		b.WriteByte(' ')
	}
	return b.String()[:size]
}

func response(client string, path, body string) []byte {
	return []byte(fmt.Sprintf(`{"L7_PROTOCOL":"http","SRC_IP":%q,"SRC_PORT":"4711","DST_IP":"192.0.2.1","DST_PORT":"80","METHOD":"GET","URL":%q,"RETCODE":"200",`+
		`"REQ_HEADER":"GET %s HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: Mozilla/5.0\r\nAccept: text/html\r\n\r\n","REQ_BODY":"",`+
		`"RSP_HEADER":"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n","RSP_BODY":%q}`+"\n", client, path, path, body))
}

// However many clients have half a megabyte inspected in every second, each attack of another client is inspected.
func TestFloodsOfLargeBodiesBlindNobody(t *testing.T) {
	onEach(t, func(t *testing.T, f fluentBit) {
		for _, mode := range []string{"inline", "async"} {
			for name, body := range floodBodies {
				for _, floods := range []int{1, 3, 10} {
					t.Run(fmt.Sprintf("%s, %d of %s", mode, floods, name), func(t *testing.T) { blind(t, f, mode, body, floods) })
				}
			}
		}
	})
}

func blind(t *testing.T, f fluentBit, mode string, body func(*rand.Rand) string, floods int) {
	const attacks, pause = 60, 50 * time.Millisecond
	port := loopback.Port(t)
	p := f.start(t, fmt.Sprintf(`
service:
  flush: 0.2
pipeline:
  inputs:
    - name: tcp
      listen: 127.0.0.1
      port: %d
      format: json
      chunk_size: 1024
      buffer_size: 4096
      tag: nano
  filters:
    - name: waf
      match: nano
      mode: %s
      alert_key: off
      emit_tag: alert
      emit_format: record
      cache_size: 0
  outputs:%s%s
`, port, mode, toFile("alert", "alerts"), "\n    - name: 'null'\n      match: nano\n"))
	var clients sync.WaitGroup
	over := make(chan struct{})
	for n := range floods {
		clients.Add(1)
		go func() {
			defer clients.Done()
			floodWith(port, fmt.Sprintf("198.51.100.%d", n), body, over)
		}()
	}
	time.Sleep(2 * time.Second) // the floods are there
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	require.NoError(t, err)
	defer c.Close()
	for n := range attacks {
		_, err := c.Write(response("192.0.2.77", fmt.Sprintf("/victim/%d?t=../../etc/passwd", n), "ok"))
		require.NoError(t, err)
		time.Sleep(pause)
	}
	victims := func() int { return strings.Count(p.read("alerts"), `"URL":"/victim/`) }
	for end := time.Now().Add(patience); victims() < attacks && time.Now().Before(end); {
		time.Sleep(glance)
	}
	close(over)
	clients.Wait()
	require.Equal(t, attacks, victims(), "alerts of the victim")
	p.stop()
	t.Logf("all %d attacks alerted; %s", attacks, lateCount.FindString(p.log()))
}

// floodWith sends a response in every second until that is over.
func floodWith(port int, client string, body func(*rand.Rand) string, over chan struct{}) {
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return
	}
	defer c.Close()
	random := rand.New(rand.NewPCG(1, uint64(len(client))))
	for n := 0; ; n++ {
		select {
		case <-over:
			return
		case <-time.After(time.Second):
		}
		_ = c.SetWriteDeadline(time.Now().Add(5 * time.Second))
		_, _ = c.Write(response(client, fmt.Sprintf("/flood/%d", n), body(random))) // a flood does not care
	}
}

// Attacks from a file and large chunks from another input, with a queue that is too small for either: whatever waits for room, the pipeline goes on
// and ends when it is told to.
func TestAFullQueueNeverStopsThePipeline(t *testing.T) {
	onEach(t, func(t *testing.T, f fluentBit) {
		for _, limit := range []string{"64K", "1M", "16M"} {
			t.Run(limit, func(t *testing.T) { overfill(t, f, limit) })
		}
	})
}

func overfill(t *testing.T, f fluentBit, limit string) {
	const attacks, large = 3000, 40
	port, dir := loopback.Port(t), t.TempDir()
	var file strings.Builder
	for n := range attacks {
		file.Write(response("192.0.2.77", fmt.Sprintf("/victim/%d?t=../../etc/passwd", n), strings.Repeat("ok ", 300)))
	}
	require.NoError(t, os.WriteFile(dir+"/attacks", []byte(file.String()), 0o644))
	p := f.start(t, fmt.Sprintf(`
service:
  flush: 0.2
pipeline:
  inputs:
    - name: tail
      path: %s/attacks
      read_from_head: on
      parser: json
      buffer_max_size: 1M
      tag: file
    - name: tcp
      listen: 127.0.0.1
      port: %d
      format: json
      chunk_size: 8192
      buffer_size: 8192
      tag: nano
  filters:
    - name: waf
      match_regex: '^(file|nano)$'
      mode: async
      async_limit: %s
      alert_key: off
      emit_tag: alert
      emit_format: record
      emit_limit: 1G
  outputs:%s%s
parsers:
  - name: json
    format: json
`, dir, port, limit, toFile("alert", "alerts"), toFile("file", "all")))
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	require.NoError(t, err)
	defer c.Close()
	body := prose(rand.New(rand.NewPCG(1, 2)), 100_000)
	for n := range large {
		_ = c.SetWriteDeadline(time.Now().Add(patience))
		_, err := c.Write(response("198.51.100.1", fmt.Sprintf("/large/%d?t=../../etc/passwd", n), body))
		require.NoError(t, err, "the pipeline takes nothing any more")
	}
	p.wait("all records", func() bool { return strings.Count(p.read("all"), "\n") >= attacks })
	p.wait("all alerts", func() bool { return strings.Count(p.read("alerts"), `"URL":"/victim/`) >= attacks })
	begin := time.Now()
	p.stop()
	require.Less(t, time.Since(begin), 25*time.Second)
}
