package proxy

import (
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli/clitest"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// The chart and the example of a sidecar start the command with arguments that it takes.
func TestTheArgumentsOnKubernetesAreTaken(t *testing.T) {
	certificate, key := writeCertificate(t, t.TempDir(), 1)
	ofPod := setting.Map{ // files and addresses of a pod
		"alert_to": "off", "rules": "crs", "listen": "127.0.0.1:0", "tls_listen": "127.0.0.1:0", "health_listen": "127.0.0.1:0", "metrics_listen": "off",
		"tls_cert": certificate, "tls_key": key, "client_ca": certificate,
	}
	for file, want := range map[string]setting.Map{
		"build/tools/chart/testdata/proxy.yaml": {"backend": "https://shop.shop:8443", "engine": "detect", "trusted_proxies": "10.42.0.0/16", "backend_verify": "off"},
		"conf/proxy/sidecar.yaml":               {"backend": "http://127.0.0.1:3000", "engine": "detect", "trusted_proxies": "private"},
	} {
		text, err := os.ReadFile("../../../" + file)
		require.NoError(t, err)
		all := setting.Map{"listen": "127.0.0.1:0"}
		for _, flag := range regexp.MustCompile(`(?m)^ +- "?--([a-z-]+)=([^"\s]*)`).FindAllStringSubmatch(string(text), -1) {
			name := strings.ReplaceAll(flag[1], "-", "_")
			if all[name] = flag[2]; ofPod[name] != "" {
				all[name] = ofPod[name]
			}
		}
		for name, value := range want {
			require.Equal(t, value, all[name], name)
		}
		r := setting.NewReader(all, Properties())
		p, err := open(all, r, &cli.Console{Host: clitest.Host, Out: io.Discard, Err: io.Discard})
		require.NoError(t, err)
		for name := range all {
			require.True(t, r.Given(name), name)
		}
		require.GreaterOrEqual(t, len(p.Addresses()), 2)
		p.engine.Discard()
	}
}
