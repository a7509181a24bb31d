package wafprocessor

import (
	"encoding/binary"
	"strings"

	"github.com/tinylib/msgp/msgp"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

// workloadKey is where the filter looks for the workload that logged a record, in the words of Fluent Bit's filter kubernetes.
const workloadKey = "kubernetes"

// workloadNames are these words, by OpenTelemetry's names of resource attributes.
var workloadNames = map[string]string{
	"k8s.namespace.name": "namespace_name", "k8s.pod.name": "pod_name", "k8s.pod.uid": "pod_id", "k8s.pod.ip": "pod_ip",
	"k8s.node.name": "host", "k8s.container.name": "container_name", "container.id": "container_id", "container.image.name": "container_image",
}

// labelPrefixes are how the processor k8sattributes begins the names of labels of pods, now and before.
var labelPrefixes = [...]string{"k8s.pod.label.", "k8s.pod.labels."}

// workloadOf returns the workload that a resource describes as a map of msgpack, nil when it describes none.
func workloadOf(resource pcommon.Resource) []byte {
	b := append([]byte(nil), 0xdf, 0, 0, 0, 0) // a map whose size is filled in below
	size, labels, labeled := uint32(0), []byte(nil), uint32(0)
	for name, value := range resource.Attributes().All() {
		if value.Type() != pcommon.ValueTypeStr {
			continue
		}
		if word := workloadNames[name]; word != "" {
			b, size = msgp.AppendString(msgp.AppendString(b, word), value.Str()), size+1
		} else if label := labelOf(name); label != "" {
			labels, labeled = msgp.AppendString(msgp.AppendString(labels, label), value.Str()), labeled+1
		}
	}
	if labeled > 0 {
		b, size = append(msgp.AppendMapHeader(msgp.AppendString(b, "labels"), labeled), labels...), size+1
	}
	if size == 0 {
		return nil
	}
	binary.BigEndian.PutUint32(b[1:], size)
	return b
}

func labelOf(name string) string {
	for _, prefix := range labelPrefixes {
		if label, is := strings.CutPrefix(name, prefix); is {
			return label
		}
	}
	return ""
}
