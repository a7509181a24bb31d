package requestlog

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/accesslog"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/syncbuffer"
)

func asTheyAre(_, text string) string { return text }

func noPanic(t *testing.T) func(any, []byte) {
	return func(cause any, stack []byte) { t.Errorf("%v\n%s", cause, stack) }
}

// answer logs one request.
func answer(l *Log, target string) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RequestURI, r.RemoteAddr = target, "203.0.113.9:5000"
	r.Header.Set("User-Agent", `curl "8"`)
	r.Header.Set("X-Forwarded-For", "198.51.100.4")
	e := l.Start(httptest.NewRecorder(), r)
	e.WriteHeader(http.StatusForbidden)
	_, _ = e.Write([]byte("no"))
	e.Decision, e.Alert, e.Rules = "blocked", "651aedcd", []int{942360}
	e.End()
}

func TestLinesHaveTheFormatOfTheImageAndAreReadBack(t *testing.T) {
	var out bytes.Buffer
	l, err := Open("stdout", Combined, &cli.Console{Out: &out}, asTheyAre)
	require.NoError(t, err)
	go l.Run(noPanic(t))
	answer(l, "/a?b=\"c\\\x01\xff")
	l.Close()
	line := out.String()
	require.Regexp(t, `^203\.0\.113\.9 - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "GET /a\?b=\\x22c\\x5C\\x01\\xFF HTTP/1.1" 403 2 "-" "curl \\x228\\x22" "198.51.100.4" "blocked" "651aedcd"\n$`, line)
	_, reading := accesslog.Append(nil, strings.TrimSpace(line), nil)
	require.Equal(t, accesslog.Reading{Format: accesslog.Common}, reading)
}

func TestLinesInJSON(t *testing.T) {
	var out bytes.Buffer
	l, err := Open("stdout", JSON, &cli.Console{Out: &out}, func(header, _ string) string { return header + "/clean" })
	require.NoError(t, err)
	go l.Run(noPanic(t))
	answer(l, "/secret\n{")
	l.Close()
	var line map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &line))
	require.Equal(t, 1, strings.Count(out.String(), "\n"))
	for name, want := range map[string]any{
		"request_uri": "/clean", "http_user_agent": "User-Agent/clean", "http_referer": "", "status": 403.0, "body_bytes_sent": 2.0, "remote_addr": "203.0.113.9", "waf_decision": "blocked", "waf_alert_id": "651aedcd",
		"waf_rules": []any{942360.0}, "http_x_forwarded_for": "198.51.100.4",
	} {
		require.Equal(t, want, line[name], name)
	}
}

// stuck is a reader that takes nothing until it is released.
type stuck struct {
	syncbuffer.Buffer
	free chan struct{}
}

func (s *stuck) Write(text []byte) (int, error) {
	<-s.free
	return s.Buffer.Write(text)
}

// Requests go on when nobody reads the log. What is lost is counted.
func TestALogThatNobodyTakesHoldsUpNobody(t *testing.T) {
	for name, target := range map[string]string{"many lines": "/", "long lines": "/" + strings.Repeat("x", 60_000)} {
		out := &stuck{free: make(chan struct{})}
		var log syncbuffer.Buffer
		l, err := Open("stdout", Combined, &cli.Console{Out: out, Err: &log}, asTheyAre)
		require.NoError(t, err)
		go l.Run(noPanic(t))
		const lines = 20_000
		begin := time.Now()
		for range lines {
			answer(l, target)
		}
		require.Less(t, time.Since(begin), 10*time.Second)
		require.NotZero(t, l.lost.Load(), name)
		require.LessOrEqual(t, l.bytes.Load(), int64(mostBytes))
		require.Contains(t, log.String(), "lines of the access log are lost")
		close(out.free)
		l.Close()
		require.EqualValues(t, lines, uint64(strings.Count(out.String(), "\n"))+l.lost.Load(), "%s: every line is written or counted", name)
		require.Zero(t, l.bytes.Load())
	}
}

func TestAFileThatWasMovedIsOpenedAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "access.log")
	l, err := Open(file, Combined, &cli.Console{}, asTheyAre)
	require.NoError(t, err)
	go l.Run(noPanic(t))
	answer(l, "/first")
	require.Eventually(t, func() bool { text, _ := os.ReadFile(file); return len(text) > 0 }, 10*time.Second, time.Millisecond)
	require.NoError(t, os.Rename(file, file+".1"))
	l.Reopen()
	answer(l, "/second")
	l.Close()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(text), "GET /second ")
	require.NotContains(t, string(text), "GET /first ")
	_, err = Open("access.log", Combined, &cli.Console{}, asTheyAre)
	require.ErrorContains(t, err, "absolute path")
}
