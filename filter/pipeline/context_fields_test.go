package pipeline

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"
)

// Logs name the size of a response and the user as their servers do.
func TestSizesAndUsersAreFoundUnderTheNamesOfServers(t *testing.T) {
	for server, keys := range map[string][2]string{
		"nginx": {"body_bytes_sent", "remote_user"}, "Apache": {"bytes", "user"}, "Envoy": {"bytes_sent", ""}, "Traefik": {"DownstreamContentSize", "ClientUsername"},
		"Caddy": {"size", "user_id"}, "IIS and CloudFront": {"sc-bytes", "cs-username"}, "HAProxy": {"bytes_read", ""}, "AWS load balancers": {"sent_bytes", ""},
		"Cloudflare": {"EdgeResponseBytes", ""}, "Azure": {"sentBytes", ""}, "Azure Front Door": {"responseBytes", ""}, "Zeek": {"response_body_len", "username"},
	} {
		body := msgp.AppendMapHeader(nil, 2)
		body = msgp.AppendInt(msgp.AppendString(body, keys[0]), 4711)
		body = msgp.AppendString(msgp.AppendString(body, keys[1]), "jo")
		var c contextFields
		c.read(body)
		require.EqualValues(t, 4711, c.bytes, server)
		if keys[1] != "" {
			require.Equal(t, "jo", c.user, server)
		}
	}
}
