// Package cli has what the commands of wafctl share: the console, flags made from tables of settings, help,
// completion, tables and progress. It also has the one way in which problems, numbers and times are written. It knows
// no command.
package cli

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

// Console is where a command reads and writes.
type Console struct {
	In       io.Reader
	Out, Err io.Writer
	Width    int  // of the terminal that out is, in columns; 0 when it is none
	Color    bool // out may be colored
	BarWidth int  // of the terminal that err is, in columns; 0 when it is none and shows no progress
	BarDelay time.Duration
	Quiet    bool // only problems are written

	Host *filter.Host // what the filters of a command share

	mu  sync.Mutex // held while something is written to err, or to out where that is a terminal
	bar *progressbar.ProgressBar
}

func NewConsole() *Console {
	c := &Console{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, BarDelay: barDelay, Host: filter.NewHost().As(filter.Producer{Program: "wafctl"})}
	dumb := os.Getenv("TERM") == "dumb"
	if c.Width = widthOf(os.Stdout); c.Width > 0 {
		c.Color = os.Getenv("NO_COLOR") == "" && !dumb
		c.Out = c.Screen(os.Stdout)
	}
	if !dumb {
		c.BarWidth = widthOf(os.Stderr)
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

// Screen returns a terminal on which the progress bar stays below what is written.
func (c *Console) Screen(to io.Writer) io.Writer { return &screen{c, to} }

// screen is a terminal that shows a progress bar below what is written to it.
type screen struct {
	console *Console
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
func (c *Console) clearBar() {
	if c.bar != nil {
		c.bar.Clear() //nolint:errcheck // there is no one else to tell
	}
}

// setBar says which bar is on the terminal, nil for none: the one before is taken away.
func (c *Console) setBar(bar *progressbar.ProgressBar) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clearBar()
	c.bar = bar
}

// defaultWidth is that of a terminal that does not tell.
const defaultWidth = 100

// Colors of a terminal.
const (
	Bold    = "\x1b[1m"
	Dim     = "\x1b[2m"
	Red     = "\x1b[31m"
	Green   = "\x1b[32m"
	Yellow  = "\x1b[33m"
	Magenta = "\x1b[35m"
	Cyan    = "\x1b[36m"
	Plain   = "\x1b[0m"
)

// Paint returns text in a color, when out shows colors.
func (c *Console) Paint(color, text string) string {
	if !c.Color || color == "" {
		return text
	}
	return color + text + Plain
}

// Say writes one line to the standard error output. It may be called from any goroutine.
func (c *Console) Say(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clearBar()
	io.WriteString(c.Err, "wafctl: "+Printable(line)+"\n") //nolint:errcheck // there is no one else to tell
}

// Note writes a line unless the command is quiet; it is for anything but problems.
func (c *Console) Note(line string) {
	if !c.Quiet {
		c.Say(line)
	}
}

// QuietFlag gives a command the flag --quiet. Its notes and its progress are then not shown.
func (c *Console) QuietFlag(cmd *cobra.Command, help string) {
	cmd.Flags().BoolVarP(&c.Quiet, "quiet", "q", false, help)
	cmd.PreRun = func(*cobra.Command, []string) {
		if c.Quiet {
			c.BarWidth = 0
		}
	}
}

// CodeOnly gives a command whose exit code says everything the flag --quiet, with which it prints nothing but problems.
func (c *Console) CodeOnly(cmd *cobra.Command) {
	c.QuietFlag(cmd, "print problems only")
	cmd.PreRun = func(*cobra.Command, []string) {
		if c.Quiet {
			c.Out, c.Width, c.BarWidth = io.Discard, 0, 0
		}
	}
}

// Log writes what the filter has to say; lines of the level info only when they are wanted.
func (c *Console) Log(info bool) filter.Logger {
	return func(level filter.Level, line string) {
		switch {
		case level == filter.LevelError:
			c.Say("error: " + line)
		case level == filter.LevelWarn:
			c.Say("warning: " + line)
		case level == filter.LevelInfo && info:
			c.Note(line)
		}
	}
}
