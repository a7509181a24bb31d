package chart

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
)

// TestValuesFitTheOfficialChart renders the official chart of Fluent Bit, which has to be in the folder $OFFICIAL_CHART, with the values that add the plugin.
func TestValuesFitTheOfficialChart(t *testing.T) {
	dir := os.Getenv("OFFICIAL_CHART")
	if dir == "" {
		t.Skip("$OFFICIAL_CHART does not name the folder of the official chart")
	}
	for _, kind := range []string{"DaemonSet", "Deployment"} {
		text, err := helm(t, "template", "fluent-bit", dir, "--values", "../../helm/official-chart/values.yaml", "--set", "kind="+kind, "--kube-version", kubeVersion)
		require.NoError(t, err)
		objects := decode(t, text)
		var pod core.PodSpec
		if set := one[*apps.DaemonSet](t, objects); set != nil {
			pod = set.Spec.Template.Spec
		} else {
			pod = one[*apps.Deployment](t, objects).Spec.Template.Spec
		}
		require.Len(t, pod.InitContainers, 1)
		volumes := map[string]bool{}
		for _, v := range pod.Volumes {
			volumes[v.Name] = true
		}
		for _, container := range []core.Container{pod.InitContainers[0], pod.Containers[0]} {
			mounts := container.VolumeMounts
			at := slices.IndexFunc(mounts, func(m core.VolumeMount) bool { return m.MountPath == "/fluent-bit-waf" })
			require.GreaterOrEqual(t, at, 0, container.Name)
			assert.True(t, volumes[mounts[at].Name])
		}
		config := ""
		for _, object := range objects {
			if c, ok := object.(*core.ConfigMap); ok {
				config += c.Data["fluent-bit.conf"]
			}
		}
		assert.Contains(t, config, "Plugins_File /fluent-bit-waf/plugins.conf")
		assert.Contains(t, config, "    Name tail\n", "the chart's own inputs stay")
		assert.NotContains(t, config, "{{")
		assert.Less(t, strings.Index(config, "Name kubernetes"), strings.Index(config, "Name waf"))
	}
}
