package chart

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/strvals"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	network "k8s.io/api/networking/v1"
	disruption "k8s.io/api/policy/v1"
	rbac "k8s.io/api/rbac/v1"
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
	pod, selector := workload(t, objects)
	checkReferences(t, &pod.Spec, kinds)
	checkPorts(t, &pod.Spec)

	selects := func(selector *meta.LabelSelector) bool {
		s, err := meta.LabelSelectorAsSelector(selector)
		return err == nil && !s.Empty() && s.Matches(labels.Set(pod.Labels))
	}
	assert.True(t, selects(selector), "the workload selects its own pods")
	checkServices(t, objects, pod)
	if b := one[*disruption.PodDisruptionBudget](t, objects); b != nil {
		assert.True(t, selects(b.Spec.Selector), "the PodDisruptionBudget is about the pods")
	}
	if a := one[*autoscaling.HorizontalPodAutoscaler](t, objects); a != nil {
		assert.True(t, kinds[a.Spec.ScaleTargetRef.Kind+"/"+a.Spec.ScaleTargetRef.Name], "the autoscaler is about the Deployment")
		assert.Nil(t, one[*apps.Deployment](t, objects).Spec.Replicas, "an upgrade does not undo what the autoscaler has done")
	}
	if b := one[*rbac.ClusterRoleBinding](t, objects); b != nil {
		assert.True(t, kinds["ClusterRole/"+b.RoleRef.Name])
		assert.Equal(t, []rbac.Subject{{Kind: "ServiceAccount", Name: pod.Spec.ServiceAccountName, Namespace: release}}, b.Subjects)
	}
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

// workload returns the pods of the chart's only DaemonSet or Deployment, and what selects them.
func workload(t *testing.T, objects []runtime.Object) (*core.PodTemplateSpec, *meta.LabelSelector) {
	t.Helper()
	set, deployment := one[*apps.DaemonSet](t, objects), one[*apps.Deployment](t, objects)
	require.NotEqual(t, set == nil, deployment == nil, "one of both")
	if set != nil {
		return &set.Spec.Template, set.Spec.Selector
	}
	return &deployment.Spec.Template, deployment.Spec.Selector
}

// checkServices checks that services lead to ports of the pods, and that nothing takes the pod of the test for one of them.
func checkServices(t *testing.T, objects []runtime.Object, pod *core.PodTemplateSpec) {
	t.Helper()
	test := one[*core.Pod](t, objects)
	for _, object := range objects {
		service, ok := object.(*core.Service)
		if !ok {
			continue
		}
		selector := labels.SelectorFromSet(service.Spec.Selector)
		assert.True(t, selector.Matches(labels.Set(pod.Labels)), service.Name)
		if test != nil {
			assert.False(t, selector.Matches(labels.Set(test.Labels)), service.Name)
		}
		for _, port := range service.Spec.Ports {
			assert.True(t, hasPort(&pod.Spec, port.TargetPort.String()), port.Name)
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
	switch object.(type) {
	case *core.Namespace, *rbac.ClusterRole, *rbac.ClusterRoleBinding:
	default:
		assert.Equal(t, release, o.GetNamespace(), id)
	}
	for key, value := range o.GetLabels() {
		assert.Empty(t, validation.IsQualifiedName(key), id)
		assert.Empty(t, validation.IsValidLabelValue(value), id)
	}
}

// notOfTheChart are ConfigMaps that values of ci/ refer to.
var notOfTheChart = []string{"pipelines"}

// checkReferences checks that what the pod mounts is a volume of it, and that what volumes name is in the chart, secrets apart.
func checkReferences(t *testing.T, pod *core.PodSpec, kinds map[string]bool) {
	t.Helper()
	volumes := map[string]bool{}
	for _, v := range pod.Volumes {
		volumes[v.Name] = true
		if v.ConfigMap != nil && !slices.Contains(notOfTheChart, v.ConfigMap.Name) {
			assert.True(t, kinds["ConfigMap/"+v.ConfigMap.Name], v.ConfigMap.Name)
		}
	}
	mounted := map[string]bool{}
	for _, container := range slices.Concat(pod.InitContainers, pod.Containers) {
		for _, mount := range container.VolumeMounts {
			assert.True(t, volumes[mount.Name], mount.Name)
			mounted[mount.Name] = true
		}
	}
	assert.Equal(t, volumes, mounted, "volumes that nobody mounts")
	for _, mount := range pod.Containers[0].VolumeMounts {
		assert.Equal(t, mount.Name != "positions", mount.ReadOnly, "what Fluent Bit writes: %s", mount.Name)
	}
}

func checkPorts(t *testing.T, pod *core.PodSpec) {
	t.Helper()
	c := pod.Containers[0]
	names := map[string]bool{}
	for _, port := range c.Ports {
		assert.Empty(t, validation.IsValidPortName(port.Name))
		assert.False(t, names[port.Name], "%s twice", port.Name)
		names[port.Name] = true
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
		"mode=logs":             {"restricted volume types", "runAsNonRoot != true", "runAsUser=0"},
		"mode=gateway":          nil,
	} {
		t.Run(set, func(t *testing.T) {
			objects := decode(t, mustTemplate(t, "--set", set))
			pod, _ := workload(t, objects)
			assert.Equal(t, set == "mode=logs", *pod.Spec.AutomountServiceAccountToken, "a key to the cluster")
			assert.ElementsMatch(t, want, refusals(evaluator, restricted, &pod.ObjectMeta, &pod.Spec))
			test := one[*core.Pod](t, objects)
			assert.Empty(t, refusals(evaluator, restricted, &test.ObjectMeta, &test.Spec))
		})
	}
}

func refusals(evaluator policy.Evaluator, level api.LevelVersion, about *meta.ObjectMeta, pod *core.PodSpec) (reasons []string) {
	for _, result := range evaluator.EvaluatePod(level, about, pod) {
		if !result.Allowed {
			reasons = append(reasons, result.ForbiddenReason)
		}
	}
	return reasons
}

// TestNotesNameTheLabelWhereItIsNeeded renders what Helm prints after an installation.
func TestNotesNameTheLabelWhereItIsNeeded(t *testing.T) {
	loaded, err := loader.Load(chartDir)
	require.NoError(t, err)
	for set, want := range map[string]string{
		"mode=nano": "use ports of the node", "mode=logs": "use folders of the node", "mode=gateway": "", "listen.hostPort=0": "",
	} {
		values, err := strvals.Parse(set)
		require.NoError(t, err)
		all, err := chartutil.ToRenderValues(loaded, values, chartutil.ReleaseOptions{Name: release, Namespace: release}, nil)
		require.NoError(t, err)
		files, err := engine.Render(loaded, all)
		require.NoError(t, err)
		notes := files["fluent-bit-waf/templates/NOTES.txt"]
		require.Contains(t, notes, "Alerts go to stdout.")
		const label = "kubectl label namespace fluent-bit-waf pod-security.kubernetes.io/enforce=privileged"
		assert.Equal(t, want != "", strings.Contains(notes, label), notes)
		assert.Contains(t, notes, want)
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

// TestPropertiesKeepTheirSpelling: YAML makes booleans of the words on and off, and Helm floating-point numbers of all numbers.
func TestPropertiesKeepTheirSpelling(t *testing.T) {
	file := filepath.Join(t.TempDir(), "values.yaml")
	require.NoError(t, os.WriteFile(file, []byte(`
properties: {rule_packs: off, modsec_req_body_limit: 13107200, anomaly_inbound: 7, alert_key: "off"}
outputProperties: {retry_limit: 10}
inputProperties: {queue_limit: 67108864}
destinations: {gelf: [{host: graylog.example, options: {max: 1048576}}]}
`), 0o600))
	text := pipeline(t, decode(t, mustTemplate(t, "--values", file)))
	for _, want := range []string{
		`rule_packs: "off"`, `modsec_req_body_limit: "13107200"`, `anomaly_inbound: "7"`, `alert_key: "off"`, `retry_limit: "10"`,
		`queue_limit: "67108864"`, "gelf+udp://graylog.example:12201?max=1048576",
	} {
		assert.Contains(t, text, want)
	}
}

// An aggregator is a gateway with one pod; other pods send it digests, and alerts to their destinations.
func TestIncidentsAreFoundByPodsOrByAnAggregator(t *testing.T) {
	text := pipeline(t, decode(t, mustTemplate(t)))
	assert.NotContains(t, text, "incidents")
	text = pipeline(t, decode(t, mustTemplate(t, "--set", "mode=gateway,gateway.replicas=1,incidents.enabled=true")))
	assert.Contains(t, text, "incidents: \"on\"\n")
	assert.NotContains(t, text, "digest")
	objects := decode(t, mustTemplate(t, "--set", "incidents.aggregator=aggregator.waf:24224"))
	assert.Contains(t, pipeline(t, objects), "alert_to: stdout,forward://aggregator.waf:24224?tag=digest&only=digests\n")
	assert.Contains(t, pipeline(t, objects), "incident_digest_tag: digest\n    incidents: \"on\"\n")
	assert.Contains(t, ports(one[*network.NetworkPolicy](t, objects).Spec.Egress), "24224/TCP")
}

func TestLogsOfTheOwnPodsAreNotRead(t *testing.T) {
	text := pipeline(t, decode(t, mustTemplate(t, "--set", "mode=logs,logs.exclude=/var/log/containers/x-*.log")))
	assert.Contains(t, text, "exclude_path: /var/log/containers/fluent-bit-waf-*_fluent-bit-waf_*.log,/var/log/containers/x-*.log\n")
	assert.Contains(t, text, "emit_format: ecs\n")
	assert.Contains(t, pipeline(t, decode(t, mustTemplate(t, "--set", "mode=logs,properties.emit_format=cef"))), "emit_format: cef\n")
}

func TestSpreadConstraintsAreAboutThePods(t *testing.T) {
	for values, want := range map[string]map[string]string{
		"gateway": {"app.kubernetes.io/name": release, "app.kubernetes.io/instance": release}, "extras": {"app": "own"},
	} {
		pod, _ := workload(t, decode(t, mustTemplate(t, "--values", chartDir+"/ci/"+values+"-values.yaml")))
		assert.Equal(t, want, pod.Spec.TopologySpreadConstraints[0].LabelSelector.MatchLabels, values)
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
