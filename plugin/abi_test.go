package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// onHosts runs a test in a plain host; in the long form also in one that watches addresses and undefined behavior, and with Go's own checks
// of pointers.
func onHosts(t *testing.T, test func(t *testing.T, h *hostProcess)) {
	t.Helper()
	variants := withSanitizers(plain)
	if longForm() {
		variants = append(variants, pointers)
	}
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) { test(t, start(t, v)) })
	}
}

// event is one msgpack event as Fluent Bit writes it.
func event(body map[string]string) []byte {
	b := []byte{0x92, 0x92, 0xd7, 0x00}
	b = binary.BigEndian.AppendUint32(b, 1_717_053_408)
	b = binary.BigEndian.AppendUint32(b, 917_000_000)
	b = msgp.AppendMapHeader(b, 0)
	return msgp.AppendMapStrStr(b, body)
}

// sample is the Nano record of testdata, with its URL in place of the attack when there is one.
func sample(t testing.TB, url string) []byte {
	t.Helper()
	data, err := os.ReadFile("../testdata/nano-sample.json")
	require.NoError(t, err)
	var body map[string]string
	require.NoError(t, json.Unmarshal(data, &body))
	if url != "" {
		body["REQ_HEADER"] = strings.Replace(body["REQ_HEADER"], body["URL"], url, 1)
		body["URL"] = url
	}
	return event(body)
}

// processed is what package filter makes of a chunk without any host.
func processed(t *testing.T, properties setting.Map, chunk []byte, tag string) filter.Outcome {
	t.Helper()
	all := setting.Map{"inspect_budget": "off"}
	maps.Copy(all, properties)
	f, err := filter.New(nil, all, func(filter.Level, string) {})
	require.NoError(t, err)
	var o filter.Outcome
	f.Process(chunk, tag, &o)
	require.NoError(t, f.Close())
	return o
}

func TestHostReadsAllPropertiesInItsLayoutOfTheConfigMap(t *testing.T) {
	for _, v := range withSanitizers(plain, old) {
		t.Run(v.name, func(t *testing.T) {
			require.Equal(t, listed(append(filter.Properties(), filter.Misplaced(false)...)), strings.Fields(start(t, v).do("map")))
		})
	}
}

func TestHostThatTakesOneGetsAConfigMapOfTheOutput(t *testing.T) {
	h := start(t, plain)
	h.do("register", "0")
	require.Equal(t, listed(append(filter.OutputProperties(), filter.Misplaced(true)...)), strings.Fields(h.do("output-map")))
}

// listed is what the host prints of a config map.
func listed(table []setting.Property) []string {
	var all []string
	for _, p := range table {
		all = append(all, fmt.Sprintf("0:%s:%s:%s", p.Name, toHex([]byte(p.Default)), toHex([]byte(p.Help))))
	}
	return all
}

func TestFilterReturnsWhatPackageFilterMakesOfAChunk(t *testing.T) {
	attack, clean := sample(t, ""), sample(t, "/index.html")
	other := event(map[string]string{"L7_PROTOCOL": "dns"})
	chunk := append(append(append([]byte{}, other...), attack...), clean...)
	onHosts(t, func(t *testing.T, h *hostProcess) {
		require.Equal(t, "0", h.init(0, "waf.0"))

		want := processed(t, nil, chunk, "nano")
		require.True(t, want.Changed)
		answer, out := h.filter(0, "nano", chunk, "input")
		require.Equal(t, "1", answer)
		require.Equal(t, want.Data, out)

		for name, untouched := range map[string][]byte{"other": other, "clean": clean, "empty": nil, "broken": {0xc1, 0x00}} {
			answer, out = h.filter(0, "nano", untouched, "input")
			require.Equal(t, "2", answer, name)
			require.Empty(t, out, name)
		}
		require.Equal(t, "0", h.do("exit", "0"))
		require.Contains(t, strings.Join(h.log, "\n"),
			"3 [filter:waf:waf.0] records 6: clean 2, alerts 1, not http 2, broken 1, skipped 0 (0 of them late)")
	})
}

func TestFilterDropsAWholeChunk(t *testing.T) {
	onHosts(t, func(t *testing.T, h *hostProcess) {
		require.Equal(t, "0", h.init(0, "waf.0", "keep", "alerts"))
		answer, out := h.filter(0, "nano", sample(t, "/index.html"), "input")
		require.Equal(t, "1", answer)
		require.Empty(t, out)
		require.Equal(t, "0", h.do("exit", "0"))
	})
}

func TestInstancesHaveTheirOwnRules(t *testing.T) {
	quiet := setting.Map{"exclude_rules": "930000-932999"}
	attack := sample(t, "")
	onHosts(t, func(t *testing.T, h *hostProcess) {
		require.Equal(t, "0", h.init(0, "waf.0"))
		require.Equal(t, "0", h.init(1, "waf.1", "exclude_rules", quiet["exclude_rules"]))
		answer, _ := h.filter(0, "nano", attack, "input")
		require.Equal(t, "1", answer)
		answer, _ = h.filter(1, "nano", attack, "input")
		require.Equal(t, "2", answer)

		require.Equal(t, "answers 1 2 wrong 0 0", h.do("threads", "0", "1", "50", "nano", toHex(attack)))

		require.Equal(t, "0", h.do("exit", "0"))
		answer, _ = h.filter(1, "nano", attack, "input")
		require.Equal(t, "2", answer)
		require.Equal(t, "0", h.do("exit", "1"))
	})
}

func TestInitRefusesBadSettingsWithAllProblems(t *testing.T) {
	onHosts(t, func(t *testing.T, h *hostProcess) {
		require.Equal(t, "-1", h.init(0, "waf.0", "alert_on", "never", "emit_limit", "much", "anomaly_inbound", "-3",
			"rules", "/no/such/file.conf"))
		log := strings.Join(h.log, "\n")
		for _, property := range []string{"alert_on", "emit_limit", "anomaly_inbound", "/no/such/file.conf"} {
			require.Contains(t, log, property)
		}
		for _, line := range h.log {
			require.True(t, strings.HasPrefix(line, "1 [filter:waf:waf.0] "), line)
		}
	})
}

func TestEmitTagSendsAlertsThroughAnEmitter(t *testing.T) {
	properties := setting.Map{"emit_tag": "alert.$TAG[1]", "emit_limit": "2M"}
	attack := sample(t, "")
	want := processed(t, properties, attack, "nano.east")
	require.Len(t, want.Emits, 1)
	onHosts(t, func(t *testing.T, h *hostProcess) {
		require.Equal(t, "0", h.init(0, "waf.0", "emit_tag", properties["emit_tag"], "emit_limit", properties["emit_limit"]))
		require.Equal(t, "alias=emitter_for_waf.0 storage.type=memory mem_buf_limit=2097152", h.do("emitter-options"))

		answer, out := h.filter(0, "nano.east", attack, "input")
		require.Equal(t, "1", answer)
		require.Equal(t, want.Data, out)
		require.Equal(t, []string{"emitter alert.east " + toHex(want.Emits[0].Event)}, h.emit)

		for _, refusal := range []string{"-1", "-2"} {
			h.do("emitter", refusal)
			answer, out = h.filter(0, "nano.east", attack, "input")
			require.Equal(t, "1", answer, "the record continues")
			require.Equal(t, want.Data, out)
		}
		h.do("emitter", "0")
		answer, _ = h.filter(0, "nano.east", attack, "output")
		require.Equal(t, "1", answer)
		require.Empty(t, h.emit, "an output is no source of records")
		require.Contains(t, strings.Join(h.log, "\n"), "not in output processors")

		answer, _ = h.filter(0, "alert.east", want.Emits[0].Event, "input")
		require.Equal(t, "2", answer)
		require.Empty(t, h.emit, "alerts are not evaluated again")

		require.Equal(t, "0", h.do("exit", "0"))
		require.Contains(t, strings.Join(h.log, "\n"), "alerts emitted 1, failed 3")
	})
}

func TestEmitTagOnTheThreadOfAnInputAppendsToTheInput(t *testing.T) {
	attack := sample(t, "")
	want := processed(t, setting.Map{"emit_tag": "alert"}, attack, "nano")
	rename := func(h *hostProcess) { h.do("thread-name", "flb-in-tail.0-w0") }
	for name, order := range map[string]struct{ before, after func(*hostProcess) }{
		"initialized there":                  {before: rename, after: func(*hostProcess) {}},
		"initialized on the engine's thread": {before: func(*hostProcess) {}, after: rename},
	} {
		t.Run(name, func(t *testing.T) {
			h := start(t, plain)
			order.before(h)
			require.Equal(t, "0", h.init(0, "waf.0", "emit_tag", "alert"))
			order.after(h)
			answer, _ := h.filter(0, "nano", attack, "input")
			require.Equal(t, "1", answer)
			require.Equal(t, []string{"input alert " + toHex(want.Emits[0].Event)}, h.emit)
			require.Equal(t, "0", h.do("exit", "0"))
		})
	}
}

func TestEmitTagIsRefusedWhereTheHostHasNoEmitter(t *testing.T) {
	h := start(t, old)
	require.Equal(t, "-1", h.init(0, "waf.0", "emit_tag", "alert"))
	require.Contains(t, strings.Join(h.log, "\n"), "1 [filter:waf:waf.0] property emit_tag: ")
	require.Contains(t, strings.Join(h.log, "\n"), "Fluent Bit 2.2 to 5.1")
	require.Equal(t, "0", h.init(0, "waf.0"))
	require.Equal(t, "0", h.do("exit", "0"))
}

func TestPanicLetsTheChunkPass(t *testing.T) {
	attack := sample(t, "")
	for _, v := range withSanitizers(plain) {
		for _, cause := range []string{"fault.panic", "fault.nil"} {
			t.Run(v.name+" "+cause, func(t *testing.T) {
				h := start(t, v)
				require.Equal(t, "0", h.init(0, "waf.0"))
				answer, out := h.filter(0, cause, attack, "input")
				require.Equal(t, "2", answer)
				require.Empty(t, out)
				require.Contains(t, strings.Join(h.log, "\n"), "recovered from a panic")

				h.do("signals") // as Fluent Bit does on SIGHUP and SIGCONT
				answer, _ = h.filter(0, cause, attack, "input")
				require.Equal(t, "2", answer)
				require.Empty(t, h.log, "further panics are only counted")

				answer, _ = h.filter(0, "nano", attack, "input")
				require.Equal(t, "1", answer)
				require.Equal(t, "0", h.do("exit", "0"))
				require.Contains(t, strings.Join(h.log, "\n"), "2 panics")
				require.Contains(t, strings.Join(h.log, "\n"), "records 3: clean 0, alerts 1, not http 0, broken 2, skipped 0")
			})
		}
	}
}

// A signal may be taken by a thread that runs Go, whose stacks are too small for a handler of the host.
func TestHandlersOfTheHostRunOnAStackOfTheirOwn(t *testing.T) {
	h := start(t, plain)
	for _, step := range []struct {
		name string
		call func()
	}{
		{"start", func() { require.Equal(t, "0", h.init(0, "waf.0")) }},
		{"records", func() { h.filter(0, "nano", sample(t, ""), "input") }},
		{"end", func() { require.Equal(t, "0", h.do("exit", "0")) }},
	} {
		h.do("signals") // sets all handlers, without a stack of their own
		step.call()
		for _, number := range []syscall.Signal{syscall.SIGHUP, syscall.SIGCONT, syscall.SIGTERM, syscall.SIGHUP} {
			want := fmt.Sprintf("handled %d", number)
			require.Equal(t, want, h.do("raise", strconv.Itoa(int(number))), "%s: its handler, and signals whose handlers have no stack", step.name)
		}
	}
}

func TestDaemonModeIsRefused(t *testing.T) {
	h := start(t, plain)
	require.Equal(t, "7", h.do("fork", "0", "waf.0"))
	require.Contains(t, strings.Join(h.log, "\n"), "daemon off")
}
