package release

import (
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/stretchr/testify/require"
)

// TestTheChartIsInstalledFromARegistry pushes the packaged chart as the release does, to a registry of this machine, and renders it from there.
func TestTheChartIsInstalledFromARegistry(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	charts := "oci://" + strings.TrimPrefix(server.URL, "http://") + "/charts"
	path, err := exec.Command("go", "tool", "-n", "helm").Output()
	require.NoError(t, err)
	dir := t.TempDir()
	helm := func(args ...string) string {
		cmd := exec.Command(strings.TrimSpace(string(path)), args...)
		cmd.Env = append(os.Environ(), "HELM_REGISTRY_CONFIG="+filepath.Join(dir, "registry.json"), "HELM_CACHE_HOME="+dir)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "helm %s: %s", strings.Join(args, " "), out)
		return string(out)
	}
	version := versions(t)[0]
	helm("package", "../../helm/fluent-bit-waf", "--destination", dir)
	helm("push", filepath.Join(dir, "fluent-bit-waf-"+version+".tgz"), charts, "--plain-http")
	rendered := helm("template", "waf", charts+"/fluent-bit-waf", "--version", version, "--plain-http", "--kube-version", "1.33.0")
	require.Contains(t, rendered, "image: ghcr.io/fluent-bit-waf/fluent-bit-waf:"+version+"\n")
}
