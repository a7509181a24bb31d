// Command ftw sends the regression suite of the Core Rule Set over the wire with the suite's own tool, go-ftw: through wafctl proxy, and
// through the standard library's reverse proxy behind Coraza's handler. Both must pass the same tests. It is a module of its own, because
// of what go-ftw needs.
package main

import (
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/corazawaf/coraza-coreruleset/v4/tests"
	"github.com/coreruleset/go-ftw/config"
	"github.com/coreruleset/go-ftw/ftwhttp"
	"github.com/coreruleset/go-ftw/output"
	"github.com/coreruleset/go-ftw/runner"
	"github.com/coreruleset/go-ftw/test"
	"github.com/coreruleset/go-ftw/waflog"
	"github.com/rs/zerolog"
)

func main() {
	wafctl := flag.String("wafctl", "build/out/wafctl", "the program wafctl")
	levels := flag.String("paranoia", "1,4", "paranoia levels, with commas")
	every := flag.Int("every", 1, "run one of so many tests")
	verbose := flag.Bool("v", false, "print the tests that fail")
	flag.Parse()
	zerolog.SetGlobalLevel(zerolog.Disabled)
	if err := run(*wafctl, strings.Split(*levels, ","), *every, *verbose); err != nil {
		fmt.Fprintln(os.Stderr, "ftw:", err)
		os.Exit(1)
	}
}

func run(wafctl string, levels []string, every int, verbose bool) error {
	suite, err := readSuite(every)
	if err != nil {
		return err
	}
	b, err := startBackend()
	if err != nil {
		return err
	}
	defer b.Close()
	fmt.Printf("%d tests of the Core Rule Set with go-ftw\n\n| paranoia | proxy | passed | failed |\n|---|---|---|---|\n", len(suite))
	worse := 0
	for _, level := range levels {
		var failed [2][]string
		for i, start := range []func(level, backend string) (*contestant, error){
			func(level, backend string) (*contestant, error) { return startWafctl(wafctl, level, backend) }, startCoraza,
		} {
			c, err := start(level, b.Addr().String())
			if err != nil {
				return err
			}
			failed[i] = c.run(suite)
			c.stop()
			fmt.Printf("| %s | %s | %d | %d |\n", level, c.name, len(suite)-len(failed[i]), len(failed[i]))
		}
		for _, id := range failed[0] {
			switch {
			case slices.Contains(failed[1], id):
				if verbose {
					fmt.Fprintf(os.Stderr, "paranoia %s: %s passes with neither\n", level, id)
				}
			case apart[id] != "":
				fmt.Fprintf(os.Stderr, "paranoia %s: %s passes with Coraza's handler only: %s\n", level, id, apart[id])
			default:
				worse++
				fmt.Fprintf(os.Stderr, "paranoia %s: %s passes with Coraza's handler only\n", level, id)
			}
		}
	}
	if worse > 0 {
		return fmt.Errorf("%d tests pass with Coraza's handler only, and nobody knows why", worse)
	}
	return nil
}

// apart are tests that a proxy cannot pass which rejects what it does not forward, and whose alerts list what was found in a request.
var apart = map[string]string{
	"920100-4":  "CONNECT is rejected with 405 before inspection",
	"920100-16": "a target without a path is rejected with 400 before inspection",
	"949110-1":  "alerts list what was found, not the rule that sums it up",
	"949110-4":  "the same",
	"949110-5":  "the same",
}

// readSuite reads the tests, each as a file of its own.
func readSuite(every int) (suite []*test.FTWTest, err error) {
	files, err := fs.Glob(tests.FS, "*/*.yaml")
	if err != nil {
		return nil, err
	}
	n := 0
	for _, file := range files {
		text, err := fs.ReadFile(tests.FS, file)
		if err != nil {
			return nil, err
		}
		found, err := test.GetTestFromYaml(text, file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for _, one := range found.Tests {
			if n++; n%every == 0 {
				single := *found
				single.Tests = append(single.Tests[:0:0], one)
				suite = append(suite, &single)
			}
		}
	}
	return suite, nil
}

// tries is how often a test is run before it has failed: alerts of two connections may overtake each other in the log.
const tries = 3

// run runs the suite and returns the ids of the tests that fail.
func (c *contestant) run(suite []*test.FTWTest) (failed []string) {
	for _, one := range suite {
		passed := false
		for try := 0; try < tries && !passed; try++ {
			passed = c.passes(one)
		}
		if !passed {
			failed = append(failed, one.Tests[0].IdString())
		}
	}
	return failed
}

func (c *contestant) passes(one *test.FTWTest) bool {
	host, port, _ := strings.Cut(c.address, ":")
	number, err := strconv.Atoi(port)
	if err != nil {
		return false
	}
	cfg := config.NewDefaultConfig()
	cfg.LogFile = c.log
	cfg.MaxMarkerRetries = 100
	cfg.TestOverride.Overrides.DestAddr, cfg.TestOverride.Overrides.Port = &host, &number
	lines, err := waflog.NewFTWLogLines(cfg)
	if err != nil {
		return false
	}
	defer lines.Cleanup() //nolint:errcheck // the log is only read
	client := ftwhttp.NewClientConfig()
	client.ConnectTimeout, client.ReadTimeout = 5*time.Second, 10*time.Second
	connected, err := ftwhttp.NewClient(client)
	if err != nil {
		return false
	}
	context := &runner.TestRunContext{
		Config: cfg, RunnerConfig: &runner.RunnerConfig{Output: output.Quiet}, Output: output.NewOutput(string(output.Quiet), io.Discard),
		Stats: runner.NewRunStats(), Client: connected, LogLines: lines,
	}
	return runner.RunTest(context, one) == nil && len(context.Stats.Failed) == 0 && len(context.Stats.Success) > 0
}
