// Package packs holds the bundled rule packs: SecLang files with their tests. They find what the Core Rule Set does not look for, lateral
// movement and leaked data. Without CRS, a scoring setup stands in for its thresholds.
package packs

import (
	"embed"
	"fmt"
)

//go:embed *.conf
var files embed.FS

// Names are the names of the packs, in load order.
var Names = []string{"lateral-movement", "sensitive-data"}

// The files that let packs alert without the Core Rule Set: points and thresholds, which come before the packs, and sums,
// which come behind them.
const (
	ScoringSetup = "scoring-setup"
	Scoring      = "scoring"
)

// Text returns the SecLang text of a pack, or of a file for scoring.
func Text(name string) (string, error) {
	text, err := files.ReadFile(name + ".conf")
	if err != nil {
		return "", fmt.Errorf("unknown rule pack %q: %w", name, err)
	}
	return string(text), nil
}
