package pipeline

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// identities name services by where they are. A nil one names none.
type identities struct {
	names    map[string]string // by address or host, in lower case
	networks []identifiedNetwork
}

type identifiedNetwork struct {
	netip.Prefix
	name string
}

// readIdentities reads a YAML map of networks, addresses and hosts to names of services, or returns what is wrong with it, with file and line.
func readIdentities(file string) (*identities, []error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, []error{err}
	}
	const want = "expected a map of networks, addresses and hosts to names"
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, []error{fmt.Errorf("%s: %w (%s)", file, err, want)}
	}
	in := &identities{names: map[string]string{}}
	if len(document.Content) == 0 {
		return in, nil
	}
	root := document.Content[0]
	if root.Tag == "!!null" { // comments only
		return in, nil
	}
	if root.Kind != yaml.MappingNode {
		return nil, []error{fmt.Errorf("%s:%d: malformed (%s)", file, root.Line, want)}
	}
	var problems []error
	lines := map[string]int{}
	for i := 0; i+1 < len(root.Content); i += 2 {
		place, name := root.Content[i], root.Content[i+1]
		same, err := in.add(place.Value, name)
		if lines[same] > 0 && err == nil {
			err = fmt.Errorf("%q has a name already, in line %d", place.Value, lines[same])
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s:%d: %w", file, place.Line, err))
		}
		lines[same] = place.Line
	}
	slices.SortFunc(in.networks, func(a, b identifiedNetwork) int { // the smallest first
		if a.Bits() != b.Bits() {
			return b.Bits() - a.Bits()
		}
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.name, b.name))
	})
	return in, problems
}

// add adds a place, and returns how it is looked up. What records cannot have is an error: as a name of a host it would match nothing.
func (in *identities) add(place string, value *yaml.Node) (same string, err error) {
	if value.Kind == yaml.AliasNode {
		value = value.Alias
	}
	name := value.Value
	switch {
	case value.Kind != yaml.ScalarNode:
		return place, fmt.Errorf("the name of %q is no text", place)
	case value.Tag == "!!null" || name == "":
		return place, fmt.Errorf("%q has no name", place)
	}
	network, err := setting.ParseNetwork(place)
	switch {
	case err != nil:
		return place, err
	case !network.IsValid():
		same = strings.ToLower(place)
		in.names[same] = name
		return same, checkHost(place)
	case strings.Contains(place, "/"):
		in.networks = append(in.networks, identifiedNetwork{network, name})
		return network.String(), nil
	}
	same = network.Addr().String()
	in.names[same] = name
	return same, nil
}

func checkHost(host string) error {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return fmt.Errorf("%q has a port (want the host or address alone)", host)
	}
	if host == "" || strings.ContainsAny(host, "*/[] ") {
		return fmt.Errorf("%q is no host (want a network, an address or the name of a host)", host)
	}
	return nil
}

// of returns the name of the service at an address or host, "" when it has none.
func (in *identities) of(place string) string {
	if in == nil || place == "" {
		return ""
	}
	if name, known := in.names[place]; known {
		return name
	}
	address, err := netip.ParseAddr(place)
	if err != nil {
		return in.names[strings.ToLower(place)]
	}
	if address.Is4In6() {
		return in.of(address.Unmap().String())
	}
	for i := range in.networks {
		if in.networks[i].Contains(address) {
			return in.networks[i].name
		}
	}
	return ""
}
