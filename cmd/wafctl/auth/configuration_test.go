package auth

import (
	"encoding/json"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	bootstrap "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"                  // types in the
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"                     // configuration
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3" // that Envoy
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"                          // loads
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli/clitest"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
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

// The chart starts the command with arguments that it takes.
func TestTheArgumentsOfTheChartAreTaken(t *testing.T) {
	text, err := os.ReadFile("../../../build/tools/chart/testdata/auth.yaml")
	require.NoError(t, err)
	all := setting.Map{}
	for _, flag := range regexp.MustCompile(`(?m)^ +- "--([a-z-]+)=(.*)"$`).FindAllStringSubmatch(string(text), -1) {
		all[strings.ReplaceAll(flag[1], "-", "_")] = flag[2]
	}
	require.Equal(t, "10.42.0.0/16", all["trusted_proxies"])
	require.Equal(t, "detect", all["engine"])
	for name, value := range map[string]string{"alert_to": "off", "rules": "crs", "listen": "127.0.0.1:0", "health_listen": "127.0.0.1:0", "metrics_listen": "off"} {
		require.NotEmpty(t, all[name], name)
		all[name] = value // files and addresses of a pod
	}
	r := setting.NewReader(all, Properties())
	a, err := open(all, r, &cli.Console{Host: clitest.Host, Out: io.Discard, Err: io.Discard})
	require.NoError(t, err)
	for name := range all {
		require.True(t, r.Given(name), name)
	}
	require.Len(t, a.Addresses(), 2)
	a.engine.Discard()
}
