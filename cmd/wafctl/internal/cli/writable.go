package cli

import (
	"fmt"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/writable"
)

// Writable returns why the file that a flag names cannot be written, nil when it can. Commands ask before work that would be lost. No name and
// - are no files.
func Writable(flag, name string) error {
	if name == "" || name == "-" {
		return nil
	}
	if err := writable.File(name); err != nil {
		return fmt.Errorf("%s %s: %w", flag, name, err)
	}
	return nil
}
