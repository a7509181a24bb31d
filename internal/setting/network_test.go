package setting

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOnlyWhatIsNotWrittenLikeAnAddressIsAName(t *testing.T) {
	for text, want := range map[string]string{
		"10.2.0.7": "10.2.0.7/32", "10.2.0.7/16": "10.2.0.0/16", "2001:DB8::7": "2001:db8::7/128", "::ffff:10.2.0.7": "10.2.0.7/32", "::ffff:10.2.0.7/112": "10.2.0.0/16", "2001:db8::/32": "2001:db8::/32",
	} {
		network, err := ParseNetwork(text)
		require.NoError(t, err, text)
		require.Equal(t, want, network.String(), text)
	}
	for _, text := range []string{"shop", "shop.example", "ops/job", "ops/10", "10", "v1.2", "1password.com", "a:80", "...", "", "cafe", "10.2.0.7:80"} {
		network, err := ParseNetwork(text)
		require.NoError(t, err, text)
		require.False(t, network.IsValid(), text)
	}
	for _, text := range []string{"10.20.1.300", "10.2.0.0/33", "10.2.0", "10.2.0.0.0", "010.2.0.7", "10.2.0.0/", "10.2.0.0/a", "2001:db8::/129", "1:2:3"} {
		_, err := ParseNetwork(text)
		require.ErrorContains(t, err, `"`+text+`" is neither an address nor a network`)
	}
}
