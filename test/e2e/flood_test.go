//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
)

// worstBody is a request with a body of 10 kB that many rules have to look at.
func worstBody(number int) []byte {
	words := "union select 1 from users where a=1 or '1'='1' <script>alert(1)</script> ../../etc/passwd; cat /etc/shadow "
	body := url.QueryEscape(strings.Repeat(words, 70))
	head := fmt.Sprintf("POST /search?n=%d HTTP/1.1\\r\\nHost: shop.example\\r\\nContent-Type: application/x-www-form-urlencoded\\r\\n"+
		"Content-Length: %d\\r\\n\\r\\n", number, 2+len(body))
	return []byte(`{"L7_PROTOCOL":"http","METHOD":"POST","URL":"/search","REQ_HEADER":"` + head + `","REQ_BODY":"q=` + body + `"}`)
}

// flood sends worst bodies as fast as the socket takes them, until enough have been sent or the returned function is called: it
// reports whether the flood lasted until then. The flood does not outlive the test.
func flood(t *testing.T, port int) (stop func() bool) {
	t.Helper()
	const enough = 200_000
	c, err := net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", port))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	lasted := make(chan bool, 1)
	go func() {
		defer c.Close()
		for n := range enough {
			if ctx.Err() != nil {
				lasted <- true
				return
			}
			_, _ = c.Write(worstBody(n)) // a flood does not care
			time.Sleep(time.Millisecond)
		}
		lasted <- false
	}()
	stop = sync.OnceValue(func() bool {
		cancel()
		return <-lasted
	})
	t.Cleanup(func() { stop() })
	return stop
}

var lateCount = regexp.MustCompile(`\((\d+) of them late\)`)

// While one input is flooded with attacks that take long, records of another input flow.
func TestFloodOfAttacksLeavesOtherInputsFlowing(t *testing.T) {
	onEach(t, func(t *testing.T, f fluentBit) {
		const others = 100
		floodPort, port := loopback.Port(t), loopback.Port(t)
		yaml := withUDP(port, `
    - name: waf
      match: '*'
      inspect_budget: 5ms
`, toFile("nano.*", "all"))
		p := f.start(t, strings.Replace(yaml, "  filters:", fmt.Sprintf(`    - name: udp
      listen: 127.0.0.1
      port: %d
      format: json
      chunk_size: 64
      tag: flood
  filters:`, floodPort), 1))
		stop := flood(t, floodPort)
		time.Sleep(200 * time.Millisecond) // the flood is there
		for n := range others {
			sendUDP(t, port, clean(t, n))
			time.Sleep(10 * time.Millisecond)
		}
		p.records("all", others)
		require.True(t, stop(), "the flood was over before the other records had passed")
		p.stop()
		late := lateCount.FindStringSubmatch(p.log())
		require.NotNil(t, late)
		n, err := strconv.Atoi(late[1])
		require.NoError(t, err)
		require.NotZero(t, n)
	})
}
