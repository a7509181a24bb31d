package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
)

// output starts an output with properties as name and value in turn.
func (h *hostProcess) output(id int, name string, properties ...string) string {
	h.t.Helper()
	return h.do(append([]string{"output", fmt.Sprint(id), name}, assignments(properties)...)...)
}

func TestRegisteringTheOutputRegistersTheFilterAsWell(t *testing.T) {
	for _, v := range withSanitizers(plain, old) {
		t.Run(v.name, func(t *testing.T) {
			h := start(t, v)
			require.Equal(t, "0 0 type 2 proxy 11 name waf filter registered", h.do("register", "0"))
			h.do("unregister")
			require.Equal(t, "0 0 type 2 proxy 11 name waf filter left out", h.do("register", "1"),
				"on a reload the host's configuration is not to be had")
			require.Contains(t, strings.Join(h.log, "\n"), "lists flb-filter_waf.so and in_nano.so beside out_waf.so")
			h.do("unregister")
		})
	}
}

func TestOutputDeliversAlerts(t *testing.T) {
	attack, clean := sample(t, ""), sample(t, "/index.html")
	chunk := append(append([]byte{}, clean...), attack...)
	onHosts(t, func(t *testing.T, h *hostProcess) {
		file := filepath.Join(t.TempDir(), "alerts")
		h.do("register", "0")
		require.Equal(t, "1", h.output(0, "waf.0", "alert_to", "file://"+file))
		require.Equal(t, "1", h.do("flush", "0", "nano", toHex(clean)))
		require.Equal(t, "1", h.do("flush", "0", "nano", toHex(chunk)))
		require.Equal(t, "1", h.do("flush", "0", "nano", "c1"), "broken bytes are nothing to retry")
		require.Equal(t, "1", h.do("output-exit", "0"))
		require.Contains(t, strings.Join(h.log, "\n"), "3 [output:waf:waf.0] records 4: clean 2, alerts 1, not http 0, broken 1")

		data, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, 1, bytes.Count(data, []byte("\n")))
		var alert map[string]string
		require.NoError(t, json.Unmarshal(data, &alert))
		require.Equal(t, "932160", alert["rule_id"])
	})
}

func TestFlushesWaitWithoutHoldingTheLoopUpAndTakeTheirTurns(t *testing.T) {
	attack := sample(t, "")
	other := sample(t, "/?do='drop%20table'")
	onHosts(t, func(t *testing.T, h *hostProcess) {
		file := filepath.Join(t.TempDir(), "alerts")
		h.do("register", "0")
		require.Equal(t, "1", h.output(0, "waf.0", "alert_to", "file://"+file))
		for range 3 {
			require.Equal(t, "answers 1 1 ended 1 1 order 0 1 the loop went on",
				h.do("flushes", "0", "nano", toHex(attack), toHex(other)))
		}
		require.Equal(t, "answers 2 2 ended 1 1 order 0 1 the loop went on",
			h.do("flushes", "0", "fault.panic", toHex(attack), toHex(other)))
		require.Equal(t, "1", h.do("output-exit", "0"))

		data, err := os.ReadFile(file)
		require.NoError(t, err)
		var ids []string
		for line := range bytes.Lines(data) {
			var alert map[string]string
			require.NoError(t, json.Unmarshal(line, &alert))
			ids = append(ids, alert["rule_id"])
		}
		require.Equal(t, []string{"932160", "942360", "932160", "942360", "932160", "942360"}, ids)
	})
}

func TestOutputAsksForARetryWhileADestinationIsDown(t *testing.T) {
	attack := toHex(sample(t, ""))
	onHosts(t, func(t *testing.T, h *hostProcess) {
		address := loopback.Address(t)

		file := filepath.Join(t.TempDir(), "alerts")
		h.do("register", "0")
		require.Equal(t, "1", h.output(0, "waf.0", "alert_to", "syslog+tcp://"+address+", file://"+file))
		require.Equal(t, "2", h.do("flush", "0", "nano", attack))
		require.Contains(t, strings.Join(h.log, "\n"), "syslog+tcp://"+address)
		require.Equal(t, "2", h.do("flush", "0", "nano", attack))
		require.Empty(t, h.log, "the log is not flooded")
		require.Equal(t, "1", h.do("output-exit", "0"))

		data, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, 1, bytes.Count(data, []byte("\n")), "the destination that is up has the alert once")
	})
}

func TestOutputRefusesBadSettingsWithAllProblems(t *testing.T) {
	onHosts(t, func(t *testing.T, h *hostProcess) {
		h.do("register", "0")
		require.Equal(t, "0", h.output(0, "waf.0", "alert_to", "carrier-pigeon://roof", "alert_on", "never", "emit_tag", "x"))
		log := strings.Join(h.log, "\n")
		for _, text := range []string{"alert_to", "carrier-pigeon", "alert_on", "emit_tag: belongs to the filter waf"} {
			require.Contains(t, log, text)
		}
	})
}

func TestPanicInTheOutputAsksForARetry(t *testing.T) {
	attack := toHex(sample(t, ""))
	onHosts(t, func(t *testing.T, h *hostProcess) {
		h.do("register", "0")
		require.Equal(t, "1", h.output(0, "waf.0", "alert_to", "stdout"))
		h.do("signals")
		for _, cause := range []string{"fault.panic", "fault.nil"} {
			require.Equal(t, "2", h.do("flush", "0", cause, attack))
		}
		require.Equal(t, "1", h.do("output-exit", "0"))
	})
}
