package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFeaturesAreWhereTheyAreEdited keeps the ablation in step with the source.
func TestFeaturesAreWhereTheyAreEdited(t *testing.T) {
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	for i := range features {
		f := &features[i]
		require.NotEqual(t, f.settings == nil, f.edits == nil, f.name)
		_, err := f.edited(root)
		require.NoError(t, err)
	}
}
