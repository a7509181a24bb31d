package filter

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

func newOutput(t *testing.T, settings setting.Map) *Output {
	t.Helper()
	o, err := NewOutput("", testHost, settings, func(level Level, line string) { t.Log(level, line) }, os.Stdout)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, o.Close()) })
	return o
}

// lines returns the alerts in a file.
func lines(t *testing.T, file string) (all []map[string]any) {
	t.Helper()
	data, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return nil
	}
	require.NoError(t, err)
	for line := range bytes.Lines(data) {
		var m map[string]any
		require.NoError(t, json.Unmarshal(line, &m), "%s", line)
		all = append(all, m)
	}
	return all
}

func TestOutputDeliversTheAlertsOfAChunkInOrder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "alerts")
	o := newOutput(t, setting.Map{"alert_to": "file://" + file, "include_payload": "off"})
	var chunk []byte
	for range 20 {
		chunk = append(chunk, clean("/index.html")...)
		chunk = append(chunk, sample(t)...)
		chunk = append(chunk, clean("/?do='drop%20table'")...)
	}
	require.NoError(t, o.Flush(context.Background(), chunk, "nano"))
	got := lines(t, file)
	require.Len(t, got, 40)
	for i := 0; i < len(got); i += 2 {
		require.Equal(t, "932160", got[i]["rule_id"])
		require.Equal(t, "942360", got[i+1]["rule_id"])
		require.NotContains(t, got[i], "req_header")
	}
	counts := o.Counts()
	require.Equal(t, []uint64{60, 20, 40, 40}, []uint64{counts.Records, counts.Clean, counts.Alerts, counts.Emitted})
}

func TestOutputDeliversCopiesOfRecords(t *testing.T) {
	file := filepath.Join(t.TempDir(), "alerts")
	o := newOutput(t, setting.Map{"alert_to": "file://" + file, "emit_format": "record", "alert_key": "verdict"})
	require.NoError(t, o.Flush(context.Background(), sample(t), "nano"))
	got := lines(t, file)
	require.Len(t, got, 1)
	require.Equal(t, "/?t=../../etc/passwd", got[0]["URL"])
	require.Equal(t, "930120", got[0]["verdict"].(map[string]any)["rule_id"])
}

func TestOutputGivesADestinationThatWasDownWhatItHasNotTaken(t *testing.T) {
	address := loopback.Address(t)
	file := filepath.Join(t.TempDir(), "alerts")
	o := newOutput(t, setting.Map{"alert_to": "file://" + file + ", syslog+tcp://" + address})

	require.ErrorContains(t, o.Flush(context.Background(), sample(t), "nano"), address)
	require.Len(t, lines(t, file), 1)

	l, err := net.Listen("tcp", address)
	require.NoError(t, err)
	defer l.Close()
	received := make(chan string, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		buffer := make([]byte, 64<<10)
		n, _ := c.Read(buffer)
		received <- string(buffer[:n])
	}()
	require.Eventually(t, func() bool { return o.Flush(context.Background(), sample(t), "nano") == nil }, 10*time.Second, 10*time.Millisecond)
	require.Contains(t, <-received, `"rule_id":"932160"`)
	require.Len(t, lines(t, file), 1, "the destination that was up has the alert once")
}

func TestOutputTellsAtItsEndWhatIsNotDelivered(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	var log []string
	o, err := NewOutput("", testHost, setting.Map{"alert_to": "stdout, json+tcp://" + l.Addr().String()}, func(_ Level, line string) { log = append(log, line) }, io.Discard)
	require.NoError(t, err)
	two := append(sample(t), sample(t)...)
	for _, chunk := range [][]byte{two, sample(t), two} { // the first one comes again
		require.Error(t, o.Flush(context.Background(), chunk, "nano"))
	}
	require.NoError(t, o.Flush(context.Background(), clean("/index.html"), "nano"))
	require.NoError(t, o.Close())
	require.Contains(t, strings.Join(log, "\n"), "3 alerts in 2 chunks have not reached every destination")

	log = nil
	o, err = NewOutput("", testHost, setting.Map{"alert_to": "stdout"}, func(_ Level, line string) { log = append(log, line) }, io.Discard)
	require.NoError(t, err)
	require.NoError(t, o.Flush(context.Background(), two, "nano"))
	require.NoError(t, o.Close())
	require.NotContains(t, strings.Join(log, "\n"), "not reached every destination")
}

func TestOutputBelievesVerdictsOnlyWhenToldTo(t *testing.T) {
	marked := event(t, map[string]any{
		"METHOD": "GET", "URL": "/?do='drop%20table'", "L7_PROTOCOL": "http", "waf": map[string]any{"alert": false},
	})
	for trust, alerts := range map[string]int{"off": 1, "on": 0} {
		file := filepath.Join(t.TempDir(), "alerts")
		o := newOutput(t, setting.Map{"alert_to": "file://" + file, "trust_verdicts": trust})
		require.NoError(t, o.Flush(context.Background(), marked, "nano"))
		require.Len(t, lines(t, file), alerts, "trust_verdicts %s", trust)
		require.EqualValues(t, 1-alerts, o.Counts().Skipped)
	}
}

func TestOutputRefusesWhatIsForTheFilter(t *testing.T) {
	_, err := NewOutput("", testHost, setting.Map{"keep": "alerts", "emit_tag": "x", "trust_verdicts": "maybe"}, discard, os.Stdout)
	for _, problem := range []string{
		"property keep: belongs to the filter waf", "property emit_tag: belongs to the filter waf",
		"property trust_verdicts: malformed switch", "property alert_to: no destination (want ",
	} {
		require.ErrorContains(t, err, problem)
	}
}

func TestOutputPropertiesAreThoseThatItReads(t *testing.T) {
	names := map[string]bool{}
	for _, p := range OutputProperties() {
		require.False(t, names[p.Name], p.Name)
		names[p.Name] = true
	}
	for _, own := range []string{"rules", "alert_on", "alert_key", "emit_format", "include_payload", "alert_to", "trust_verdicts"} {
		require.True(t, names[own], own)
	}
	for _, other := range onlyFilter {
		require.False(t, names[other], other)
	}
}
