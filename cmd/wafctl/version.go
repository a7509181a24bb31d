package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
)

func newVersion(c *cli.Console, args []string) *cobra.Command {
	var f cli.Flags
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print versions of wafctl, the engine and the embedded rules",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.Usage(cmd, args); err != nil {
				return err
			}
			_, err := io.WriteString(c.Out, versions())
			return err
		},
	}
	cli.Strict(cmd)
	return cmd
}

// versions are those of wafctl, the engine, the embedded rules and Go, a line each.
func versions() string {
	return fmt.Sprintf("wafctl %s\nCoraza %s\nOWASP CRS %s\n%s %s/%s\n", filter.Version,
		moduleVersion("github.com/corazawaf/coraza/v3"), moduleVersion("github.com/corazawaf/coraza-coreruleset/v4"),
		runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// moduleVersion returns the version of a module that this program is built from.
func moduleVersion(path string) string {
	info, _ := debug.ReadBuildInfo()
	if info != nil {
		for _, m := range info.Deps {
			if m.Path == path {
				return m.Version
			}
		}
	}
	return "unknown version"
}
