//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
)

// Nothing has been flushed when the signal comes, and one destination of the alerts is down.
func TestTerminatedPipelineAccountsForEveryRecordThatIsPending(t *testing.T) {
	records := 3_000
	if longForm() {
		records = 20_000
	}
	var datagrams [][]byte
	for n := range records {
		datagrams = append(datagrams, numbered(t, n))
	}
	onEach(t, func(t *testing.T, f fluentBit) {
		dir, port, down, httpPort := t.TempDir(), loopback.Port(t), loopback.Port(t), loopback.Port(t)
		writeRules(t, dir, "?n=")
		yaml := fromNano(nanoInput(port), fmt.Sprintf(`
    - name: waf
      match: nano
      rules: own.conf
      alert_on: match
      alert_to: json+tcp://127.0.0.1:%d, file://%s
`, down, filepath.Join(dir, "alerts"))+toFile("nano", "all"))
		p := f.launch(t, dir, strings.Replace(yaml, "flush: 0.2", fmt.Sprintf(`flush: 60
  http_server: on
  http_listen: 127.0.0.1
  http_port: %d`, httpPort), 1), "-e", plugin())
		p.waitReady(1)
		sendUDP(t, port, datagrams...)
		p.takenOver(httpPort, records) // Fluent Bit 3.2 loses what it has not taken over yet from an input on a thread of its own
		require.Empty(t, p.read("all"), "all records are pending")
		require.NoError(t, p.command.Process.Signal(syscall.SIGTERM))
		require.NoError(t, p.end())

		_, received, handedOver, waiting, kernel, queue := p.accounts()
		require.Equal(t, records, received+kernel)
		require.Equal(t, received, handedOver+waiting+queue)
		require.NotZero(t, handedOver)
		delivered := p.told("all")
		require.Len(t, delivered, handedOver)
		require.Len(t, p.told("alerts"), alertsAmong(delivered), "every record that was delivered has its alert")
		require.Contains(t, p.log(), fmt.Sprintf("json+tcp://127.0.0.1:%d: delivered 0,", down))
		left := regexp.MustCompile(`(\d+) alerts in \d+ chunks have not reached every destination`).FindStringSubmatch(p.log())
		require.NotNil(t, left, p.log())
		require.Equal(t, strconv.Itoa(alertsAmong(delivered)), left[1], "what the destination that is down has not got is told")
		t.Logf("%d records sent: %d delivered, %d dropped by the kernel, %d by the queue, %d came too late; alerts %d, of which one destination lacks %s",
			records, handedOver, kernel, queue, waiting, alertsAmong(delivered), left[1])
	})
}

// takenOver waits until Fluent Bit has taken records over from its input, but for those that the kernel may have dropped.
func (p *pipeline) takenOver(httpPort, records int) {
	p.t.Helper()
	const still = 10 * time.Second // it counts every few seconds
	taken, since := 0, time.Now()
	p.wait(fmt.Sprintf("%d records to be taken over", records), func() bool {
		if now := p.inputRecords(httpPort); now != taken {
			taken, since = now, time.Now()
		}
		return taken == records || taken > 0 && time.Since(since) > still
	})
}

// inputRecords returns how many records Fluent Bit says that it has taken over from its inputs, 0 while it says nothing.
func (p *pipeline) inputRecords(httpPort int) (n int) {
	p.t.Helper()
	answer, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/api/v1/metrics", httpPort))
	if err != nil {
		return 0
	}
	defer answer.Body.Close()
	var metrics struct {
		Input map[string]struct{ Records int }
	}
	if json.NewDecoder(answer.Body).Decode(&metrics) != nil {
		return 0
	}
	for _, of := range metrics.Input {
		n += of.Records
	}
	return n
}
