package pipeline

import (
	"strconv"
	"strings"

	"github.com/tinylib/msgp/msgp"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/fieldmap"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
)

// contextFields are fields that no field map reads and incidents need: who asked, on which trace, and the workload that answered.
type contextFields struct {
	user, trace           string
	bytes                 int64
	namespace, pod, podIP string
	app                   string // a label with the name of the workload
}

// contextOf reads them from the top level of a record, and of the one that stands inside it.
func contextOf(it *item, values *fieldmap.Values) (c contextFields) {
	c.read(it.event.Body)
	if inside := values.Inside().Body; inside != nil {
		c.read(inside)
	}
	return c
}

func (c *contextFields) read(body []byte) {
	pairs, _ := record.ReadMap(body)
	for pairs.Next() {
		switch pairs.Key {
		case "remote_user", "user", "username", "user_name", "userid", "user_id", "cs-username", "ClientUsername":
			if text, isText := record.Text(pairs.Value); isText && text != "-" && text != "" {
				c.user = text
			}
		case "body_bytes_sent", "bytes_sent", "bytes", "size", "sc-bytes", "response_size", "resp_bytes", "bytes_out",
			"DownstreamContentSize", "sent_bytes", "bytes_read", "EdgeResponseBytes", "responseBytes", "sentBytes", "response_body_len":
			if n := number(pairs.Value); n > 0 {
				c.bytes = n
			}
		case "trace_id", "traceid", "request_id", "req_id":
			if text, isText := record.Text(pairs.Value); isText && len(text) >= 8 {
				c.trace = text
			}
		case "kubernetes":
			c.readPod(pairs.Value)
		}
	}
}

// number returns a value as a number, 0 when it is none.
func number(value []byte) int64 {
	if text, isText := record.Text(value); isText {
		n, _ := strconv.ParseInt(text, 10, 64) // 0 is what is wanted of other texts
		return n
	}
	switch msgp.NextType(value) {
	case msgp.IntType, msgp.UintType:
		n, _, _ := msgp.ReadInt64Bytes(value)
		return n
	case msgp.Float32Type, msgp.Float64Type:
		n, _, _ := msgp.ReadFloat64Bytes(value)
		return int64(min(max(n, 0), 1<<50))
	}
	return 0
}

func (c *contextFields) readPod(value []byte) {
	pairs, _ := record.ReadMap(value)
	for pairs.Next() {
		text, _ := record.Text(pairs.Value)
		switch pairs.Key {
		case "namespace_name":
			c.namespace = text
		case "pod_name":
			c.pod = text
		case "pod_ip":
			c.podIP = text
		case "labels":
			labels, _ := record.ReadMap(pairs.Value)
			for labels.Next() {
				if name, _ := record.Text(labels.Value); labels.Key == "app.kubernetes.io/name" || labels.Key == "app" && c.app == "" {
					c.app = name
				}
			}
		}
	}
}

// workload returns namespace and name of the workload that logged a record, "" when it does not say it.
func (c *contextFields) workload() string {
	name := c.app
	if name == "" {
		name = workloadOf(c.pod)
	}
	if name == "" || c.namespace == "" {
		return name
	}
	return c.namespace + "/" + name
}

// workloadOf returns the name of the workload that made a pod: without what Deployments, DaemonSets and StatefulSets put behind it.
func workloadOf(pod string) string {
	at := strings.LastIndexByte(pod, '-')
	if at <= 0 {
		return pod
	}
	last := pod[at+1:]
	if _, err := strconv.Atoi(last); err == nil && len(last) < 4 { // of a StatefulSet
		return pod[:at]
	}
	if len(last) != 5 {
		return pod
	}
	pod = pod[:at]
	if at = strings.LastIndexByte(pod, '-'); at > 0 && isHash(pod[at+1:]) { // of the ReplicaSet
		return pod[:at]
	}
	return pod
}

// isHash reports whether a text is a hash as Kubernetes writes it: up to ten of these letters and digits.
func isHash(text string) bool {
	return len(text) >= 5 && len(text) <= 10 && strings.Trim(text, "bcdfghjklmnpqrstvwxz2456789") == ""
}
