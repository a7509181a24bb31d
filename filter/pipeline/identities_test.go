package pipeline

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestIdentitiesNameWhatTheyMatchMostClosely(t *testing.T) {
	file := filepath.Join(t.TempDir(), "services.yaml")
	writeFile(t, file, "10.2.0.0/16: rest\n10.2.0.0/24: web\n10.2.0.7: shop\nShop.Example: front\n\"2001:db8::/32\": six\n")
	in, err := readIdentities(file)
	require.NoError(t, err)
	for place, want := range map[string]string{
		"10.2.0.7": "shop", "::ffff:10.2.0.7": "shop", "10.2.0.8": "web", "10.2.1.1": "rest", "10.3.0.1": "", "shop.EXAMPLE": "front", "2001:db8::9": "six", "": "",
	} {
		require.Equal(t, want, in.of(place), place)
	}
	for _, bad := range []string{"- a\n- b\n", "10.0.0.1: ''\n", "{"} {
		require.NoError(t, os.WriteFile(file, []byte(bad), 0o600))
		_, err := readIdentities(file)
		require.Error(t, err, bad)
	}
}
