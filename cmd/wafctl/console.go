package main

import (
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
)

// console is where a command reads and writes.
type console struct {
	in       io.Reader
	out, err io.Writer
	width    int  // of the terminal that out is, in columns; 0 when it is none
	color    bool // out may be colored
	barWidth int  // of the terminal that err is, in columns; 0 when it is none and shows no progress
	barDelay time.Duration
	quiet    bool // only problems are written

	mu  sync.Mutex // held while something is written to err, or to out where that is a terminal
	bar *progressbar.ProgressBar
}

func newConsole() *console {
	c := &console{in: os.Stdin, out: os.Stdout, err: os.Stderr, barDelay: barDelay}
	dumb := os.Getenv("TERM") == "dumb"
	if c.width = widthOf(os.Stdout); c.width > 0 {
		c.color = os.Getenv("NO_COLOR") == "" && !dumb
		c.out = &screen{c, os.Stdout}
	}
	if !dumb {
		c.barWidth = widthOf(os.Stderr)
	}
	return c
}

// widthOf returns the width of a terminal in columns, 0 of what is none.
func widthOf(file *os.File) int {
	fd := int(file.Fd())
	if !term.IsTerminal(fd) {
		return 0
	}
	if width, _, err := term.GetSize(fd); err == nil && width > 0 {
		return width
	}
	return defaultWidth
}

// screen is a terminal that shows a progress bar below what is written to it.
type screen struct {
	console *console
	to      io.Writer
}

func (s *screen) Write(text []byte) (int, error) {
	s.console.mu.Lock()
	defer s.console.mu.Unlock()
	s.console.clearBar()
	n, err := s.to.Write(text)
	if bar := s.console.bar; bar != nil {
		bar.RenderBlank() //nolint:errcheck // there is no one else to tell
	}
	return n, err
}

// clearBar makes room for a line; the bar comes back with its next picture. The caller holds the lock.
func (c *console) clearBar() {
	if c.bar != nil {
		c.bar.Clear() //nolint:errcheck // there is no one else to tell
	}
}

// setBar says which bar is on the terminal, nil for none: the one before is taken away.
func (c *console) setBar(bar *progressbar.ProgressBar) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clearBar()
	c.bar = bar
}

// defaultWidth is that of a terminal that does not tell.
const defaultWidth = 100

// Colors of a terminal.
const (
	bold    = "\x1b[1m"
	dim     = "\x1b[2m"
	red     = "\x1b[31m"
	green   = "\x1b[32m"
	yellow  = "\x1b[33m"
	magenta = "\x1b[35m"
	cyan    = "\x1b[36m"
	plain   = "\x1b[0m"
)

// paint returns text in a color, when out shows colors.
func (c *console) paint(color, text string) string {
	if !c.color || color == "" {
		return text
	}
	return color + text + plain
}

// say writes one line to the standard error output. It may be called from any goroutine.
func (c *console) say(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clearBar()
	io.WriteString(c.err, "wafctl: "+printable(line)+"\n") //nolint:errcheck // there is no one else to tell
}

// note is say for what is no problem.
func (c *console) note(line string) {
	if !c.quiet {
		c.say(line)
	}
}

// quietFlag gives a command the flag --quiet. Its notes and its progress are then not shown.
func (c *console) quietFlag(cmd *cobra.Command, help string) {
	cmd.Flags().BoolVarP(&c.quiet, "quiet", "q", false, help)
	cmd.PreRun = func(*cobra.Command, []string) {
		if c.quiet {
			c.barWidth = 0
		}
	}
}

// codeOnly gives a command whose exit code says everything the flag --quiet, with which it prints nothing but problems.
func (c *console) codeOnly(cmd *cobra.Command) {
	c.quietFlag(cmd, "print nothing but problems: the exit code says the rest")
	cmd.PreRun = func(*cobra.Command, []string) {
		if c.quiet {
			c.out, c.width, c.barWidth = io.Discard, 0, 0
		}
	}
}

// log writes what the filter has to say; lines of the level info only when they are wanted.
func (c *console) log(info bool) filter.Logger {
	return func(level filter.Level, line string) {
		switch {
		case level == filter.LevelError:
			c.say("error: " + line)
		case level == filter.LevelWarn:
			c.say("warning: " + line)
		case level == filter.LevelInfo && info:
			c.note(line)
		}
	}
}
