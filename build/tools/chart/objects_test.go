package chart

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	network "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// strictDecoder refuses fields that Kubernetes or the Prometheus operator does not have, fields twice, and values of a wrong type.
func strictDecoder(t *testing.T) runtime.Decoder {
	t.Helper()
	types := runtime.NewScheme()
	require.NoError(t, scheme.AddToScheme(types))
	require.NoError(t, monitoring.AddToScheme(types))
	return serializer.NewCodecFactory(types, serializer.EnableStrict).UniversalDeserializer()
}

// decode returns the objects of a rendered chart.
func decode(t *testing.T, rendered string) (objects []runtime.Object) {
	t.Helper()
	decoder := strictDecoder(t)
	documents := yaml.NewDocumentDecoder(io.NopCloser(strings.NewReader(rendered)))
	defer documents.Close()
	buffer := make([]byte, 1<<20)
	for {
		n, err := documents.Read(buffer)
		if errors.Is(err, io.EOF) {
			return objects
		}
		require.NoError(t, err)
		if document := bytes.TrimSpace(buffer[:n]); len(document) > 0 && !isComment(document) {
			object, _, err := decoder.Decode(document, nil, nil)
			require.NoError(t, err, "%s", document)
			objects = append(objects, object)
		}
	}
}

func isComment(document []byte) bool {
	for line := range bytes.Lines(document) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			return false
		}
	}
	return true
}

// one returns the only object of a type, nil when there is none.
func one[T runtime.Object](t *testing.T, objects []runtime.Object) (found T) {
	t.Helper()
	n := 0
	for _, object := range objects {
		if o, ok := object.(T); ok {
			found = o
			n++
		}
	}
	require.LessOrEqual(t, n, 1)
	return found
}

func TestEveryObjectIsOneThatKubernetesTakes(t *testing.T) {
	for name, args := range valueSets(t) {
		t.Run(name, func(t *testing.T) { checkObjects(t, decode(t, mustTemplate(t, args...))) })
	}
	t.Run("plain manifests", func(t *testing.T) {
		text, err := os.ReadFile(manifests)
		require.NoError(t, err)
		checkObjects(t, decode(t, string(text)))
	})
}

func TestStrictDecodingRefusesWhatKubernetesDoesNotHave(t *testing.T) {
	for _, change := range [][2]string{
		{"hostPort:", "hostport:"}, {"containerPort: 15155", "containerPort: nano"}, {"kind: DaemonSet", "kind: Daemonset"},
		{"readOnlyRootFilesystem:", "readOnlyRootFileSystem:"},
	} {
		changed := strings.Replace(mustTemplate(t), change[0], change[1], 1)
		documents := strings.Split(changed, "\n---\n")
		failed := false
		for _, document := range documents {
			_, _, err := strictDecoder(t).Decode([]byte(document), nil, nil)
			failed = failed || err != nil
		}
		assert.True(t, failed, change[1])
	}
}

// checkObjects checks what a type alone cannot say.
func checkObjects(t *testing.T, objects []runtime.Object) {
	t.Helper()
	kinds := map[string]bool{}
	for _, object := range objects {
		checkMeta(t, object, kinds)
	}
	set := one[*apps.DaemonSet](t, objects)
	require.NotNil(t, set)
	pod := &set.Spec.Template
	checkReferences(t, &pod.Spec, kinds)
	checkPorts(t, &pod.Spec)

	selects := func(selector *meta.LabelSelector) bool {
		s, err := meta.LabelSelectorAsSelector(selector)
		return err == nil && !s.Empty() && s.Matches(labels.Set(pod.Labels))
	}
	assert.True(t, selects(set.Spec.Selector), "the DaemonSet selects its own pods")
	if p := one[*network.NetworkPolicy](t, objects); p != nil {
		assert.True(t, selects(&p.Spec.PodSelector), "the NetworkPolicy is about the pods")
		assert.ElementsMatch(t, []network.PolicyType{"Ingress", "Egress"}, p.Spec.PolicyTypes)
	}
	if r := one[*monitoring.PrometheusRule](t, objects); r != nil {
		assert.NotEmpty(t, r.Spec.Groups)
	}
	if m := one[*monitoring.PodMonitor](t, objects); m != nil {
		assert.True(t, selects(&m.Spec.Selector), "the PodMonitor is about the pods")
		for _, endpoint := range m.Spec.PodMetricsEndpoints {
			assert.True(t, hasPort(&pod.Spec, *endpoint.Port), *endpoint.Port)
		}
	}
}

func checkMeta(t *testing.T, object runtime.Object, kinds map[string]bool) {
	t.Helper()
	o := object.(meta.Object)
	id := object.GetObjectKind().GroupVersionKind().Kind + "/" + o.GetName()
	assert.False(t, kinds[id], "%s twice", id)
	kinds[id] = true
	assert.Empty(t, validation.IsDNS1123Label(o.GetName()), id)
	if _, isNamespace := object.(*core.Namespace); !isNamespace {
		assert.Equal(t, release, o.GetNamespace(), id)
	}
	for key, value := range o.GetLabels() {
		assert.Empty(t, validation.IsQualifiedName(key), id)
		assert.Empty(t, validation.IsValidLabelValue(value), id)
	}
}

// checkReferences checks that what the pod mounts is a volume of it, and that what volumes name is in the chart, secrets apart.
func checkReferences(t *testing.T, pod *core.PodSpec, kinds map[string]bool) {
	t.Helper()
	volumes := map[string]bool{}
	for _, v := range pod.Volumes {
		volumes[v.Name] = true
		if v.ConfigMap != nil {
			assert.True(t, kinds["ConfigMap/"+v.ConfigMap.Name], v.ConfigMap.Name)
		}
	}
	for _, container := range pod.Containers {
		for _, mount := range container.VolumeMounts {
			assert.True(t, volumes[mount.Name], mount.Name)
			assert.True(t, mount.ReadOnly, mount.Name)
			delete(volumes, mount.Name)
		}
	}
	assert.Empty(t, volumes, "volumes that nobody mounts")
}

func checkPorts(t *testing.T, pod *core.PodSpec) {
	t.Helper()
	c := pod.Containers[0]
	require.Len(t, pod.Containers, 1)
	for _, port := range c.Ports {
		assert.Empty(t, validation.IsValidPortName(port.Name))
		if pod.HostNetwork {
			assert.Equal(t, port.ContainerPort, port.HostPort, "Kubernetes refuses other ports in the host's network")
		}
	}
	for name, probe := range map[string]*core.Probe{"live": c.LivenessProbe, "ready": c.ReadinessProbe, "start": c.StartupProbe} {
		require.NotNil(t, probe, name)
		assert.True(t, hasPort(pod, probe.HTTPGet.Port.String()), name)
	}
	assert.False(t, c.Resources.Limits.Memory().IsZero())
	assert.False(t, c.Resources.Requests.Cpu().IsZero())
}

func hasPort(pod *core.PodSpec, name string) bool {
	for _, port := range pod.Containers[0].Ports {
		if port.Name == name {
			return true
		}
	}
	return false
}

// TestPodsHaveNoRightsButTheirPort asks the code with which Kubernetes admits pods.
func TestPodsHaveNoRightsButTheirPort(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	require.NoError(t, err)
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	for set, want := range map[string][]string{
		"listen.hostPort=15155": {"hostPort"},
		"listen.hostPort=0":     nil,
		"hostNetwork=true":      {"host namespaces", "hostPort"},
	} {
		t.Run(set, func(t *testing.T) {
			pod := one[*apps.DaemonSet](t, decode(t, mustTemplate(t, "--set", set))).Spec.Template
			assert.False(t, *pod.Spec.AutomountServiceAccountToken, "no key to the cluster")
			var reasons []string
			for _, result := range evaluator.EvaluatePod(restricted, &pod.ObjectMeta, &pod.Spec) {
				if !result.Allowed {
					reasons = append(reasons, result.ForbiddenReason)
				}
			}
			assert.ElementsMatch(t, want, reasons)
		})
	}
}

func ports(rules []network.NetworkPolicyEgressRule) (all []string) {
	for _, rule := range rules {
		for _, p := range rule.Ports {
			all = append(all, fmt.Sprintf("%s/%s", p.Port, *p.Protocol))
		}
	}
	return all
}

func TestPodsReachNothingButTheirDestinations(t *testing.T) {
	objects := decode(t, mustTemplate(t, "--values", chartDir+"/ci/destinations-values.yaml"))
	policy := one[*network.NetworkPolicy](t, objects)
	assert.Equal(t, []string{"53/UDP", "53/TCP", "6514/TCP", "514/UDP", "12201/TCP", "24224/TCP", "24224/UDP"}, ports(policy.Spec.Egress))
	defaults := one[*network.NetworkPolicy](t, decode(t, mustTemplate(t)))
	assert.Equal(t, []string{"53/UDP", "53/TCP"}, ports(defaults.Spec.Egress))
}

func pipeline(t *testing.T, objects []runtime.Object) string {
	t.Helper()
	for _, object := range objects {
		if c, ok := object.(*core.ConfigMap); ok && strings.HasSuffix(c.Name, "-pipeline") {
			return c.Data["pipeline.yaml"]
		}
	}
	t.Fatal("no pipeline")
	return ""
}

func TestTheInputIsAChoice(t *testing.T) {
	for input, place := range map[string]string{"udp": "port: 15155\n", "nano": "listen_on: udp://0.0.0.0:15155\n"} {
		objects := decode(t, mustTemplate(t, "--set", "input="+input))
		args := one[*apps.DaemonSet](t, objects).Spec.Template.Spec.Containers[0].Args
		assert.Contains(t, args, "/usr/lib/fluent-bit-waf/out_waf.so")
		assert.Contains(t, pipeline(t, objects), "name: "+input+"\n")
		assert.Contains(t, pipeline(t, objects), place)
	}
}

func TestMetricsAreServedWhenSomebodyAsks(t *testing.T) {
	for set, want := range map[string]bool{"metrics.enabled=false": false, "metrics.enabled=true": true, "podMonitor.enabled=true": true} {
		objects := decode(t, mustTemplate(t, "--set", set))
		pod := one[*apps.DaemonSet](t, objects).Spec.Template.Spec
		assert.Equal(t, want, hasPort(&pod, "metrics"), set)
		assert.Equal(t, want, strings.Contains(pipeline(t, objects), "metrics_listen: 0.0.0.0:2021\n"), set)
		asked := one[*network.NetworkPolicy](t, objects).Spec.Ingress[1].Ports
		assert.Equal(t, want, len(asked) == 2 && asked[1].Port.IntValue() == 2021, set)
	}
}

func TestAPipelineOfOnesOwnIsATemplate(t *testing.T) {
	objects := decode(t, mustTemplate(t, "--set", "pipeline=service:\n  http_port: {{ .Values.http.port }}\n"))
	assert.Equal(t, "service:\n  http_port: 2020", pipeline(t, objects))
}

func TestANewRuleReplacesPods(t *testing.T) {
	checksum := func(args ...string) string {
		return one[*apps.DaemonSet](t, decode(t, mustTemplate(t, args...))).Spec.Template.Annotations["checksum/config"]
	}
	assert.NotEmpty(t, checksum())
	assert.NotEqual(t, checksum(), checksum("--set", `rules.own\.conf=SecRuleEngine On`))
}
