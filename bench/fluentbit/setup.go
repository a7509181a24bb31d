package fluentbit

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
)

// Setup is what a measurement runs.
type Setup struct {
	Path   string // of Fluent Bit
	Plugin string // path of the plugin

	properties string // of the filter
}

// Flags registers the flags of a set-up.
func Flags() *Setup {
	var s Setup
	flag.StringVar(&s.Path, "fluent-bit", "", "path of Fluent Bit; unless set, $FLUENT_BIT, PATH, or the newest of /opt/fluent-bit*")
	flag.StringVar(&s.Plugin, "plugin", "build/out/out_waf.so", "path of the plugin")
	flag.StringVar(&s.properties, "set", "", "properties of the filter, a flow mapping of YAML as in 'cache_size: 4M, gate: off'")
	return &s
}

// Filter returns a filter waf as an item of the section of that name, for the site of the corpus, with the properties that were
// asked for and more.
func (s *Setup) Filter(more ...string) string {
	var b strings.Builder
	b.WriteString("\n    - name: waf\n      match: '*'")
	for name, value := range corpus.Settings {
		fmt.Fprintf(&b, "\n      %s: %q", name, value)
	}
	for _, property := range append(strings.Split(s.properties, ","), more...) {
		if property != "" {
			b.WriteString("\n      " + strings.TrimSpace(property))
		}
	}
	return b.String()
}

// Find completes the paths, and returns the first line of what Fluent Bit says of its version.
func (s *Setup) Find() (version string, err error) {
	if s.Path, err = find(s.Path); err != nil {
		return "", err
	}
	if s.Plugin, err = filepath.Abs(s.Plugin); err != nil {
		return "", err
	}
	text, err := exec.Command(s.Path, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("%s --version: %w", s.Path, err)
	}
	version, _, _ = strings.Cut(string(text), "\n")
	return version, nil
}

// find returns the path of the Fluent Bit that was given or, without one, that of $FLUENT_BIT, PATH, or the newest of
// /opt/fluent-bit*.
func find(given string) (string, error) {
	if given == "" {
		given = os.Getenv("FLUENT_BIT")
	}
	if given != "" {
		return given, nil
	}
	if path, err := exec.LookPath("fluent-bit"); err == nil {
		return path, nil
	}
	found, err := filepath.Glob("/opt/fluent-bit*/bin/fluent-bit")
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("no Fluent Bit in $FLUENT_BIT, PATH and /opt/fluent-bit*")
	}
	slices.Sort(found)
	return found[len(found)-1], nil
}
