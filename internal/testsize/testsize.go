// Package testsize says how much tests compare. In make test they take a part of their cases, so that it ends in minutes; make equality, which
// sets EQUALITY to a number of mutations, has them take all. Each layer is compared in both.
package testsize

import (
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// Full reports whether tests take all of their cases.
func Full() bool { return os.Getenv("EQUALITY") != "" }

// Of returns how many cases a test takes: few of them, or all.
func Of(few, all int) int {
	if Full() {
		return all
	}
	return few
}

// Random returns how many random cases a test takes: few, or more of them, one for so many mutations of EQUALITY.
func Random(t testing.TB, few, mutations int) int {
	t.Helper()
	if !Full() {
		return few
	}
	n, err := strconv.Atoi(os.Getenv("EQUALITY"))
	require.NoError(t, err, "EQUALITY (want a number of mutations)")
	return max(few, n/mutations)
}
