package proxy

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The plugin shares a process with everybody's logs: what a proxy needs stays in wafctl.
func TestThePluginDependsOnNothingOfTheProxy(t *testing.T) {
	command := exec.Command("go", "list", "-deps", "-tags", "no_fs_access", "./plugin")
	command.Dir = "../../.."
	out, err := command.Output()
	require.NoError(t, err)
	all := strings.Fields(string(out))
	require.Contains(t, all, "github.com/fluent-bit-waf/fluent-bit-waf/filter")
	for _, name := range all {
		for _, proxys := range []string{
			"github.com/fluent-bit-waf/fluent-bit-waf/cmd/", "google.golang.org/grpc", "golang.org/x/net/http2", "net/http/httputil", "github.com/envoyproxy/",
		} {
			require.False(t, strings.HasPrefix(name, proxys), name)
		}
	}
}
