package chart

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	network "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// ScaledObject has the fields of KEDA's kind that the chart uses.
type ScaledObject struct {
	meta.TypeMeta   `json:",inline"`
	meta.ObjectMeta `json:"metadata,omitempty"`

	Spec struct {
		ScaleTargetRef struct {
			Name string `json:"name"`
		} `json:"scaleTargetRef"`
		MinReplicaCount int `json:"minReplicaCount"`
		MaxReplicaCount int `json:"maxReplicaCount"`
		CooldownPeriod  int `json:"cooldownPeriod"`
		Triggers        []struct {
			Type              string            `json:"type"`
			Metadata          map[string]string `json:"metadata"` // text only, as KEDA wants it
			AuthenticationRef *struct {
				Name string `json:"name"`
			} `json:"authenticationRef,omitempty"`
		} `json:"triggers"`
	} `json:"spec"`
}

// DeepCopyObject implements runtime.Object. Tests change no copies.
func (s *ScaledObject) DeepCopyObject() runtime.Object {
	c := *s
	return &c
}

// addKEDA has strict decoders know KEDA's kind.
func addKEDA(types *runtime.Scheme) {
	types.AddKnownTypeWithName(schema.GroupVersionKind{Group: "keda.sh", Version: "v1alpha1", Kind: "ScaledObject"}, &ScaledObject{})
}

func TestMembersOfAConsumerGroupRunInPlaceOfFluentBit(t *testing.T) {
	objects := decode(t, mustTemplate(t, "--values", chartDir+"/ci/kafka-values.yaml"))
	deployment := one[*apps.Deployment](t, objects)
	container := deployment.Spec.Template.Spec.Containers[0]
	require.Equal(t, []string{"/usr/bin/wafctl", "run"}, container.Command)
	require.Equal(t, []string{
		"--listen=kafka+tls://kafka-0.kafka:9093,kafka-1.kafka:9093/records?group=waf&ca=/etc/fluent-bit-waf/tls/ca.crt" +
			"&password_file=/etc/fluent-bit-waf/tls/password&sasl=scram-sha-512&user=waf",
		"--alert-to=kafka+tls://kafka-0.kafka:9093/alerts?ca=/etc/fluent-bit-waf/tls/ca.crt&sasl=scram-sha-512&user=waf" +
			"&password-file=/etc/fluent-bit-waf/tls/password",
		"--metrics-listen=0.0.0.0:2020", "--blocking-paranoia=2", "--emit-format=ecs",
	}, container.Args)
	for _, probe := range []*core.Probe{container.StartupProbe, container.LivenessProbe, container.ReadinessProbe} {
		require.Equal(t, "/metrics", probe.HTTPGet.Path)
	}
	require.Nil(t, deployment.Spec.Replicas, "an upgrade does not undo what KEDA has done")
	for _, object := range objects {
		if service, is := object.(*core.Service); is {
			require.True(t, strings.HasSuffix(service.Name, "-test"), "nobody connects to a member")
		}
	}
	egress := one[*network.NetworkPolicy](t, objects).Spec.Egress
	require.Equal(t, int32(9093), egress[len(egress)-1].Ports[0].Port.IntVal)
	require.Len(t, egress[len(egress)-1].Ports, 1)
}

func TestKEDAScalesMembersByLag(t *testing.T) {
	objects := decode(t, mustTemplate(t, "--values", chartDir+"/ci/kafka-values.yaml"))
	scaled := one[*ScaledObject](t, objects)
	require.Equal(t, one[*apps.Deployment](t, objects).Name, scaled.Spec.ScaleTargetRef.Name)
	require.Equal(t, 1, scaled.Spec.MinReplicaCount)
	require.Equal(t, 8, scaled.Spec.MaxReplicaCount)
	require.Len(t, scaled.Spec.Triggers, 1)
	trigger := scaled.Spec.Triggers[0]
	require.Equal(t, "kafka", trigger.Type)
	require.Equal(t, map[string]string{
		"bootstrapServers": "kafka-0.kafka:9093,kafka-1.kafka:9093", "topic": "records", "consumerGroup": "waf", "lagThreshold": "10000",
		"offsetResetPolicy": "earliest", "tls": "enable", "sasl": "scram_sha512",
	}, trigger.Metadata)
	require.Equal(t, "kafka", trigger.AuthenticationRef.Name)

	plain := []string{"--set", "mode=gateway", "--set", "gateway.kafka.brokers={kafka:9092}"}
	objects = decode(t, mustTemplate(t, plain...))
	require.Nil(t, one[*ScaledObject](t, objects))
	require.Equal(t, int32(2), *one[*apps.Deployment](t, objects).Spec.Replicas)
	_, err := template(t, append(plain, "--set", "gateway.kafka.keda.enabled=true", "--set", "gateway.autoscaling.enabled=true")...)
	require.ErrorContains(t, err, "gateway.kafka.keda takes the place of gateway.autoscaling")
	_, err = template(t, append(plain, "--set", "gateway.kafka.keda.enabled=true", "--set", "incidents.enabled=true", "--set", "gateway.replicas=1")...)
	require.ErrorContains(t, err, "one pod finds the incidents of all records")
	_, err = template(t, "--set", "mode=gateway", "--set", "gateway.kafka.brokers={kafka}")
	require.ErrorContains(t, err, "gateway/kafka/brokers")
}

func TestMembersSendDigestsToATopicThatOnePodReads(t *testing.T) {
	plain := []string{"--set", "mode=gateway", "--set", "gateway.kafka.brokers={kafka:9092}"}
	args := func(more ...string) []string {
		objects := decode(t, mustTemplate(t, append(plain, more...)...))
		return one[*apps.Deployment](t, objects).Spec.Template.Spec.Containers[0].Args
	}
	members := args("--set", "incidents.aggregator=kafka://kafka:9092/digests")
	require.Contains(t, members, "--alert-to=stdout,kafka://kafka:9092/digests?only=digests")
	require.Subset(t, members, []string{"--incidents=on", "--incident-digest-tag=digest"})
	require.Contains(t, args("--set", "incidents.aggregator=kafka+tls://kafka:9092/digests?sasl=plain"), "--alert-to=stdout,kafka+tls://kafka:9092/digests?sasl=plain&only=digests")
	aggregator := args("--set", "gateway.kafka.topic=digests", "--set", "gateway.kafka.group=incidents", "--set", "incidents.enabled=true", "--set", "gateway.replicas=1")
	require.Subset(t, aggregator, []string{"--listen=kafka://kafka:9092/digests?group=incidents", "--incidents=on"})
	objects := decode(t, mustTemplate(t, append(plain, "--set", "incidents.enabled=true", "--set", "gateway.replicas=1")...))
	require.Equal(t, apps.RecreateDeploymentStrategyType, one[*apps.Deployment](t, objects).Spec.Strategy.Type, "two do not overlap")
	_, err := template(t, "--set", "incidents.aggregator=kafka://kafka:9092/digests")
	require.ErrorContains(t, err, "only members of a consumer group send digests to a topic")
}
