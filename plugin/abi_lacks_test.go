package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// lacking are the functions that the plugin looks up in its host: what a host without one can do, and the one warning or error
// that it logs, "" where nothing is missed.
var lacking = []struct {
	functions     []string
	filter, nano  bool // whether they start
	message       string
	withoutEmitTo bool // the filter then starts without emit_tag
}{
	{functions: []string{"flb_filter_get_property", "flb_filter_set_context"}, nano: true,
		message: "1 [filter:waf] this host lacks flb_filter_get_property or flb_filter_set_context"},
	{functions: []string{"flb_filter_name", "flb_output_name", "flb_input_name", "flb_log_print", "flb_config_map_get_raw",
		"flb_worker_get", "flb_worker_log_level", "flb_input_log_append_skip_processor_stages"}, filter: true, nano: true},
	{functions: []string{"flb_plugin_load_router", "config"}, filter: true, nano: true,
		message: "2 [output:waf] this host does not let a plugin load others"},
	{functions: []string{"flb_input_new", "flb_input_set_property", "flb_input_instance_init", "flb_storage_input_create",
		"flb_input_get_instance", "cio_options_init", "cio_create", "in_emitter_add_record"}, nano: true, withoutEmitTo: true,
		message: "1 [filter:waf:waf.0] property emit_tag: this host lacks the functions behind it"},
	{functions: []string{"flb_coro_get", "flb_coro_set", "co_active", "co_switch"}, filter: true, nano: true,
		message: "2 [output:waf] this host lacks functions for waiting in its event loop"},
	{functions: []string{"flb_input_log_append_records"}, filter: true,
		message: "1 [input:nano] this host lacks flb_input_log_append_records"},
}

// Timers are behind three things at once, each of which says what it does without them.
var lackingTimers = []string{"flb_sched_ctx_get", "flb_sched_timer_cb_create", "flb_sched_timer_invalidate"}

func TestEveryFunctionOfTheHostIsMissedOnce(t *testing.T) {
	known := slices.Clone(lackingTimers)
	for _, row := range lacking {
		known = append(known, row.functions...)
	}
	var lookedUp []string
	for _, file := range []string{"host/host.c", "host/configmap.c"} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, found := range regexp.MustCompile(`(?:look_up\(&\S+, |dlsym\(RTLD_DEFAULT, )"(\w+)"\)`).FindAllSubmatch(text, -1) {
			lookedUp = append(lookedUp, string(found[1]))
		}
	}
	require.ElementsMatch(t, lookedUp, known)
}

// without is a host that lacks a function: it has it under another name.
func without(functions ...string) variant {
	v := variant{name: "without " + strings.Join(functions, ", "), cc: plain.cc, object: plain.object}
	for _, f := range functions {
		v.flags = append(v.flags, "-D"+f+"=of_another_version")
	}
	return v
}

// session has filter, output and input at work, where they start, and collects the log.
type session struct {
	*intake
	properties []string
	alerts     string
	all        []string
}

func newSession(t *testing.T, v variant) *session {
	t.Helper()
	rules := filepath.Join(t.TempDir(), "own.conf")
	require.NoError(t, os.WriteFile(rules, []byte(`SecRule REQUEST_URI "@contains /etc/passwd" "id:1,phase:1,pass,severity:CRITICAL,msg:'one'"`), 0o644))
	return &session{intake: loadInput(t, v), alerts: filepath.Join(filepath.Dir(rules), "alerts"),
		properties: []string{"rules", rules, "rule_packs", "off", "alert_on", "match"}}
}

func (s *session) did(answer string) string {
	s.all = append(s.all, s.log...)
	return answer
}

// filters reports whether the filter starts; then it does its work.
func (s *session) filters(more ...string) bool {
	s.t.Helper()
	if s.did(s.init(0, "waf.0", append(more, s.properties...)...)) != "0" {
		return false
	}
	answer, out := s.filter(0, "nano", sample(s.t, ""), "input")
	require.Equal(s.t, "1", s.did(answer))
	require.NotEmpty(s.t, out)
	require.Equal(s.t, "0", s.did(s.do("exit", "0")))
	return true
}

// delivers has the output deliver an alert.
func (s *session) delivers() {
	s.t.Helper()
	require.Contains(s.t, s.did(s.do("register", "0")), "type 2 proxy 11 name waf")
	require.Equal(s.t, "1", s.did(s.output(1, "waf.1", append(s.properties, "alert_to", "file://"+s.alerts)...)))
	require.Equal(s.t, "1", s.did(s.do("flush", "1", "nano", toHex(sample(s.t, "")))))
	require.Equal(s.t, "1", s.did(s.do("output-exit", "1")))
	data, err := os.ReadFile(s.alerts)
	require.NoError(s.t, err)
	require.Contains(s.t, string(data), `"rule_id":"1"`)
}

// receives reports whether the input starts; then it does its work.
func (s *session) receives() bool {
	s.t.Helper()
	if s.did(s.open("2", "nano.0", "listen_on", "udp://127.0.0.1:0")) != "1" {
		return false
	}
	if lines := strings.Join(s.log, "\n"); lines != "" { // a host without a log has it on standard error
		s.send(s.dial(), `{"n":1}`)
		require.Equal(s.t, []string{`{"n":1}`}, s.wait(1))
	}
	require.Equal(s.t, "1", s.did(s.do("input-exit", "2", "0")))
	return true
}

// problems are the warnings and errors of the session.
func (s *session) problems() []string {
	return slices.DeleteFunc(slices.Clone(s.all), func(line string) bool { return line[0] > '2' })
}

func TestHostsThatLackAFunctionAreRefusedOrServedWithOneMessage(t *testing.T) {
	for _, row := range lacking {
		functions := row.functions
		if !longForm() {
			functions = functions[:1]
		}
		for _, function := range functions {
			t.Run(function, func(t *testing.T) {
				s := newSession(t, without(function))
				require.Equal(t, row.filter, s.filters("emit_tag", "alert"))
				if row.withoutEmitTo {
					require.True(t, s.filters())
				}
				s.delivers()
				require.Equal(t, row.nano, s.receives())
				if row.message == "" {
					require.Empty(t, s.problems())
					return
				}
				require.Len(t, s.problems(), 1)
				require.True(t, strings.HasPrefix(s.problems()[0], row.message), s.problems())
			})
		}
	}
}

func TestHostsWithoutTimersAreServedWithOneMessageEach(t *testing.T) {
	functions := lackingTimers
	if !longForm() {
		functions = functions[:1]
	}
	for _, function := range functions {
		t.Run(function, func(t *testing.T) {
			s := newSession(t, without(function))
			require.True(t, s.filters("emit_tag", "alert", "flood_window", "1m"))
			s.delivers()
			require.True(t, s.receives())
			require.Len(t, s.problems(), 3)
			for i, message := range []string{"2 [filter:waf] this host lacks timers", "2 [output:waf] this host lacks functions for waiting", "2 [input:nano] this host lacks the timer"} {
				require.True(t, strings.HasPrefix(s.problems()[i], message), s.problems())
			}
		})
	}
}
