package main

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mattn/go-runewidth"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli/clitest"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/fieldmap"
)

func TestVersionNamesEngineAndRules(t *testing.T) {
	for _, command := range []string{"version", "--version", "-v"} {
		got := wafctl(nil, nil, command)
		require.Equal(t, cli.ExitClean, got.code)
		require.Regexp(t, `^wafctl \S+\nCoraza \S.*\nOWASP CRS \S.*\ngo1\S+ \w+/\w+\n$`, got.out)
	}
}

// commands returns all commands by their names, the root as "".
func commands() map[string]*cobra.Command {
	root := newRoot(&cli.Console{Host: clitest.Host, In: strings.NewReader(""), Out: io.Discard, Err: io.Discard}, nil)
	all := map[string]*cobra.Command{"": root}
	for _, cmd := range root.Commands() {
		if cmd.IsAvailableCommand() && cmd.Name() != "help" {
			all[cmd.Name()] = cmd
		}
	}
	return all
}

func TestHelpListsTheFlagsThatMatter(t *testing.T) {
	for name := range commands() {
		got := wafctl(nil, func(c *cli.Console) { c.Width = 80 }, strings.Fields(name+" --help")...)
		require.Equal(t, cli.ExitClean, got.code)
		require.Empty(t, got.err)
		golden(t, "help-"+name+".txt", got.out)
		_, flags, _ := strings.Cut(got.out, "\nFlags\n")
		require.LessOrEqual(t, len(regexp.MustCompile(`(?m)^  .{4}--`).FindAllString(flags, -1)), 12, "ten, -q and -h")
		for line := range strings.Lines(flags) {
			require.LessOrEqual(t, runewidth.StringWidth(strings.TrimRight(line, "\n")), 80, line)
		}
	}
	require.Equal(t, wafctl(nil, nil, "check", "--help").out, wafctl(nil, nil, "help", "check").out)
}

func TestEssentialFlagsAreThoseOfCommands(t *testing.T) {
	all := commands()
	for name, flags := range cli.Essential {
		require.Contains(t, all, name)
		require.LessOrEqual(t, len(strings.Fields(flags)), 10, name)
		for _, flag := range strings.Fields(flags) {
			require.NotNil(t, all[name].Flags().Lookup(flag), "%s --%s", name, flag)
		}
	}
}

func TestHelpAllNamesEveryFlag(t *testing.T) {
	for name, cmd := range commands() {
		for _, form := range []string{name + " --help --all", "help " + name + " --all"} {
			got := wafctl(nil, nil, strings.Fields(form)...)
			require.Equal(t, cli.ExitClean, got.code, got.err)
			cmd.Flags().VisitAll(func(flag *pflag.Flag) {
				require.Equal(t, !flag.Hidden, regexp.MustCompile(`(?m)^  .{4}--`+flag.Name+`\b`).MatchString(got.out), "%s: %s", form, flag.Name)
			})
			require.Equal(t, name == "run" || name == "proxy" || name == "auth", strings.Contains(got.out, "syslog+udp://HOST"))
		}
	}
	check := commands()["check"]
	for _, p := range filter.Properties() {
		flag := check.Flags().Lookup(strings.ReplaceAll(p.Name, "_", "-"))
		require.NotNil(t, flag, p.Name)
		require.Equal(t, slices.Contains(cli.Writing, p.Name), flag.Hidden, p.Name)
	}
}

func TestHelpShowsWhatKindOfValueAFlagTakes(t *testing.T) {
	wrong := []string{"run"}
	for name, cmd := range commands() {
		cmd.Flags().VisitAll(func(flag *pflag.Flag) {
			if _, isSetting := flag.Value.(*cli.FlagValue); !isSetting {
				return
			}
			require.NotEmpty(t, flag.Value.Type(), "%s --%s", name, flag.Name)
			require.NotRegexp(t, `\b(alert|emit|metrics|flood|field|inspect|queue|exclude)_[a-z]`, flag.Usage, "%s --%s", name, flag.Name)
			if name == "run" {
				wrong = append(wrong, "--"+flag.Name, "maybe")
			}
		})
	}
	t.Chdir(t.TempDir()) // one of the flags names a file to write
	refused := wafctl(strings.NewReader(""), nil, wrong...).err
	commands()["run"].Flags().VisitAll(func(flag *pflag.Flag) {
		require.Equal(t, flag.Value.Type() == cli.OnOff, strings.Contains(refused, "--"+flag.Name+": malformed switch"), flag.Name)
	})
}

func TestProblemsSpellSettingsAsFlags(t *testing.T) {
	got := wafctl(nil, nil, "check", "--mode", "async", "-")
	require.Contains(t, got.err, "--mode: async requires --emit-tag\n")
}

func TestQuietCommandsPrintProblemsOnly(t *testing.T) {
	for line, code := range map[string]int{
		"check -q -": cli.ExitAlert, "check -q --explain -": cli.ExitAlert, "compare --quiet --with anomaly_inbound=50 -": cli.ExitAlert,
		"run -q --listen - --alert-to off": cli.ExitClean, "report -q -o /dev/null -": cli.ExitClean,
	} {
		got := wafctl(strings.NewReader(attack), func(c *cli.Console) { c.Width, c.BarWidth = 80, 80 }, strings.Fields(line)...)
		require.Equal(t, result{code: code}, got, line)
	}
	got := wafctl(strings.NewReader(attack+"\nnot json"), nil, "check", "-q", "-")
	require.Equal(t, cli.ExitError, got.code)
	require.Equal(t, "wafctl: standard input:2: not JSON at byte 1 (want an object)\nwafctl: 1 line could not be read\n", got.err)
}

func TestShellsCompleteValues(t *testing.T) {
	for line, want := range map[string][]string{
		"check --output|":                              {"table", "json"},
		"run --emit-format|e":                          {"ecs"},
		"check --prefilter|":                           {"on", "off"},
		"check --blocking-paranoia|":                   {"1", "2", "3", "4"},
		"check --rule-packs|lateral-movement,":         {"lateral-movement,sensitive-data", "lateral-movement,off"},
		"check --exclude-rules|tag:attack-ssti":        {"tag:attack-ssti"},
		"check --exclude-rules|942100,tag:attack-ssti": {"942100,tag:attack-ssti"},
		"run --alert-to|stdout,syslog+t":               {"stdout,syslog+tcp://", "stdout,syslog+tls://"},
		"compare --with|emit_format=m":                 {"emit_format=msa", "emit_format=modsecurity"},
		"compare --with|blocking_":                     {"blocking_paranoia="},
		"compare --with|rule_packs=sens":               {"rule_packs=sensitive-data"},
		"map --show|ngi":                               {"nginx"},
		"run --metrics-listen|1":                       {"127.0.0.1:2021"},
		"run |":                                        {},
	} {
		before, typed, _ := strings.Cut(line, "|")
		got := wafctl(nil, nil, append(append([]string{"__complete"}, strings.Fields(before)...), typed)...)
		require.Equal(t, cli.ExitClean, got.code, got.err)
		lines := strings.Split(strings.TrimSpace(got.out), "\n")
		require.Equal(t, want, lines[:len(lines)-1], line)
	}
	got := wafctl(nil, nil, "__complete", "check", "--field-map", "")
	for _, name := range append(fieldmap.BuiltIn(), "auto") {
		require.Contains(t, got.out, name+"\n")
	}
	require.Contains(t, got.out, fmt.Sprintf(":%d\n", cobra.ShellCompDirectiveNoSpace), "files as well")
}
