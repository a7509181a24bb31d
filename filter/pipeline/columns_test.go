package pipeline

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestColumnsOfManyTagsAreForgotten(t *testing.T) {
	var c columnsByTag
	for i := range 10 * maxColumnTags {
		c.set(sender(i), nil)
		require.LessOrEqual(t, len(c.known), maxColumnTags)
	}
}
