package main

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli/clitest"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/syncbuffer"
	"github.com/stretchr/testify/require"
)

// slow is an input whose end waits until a text has been shown.
type slow struct {
	io.Reader
	shown *syncbuffer.Buffer
	want  string
	t     *testing.T
}

func (s *slow) Read(b []byte) (int, error) {
	n, err := s.Reader.Read(b)
	if err == io.EOF {
		r := running{t: s.t}
		r.wait(s.shown, s.want)
	}
	return n, err
}

func TestProgressIsShownOnATerminalAndTakenAway(t *testing.T) {
	var shown syncbuffer.Buffer
	c := &cli.Console{Host: clitest.Host, In: &slow{strings.NewReader(attack + "\n" + clean + "\n"), &shown, "2 records, 1 alert", t}, Err: &shown, BarWidth: 120}
	var screened syncbuffer.Buffer
	c.Out = c.Screen(&screened)
	require.Equal(t, cli.ExitAlert, execute(context.Background(), c, []string{"check", "-"}))
	require.Contains(t, screened.String(), "2 records: 1 alert")
	require.NotContains(t, screened.String(), "\r")
	require.Regexp(t, `\r *\r$`, shown.String(), "nothing is left of it")
	require.NotContains(t, shown.String(), "\n")
}

func TestShortInputsAndPipesShowNoProgress(t *testing.T) {
	for _, change := range []func(*cli.Console){
		func(c *cli.Console) { c.BarWidth, c.BarDelay = 120, time.Hour },
		func(c *cli.Console) { c.BarWidth = 0 },
	} {
		got := wafctl(strings.NewReader(clean), change, "check", "-")
		require.Equal(t, cli.ExitClean, got.code)
		require.Empty(t, got.err)
	}
}
