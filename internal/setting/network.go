package setting

import (
	"fmt"
	"net/netip"
	"strings"
)

// mappedBits stand before the IPv4 address in an IPv6 address that maps one.
const mappedBits = 96

// ParseNetwork returns the network, or the address as one, that a text stands for, an invalid one for a name. A text that is written like an
// address or a network and is none is an error: as a name it would match nothing.
func ParseNetwork(text string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(text); err == nil {
		address = address.Unmap()
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	if network, err := netip.ParsePrefix(text); err == nil {
		if address := network.Addr(); address.Is4In6() && network.Bits() >= mappedBits {
			network = netip.PrefixFrom(address.Unmap(), network.Bits()-mappedBits)
		}
		return network.Masked(), nil
	}
	place, _, _ := strings.Cut(text, "/")
	if isLikeAddress(place) {
		return netip.Prefix{}, fmt.Errorf("%q is neither an address nor a network (want one such as 10.2.0.7 or 10.2.0.0/16)", text)
	}
	return netip.Prefix{}, nil
}

// isLikeAddress reports whether a text has the characters of an address and no others. No name of a host is made of digits and dots, or has
// several colons.
func isLikeAddress(text string) bool {
	const digits, hex = "0123456789", "0123456789abcdefABCDEF"
	switch {
	case strings.Count(text, ":") > 1:
		return strings.Trim(text, hex+":.") == ""
	case strings.Contains(text, "."):
		return strings.Trim(text, digits+".") == "" && strings.ContainsAny(text, digits)
	}
	return false
}
