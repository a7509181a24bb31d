package seclang

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTargetsAreSeparatedByBarsAndCommas(t *testing.T) {
	for list, want := range map[string][]string{
		"ARGS":                             {"ARGS"},
		"ARGS|ARGS_NAMES":                  {"ARGS", "ARGS_NAMES"},
		"ARGS,ARGS_NAMES":                  {"ARGS", "ARGS_NAMES"},
		"!ARGS:k,!ARGS:l":                  {"!ARGS:k", "!ARGS:l"},
		"!ARGS:k , !ARGS:l\t| &ARGS":       {"!ARGS:k", "!ARGS:l", "&ARGS"},
		"!ARGS:k,REQUEST_COOKIES":          {"!ARGS:k", "REQUEST_COOKIES"},
		`!ARGS:/^a{1,3}|b$/,!ARGS:l`:       {`!ARGS:/^a{1,3}|b$/`, "!ARGS:l"},
		`!ARGS:'/^a{1,3}|b$/',!ARGS:l`:     {`!ARGS:'/^a{1,3}|b$/'`, "!ARGS:l"},
		`!ARGS:/a\/,b/,!ARGS:l`:            {`!ARGS:/a\/,b/`, "!ARGS:l"},
		`!ARGS:/a\\/,!ARGS:l`:              {`!ARGS:/a\\/`, "!ARGS:l"},
		`!ARGS:/a/|!ARGS:/b/`:              {"!ARGS:/a/", "!ARGS:/b/"},
		`!ARGS:/open,!ARGS:l`:              {`!ARGS:/open,!ARGS:l`},
		"!REQUEST_HEADERS:a/b,!ARGS:l":     {"!REQUEST_HEADERS:a/b", "!ARGS:l"},
		"XML:/*|XML://@*,ARGS":             {"XML:/*", "XML://@*", "ARGS"},
		`XML:/a[contains(.,'x')],ARGS`:     {`XML:/a[contains(.,'x')]`, "ARGS"},
		"&XML:/a,JSON:/b,ARGS":             {"&XML:/a", "JSON:/b", "ARGS"},
		"ARGS:k,":                          {"ARGS:k", ""},
		"":                                 {""},
		",,":                               {"", "", ""},
		"TX:/^[a,b]/,TX:a:b,REQUEST_URI":   {"TX:/^[a,b]/", "TX:a:b", "REQUEST_URI"},
		"xml:/a(b,c),args:d":               {"xml:/a(b,c)", "args:d"},
		"REQUEST_COOKIES:/^_ga(?:_\\w+)?/": {"REQUEST_COOKIES:/^_ga(?:_\\w+)?/"},
	} {
		require.Equal(t, want, SplitTargets(list), list)
	}
}

func FuzzSplitTargets(f *testing.F) {
	f.Add(`!ARGS:/a{1,2}/,XML:/a(b,c)|ARGS:'/x|y/'`)
	f.Fuzz(func(t *testing.T, list string) {
		length := -1
		for _, target := range SplitTargets(list) {
			length += len(target) + 1
		}
		require.LessOrEqual(t, length, len(list), "nothing is added")
	})
}
