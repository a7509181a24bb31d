//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
)

// withUDP is a pipeline from UDP through the filters that are given, with the outputs that are given.
func withUDP(port int, filters, outputs string) string {
	return fmt.Sprintf(`
service:
  flush: 0.2
pipeline:
  inputs:
    - name: udp
      listen: 127.0.0.1
      port: %d
      format: json
      chunk_size: 64
      tag: nano.east
  filters:%s
  outputs:%s
`, port, filters, outputs)
}

// toFile is an output of matching records as lines of JSON into a file of the pipeline's directory.
func toFile(match, name string) string {
	return fmt.Sprintf(`
    - name: file
      match: %s
      path: .
      file: %s
      format: plain
`, match, name)
}

func TestRecordFromUDPIsMarkedAndContinues(t *testing.T) {
	onEach(t, func(t *testing.T, f fluentBit) {
		port := loopback.Port(t)
		p := f.start(t, withUDP(port, `
    - name: waf
      match: nano.*
      inspect_budget: off
`, toFile("'*'", "all")))
		dns := []byte(`{"L7_PROTOCOL":"dns","QUERY":"example.org"}`)
		sendUDP(t, port, sample(t), clean(t, 1), dns)
		got := p.records("all", 3)
		p.stop()

		waf := got[0]["waf"].(map[string]any)
		require.Equal(t, true, waf["alert"])
		require.Contains(t, waf["rule_ids"], "932160")
		delete(got[0], "waf")
		require.Equal(t, decode(t, sample(t)), got[0])
		require.Equal(t, decode(t, clean(t, 1)), got[1])
		require.Equal(t, decode(t, dns), got[2])
	})
}

func TestAlertIsEmittedUnderItsTag(t *testing.T) {
	onEach(t, func(t *testing.T, f fluentBit) {
		port := loopback.Port(t)
		p := f.start(t, withUDP(port, `
    - name: waf
      inspect_budget: off
      match: '*'
      emit_tag: alert.$TAG[1]
`, toFile("alert.east", "alerts")+toFile("nano.*", "all")+`
    - name: stdout
      match: alert.*
      format: json_lines
`))
		sendUDP(t, port, clean(t, 1), sample(t), clean(t, 2))
		alert := p.records("alerts", 1)[0]
		p.records("all", 3)
		p.waitLog(`"rule_id":"932160"`)
		p.stop()

		require.Equal(t, "932160", alert["rule_id"])
		require.Equal(t, "2", alert["severity"])
		require.Equal(t, "192.168.1.105", alert["src_ip"])
	})
}

// fromFile is an input that reads a file of JSON lines from its beginning, many in a chunk.
const fromFile = `
    - name: tail
      path: access.log
      read_from_head: on
      parser: json
      tag: nano
      buffer_chunk_size: 512k
      buffer_max_size: 1M
`

// floodDir is a directory with the file for fromFile: attacks and clean records in turn.
func floodDir(t *testing.T, lines int) string {
	t.Helper()
	dir := t.TempDir()
	var log []byte
	for n := range lines {
		record := sample(t)
		if n%2 == 1 {
			record = clean(t, n)
		}
		log = append(append(log, record...), '\n')
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "access.log"), log, 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "parsers.conf"), []byte("[PARSER]\n    Name json\n    Format json\n"), 0o644))
	return dir
}

// flood runs floodDir's records through a pipeline, and expects all of them in order, each attack marked, and its alert.
func (f fluentBit) flood(t *testing.T, lines int, inputsAndFilters string) {
	t.Helper()
	p := f.launch(t, floodDir(t, lines), `
service:
  flush: 0.2
  parsers_file: parsers.conf
pipeline:
  inputs:`+inputsAndFilters+`
  outputs:`+toFile("alert", "alerts")+toFile("nano", "all"), "-e", plugin())
	p.waitReady(1)
	all := p.records("all", lines)
	alerts := p.records("alerts", lines/2)
	p.stop()
	for n, r := range all {
		if n%2 == 0 {
			require.Contains(t, r, "waf", "line %d", n)
			continue
		}
		require.Equal(t, decode(t, clean(t, n)), r, "line %d", n)
	}
	for _, a := range alerts {
		require.Equal(t, "932160", a["rule_id"])
	}
}

func TestChunksOfManyRecords(t *testing.T) {
	onEach(t, func(t *testing.T, f fluentBit) {
		f.flood(t, 2000, fromFile+`
  filters:
    - name: waf
      inspect_budget: off
      match: nano
      emit_tag: alert
      include_payload: off`)
	})
}

// The alert comes though no other record does.
func TestAlertsFoundBesideThePipelineAreEmitted(t *testing.T) {
	onEach(t, func(t *testing.T, f fluentBit) {
		port := loopback.Port(t)
		p := f.start(t, withUDP(port, `
    - name: waf
      match: nano.*
      mode: async
      alert_key: off
      emit_tag: alert
`, toFile("nano.*", "all")+toFile("alert", "alerts")))
		sendUDP(t, port, sample(t))
		require.NotContains(t, p.records("all", 1)[0], "waf")
		require.Equal(t, "932160", p.records("alerts", 1)[0]["rule_id"])
		p.stop()
		p.waitLog("records 1: clean 0, alerts 1, not http 0, broken 0, skipped 0 (0 of them late); alerts emitted 1, failed 0")
	})
}

func TestProcessorOfAnInput(t *testing.T) {
	for name, threaded := range map[string]string{"engine's thread": "off", "own thread": "on"} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, f fluentBit) {
				f.flood(t, 1000, fromFile+`      threaded: `+threaded+`
      processors:
        logs:
          - name: waf
            inspect_budget: off
            emit_tag: alert
            include_payload: off`)
			})
		})
	}
}

func TestProcessorOfAnOutputMarksButCannotEmit(t *testing.T) {
	onEach(t, func(t *testing.T, f fluentBit) {
		port := loopback.Port(t)
		p := f.start(t, withUDP(port, " []", toFile("nano.*", "all")+`
      processors:
        logs:
          - name: waf
            inspect_budget: off
            emit_tag: alert
`))
		sendUDP(t, port, sample(t))
		require.Contains(t, p.records("all", 1)[0], "waf")
		p.waitLog("not in output processors")
		p.stop()
	})
}

func TestTwoFiltersWithDifferentRules(t *testing.T) {
	onEach(t, func(t *testing.T, f fluentBit) {
		port := loopback.Port(t)
		p := f.start(t, withUDP(port, `
    - name: waf
      inspect_budget: off
      match: '*'
      alert_key: strict
    - name: waf
      inspect_budget: off
      match: '*'
      alert_key: lax
      exclude_rules: 930000-932999
`, toFile("'*'", "all")))
		sendUDP(t, port, sample(t))
		got := p.records("all", 1)[0]
		p.stop()
		require.Contains(t, got, "strict")
		require.NotContains(t, got, "lax")
	})
}

func TestHelpListsThePropertiesOfTheFilter(t *testing.T) {
	onEach(t, func(t *testing.T, f fluentBit) {
		p := f.launch(t, t.TempDir(), "", "-e", plugin(), "-F", "waf", "-h")
		require.NoError(t, p.end())
		for _, text := range []string{"rules", "blocking_paranoia", "emit_tag", "memory limit of the emitter", "default: 10M", "keep"} {
			require.Contains(t, p.log(), text)
		}
	})
}

func TestFilterLoadsByItsOwnName(t *testing.T) {
	onEach(t, func(t *testing.T, f fluentBit) {
		p := f.launch(t, t.TempDir(), "", "-e", filepath.Join(filepath.Dir(plugin()), "flb-filter_waf.so"), "-F", "waf", "-h")
		require.NoError(t, p.end())
		require.Contains(t, p.log(), "emit_tag")
	})
}

func TestObjectWithoutItsLinkRegistersTheOutputAlone(t *testing.T) {
	object, err := os.ReadFile(plugin())
	require.NoError(t, err)
	dir := t.TempDir()
	lonely := filepath.Join(dir, "out_waf.so")
	require.NoError(t, os.WriteFile(lonely, object, 0o755))
	onEach(t, func(t *testing.T, f fluentBit) {
		p := f.launch(t, t.TempDir(), "", "-e", lonely, "-F", "waf", "-h")
		require.Error(t, p.end())
		require.Contains(t, p.log(), "no flb-filter_waf.so beside out_waf.so")
	})
}

func TestBadSettingsRefuseTheStart(t *testing.T) {
	onEach(t, func(t *testing.T, f fluentBit) {
		p := f.launch(t, t.TempDir(), withUDP(loopback.Port(t), `
    - name: waf
      inspect_budget: off
      match: '*'
      alert_on: sometimes
      emit_limit: much
      rules: crs, missing.conf
`, toFile("'*'", "all")), "-e", plugin())
		require.Error(t, p.end())
		for _, text := range []string{"alert_on", `"sometimes"`, "score or match", "emit_limit", `"much"`, "missing.conf"} {
			require.Contains(t, p.log(), text)
		}
	})
}

func TestUnknownPropertyRefusesTheStart(t *testing.T) {
	onEach(t, func(t *testing.T, f fluentBit) {
		p := f.launch(t, t.TempDir(), withUDP(loopback.Port(t), `
    - name: waf
      inspect_budget: off
      match: '*'
      paranoia_level: 4
`, toFile("'*'", "all")), "-e", plugin())
		require.Error(t, p.end())
		require.Contains(t, p.log(), "unknown configuration property 'paranoia_level'")
	})
}

func TestTheLastLineExplainsAMisusedProperty(t *testing.T) {
	for _, c := range []struct{ kind, property, want string }{
		{"filter", "blocking_paranoai: 2", "unknown; did you mean blocking_paranoia?"},
		{"filter", "exclude_rules: [942100, 942110]", "write one text: '942100,942110'"},
		{"filter", "alert_to: stdout", "property alert_to: belongs to the output waf"},
		{"output", "emit_tag: alert", "property emit_tag: belongs to the filter waf"},
		{"output", "alertto: stdout", "unknown; did you mean alert_to?"},
	} {
		t.Run(c.kind+" "+c.property, func(t *testing.T) {
			onEach(t, func(t *testing.T, f fluentBit) {
				section := "\n    - name: waf\n      match: '*'\n      " + c.property + "\n"
				yaml := withUDP(loopback.Port(t), section, toFile("'*'", "all"))
				if c.kind == "output" {
					yaml = withUDP(loopback.Port(t), " []", section)
				}
				p := f.launch(t, t.TempDir(), yaml, "-e", plugin())
				require.Error(t, p.end())
				require.Contains(t, p.log(), c.want)
				if strings.Contains(p.log(), "The following properties are allowed") || strings.Contains(p.log(), "is set 2 times") {
					lines := strings.Split(strings.TrimSpace(p.log()), "\n")
					require.Contains(t, lines[len(lines)-1], c.want, "the line stands below the list of the host")
				}
			})
		})
	}
}

func TestDaemonModeIsRefused(t *testing.T) {
	onEach(t, func(t *testing.T, f fluentBit) {
		dir := t.TempDir()
		p := f.launch(t, dir, strings.Replace(withUDP(loopback.Port(t), `
    - name: waf
      inspect_budget: off
      match: '*'
`, toFile("'*'", "all")), "flush: 0.2", "flush: 0.2\n  daemon: on\n  log_file: "+filepath.Join(dir, "daemon.log"), 1), "-e", plugin())
		require.NoError(t, p.end(), "the process that forks")
		require.Eventually(t, func() bool { return strings.Contains(p.read("daemon.log"), `set "daemon off"`) }, patience, glance)
	})
}

func decode(t *testing.T, record []byte) map[string]any {
	t.Helper()
	var m map[string]any
	require.NoError(t, json.Unmarshal(record, &m))
	return m
}
