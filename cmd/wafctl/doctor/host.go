package doctor

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/fluentbit"
)

// patience is how long Fluent Bit may take for its version, and for checking a configuration.
const patience = 20 * time.Second

var (
	hostVersion   = regexp.MustCompile(`v(\d+)\.(\d+)\.\d+`)
	pluginVersion = regexp.MustCompile(`\[output:waf:plugin\] version (\S+)`)
	colors        = regexp.MustCompile(`\x1b\[[0-9;]*m`)
)

// host checks the versions of Fluent Bit and of the plugin, and what Fluent Bit itself says of the pipeline.
func (d *Doctor) host(ctx context.Context) {
	loads := d.plugins()
	if d.FluentBit == "" {
		d.find("fluent bit", Warn, "set --fluent-bit PATH", "no fluent-bit in PATH: its version and dry run are unknown")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, d.FluentBit, "--version").CombinedOutput()
	version := hostVersion.FindSubmatch(out)
	if version == nil {
		d.find("fluent bit", Fail, "", "%s --version: %v", d.FluentBit, cause(err, out))
		return
	}
	major, _ := strconv.Atoi(string(version[1]))
	minor, _ := strconv.Atoi(string(version[2]))
	number := strings.TrimPrefix(string(version[0]), "v")
	switch {
	case major > 5 || major == 5 && minor >= 1:
		d.find("fluent bit", OK, "", "version %s", number)
	case major > 3 || major == 3 && minor >= 2:
		d.find("fluent bit", Warn, "upgrade to 5.1 or later", "version %s works, but is no longer maintained", number)
	default:
		d.find("fluent bit", Fail, "upgrade to 5.1 or later", "version %s is not supported", number)
	}
	d.dryRun(ctx, loads)
}

// plugins checks the objects that the pipeline loads. It reports whether the plugin is among them.
func (d *Doctor) plugins() (loads bool) {
	needs := map[string]bool{}
	for s := range d.Config.All() {
		switch {
		case s.Name() == "nano" && s.Kind == fluentbit.Input:
			needs["in_nano.so"] = true
		case s.Name() == "waf" && s.Kind != fluentbit.Output:
			needs["flb-filter_waf.so"] = true
		}
	}
	missing := false
	for _, p := range d.Config.Plugins {
		if _, err := os.Stat(p.Value); err != nil {
			missing = true
			d.find("plugin", Fail, "install it there, or correct the path", "%s: %v", p.Place, err)
		}
		delete(needs, filepath.Base(p.Value))
		loads = loads || filepath.Base(p.Value) == "out_waf.so"
	}
	if !loads {
		d.find("plugin", OK, "start it with -e /usr/lib/fluent-bit-waf/out_waf.so, or list this file under plugins", "the pipeline does not load out_waf.so itself")
		return false
	}
	if reloads := strings.ToLower(d.Config.Service.Get("hot_reload")); reloads == "on" || reloads == "true" || reloads == "yes" {
		for name := range needs {
			d.find("plugin", Fail, "list it under plugins, after out_waf.so", "hot_reload is on, but %s is not loaded after a reload", name)
		}
	}
	return !missing
}

// dryRun has Fluent Bit check the pipeline.
func (d *Doctor) dryRun(ctx context.Context, loads bool) {
	arguments := []string{"--dry-run", "-c", d.Config.Path}
	if !loads {
		if d.Plugin == "" {
			return
		}
		arguments = append(arguments, "-e", d.Plugin)
	}
	out, err := exec.CommandContext(ctx, d.FluentBit, arguments...).CombinedOutput()
	if version := pluginVersion.FindSubmatch(out); version != nil {
		if plugin := string(version[1]); plugin == d.Version {
			d.find("plugin", OK, "", "version %s", plugin)
		} else {
			d.find("plugin", Warn, "install both from the same release", "version %s differs from wafctl's %s: rules and settings may differ", plugin, d.Version)
		}
	}
	if err != nil {
		d.find("dry run", Fail, "fluent-bit --dry-run -c "+d.Config.Path, "Fluent Bit rejects the pipeline: %v", cause(err, out))
		return
	}
	d.find("dry run", OK, "", "Fluent Bit accepts the pipeline")
}

// maxCause is how much of an error line of Fluent Bit is shown: the list of all properties tells little.
const maxCause = 160

// cause returns the first error line of what Fluent Bit has printed, otherwise the error.
func cause(err error, out []byte) error {
	for line := range bytes.Lines(out) {
		if _, text, is := strings.Cut(string(colors.ReplaceAll(line, nil)), "[error] "); is {
			if text = strings.TrimSpace(text); len(text) > maxCause {
				text = strings.ToValidUTF8(text[:maxCause], "") + " …"
			}
			return errors.New(text)
		}
	}
	if err == nil {
		return errors.New("it has no version")
	}
	return err
}
