package pipeline

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestIdentitiesNameWhatTheyMatchMostClosely(t *testing.T) {
	file := filepath.Join(t.TempDir(), "services.yaml")
	writeFile(t, file, "10.2.0.0/16: rest\n10.2.0.0/24: web\n10.2.0.7: shop\nShop.Example: front\n\"2001:db8::/32\": six\n")
	in, problems := readIdentities(file)
	require.Empty(t, problems)
	for place, want := range map[string]string{
		"10.2.0.7": "shop", "::ffff:10.2.0.7": "shop", "10.2.0.8": "web", "10.2.1.1": "rest", "10.3.0.1": "", "shop.EXAMPLE": "front", "2001:db8::9": "six", "": "",
	} {
		require.Equal(t, want, in.of(place), place)
	}
}

func TestIdentitiesThatMatchNothingAreProblems(t *testing.T) {
	file := filepath.Join(t.TempDir(), "services.yaml")
	const neither = " is neither an address nor a network (want one such as 10.2.0.7 or 10.2.0.0/16)"
	for text, want := range map[string][]string{
		"- a\n- b\n":                      {":1: malformed (expected a map of networks, addresses and hosts to names)"},
		"{":                               {": yaml: line 1: did not find expected node content (expected a map of networks, addresses and hosts to names)"},
		"10.0.0.1: ''\nshop:\nweb: [a]\n": {`:1: "10.0.0.1" has no name`, `:2: "shop" has no name`, `:3: the name of "web" is no text`},
		"# places\n10.2.0.0/33: web\nshop: s\n10.20.1.300: web\n":    {`:2: "10.2.0.0/33"` + neither, `:4: "10.20.1.300"` + neither},
		"\"*.shop.example\": s\nshop.example/x: s\n10.2.0.7:80: s\n": {`:1: "*.shop.example" is no host (want a network, an address or the name of a host)`, `:2: "shop.example/x" is no host (want a network, an address or the name of a host)`, `:3: "10.2.0.7:80" has a port (want the host or address alone)`},
		"10.2.0.0/16: a\n10.2.1.0/16: b\nShop: a\nshop: b\n":         {`:2: "10.2.1.0/16" has a name already, in line 1`, `:4: "shop" has a name already, in line 3`},
		"": nil, "---\n# none\n": nil, "~": nil, "10.2.0.7: web\n10.2.0.7/32: host\n": nil, "shop: 17": nil,
	} {
		writeFile(t, file, text)
		_, problems := readIdentities(file)
		var got []string
		for _, problem := range problems {
			got = append(got, strings.TrimPrefix(problem.Error(), file))
		}
		require.Equal(t, want, got, text)
	}
}
