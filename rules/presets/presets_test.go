package presets

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The list is for advice in wafctl: it must name what the text really quiets, and the rules whose lists Settings set.
func TestQuietedRulesAreThoseOfTheText(t *testing.T) {
	named := map[int]bool{911100: true, 920420: true}
	for _, m := range regexp.MustCompile(`ruleRemove(?:Target)?ById=(\d+)`).FindAllStringSubmatch(API, -1) {
		id, err := strconv.Atoi(m[1])
		require.NoError(t, err)
		named[id] = true
	}
	require.Equal(t, slices.Sorted(maps.Keys(named)), QuietedByAPI)
}

func TestMediaTypesAreWrittenAsTheRulesCompareThem(t *testing.T) {
	form := regexp.MustCompile(`^[a-z]+/[a-z0-9.+-]+$`)
	for _, mediaType := range apiMediaTypes {
		require.Regexp(t, form, mediaType)
	}
	sorted := slices.Sorted(slices.Values(apiMediaTypes))
	require.Equal(t, sorted, slices.Compact(slices.Clone(sorted)), "none comes twice")
	require.Equal(t, apiMediaTypes, strings.Fields(Settings["api"]["allowed_request_content_type"]))
}
