//go:build e2e

// Package e2e runs the built plugin inside real Fluent Bits.
package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// root is the repository.
var root = func() string {
	wd, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	return filepath.Dir(filepath.Dir(wd))
}()

// fluentBit is one real Fluent Bit.
type fluentBit struct{ path, version string }

// fluentBits are the ones that were found, one of each version.
var fluentBits []fluentBit

// find looks at $FLUENT_BIT, PATH and /opt.
func find() (found []fluentBit) {
	candidates, _ := filepath.Glob("/opt/fluent-bit*/bin/fluent-bit")
	if path, err := exec.LookPath("fluent-bit"); err == nil {
		candidates = append([]string{path}, candidates...)
	}
	if path := os.Getenv("FLUENT_BIT"); path != "" {
		candidates = append([]string{path}, candidates...)
	}
	number := regexp.MustCompile(`v(\d+\.\d+\.\d+)`)
	known := map[string]bool{}
	for _, path := range candidates {
		out, err := exec.Command(path, "--version").CombinedOutput()
		version := number.FindStringSubmatch(string(out))
		if err != nil || version == nil {
			fmt.Printf("e2e: %s does not run: %v\n", path, err)
			continue
		}
		if !known[version[1]] {
			known[version[1]] = true
			found = append(found, fluentBit{path, version[1]})
		}
	}
	return found
}

func TestMain(m *testing.M) {
	fluentBits = find()
	versions := make([]string, 0, len(fluentBits))
	for _, f := range fluentBits {
		versions = append(versions, f.version+" ("+f.path+")")
	}
	code := m.Run()
	if len(versions) == 0 {
		fmt.Println("e2e: NO FLUENT BIT FOUND in $FLUENT_BIT, PATH and /opt/fluent-bit*/bin: NOTHING RAN AGAINST A REAL ONE")
	} else {
		fmt.Println("e2e: ran on Fluent Bit " + strings.Join(versions, ", "))
	}
	os.Exit(code)
}

// onEach runs a test on every Fluent Bit.
func onEach(t *testing.T, test func(t *testing.T, f fluentBit)) {
	t.Helper()
	if len(fluentBits) == 0 {
		t.Skip("no Fluent Bit found")
	}
	for _, f := range fluentBits {
		t.Run(f.version, func(t *testing.T) { test(t, f) })
	}
}
