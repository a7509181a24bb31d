package main

import (
	"io"
	"os"
	"sync"

	"golang.org/x/term"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
)

// console is where a command reads and writes.
type console struct {
	in       io.Reader
	out, err io.Writer
	width    int  // of the terminal that out is, in columns; 0 when it is none
	color    bool // out may be colored

	mu sync.Mutex // held while a line is written to err
}

func newConsole() *console {
	c := &console{in: os.Stdin, out: os.Stdout, err: os.Stderr}
	if fd := int(os.Stdout.Fd()); term.IsTerminal(fd) {
		c.color = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
		c.width = defaultWidth
		if width, _, err := term.GetSize(fd); err == nil && width > 0 {
			c.width = width
		}
	}
	return c
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
	io.WriteString(c.err, "wafctl: "+printable(line)+"\n") //nolint:errcheck // there is no one else to tell
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
			c.say(line)
		}
	}
}
