package doctor

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/fluentbit"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

const line = `198.51.100.23 - - [29/Nov/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 612 "-" "curl/8.5.0"` + "\n"

// noon is when line was written.
var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// write writes a file that was changed at noon.
func write(t *testing.T, path, text string) string {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	require.NoError(t, os.Chtimes(path, noon, noon))
	return path
}

// examine returns the findings of a pipeline, each as "level check: text | advice". DIR is its directory.
func examine(t *testing.T, pipeline string, change func(*Doctor)) (all []string) {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "access.log"), line)
	c, err := fluentbit.Read(write(t, filepath.Join(dir, "waf.yaml"), strings.ReplaceAll(pipeline, "DIR", dir)))
	require.NoError(t, err)
	d := &Doctor{
		Config: c, Version: "1.0.0", Host: host, Now: func() time.Time { return noon },
		Open:     func(path string) (io.ReadCloser, error) { return os.Open(path) },
		Evaluate: func(context.Context, setting.Map, io.Reader) (Alarms, error) { return Alarms{Records: 1}, nil },
	}
	if change != nil {
		change(d)
	}
	d.Run(t.Context(), func(f Finding) {
		text := fmt.Sprintf("%s %s: %s", f.Level, f.Check, f.Text)
		if f.Advice != "" {
			text += " | " + f.Advice
		}
		all = append(all, strings.ReplaceAll(text, dir, "DIR"))
	})
	return all
}

const tail = `
pipeline:
  inputs:
    - name: tail
      tag: access
      path: DIR/access.log
      db: DIR/db
      skip_long_lines: on
`

const alertFile = `
  outputs:
    - name: file
      match: alert
      path: DIR
`

// host is what the filters of the tests share.
var host = filter.NewHost()

func TestMain(m *testing.M) {
	// Rule sets of the same content are shared while one is open, so the tests compile the usual one once.
	usual, err := filter.New(host, setting.Map{}, func(filter.Level, string) {})
	if err != nil {
		panic(err)
	}
	code := m.Run()
	usual.Close()
	os.Exit(code)
}

func TestTheStateOfARunningPipelineStaysAsItIs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state")
	pipeline := tail + "  filters:\n    - name: waf\n      match: access\n      emit_tag: alert\n      incidents: on\n      incident_tag: alert\n      incident_state: "
	require.Contains(t, examine(t, pipeline+file+"\n"+alertFile, nil), "ok properties: all properties of one section are valid")
	require.NoFileExists(t, file)
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(filepath.Dir(file), link))
	for _, same := range []string{file, filepath.Join(link, "state")} {
		twice := pipeline + file + "\n    - name: waf\n      match: other\n      incidents: on\n      incident_tag: alert\n      incident_state: " + same + "\n"
		require.Contains(t, strings.Join(examine(t, twice+alertFile, nil), "\n"), "DIR/waf.yaml:20: filter waf: property incident_state: "+same+": DIR/waf.yaml:10 keeps its state there")
	}
	require.Contains(t, examine(t, pipeline+"DIR\n"+alertFile, nil),
		"fail properties: DIR/waf.yaml:15: filter waf: property incident_state: DIR: is a directory (want a file)")
}

func TestFindings(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	closed := free.Addr().String()
	require.NoError(t, free.Close())
	taken, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	open, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer open.Close()
	waf := func(properties string) string { return "  filters:\n    - name: waf\n" + properties }
	out := func(properties string) string { return "  outputs:\n    - name: waf\n" + properties }
	for _, c := range []struct {
		name, pipeline string
		want           []string
		not            []string // texts that no finding has
	}{
		{"a pipeline without fault", tail + waf("      match: access\n      emit_tag: alert\n") + alertFile, []string{
			"ok properties: all properties of one section are valid", "ok routing: records reach the plugin, alerts reach an output", "ok input: DIR/access.log exists",
			"ok field map: 1 of 1 records of DIR/access.log are HTTP, read with the map access-log", "ok clock: the last record is 0s from the clock of this machine",
			"ok alarms: none of 1 records alerts",
		}, []string{"fail "}},
		{"all problems of properties at once", tail + waf("      match: access\n      blocking_paranoia: 7\n      alert_on: maybe\n      emit_tga: x\n"), []string{
			"fail properties: DIR/waf.yaml:12: filter waf: property blocking_paranoia: 7 is out of range (1 to 4)",
			`fail properties: DIR/waf.yaml:13: filter waf: property alert_on: unknown value "maybe" (want score or match)`,
			"fail properties: DIR/waf.yaml:14: filter waf: property emit_tga: unknown; did you mean emit_tag?",
		}, []string{"are valid"}},
		{"no plugin", tail + alertFile, []string{"fail properties: the pipeline has no plugin waf"}, nil},
		{"a variable without value", tail + waf("      match: access\n      emit_tag: alert${NOT_SET_HERE}\n") + alertFile,
			[]string{"warn variables: DIR/waf.yaml:12: ${NOT_SET_HERE} is not set here"}, nil},
		{"a match that no input meets", tail + waf("      match: nginx.*\n"),
			[]string{"fail routing: DIR/waf.yaml:10: filter waf: match nginx.* gets no records: the tags of the inputs are access"}, nil},
		{"tags that senders choose", "pipeline:\n  inputs:\n    - name: forward\n" + out("      match: x\n      alert_to: stdout\n"), nil, []string{"gets no records"}},
		{"alerts without an output", tail + waf("      match: access\n      emit_tag: waf.$TAG\n") + alertFile,
			[]string{"fail routing: DIR/waf.yaml:12: no output receives alerts (tag waf.access) | add an output with match: waf.access"}, nil},
		{"alerts that are evaluated again", tail + waf("      match: '*'\n      emit_tag: alert\n") + out("      match: '*'\n      alert_to: stdout\n") + "    - name: stdout\n      match: alert\n",
			[]string{"fail routing: DIR/waf.yaml:14: output waf evaluates the alerts of filter waf (tag alert) again | narrow its match to exclude alert"}, nil},
		{"an emit tag that is the tag of records", tail + waf("      match: access\n      emit_tag: access\n") + strings.Replace(alertFile, "match: alert", "match: access", 1),
			[]string{"fail routing: DIR/waf.yaml:12: emit_tag access is also a tag of records, which are then mistaken for alerts and not evaluated"}, nil},
		{"tags of incidents that no output receives", tail + waf("      match: access\n      incidents: on\n      incident_tag: found\n      metrics_tag: numbers\n      metrics_interval: 60s\n") + alertFile, []string{
			"fail routing: DIR/waf.yaml:13: no output receives incident events (tag found) | add an output with match: found",
			"fail routing: DIR/waf.yaml:14: no output receives metrics (tag numbers) | add an output with match: numbers",
		}, []string{"ok routing"}},
		{"digests that nobody receives", tail + waf("      match: access\n      incidents: on\n      incident_digest_tag: digest\n    - name: waf\n      match: digests\n      incidents: on\n      incident_tag: alert\n") +
			alertFile + "    - name: \"null\"\n      match: digest*\n", []string{
			"fail routing: DIR/waf.yaml:13: no output receives digests (tag digest)", "fail routing: DIR/waf.yaml:14: filter waf: match digests gets no records",
		}, []string{"ok routing"}},
		{"digests that an aggregator of the same pipeline receives", tail + waf("      match: access\n      incidents: on\n      incident_digest_tag: digest\n    - name: waf\n      match: digest\n      incidents: on\n      incident_tag: alert\n") +
			alertFile + "    - name: \"null\"\n      match: digest\n", []string{"ok routing"}, []string{"fail routing"}},
		{"digests that another machine receives", tail + waf("      match: access\n      alert_key: off\n      incidents: on\n      incident_digest_tag: digest\n") +
			"  outputs:\n    - name: forward\n      match: digest\n", []string{"ok routing"}, []string{"fail routing"}},
		{"an aggregator whose input sets another tag", "pipeline:\n  inputs:\n    - name: forward\n      tag: nodes\n" + waf("      match: digest\n      incidents: on\n      incident_tag: alert\n") + alertFile,
			[]string{"fail routing: DIR/waf.yaml:6: filter waf: match digest gets no records: the tags of the inputs are nodes"}, nil},
		{"incident events under a tag of records", tail + waf("      match: access\n      incidents: on\n      incident_tag: access\n") + alertFile,
			[]string{"fail routing: DIR/waf.yaml:13: incident_tag access is also a tag of records, which are then mistaken for incident events and not evaluated"}, nil},
		{"workers", tail + out("      match: access\n      alert_to: stdout\n      workers: 2\n"), []string{"fail routing: DIR/waf.yaml:13: workers is set"}, nil},
		{"nothing shows what was found", tail + waf("      match: access\n      alert_key: off\n"), []string{"fail routing: DIR/waf.yaml:10: filter waf: neither emit_tag nor alert_key is set"}, nil},
		{"a log that is not there", strings.Replace(tail, "access.log", "other.log", 1) + out("      match: access\n      alert_to: stdout\n"),
			[]string{"warn input: DIR/waf.yaml:4: no file matches DIR/other.log", "warn sample: no input reads an existing file"}, nil},
		{"long lines", strings.Replace(tail, "      skip_long_lines: on\n", "", 1) + out("      match: access\n      alert_to: stdout\n"),
			[]string{"warn input: DIR/waf.yaml:4: a line longer than buffer_max_size (32K) ends reading of the file"}, nil},
		{"an input that has better", "pipeline:\n  inputs:\n    - name: udp\n" + out("      match: udp.0\n      alert_to: stdout\n"),
			[]string{"warn input: DIR/waf.yaml:3: the input udp drops datagrams longer than chunk_size (32 KiB)"}, []string{"gets no records"}},
		{"buffers and places", "pipeline:\n  inputs:\n    - name: nano\n      tag: nano\n      receive_buffer: 1G\n      listen_on: udp://" + taken.LocalAddr().String() + "\n" + out("      match: nano\n      alert_to: stdout\n"),
			[]string{"warn kernel buffer: receive_buffer is 1073741824 bytes", "warn input: DIR/waf.yaml:3: something listens on udp://" + taken.LocalAddr().String()}, nil},
		{"destinations", tail + out("      match: access\n      alert_to: syslog+tcp://"+open.Addr().String()+", json+tcp://"+closed+", gelf+udp://127.0.0.1, file:///nowhere/alerts, file://DIR/alerts\n"), []string{
			"ok destination: syslog+tcp://" + open.Addr().String() + " accepts connections", "fail destination: json+tcp://" + closed + ": dial tcp",
			"ok destination: gelf+udp://127.0.0.1 resolves to 127.0.0.1; delivery over UDP cannot be checked",
			"fail destination: file:///nowhere/alerts: /nowhere: no such file or directory", "ok destination: file://DIR/alerts is writable for this user",
		}, nil},
		{"destinations of Fluent Bit", tail + waf("      match: access\n      emit_tag: alert\n") + "  outputs:\n    - name: http\n      match: alert\n      host: 127.0.0.1\n      port: " + closed[strings.LastIndex(closed, ":")+1:] + "\n",
			[]string{"fail destination: output http: dial tcp"}, nil},
		{"a map that does not fit", tail + out("      match: access\n      alert_to: stdout\n      field_map: nano\n"),
			[]string{"fail field map: DIR/access.log: no HTTP transaction in 1 records. The first one has only the key log"}, nil},
		{"plugins that are missing", "plugins:\n  - DIR/out_waf.so\nservice:\n  hot_reload: on\n" + tail + waf("      match: access\n"), []string{
			"fail plugin: DIR/waf.yaml:2: stat DIR/out_waf.so", "fail plugin: hot_reload is on, but flb-filter_waf.so is not loaded after a reload",
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := examine(t, c.pipeline, nil)
			all := strings.Join(found, "\n")
			for _, want := range c.want {
				require.Contains(t, all, want)
			}
			for _, not := range c.not {
				require.NotContains(t, all, not)
			}
		})
	}
}

func TestClock(t *testing.T) {
	for _, c := range []struct {
		name, time string
		now        time.Time
		want       string
	}{
		{"in time", "2026-11-29T12:00:01Z", noon, "ok clock: the last record is 1s from the clock of this machine"},
		{"a log of yesterday", "2026-11-29T12:00:01Z", noon.Add(24 * time.Hour), "ok clock: the last record is 1s from when the file was written"},
		{"a clock that is ahead", "2026-11-29T12:07:00Z", noon, "7m ahead of the clock of this machine | synchronize"},
		{"a clock that is behind", "2026-11-29T11:50:00Z", noon, "10m behind the clock of this machine | synchronize"},
		{"a local time without its zone", "2026-11-29 20:00:05", noon, "8h0m5s ahead of the clock of this machine: a local time without a zone is read as UTC"},
		{"a local time with its zone", "2026-11-29T20:00:05+08:00", noon, "ok clock: the last record is 5s from"},
		{"hours off with a zone", "2026-11-29T20:00:05Z", noon, "8h0m5s ahead of the clock of this machine | synchronize"},
		{"a wrong unit", "9999999999", noon, `fail clock: the time "9999999999" is read as 2286-11-20: wrong unit?`},
		{"no time", "soon", noon, `warn clock: unknown time format "soon"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := examine(t, tail+"  outputs:\n    - name: waf\n      match: access\n      alert_to: stdout\n", func(d *Doctor) {
				d.Now = func() time.Time { return c.now }
				d.Sample = write(t, filepath.Join(t.TempDir(), "records"), `{"remote_addr":"192.0.2.1","request_method":"GET","request_uri":"/","time_iso8601":"`+c.time+`"}`)
			})
			require.Contains(t, strings.Join(found, "\n"), c.want)
		})
	}
}

func TestAlarmsComeWithWhatToDo(t *testing.T) {
	pipeline := tail + "  outputs:\n    - name: waf\n      match: access\n      alert_to: stdout\n      exclude_rules: '1'\n"
	for _, c := range []struct {
		found Alarms
		want  string
	}{
		{Alarms{Records: 9, Alerts: 2, Exclusions: []string{"942100:ARGS:q"}},
			"warn alarms: 2 of 9 records alert | wafctl check --exclude-rules 1 DIR/access.log shows them; if they are harmless, set exclude_rules: '1,942100:ARGS:q'"},
		{Alarms{Records: 9, Alerts: 2, Attacks: 1, Exclusions: strings.Split("1,2,3,4,5,6", ",")},
			"warn alarms: 2 of 9 records alert, 1 of them with signs of an attack | wafctl check --exclude-rules 1 DIR/access.log shows them; if they are harmless, use the exclusions of wafctl tune"},
		{Alarms{Records: 9, Alerts: 2, Attacks: 2}, "ok alarms: 2 of 9 records alert, 2 of them with signs of an attack"},
	} {
		found := examine(t, pipeline, func(d *Doctor) {
			d.Evaluate = func(_ context.Context, settings setting.Map, records io.Reader) (Alarms, error) {
				text, err := io.ReadAll(records)
				require.NoError(t, err)
				require.Contains(t, string(text), `{"log":"198.51.100.23`, "records as tail makes them")
				require.Equal(t, "1", settings["exclude_rules"])
				return c.found, nil
			}
		})
		require.Contains(t, strings.Join(found, "\n"), c.want)
	}
}

func TestRecordsAreThoseThatTheInputMakes(t *testing.T) {
	for _, c := range []struct{ properties, line, want string }{
		{"", "a \xff", `{"log":"a \ufffd"}`},
		{"key: message", "a", `{"message":"a"}`},
		{"multiline.parser: cri", "2024-05-30T07:16:48.9Z stdout F a b", `{"log":"a b","stream":"stdout","time":"2024-05-30T07:16:48.9Z"}`},
		{"multiline.parser: docker, cri", `{"log":"a"}`, `{"log":"a"}`},
		{"parser: json", `{"a":1}`, `{"a":1}`},
		{"parser: json", "a", `{"log":"a"}`},
	} {
		path := write(t, filepath.Join(t.TempDir(), "a.yaml"), "pipeline:\n  inputs:\n    - name: tail\n      "+c.properties)
		config, err := fluentbit.Read(path)
		require.NoError(t, err)
		require.JSONEq(t, c.want, string(inputRecord(&config.Inputs[0], []byte(c.line))), c.properties)
	}
}

func TestFluentBitIsAsked(t *testing.T) {
	pipeline := "plugins:\n  - DIR/out_waf.so\n" + tail + "  outputs:\n    - name: waf\n      match: access\n      alert_to: stdout\n"
	for _, c := range []struct {
		name, version, answer string
		want                  []string
	}{
		{"a supported version", "5.1.1", "echo '[ info] [output:waf:plugin] version 1.0.0'",
			[]string{"ok fluent bit: version 5.1.1", "ok plugin: version 1.0.0", "ok dry run: Fluent Bit accepts the pipeline"}},
		{"an old version with another plugin", "4.2.8", "echo '[ info] [output:waf:plugin] version 0.9.0'",
			[]string{"warn fluent bit: version 4.2.8", "warn plugin: version 0.9.0 differs from wafctl's 1.0.0"}},
		{"a version that is too old", "2.1.0", "true", []string{"fail fluent bit: version 2.1.0 is not supported"}},
		{"a rejected pipeline", "5.1.1", "echo '[2026/11/29] [error] [config] no such plugin'; exit 1",
			[]string{"fail dry run: Fluent Bit rejects the pipeline: [config] no such plugin | fluent-bit --dry-run -c DIR/waf.yaml"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := examine(t, pipeline, func(d *Doctor) {
				program := filepath.Join(t.TempDir(), "fluent-bit")
				script := "#!/bin/sh\nif [ \"$1\" = --version ]; then echo 'Fluent Bit v" + c.version + "'; exit; fi\n" + c.answer + "\n"
				require.NoError(t, os.WriteFile(program, []byte(script), 0o755))
				require.NoError(t, os.WriteFile(d.Config.Plugins[0].Value, nil, 0o644))
				d.FluentBit = program
			})
			for _, want := range c.want {
				require.Contains(t, strings.Join(found, "\n"), want)
			}
		})
	}
}

func TestCommandsHaveTheSettingsOfTheSection(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "a.yaml"), `
pipeline:
  filters:
    - name: waf
      match: '*'
      Preset: api
      allowed_methods: GET PUT
      field_map: nginx
      emit_tag: x
      redact_names: it's
`)
	c, err := fluentbit.Read(path)
	require.NoError(t, err)
	s := subject{section: &c.Filters[0], path: "/var/log/it's here.log"}
	require.Equal(t, `wafctl check --preset api --allowed-methods 'GET PUT' --field-map nginx '/var/log/it'\''s here.log'`, s.command("check"))
}

func TestExpandTag(t *testing.T) {
	require.Equal(t, "alert.kube.var.kube", expandTag("alert.$TAG.$TAG[0]", "kube.var"))
}
