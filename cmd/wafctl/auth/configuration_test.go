package auth

import (
	"encoding/json"
	"os"
	"testing"

	bootstrap "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"                  // types in the
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"                     // configuration
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3" // that Envoy
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"                          // loads
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"
)

// The configuration for Envoy is one by Envoy's own definitions, down to every field.
func TestTheConfigurationForEnvoyIsValid(t *testing.T) {
	text, err := os.ReadFile("../../../conf/auth/envoy.yaml")
	require.NoError(t, err)
	var tree any
	require.NoError(t, yaml.Unmarshal(text, &tree))
	content, err := json.Marshal(tree)
	require.NoError(t, err)
	var b bootstrap.Bootstrap
	require.NoError(t, protojson.Unmarshal(content, &b))
	require.NoError(t, b.ValidateAll())
}
