package filter

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/alert"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// from is an attack of a source, ids apart always the same.
func from(source string) []byte {
	return pairs("L7_PROTOCOL", "http", "SRC_IP", source, "DST_IP", "192.0.2.80", "METHOD", "GET", "URL", "/?a=../../etc/passwd")
}

func requireSum(t *testing.T, c Counts) {
	t.Helper()
	require.Equal(t, c.Alerts, c.Emitted+c.Failed+c.Suppressed, "%+v", c)
}

// take does what a host does that takes all alerts.
func take(f *Filter, emits []Emit) []Emit {
	for i := range emits {
		f.EmitTaken(&emits[i])
	}
	return emits
}

func TestRepeatedAlertsAreSummedUpInEveryFormat(t *testing.T) {
	for _, format := range alert.Formats() {
		t.Run(format, func(t *testing.T) {
			f := newFilter(t, setting.Map{"emit_tag": "alert.$TAG", "emit_format": format, "flood_window": "1s"})
			var chunk []byte
			for range 10 {
				chunk = append(chunk, from("192.0.2.7")...)
			}
			out := process(f, append(chunk, from("192.0.2.8")...), "nano")
			require.Len(t, take(f, out.Emits), 2, "the first of each kind goes out at once")
			require.True(t, out.Changed, "records have their map, whether their alert goes out or not")
			requireSum(t, f.Counts())

			var due []Emit
			require.Eventually(t, func() bool {
				due = process(f, clean("/"), "nano").Emits
				return len(due) > 0
			}, 10*time.Second, 50*time.Millisecond, "the next chunk brings the summary")
			require.Len(t, take(f, due), 1)
			require.True(t, due[0].Summary)
			require.Equal(t, "alert.nano", due[0].Tag)
			text := string(due[0].Message().JSON)
			requireValid(t, alert.Format(format), text)
			require.Regexp(t, `count": ?"?9|_count":9|count":9|cnt=9`, text)
			require.Contains(t, text, "192.0.2.7")
			require.EqualValues(t, 0x66580000, due[0].Time.Unix())

			requireSum(t, f.Counts())
			c := f.Counts()
			require.Equal(t, []uint64{11, 2, 9, 1}, []uint64{c.Alerts, c.Emitted, c.Suppressed, c.Summaries})
			require.Contains(t, c.String(), "suppressed 9, summaries 1")
		})
	}
}

func TestTheLimitTellsWhatItLeavesOutInEveryFormat(t *testing.T) {
	for _, format := range alert.Formats() {
		t.Run(format, func(t *testing.T) {
			f := newFilter(t, setting.Map{"emit_tag": "alert", "emit_format": format, "alert_limit": "2", "inspect_budget": "off"})
			var chunk []byte
			for _, source := range []string{"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"} {
				chunk = append(chunk, from(source)...)
			}
			require.Len(t, take(f, process(f, chunk, "nano").Emits), 2)
			requireSum(t, f.Counts())
			due := take(f, f.Summaries(true))
			require.Len(t, due, 1)
			text := string(due[0].Message().JSON)
			requireValid(t, alert.Format(format), text)
			require.Contains(t, text, "3 alerts dropped: more than 2 per second")
			requireSum(t, f.Counts())
		})
	}
}

func TestWithoutFloodControlEveryAlertGoesOut(t *testing.T) {
	f := newFilter(t, setting.Map{"emit_tag": "alert", "flood_window": "off", "alert_limit": "off"})
	var chunk []byte
	for range 50 {
		chunk = append(chunk, from("192.0.2.7")...)
	}
	require.Len(t, process(f, chunk, "nano").Emits, 50)
	require.Empty(t, f.Summaries(true))
}

func TestFloodControlRefusesWhatItCannotDo(t *testing.T) {
	_, err := New(testHost, setting.Map{"flood_window": "50ms", "alert_limit": "-1"}, discard)
	require.ErrorContains(t, err, `property flood_window: 50ms is out of range (1s to 24h, or off)`)
	require.ErrorContains(t, err, `property alert_limit: -1 is out of range (0 to 1000000)`)
}

func TestWhatIsInNoSummaryIsSaidAtTheEnd(t *testing.T) {
	var log logLines
	f, err := New(testHost, setting.Map{"emit_tag": "alert", "flood_window": "1h", "inspect_budget": "off"}, log.add)
	require.NoError(t, err)
	process(f, append(from("192.0.2.7"), from("192.0.2.7")...), "nano")
	require.NoError(t, f.Close())
	require.Contains(t, log.text(), "1 suppressed alerts are in no summary, because no more records arrived")
}

func TestOutputDeliversSummariesWithoutMoreRecordsAndAtTheEnd(t *testing.T) {
	file := t.TempDir() + "/alerts"
	o, err := NewOutput("", testHost, setting.Map{"alert_to": "file://" + file, "flood_window": "5s", "include_payload": "off"}, discard, os.Stdout)
	require.NoError(t, err)
	chunk := append(append(from("192.0.2.7"), from("192.0.2.7")...), from("192.0.2.7")...)
	require.NoError(t, o.Flush(context.Background(), chunk, "nano"))
	require.Len(t, lines(t, file), 1)
	require.Eventually(t, func() bool { return len(lines(t, file)) == 2 }, 30*time.Second, 20*time.Millisecond)
	require.Equal(t, "2", lines(t, file)[1]["count"])
	require.NoError(t, o.Flush(context.Background(), from("192.0.2.7"), "nano"))
	require.NoError(t, o.Close())
	got := lines(t, file)
	require.Len(t, got, 3)
	require.Equal(t, "1", got[2]["count"])
	c := o.Counts()
	require.Equal(t, []uint64{4, 1, 3, 2}, []uint64{c.Alerts, c.Emitted, c.Suppressed, c.Summaries})
}

// A chunk whose delivery fails comes again. Its alerts are no repeats of themselves.
func TestFloodControlKeepsWhatADestinationHasNotTakenYet(t *testing.T) {
	address := loopback.Address(t)
	o := newOutput(t, setting.Map{"alert_to": "json+tcp://" + address, "flood_window": "1h"})
	chunk := append(append(from("192.0.2.7"), from("192.0.2.8")...), from("192.0.2.7")...)
	for range 3 {
		require.ErrorContains(t, o.Flush(context.Background(), chunk, "nano"), address)
		requireSum(t, o.Counts())
	}
	l, err := net.Listen("tcp", address)
	require.NoError(t, err)
	defer l.Close()
	sources := make(chan string, 10)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		for decoder := json.NewDecoder(c); ; {
			var flat map[string]string
			if decoder.Decode(&flat) != nil {
				return
			}
			sources <- flat["src_ip"]
		}
	}()
	require.Eventually(t, func() bool { return o.Flush(context.Background(), chunk, "nano") == nil }, 10*time.Second, 10*time.Millisecond)
	require.Equal(t, []string{"192.0.2.7", "192.0.2.8"}, []string{<-sources, <-sources})
	requireSum(t, o.Counts())
	require.NoError(t, o.Flush(context.Background(), chunk, "nano"), "once delivered, the same again are repeats")
	require.EqualValues(t, 2, o.Counts().Emitted)
	requireSum(t, o.Counts())
}
