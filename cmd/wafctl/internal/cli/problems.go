package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
	"github.com/spf13/cobra"
)

// usageError is what is wrong with a command line: all of it at once.
type usageError struct {
	command string
	err     error
}

// NewUsageError returns an error about the command line of a command.
func NewUsageError(cmd *cobra.Command, err error) error { return &usageError{cmd.CommandPath(), err} }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// PrintProblems tells an error on the standard error output, each part of a joined one on a line of its own.
func (c *Console) PrintProblems(err error) {
	var b strings.Builder
	problems := flatten(err)
	if len(problems) == 1 {
		fmt.Fprintf(&b, "wafctl: %s\n", problems[0])
	} else {
		fmt.Fprintf(&b, "wafctl: %d problems\n", len(problems))
		for _, p := range problems {
			fmt.Fprintf(&b, "  %s\n", p)
		}
	}
	var usage *usageError
	if errors.As(err, &usage) {
		fmt.Fprintf(&b, "\"%s --help\" explains what is allowed.\n", usage.command)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	io.WriteString(c.Err, b.String()) //nolint:errcheck // there is no one else to tell
}

// flatten returns the lines of an error; a setting is called by the flag that sets it.
func flatten(err error) []string {
	var joined interface{ Unwrap() []error }
	var problem *setting.Problem
	switch {
	case errors.As(err, &joined) && fmt.Sprint(joined) == err.Error():
		var all []string
		for _, part := range joined.Unwrap() {
			all = append(all, flatten(part)...)
		}
		return all
	case errors.As(err, &problem) && problem.Error() == err.Error():
		var all []string
		for _, line := range flatten(problem.Err) {
			all = append(all, FlagName(problem.Name)+": "+asFlags(line, nil))
		}
		return all
	}
	var lines []string
	for line := range strings.Lines(err.Error()) {
		lines = append(lines, Printable(strings.TrimRight(line, "\n")))
	}
	return lines
}

// Named says with which settings an error came up, unless it is that of the other settings.
func Named(what string, err, other error) error {
	if err == nil || other != nil && err.Error() == other.Error() {
		return nil
	}
	var problems []error
	for _, line := range flatten(err) {
		problems = append(problems, fmt.Errorf("%s: %s", what, line))
	}
	return errors.Join(problems...)
}
