//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// worstBody is a request with a body of 10 kB that many rules have to look at.
func worstBody(number int) []byte {
	words := "union select 1 from users where a=1 or '1'='1' <script>alert(1)</script> ../../etc/passwd; cat /etc/shadow "
	body := url.QueryEscape(strings.Repeat(words, 70))
	head := fmt.Sprintf("POST /search?n=%d HTTP/1.1\\r\\nHost: shop.example\\r\\nContent-Type: application/x-www-form-urlencoded\\r\\n"+
		"Content-Length: %d\\r\\n\\r\\n", number, 2+len(body))
	return []byte(`{"L7_PROTOCOL":"http","METHOD":"POST","URL":"/search","REQ_HEADER":"` + head + `","REQ_BODY":"q=` + body + `"}`)
}

// keepSending sends worst bodies as fast as the socket takes them, until stop is closed or enough have been sent.
func keepSending(t *testing.T, port int, stop, ended chan struct{}) {
	defer close(ended)
	const enough = 200_000
	c, err := net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	for n := range enough {
		select {
		case <-stop:
			return
		default:
		}
		if _, err := c.Write(worstBody(n)); err != nil {
			t.Error(err)
			return
		}
		time.Sleep(time.Millisecond)
	}
}

var lateCount = regexp.MustCompile(`\((\d+) of them late\)`)

// While one input is flooded with attacks that take long, records of another input flow.
func TestFloodOfAttacksLeavesOtherInputsFlowing(t *testing.T) {
	onEach(t, func(t *testing.T, f fluentBit) {
		const others = 100
		floodPort, port := freePort(t), freePort(t)
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
		stop, ended := make(chan struct{}), make(chan struct{})
		go keepSending(t, floodPort, stop, ended)
		time.Sleep(200 * time.Millisecond) // the flood is there
		for n := range others {
			sendUDP(t, port, clean(t, n))
			time.Sleep(10 * time.Millisecond)
		}
		p.records("all", others)
		select {
		case <-ended:
			t.Fatal("the flood was over before the other records had passed")
		default:
		}
		close(stop)
		<-ended
		p.stop()
		late := lateCount.FindStringSubmatch(p.log())
		require.NotNil(t, late)
		n, err := strconv.Atoi(late[1])
		require.NoError(t, err)
		require.NotZero(t, n)
	})
}
