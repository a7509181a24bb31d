// Command wafctl is the filter without Fluent Bit: a collector for machines that have none, and a workbench for
// rules. Each command has a package of its own in the folder of its subject. This package parses the command line,
// runs the command and turns its error into an exit code.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/auth"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/check"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/collect"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/compare"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/doctor"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/incidents"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/install"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/mapping"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/page"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/proxy"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/ruleset"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/ruletest"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/setup"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/top"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/tune"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

func main() { os.Exit(execute(context.Background(), cli.NewConsole(), os.Args[1:])) }

// execute runs one command line and returns its exit code.
func execute(ctx context.Context, c *cli.Console, args []string) int {
	root := newRoot(c, args)
	switch err := root.ExecuteContext(ctx); {
	case err == nil:
		return cli.ExitClean
	case errors.Is(err, cli.ErrAlert):
		return cli.ExitAlert
	case errors.Is(err, cli.ErrFailed):
		return cli.ExitError
	default:
		c.PrintProblems(err)
		return cli.ExitError
	}
}

func newRoot(c *cli.Console, args []string) *cobra.Command {
	root := &cobra.Command{
		Use:   "wafctl COMMAND",
		Short: "Detect web attacks in logged HTTP traffic",
		Long: `wafctl evaluates logged HTTP transactions with Coraza and the OWASP Core Rule Set, with the same settings and verdicts as
the Fluent Bit filter and output "waf".`,
		Args:                       knownCommand,
		SuggestionsMinimumDistance: 2,

		Version:       versions(),
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var none cli.Flags
			if err := none.Usage(cmd, args); err != nil {
				return err
			}
			return cmd.Help()
		},
	}
	cli.Strict(root)
	root.SetArgs(args)
	root.SetIn(c.In)
	root.SetOut(c.Out)
	root.SetErr(c.Err)
	root.SetVersionTemplate("{{.Version}}")
	root.Flags().BoolP("version", "v", false, "print versions of wafctl, the engine and the embedded rules")
	root.SetHelpFunc(c.HelpOf(args))
	root.SetFlagErrorFunc(cli.NewUsageError)
	root.CompletionOptions.HiddenDefaultCmd = true
	for _, add := range []func(*cli.Console, []string) *cobra.Command{
		setup.New, doctor.New, collect.New, proxy.New, auth.New, check.New, incidents.New, page.New, ruleset.New, mapping.New, compare.New, tune.New, ruletest.New, top.New, install.New, newVersion,
	} {
		root.AddCommand(add(c, args))
	}
	root.InitDefaultHelpCmd()
	if help, _, err := root.Find([]string{"help"}); err == nil {
		cli.Strict(help) // for --all
	}
	cli.CompleteValues(root)
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
	return cli.NewUsageError(root, err)
}
