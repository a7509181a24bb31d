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

func main() { os.Exit(execute(context.Background(), newConsole(), os.Args[1:])) }

// execute runs one command line and returns its exit code.
func execute(ctx context.Context, c *console, args []string) int {
	root := newRoot(c, args)
	switch err := root.ExecuteContext(ctx); {
	case err == nil:
		return exitClean
	case errors.Is(err, errAlert):
		return exitAlert
	case errors.Is(err, errFailed):
		return exitError
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

		Version:       versions(),
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
	root.SetVersionTemplate("{{.Version}}")
	root.Flags().BoolP("version", "v", false, "print the versions of wafctl, the engine and the embedded rules")
	root.SetHelpFunc(c.helpOf(args))
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return &usageError{cmd.CommandPath(), err} })
	root.CompletionOptions.HiddenDefaultCmd = true
	for _, add := range []func(*console, []string) *cobra.Command{
		newInit, newDoctor, newRun, newCheck, newReport, newRules, newMap, newCompare, newTune, newTest, newTop, newInstall, newVersion,
	} {
		root.AddCommand(add(c, args))
	}
	root.InitDefaultHelpCmd()
	if help, _, err := root.Find([]string{"help"}); err == nil {
		strict(help) // for --all
	}
	completeValues(root)
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
