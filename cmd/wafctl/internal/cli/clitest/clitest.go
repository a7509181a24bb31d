// Package clitest keeps the usual rules of a command open while its tests run. Its host is for their consoles: filters of a host share rules of
// the same content, and the Core Rule Set takes half a second of a core to open. Tests that need other rules open them beside these.
package clitest

import (
	"os"
	"testing"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// Host is what the filters of a test binary share.
var Host = filter.NewHost()

// Main runs the tests of a package whose filters usually have these settings of rules, and exits.
func Main(m *testing.M, usually setting.Map) {
	usual, err := filter.New(Host, usually, func(filter.Level, string) {})
	if err != nil {
		panic(err)
	}
	code := m.Run()
	usual.Close()
	os.Exit(code)
}
