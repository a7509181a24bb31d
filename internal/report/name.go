package report

import (
	"net/netip"
	"strings"
)

// name is a text that names somebody, as the page shows it. An address breaks only behind the colons of IPv6, other names
// anywhere, so that no text makes the page wider than its screen.
type name struct {
	Parts   []string
	Address bool
}

func nameOf(text string) name {
	_, err := netip.ParseAddr(text)
	if err != nil {
		_, err = netip.ParseAddrPort(text)
	}
	if err != nil {
		return name{Parts: []string{text}}
	}
	return name{strings.SplitAfter(text, ":"), true}
}
