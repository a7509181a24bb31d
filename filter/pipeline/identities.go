package pipeline

import (
	"cmp"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
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

// readIdentities reads a YAML map of networks, addresses and hosts to names of services.
func readIdentities(file string) (*identities, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var all map[string]string
	if err := yaml.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("%s: %w (expected a map of networks, addresses and hosts to names)", file, err)
	}
	in := &identities{names: map[string]string{}}
	for place, name := range all {
		if name == "" {
			return nil, fmt.Errorf("%s: %q has no name", file, place)
		}
		if network, err := netip.ParsePrefix(place); err == nil {
			in.networks = append(in.networks, identifiedNetwork{network.Masked(), name})
			continue
		}
		if address, err := netip.ParseAddr(place); err == nil {
			place = address.Unmap().String()
		}
		in.names[strings.ToLower(place)] = name
	}
	slices.SortFunc(in.networks, func(a, b identifiedNetwork) int { // the smallest first
		if a.Bits() != b.Bits() {
			return b.Bits() - a.Bits()
		}
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.name, b.name))
	})
	return in, nil
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
