// Package install is the command "wafctl install": it copies the plugin to a directory from which another Fluent Bit
// loads it. An init container of a Kubernetes pod runs it. A file takes the place of an older one at once, so that no
// Fluent Bit loads half of it.
package install

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

var installFlags = []setting.Property{
	{Name: "from", Default: "/usr/lib/fluent-bit-waf", Help: "directory with the plugin"},
}

func New(c *cli.Console, args []string) *cobra.Command {
	var f cli.Flags
	cmd := &cobra.Command{
		Use:   "install [flags] DIR",
		Short: "Copy the Fluent Bit plugin to a directory",
		Long: `Copy the plugin to a directory from which another Fluent Bit loads it, for example as an init container of the official
image: the filter and output "waf", the input "nano", and plugins.conf, which lists them with their paths. In Fluent Bit, set

  plugins_file: DIR/plugins.conf

in the section service. DIR is created if missing, and must have the same path where Fluent Bit runs. Files are replaced
atomically, so that a running Fluent Bit is not disturbed.`,
		Example: `  wafctl install /fluent-bit-waf
  wafctl install --from build/out /opt/fluent-bit-waf`,
		RunE: func(cmd *cobra.Command, names []string) error {
			settings := setting.NewReader(&f, installFlags)
			var problem error
			if len(names) != 1 {
				problem = errors.New("want one directory: DIR")
			}
			if err := f.Usage(cmd, args, settings.Err(), problem); err != nil {
				return err
			}
			dir, err := filepath.Abs(names[0])
			if err != nil {
				return fmt.Errorf("install: %w", err)
			}
			if err := install(settings.Text("from"), dir); err != nil {
				return fmt.Errorf("install: %w", err)
			}
			_, err = fmt.Fprintf(c.Out, "installed the plugin in %s\nplugins_file: %s\n", dir, filepath.Join(dir, PluginList))
			return err
		},
	}
	cli.Strict(cmd)
	f.Add(cmd.Flags(), installFlags)
	return cmd
}

// Files of the plugin. Fluent Bit takes the kind of a plugin from the name of its file, so the filter has a name of its own.
const (
	OutputObject = "out_waf.so"
	FilterObject = "flb-filter_waf.so" // a link to outputObject
	InputObject  = "in_nano.so"
	PluginList   = "plugins.conf"
)

// install copies the plugin. The list comes last: who reads it finds all that it names.
func install(from, dir string) error {
	if strings.ContainsAny(dir, "\n\r") {
		return fmt.Errorf("directory %q: a path in a plugins file cannot contain a line break", dir)
	}
	for _, name := range []string{OutputObject, InputObject} {
		if _, err := os.Stat(filepath.Join(from, name)); err != nil {
			return fmt.Errorf("no plugin in %s (--from): %w", from, err)
		}
	}
	if same, err := sameDirectory(from, dir); err != nil {
		return err
	} else if same {
		return fmt.Errorf("the plugin is already in %s", dir)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, name := range []string{OutputObject, InputObject} {
		if err := replace(filepath.Join(from, name), filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	if err := renameio.Symlink(OutputObject, filepath.Join(dir, FilterObject)); err != nil {
		return err
	}
	list := "[PLUGINS]\n"
	for _, name := range []string{OutputObject, FilterObject, InputObject} {
		list += "    Path " + filepath.Join(dir, name) + "\n"
	}
	return renameio.WriteFile(filepath.Join(dir, PluginList), []byte(list), 0o644)
}

// sameDirectory reports whether two paths lead to one directory. The second one need not exist.
func sameDirectory(a, b string) (bool, error) {
	infoA, err := os.Stat(a)
	if err != nil {
		return false, err
	}
	infoB, err := os.Stat(b)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(infoA, infoB), err
}

// replace copies a file to a path in one step.
func replace(from, to string) (err error) {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := renameio.NewPendingFile(to, renameio.WithPermissions(0o644))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Cleanup()) }()
	if _, err := io.Copy(target, source); err != nil {
		return err
	}
	return target.CloseAtomicallyReplace()
}
