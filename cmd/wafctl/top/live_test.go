package top

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/mattn/go-runewidth"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), text, "go test ./cmd/wafctl/top -update writes it anew")
}

// script is a source with the same readings in every test: a second apart, ten alerts more each time.
type script struct {
	turn int
	fail error
	end  int // turn from which it has ended, 0 for never
}

func (s *script) Title() string { return "/var/log/nginx/access.log" }

func (s *script) Read(context.Context) (*Reading, error) {
	if s.fail != nil {
		return nil, s.fail
	}
	s.turn++
	n := uint64(10 * s.turn)
	attackers := List{Title: "Attackers", Lack: 3}
	for i := range uint64(12) {
		attackers.Rows = append(attackers.Rows, Row{fmt.Sprintf("203.0.113.%d", 20-i), "CRITICAL  SQL Injection Attack Detected via libinjection", n*100 - i*i})
	}
	return &Reading{
		At: start.Add(time.Duration(s.turn) * time.Second), Records: []Count{{"clean", 1_234_567 + 100*n}, {"alert", n}, {notHTTP, 8_000}},
		Alerts: n, Levels: []Count{{"critical", n - 1}, {"warning", 1}}, Ends: []Count{{"attempted", n - 3}, {"blocked", 2}, {"likely succeeded", 1}},
		Missed: []Count{{"late", n / 5}}, State: "following", Ended: s.turn == s.end,
		Lists: []List{
			attackers,
			{Title: "Targets", Rows: []Row{{"shop.example/a/very/long/path/that/needs/more/room/than/there/is", "CRITICAL  XSS", n}}},
			{Title: "Rules", Rows: []Row{{"942100", "SQL Injection Attack Detected via libinjection", n}, {"932160", "Unix Shell Code", 7}}},
			{Title: "Categories", Rows: []Row{{Name: "sqli", N: n}, {Name: "rce", N: 7}}},
		},
	}, nil
}

// terminal is a program of some size that has read three times.
func terminal(width, height int) (*live, *script) {
	source := &script{}
	m := &live{ctx: context.Background(), source: source, interval: time.Second, screen: screen{styles: colored()}}
	m.Update(tea.WindowSizeMsg{Width: width, Height: height})
	for range 3 {
		m.Update(m.read())
	}
	return m, source
}

var (
	escapes  = regexp.MustCompile("\x1b\\[[0-9;]*m")
	trailing = regexp.MustCompile(`(?m) +$`)
)

func (m *live) shown() string {
	return trailing.ReplaceAllString(escapes.ReplaceAllString(m.View().Content, ""), "")
}

func press(m *live, keys ...string) {
	for _, key := range keys {
		k := tea.Key{Text: key, Code: []rune(key)[0]}
		switch key {
		case "tab":
			k = tea.Key{Code: tea.KeyTab}
		case "enter":
			k = tea.Key{Code: tea.KeyEnter}
		case "down":
			k = tea.Key{Code: tea.KeyDown}
		}
		m.Update(tea.KeyPressMsg(k))
	}
}

func TestTheScreen(t *testing.T) {
	for name, c := range map[string]struct {
		width, height int
		keys          []string
	}{
		"80x24":  {80, 24, nil},
		"zoomed": {80, 16, []string{"enter", "down", "down"}},
		"60x20":  {60, 20, []string{"tab", "tab"}},
		"140x30": {140, 30, []string{"s", "s", "p"}},
	} {
		t.Run(name, func(t *testing.T) {
			m, _ := terminal(c.width, c.height)
			press(m, c.keys...)
			golden(t, name+".txt", m.shown()+"\n")
		})
	}
}

func TestEverySizeIsFilledAndNotExceeded(t *testing.T) {
	for _, zoom := range []bool{false, true} {
		for width := 1; width < 200; width += 13 {
			for height := 1; height < 60; height += 5 {
				m, _ := terminal(width, height)
				m.screen.zoomed = zoom
				lines := strings.Split(m.shown(), "\n")
				require.Len(t, lines, height, "%dx%d", width, height)
				for _, line := range lines {
					require.LessOrEqual(t, runewidth.StringWidth(line), width, "%dx%d: %s", width, height, line)
				}
			}
		}
	}
}

func TestColorsCarryNoMeaning(t *testing.T) {
	m, _ := terminal(80, 24)
	with := m.shown()
	m.screen.styles = styles{}
	require.Equal(t, with, m.shown())
	require.NotContains(t, m.View().Content, "\x1b")
}

func TestKeys(t *testing.T) {
	m, source := terminal(80, 14)
	focus := func() string { return regexp.MustCompile(`▸ (\w+)`).FindStringSubmatch(m.shown())[1] }
	require.Equal(t, "Attackers", focus())
	press(m, "tab")
	require.Equal(t, "Targets", focus())
	press(m, "tab", "tab", "tab")
	require.Equal(t, "Attackers", focus())

	press(m, "enter")
	require.NotContains(t, m.shown(), "Categories")
	require.Contains(t, m.shown(), "203.0.113.20 ")
	press(m, "down")
	require.NotContains(t, m.shown(), "203.0.113.20 ")
	press(m, "enter")
	require.Contains(t, m.shown(), "Categories")

	press(m, "p")
	require.Contains(t, m.shown(), "PAUSED")
	turn := source.turn
	_, cmd := m.Update(due{})
	require.NotNil(t, cmd, "it waits for the end of the pause")
	require.Equal(t, turn, source.turn)
	press(m, "p")
	_, cmd = m.Update(due{})
	m.Update(cmd())
	require.Equal(t, turn+1, source.turn)

	_, cmd = m.Update(tea.KeyPressMsg{Code: 'q', Text: "q"})
	require.Equal(t, tea.QuitMsg{}, cmd())
}

func TestASourceThatFailsLaterIsAskedAgain(t *testing.T) {
	m, source := terminal(80, 24)
	source.fail = fmt.Errorf("read metrics: %w", errors.New("connection refused"))
	_, cmd := m.Update(m.read())
	require.NotNil(t, cmd)
	require.NoError(t, m.err)
	require.Contains(t, m.shown(), "no answer since 09:00:03: connection refused\n")
	require.Contains(t, m.shown(), "203.0.113.20", "what was read stays")
	source.fail = nil
	m.Update(m.read())
	require.NotContains(t, m.shown(), "no answer")
}

func TestASourceThatFailsAtOnceEndsTheProgram(t *testing.T) {
	m := &live{ctx: context.Background(), source: &script{fail: errors.New("connection refused")}}
	_, cmd := m.Update(m.read())
	require.Equal(t, tea.QuitMsg{}, cmd())
	require.EqualError(t, m.err, "connection refused")
}

func TestNothingInspectedIsSaid(t *testing.T) {
	s := screen{width: 80}
	r := &Reading{At: start, Records: []Count{{notHTTP, 12}}}
	require.Contains(t, strings.Join(s.head(r, &history{}, "x"), "\n"), "Not inspected  everything: no record is an HTTP transaction")
	r.Records = append(r.Records, Count{"clean", 1})
	require.Contains(t, strings.Join(s.head(r, &history{}, "x"), "\n"), "Not inspected  nothing")
}

func TestASnapshot(t *testing.T) {
	for name, width := range map[string]int{"once.txt": 0, "once-80.txt": 80} {
		var b strings.Builder
		require.NoError(t, Once(context.Background(), &b, &script{}, width))
		golden(t, name, b.String())
	}
	require.EqualError(t, Once(context.Background(), &strings.Builder{}, &script{fail: errors.New("refused")}, 0), "refused")
}

func TestLinesWithoutATerminal(t *testing.T) {
	var b strings.Builder
	require.NoError(t, Lines(context.Background(), &b, &script{end: 4}, time.Millisecond))
	golden(t, "lines.txt", b.String())
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.NoError(t, Lines(ctx, &b, &script{}, time.Millisecond))
	require.EqualError(t, Lines(context.Background(), &b, &script{fail: errors.New("refused")}, time.Millisecond), "refused")
}

func TestRatesHaveAUnitInWhichTheyCanBeRead(t *testing.T) {
	for rate, want := range map[float64]string{
		0: "0/s", 1e-6: "<1/h", 2.0 / 3600: "2/h", 1.0 / 60: "1/min", 0.5: "30/min", 0.949: "57/min", 1: "1.0/s", 99.9: "99.9/s", 99.96: "100/s", 12345.6: "12,346/s",
	} {
		require.Equal(t, want, perTime(rate), rate)
	}
	for rate, want := range map[float64]string{0: "0", 0.001: "<1", 0.5: "30", 1000: "60,000", 1e5: "6M"} {
		require.Equal(t, want, perMinute(rate), rate)
	}
}

func TestNumbersFitTheirColumns(t *testing.T) {
	for n, want := range map[uint64]string{0: "0", 99_999: "99,999", 123_456: "123k", 1_234_567: "1.234M", 123_456_789: "123.5M", 9_876_543_210: "9.876G", 5e15: ">999G"} {
		require.Equal(t, want, compact(n))
		require.LessOrEqual(t, len(want), countWidth-1)
	}
	for n, want := range map[[2]uint64]string{{0, 0}: "0 %", {0, 9}: "0 %", {9, 9}: "100 %", {1, 9}: "11.1 %", {1, 1e6}: "<0.1 %", {1e6 - 1, 1e6}: ">99.9 %"} {
		require.Equal(t, want, share(n[0], n[1]))
	}
	require.Equal(t, "▁ ▄█", bars([]uint64{1, 0, 50, 100}))
	require.Empty(t, bars([]uint64{0, 0}))
}
