package chart

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	network "k8s.io/api/networking/v1"
	disruption "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// serviceOf returns the Service that the release is named after.
func serviceOf(t *testing.T, objects []runtime.Object) *core.Service {
	t.Helper()
	for _, object := range objects {
		if s, is := object.(*core.Service); is && s.Name == release {
			return s
		}
	}
	t.Fatal("no Service")
	return nil
}

func TestAProxyStandsInFrontOfAService(t *testing.T) {
	objects := decode(t, mustTemplate(t, "--set", "mode=proxy,proxy.backend=http://shop.shop:3000,proxy.settings.engine=detect"))
	pod := one[*apps.Deployment](t, objects).Spec.Template.Spec
	container := pod.Containers[0]
	require.Equal(t, []string{"/usr/bin/wafctl"}, container.Command)
	require.Equal(t, []string{
		"proxy", "--alert-to=stdout", "--backend=http://shop.shop:3000", "--engine=detect", "--health-listen=:2020", "--listen=:8080", "--shutdown-timeout=15s",
		"--trusted-proxies=none",
	}, container.Args)
	require.Equal(t, "/readyz", container.ReadinessProbe.HTTPGet.Path)
	require.Equal(t, "/healthz", container.LivenessProbe.HTTPGet.Path)
	service := serviceOf(t, objects)
	require.Len(t, service.Spec.Ports, 1)
	require.EqualValues(t, 80, service.Spec.Ports[0].Port)
	require.Nil(t, service.Spec.Ports[0].AppProtocol, "gateways speak HTTP/1.1 with it unless told otherwise")
	require.NotNil(t, one[*disruption.PodDisruptionBudget](t, objects))
	for url, port := range map[string]int32{
		"http://shop:3000": 3000, "http://shop": 80, "https://shop": 443, "h2c://shop:50051": 50051, "http://[2001:db8::1]:81": 81, "http://[2001:db8::1]": 80,
	} {
		policy := one[*network.NetworkPolicy](t, decode(t, mustTemplate(t, "--set", "mode=proxy", "--set-string", "proxy.backend="+url)))
		require.Equal(t, port, policy.Spec.Egress[1].Ports[0].Port.IntVal, url)
	}
}

func TestAProxyWithoutABackendOrACertificateIsRefused(t *testing.T) {
	for set, want := range map[string]string{
		"mode=proxy": "proxy.backend: missing",
		"mode=proxy,proxy.backend=http://shop,proxy.tlsPort=8443": "proxy.tlsPort needs tls.secret",
		"mode=proxy,proxy.backend=shop:80":                        "at '/proxy/backend'",
		"mode=proxy,proxy.backend=http://shop/x":                  "at '/proxy/backend'",
		"mode=proxy,proxy.backend=http://shop,proxy.tlsPort=443":  "at '/proxy/tlsPort'",
	} {
		_, err := template(t, "--set", set)
		require.ErrorContains(t, err, want)
	}
}

// The example of a sidecar is what Kubernetes takes, and its Service leads to the proxy.
func TestTheSidecarIsInFrontOfItsApplication(t *testing.T) {
	text, err := os.ReadFile("../../../conf/proxy/sidecar.yaml")
	require.NoError(t, err)
	objects := decode(t, string(text))
	pod := one[*apps.Deployment](t, objects).Spec.Template
	sidecar := pod.Spec.InitContainers[0]
	require.Equal(t, core.ContainerRestartPolicyAlways, *sidecar.RestartPolicy)
	service := one[*core.Service](t, objects)
	require.Equal(t, pod.Labels, service.Spec.Selector)
	require.Equal(t, sidecar.Ports[0].Name, service.Spec.Ports[0].TargetPort.StrVal)
	require.Equal(t, pod.Spec.Volumes[0].Name, sidecar.VolumeMounts[0].Name)
}

func TestAProxyWithTLSHasItsCertificate(t *testing.T) {
	objects := decode(t, mustTemplate(t, "--set", "mode=proxy,proxy.backend=http://shop,proxy.tlsPort=8443,tls.secret=shop-tls"))
	container := one[*apps.Deployment](t, objects).Spec.Template.Spec.Containers[0]
	require.Contains(t, strings.Join(container.Args, " "), "--tls-cert=/etc/fluent-bit-waf/tls/tls.crt --tls-key=/etc/fluent-bit-waf/tls/tls.key --tls-listen=:8443")
	ports := serviceOf(t, objects).Spec.Ports
	require.EqualValues(t, 443, ports[1].Port)
	require.Equal(t, "tls", ports[1].TargetPort.StrVal)
}
