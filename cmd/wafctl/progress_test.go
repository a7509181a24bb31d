package main

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// slow is an input whose end waits until a text has been shown.
type slow struct {
	io.Reader
	shown *output
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
	var shown output
	c := &console{in: &slow{strings.NewReader(attack + "\n" + clean + "\n"), &shown, "2 records, 1 alert", t}, err: &shown, barWidth: 120}
	var screened output
	c.out = &screen{c, &screened}
	require.Equal(t, exitAlert, execute(context.Background(), c, []string{"check", "-"}))
	require.Contains(t, screened.String(), "2 records: 1 alert")
	require.NotContains(t, screened.String(), "\r")
	require.Regexp(t, `\r *\r$`, shown.String(), "nothing is left of it")
	require.NotContains(t, shown.String(), "\n")
}

func TestShortInputsAndPipesShowNoProgress(t *testing.T) {
	for _, change := range []func(*console){
		func(c *console) { c.barWidth, c.barDelay = 120, time.Hour },
		func(c *console) { c.barWidth = 0 },
	} {
		got := wafctl(strings.NewReader(clean), change, "check", "-")
		require.Equal(t, exitClean, got.code)
		require.Empty(t, got.err)
	}
}
