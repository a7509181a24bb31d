// Command wafctl is the filter without Fluent Bit: a collector for machines that have none, and a workbench for rules.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

// Exit codes.
const (
	exitClean = 0 // nothing alerts
	exitAlert = 1 // something alerts
	exitError = 2 // the command could not do what it was asked
)

// errAlert ends a command that found an alert; there is nothing to print about it.
var errAlert = errors.New("something alerts")

func main() { os.Exit(execute(context.Background(), newConsole(), os.Args[1:])) }

// execute runs one command line and returns its exit code.
func execute(ctx context.Context, c *console, args []string) int {
	root := newRoot(c, args)
	switch err := root.ExecuteContext(ctx); {
	case err == nil:
		return exitClean
	case errors.Is(err, errAlert):
		return exitAlert
	default:
		c.printProblems(err)
		return exitError
	}
}

func newRoot(c *console, args []string) *cobra.Command {
	root := &cobra.Command{
		Use:   "wafctl COMMAND",
		Short: "Detect web attacks in logged HTTP traffic",
		Long: `wafctl runs logged HTTP transactions through a WAF with the OWASP Core Rule Set, as the Fluent Bit
filter and output "waf" do, with the same settings and the same verdicts.`,
		Args:                       knownCommand,
		SuggestionsMinimumDistance: 2,

		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var none flags
			if err := none.usage(cmd, args); err != nil {
				return err
			}
			return cmd.Help()
		},
	}
	strict(root)
	root.SetArgs(args)
	root.SetIn(c.in)
	root.SetOut(c.out)
	root.SetErr(c.err)
	root.SetHelpFunc(c.help)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return &usageError{cmd.CommandPath(), err} })
	root.CompletionOptions.HiddenDefaultCmd = true
	for _, add := range []func(*console, []string) *cobra.Command{
		newRun, newCheck, newIncidents, newReport, newRules, newMap, newCompare, newTune, newTest, newVersion,
	} {
		root.AddCommand(add(c, args))
	}
	return root
}

// knownCommand refuses a word that is no command, with those that are.
func knownCommand(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, cmd := range root.Commands() {
		if cmd.IsAvailableCommand() {
			names = append(names, cmd.Name())
		}
	}
	err := fmt.Errorf("unknown command %q (want %s)", args[0], setting.Choice(names))
	if near := root.SuggestionsFor(args[0]); len(near) > 0 {
		err = fmt.Errorf("unknown command %q (did you mean %s?)", args[0], setting.Choice(near))
	}
	return &usageError{root.CommandPath(), err}
}
