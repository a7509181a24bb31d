package alert

import (
	"slices"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/redact"
)

// Place is the workload that logged the record, from the map "kubernetes" that Fluent Bit's filter of that name adds.
type Place struct {
	Pod, PodID, PodIP      string
	Namespace, Node        string
	Container, ContainerID string
	Image                  string
	Labels                 []Pair // sorted by name
}

// Pair is a name and its value.
type Pair struct{ Name, Value string }

// maxLabels bounds how many labels an alert tells.
const maxLabels = 64

// networkKeys are the keys under which Nano's probes log what they see of the network, and their names in alerts.
var networkKeys = map[string]string{
	"NIC": "nic", "CARD": "card", "CARD_IP": "card_ip", "SRC_NET_DELAY": "src_net_delay", "DST_NET_DELAY": "dst_net_delay",
	"NET_DELAY": "net_delay", "HTTP_RESPONSE": "http_response", "PAGELOAD": "pageload", "RST_PKTS": "rst_pkts",
	"RETRANS_PKTS": "retrans_pkts", "BYTES": "bytes", "L4_PROTOCOL": "l4_protocol",
}

// readPlace reads from a record what field maps do not: where it was logged, and what the network was like.
func (a *Alert) readPlace(body []byte, secrets *redact.Pass) {
	pairs, _ := record.ReadMap(body)
	for pairs.Next() {
		if pairs.Key == "kubernetes" {
			a.Place.read(pairs.Value, secrets)
			continue
		}
		key := strings.TrimPrefix(pairs.Key, "_") // GELF puts an underscore before each
		name, known := networkKeys[key]
		if !known {
			continue
		}
		if text, isText := record.Text(pairs.Value); isText && text != "" {
			if a.Network == nil {
				a.Network = make([]Pair, 0, len(networkKeys))
			}
			a.Network = append(a.Network, Pair{name, strings.Clone(secrets.Text(text))})
		}
	}
	slices.SortStableFunc(a.Network, func(x, y Pair) int { return strings.Compare(x.Name, y.Name) })
}

func (p *Place) read(value []byte, secrets *redact.Pass) {
	fields := map[string]*string{
		"pod_name": &p.Pod, "pod_id": &p.PodID, "pod_ip": &p.PodIP, "namespace_name": &p.Namespace, "host": &p.Node,
		"container_name": &p.Container, "docker_id": &p.ContainerID, "container_id": &p.ContainerID, "container_image": &p.Image,
	}
	pairs, _ := record.ReadMap(value)
	for pairs.Next() {
		if pairs.Key == "labels" {
			p.readLabels(pairs.Value, secrets)
		}
		field, known := fields[pairs.Key]
		if text, isText := record.Text(pairs.Value); known && isText {
			*field = strings.Clone(secrets.Text(text))
		}
	}
}

func (p *Place) readLabels(value []byte, secrets *redact.Pass) {
	pairs, _ := record.ReadMap(value)
	for pairs.Next() && len(p.Labels) < maxLabels {
		if text, isText := record.Text(pairs.Value); isText && pairs.IsKey {
			p.Labels = append(p.Labels, Pair{strings.Clone(pairs.Key), strings.Clone(secrets.Field(pairs.Key, text))})
		}
	}
	slices.SortStableFunc(p.Labels, func(x, y Pair) int { return strings.Compare(x.Name, y.Name) })
}

// labels returns the labels as name=value.
func (p *Place) labels() []string {
	all := make([]string, len(p.Labels))
	for i, l := range p.Labels {
		all[i] = l.Name + "=" + l.Value
	}
	return all
}

// network returns what the source says of the network under a name, "" when nothing.
func (a *Alert) network(name string) string {
	for _, n := range a.Network {
		if n.Name == name {
			return n.Value
		}
	}
	return ""
}
