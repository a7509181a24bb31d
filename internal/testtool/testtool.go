// Package testtool finds programs and files that tests need and that the repository does not have. Where one is missing, its test is skipped
// and names the package to install. Continuous integration installs them all and sets TEST_TOOLS=required, with which the test fails.
package testtool

import (
	"os"
	"os/exec"
	"testing"
)

// Variable is the environment variable that makes a missing tool fail its test when it is set to required.
const Variable = "TEST_TOOLS"

// Program returns the path of a program of a Debian package; without a package the program is one that Debian does not have.
func Program(t testing.TB, name, debian string) (path string) {
	t.Helper()
	for _, candidate := range []string{name, "/usr/sbin/" + name} { // the latter is not in the PATH of every user
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
	}
	Missing(t, name, debian)
	return ""
}

// Path requires a file or folder of a Debian package.
func Path(t testing.TB, path, debian string) {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		Missing(t, path, debian)
	}
}

// Missing ends a test that needs a Debian package which is not installed. What Debian does not have only skips the test, wherever it runs.
func Missing(t testing.TB, what, debian string) {
	t.Helper()
	if debian == "" {
		t.Skipf("%s is not installed", what)
	}
	end := t.Skipf
	if os.Getenv(Variable) == "required" {
		end = t.Fatalf
	}
	end("%s is not installed (Debian: apt-get install %s)", what, debian)
}
