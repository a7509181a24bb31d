package fieldmap

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// privateNetworks are those that no client on the Internet has an address of: private ones (RFC 1918, 4193), shared ones
// (RFC 6598), link-local ones and loopback.
var privateNetworks = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
	sharedNetwork, netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("fc00::/7"), netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("::1/128"),
}

// Proxies are the networks of proxies whose word is taken on where a request came from.
type Proxies []netip.Prefix

// ParseProxies reads networks and addresses between commas or spaces; private stands for all private networks, none for no
// proxy at all. The error names what is neither.
func ParseProxies(text string) (trusted Proxies, err error) {
	for word := range strings.FieldsFuncSeq(text, func(c rune) bool { return c == ',' || c == ' ' }) {
		switch word {
		case "private":
			trusted = append(trusted, privateNetworks...)
			continue
		case "none":
			continue
		}
		network, err := netip.ParsePrefix(word)
		if err != nil {
			one, err := netip.ParseAddr(word)
			if err != nil {
				return nil, fmt.Errorf("malformed network %q (want private, none, networks such as 203.0.113.0/24, or addresses)", word)
			}
			network = netip.PrefixFrom(one, one.BitLen())
		}
		trusted = append(trusted, network.Masked())
	}
	return trusted, nil
}

func (p Proxies) has(ip string) bool {
	address, err := netip.ParseAddr(ip)
	if err != nil {
		return false
	}
	address = address.Unmap()
	for _, network := range p {
		if network.Contains(address) {
			return true
		}
	}
	return false
}

// client returns the client that a forwarding list tells: from the right, the first address that is not that of a trusted proxy,
// as nginx's module realip chooses it. Where all are trusted, that is the last one that could be read.
func (p Proxies) client(list string) (ip, port string) {
	for list != "" {
		at := strings.LastIndexAny(list, ", \t")
		node, number, isNode := forwardedNode(list[at+1:])
		switch {
		case !isNode:
		case node == "":
			return ip, port
		case !p.has(node):
			return node, number
		default:
			ip, port = node, number
		}
		list = list[:max(at, 0)]
	}
	return ip, port
}

// Resolve returns the address of the client behind a peer: where the peer is a trusted proxy, what it reports in a list such as
// X-Forwarded-For, and else its own.
func (p Proxies) Resolve(peer, list string) (ip string) {
	if !p.has(peer) {
		return peer
	}
	ip, _ = p.client(list)
	return cmp.Or(ip, peer)
}

// Trusts reports whether an address belongs to a trusted proxy.
func (p Proxies) Trusts(ip string) bool { return p.has(ip) }

// isList reports whether a text has more than one address, or one with a name before it.
func isList(text string) bool {
	return strings.IndexByte(text, ',') >= 0 || strings.IndexByte(text, '=') >= 0 || strings.IndexByte(strings.TrimSpace(text), ' ') >= 0
}

// forwardedNode reads one element of a forwarding list: an address, or the pairs of RFC 7239 with one in for=. It reports false
// for an element that names no node; the address of a node that is not told is "".
func forwardedNode(element string) (ip, port string, isNode bool) {
	if strings.IndexByte(element, '=') < 0 {
		isNode = element != ""
		ip, port = readAddress(element, false)
	}
	for pair := range strings.SplitSeq(element, ";") {
		if name, node, _ := strings.Cut(pair, "="); strings.EqualFold(name, "for") {
			isNode = true
			ip, port = readAddress(node, false)
		}
	}
	if _, err := netip.ParseAddr(ip); err != nil {
		return "", "", isNode
	}
	return ip, port, isNode
}

// forwardingHeaders name the client, the most reliable first.
var forwardingHeaders = []string{"X-Forwarded-For", "Forwarded", "X-Real-IP", "True-Client-IP", "CF-Connecting-IP"}

// maxForwarded bounds the addresses taken of one record; a list is as long as the client likes.
const maxForwarded = 32

// Forwarded returns the client's address that proxies report and all addresses of the list that has it, in the order of the list.
// Where the record has no field for that, the request headers tell it. A text that tells no address is returned as it is.
func (v *Values) Forwarded(t *rules.Transaction) (client string, all []string) {
	list := v.texts[Forward]
	if client, all = v.proxies.chain(list); len(all) > 0 {
		return client, all
	}
	for _, name := range forwardingHeaders {
		var values []string
		for i := range t.RequestHeaders {
			if isNamed(&t.RequestHeaders[i], name) {
				values = append(values, t.RequestHeaders[i].Value)
			}
		}
		values = values[max(0, len(values)-maxForwarded):] // proxies append
		if client, all = v.proxies.chain(strings.Join(values, ",")); len(all) > 0 {
			return client, all
		}
	}
	return list, nil
}

func (p Proxies) chain(list string) (client string, all []string) {
	for element := range strings.FieldsFuncSeq(list, func(c rune) bool { return c == ',' || c == ' ' || c == '\t' }) {
		ip, _, _ := forwardedNode(element)
		if address, err := netip.ParseAddr(ip); err == nil && !address.IsUnspecified() {
			all = append(all, ip)
		}
	}
	all = all[max(0, len(all)-maxForwarded):]
	client, _ = p.client(list)
	return client, all
}

// takeAddress stores what a source logs as one end of a connection. What tells no address is empty, so that another key counts. A
// port beside the address is that of the address, whatever other keys say.
func (v *Values) takeAddress(a *action, text string, alwaysPort bool) {
	port, proxies := ServerPort, Proxies(nil) // of the servers that were tried, the last has answered
	if a.field == ClientIP {
		port, proxies = ClientPort, v.proxies
	}
	if alwaysPort && portNumber(text) != "" { // the source has put the two into keys of their own
		v.set(port, text, a.rank)
		return
	}
	var ip, number string
	switch {
	case text == "", isIPv4(text):
		ip = text
	case isList(text):
		ip, number = proxies.client(text)
	default:
		ip, number = readAddress(text, alwaysPort)
	}
	if v.set(a.field, ip, a.rank); ip != "" && v.ranks[a.field] == a.rank {
		v.ownPorts[side(a.field)] = number
	}
}

// finishPort chooses the port of an address. Where the keys of both come in pairs, only the other half of the pair counts.
func (v *Values) finishPort(address, port Field) {
	switch own := v.ownPorts[side(address)]; {
	case own != "":
		v.texts[port] = own
		v.given |= 1 << port
	case v.texts[address] != "" && v.texts[port] != "" && v.source.pairedPorts&(1<<port) != 0 && v.ranks[address] != v.ranks[port]:
		v.texts[port] = ""
	}
}

// Client returns the address of the client of a transaction that was read from the values: where the connection came from a trusted
// proxy, the one that this reports.
func (v *Values) Client(t *rules.Transaction) string {
	ip := v.texts[ClientIP]
	if !v.proxies.has(ip) {
		return ip
	}
	if client, all := v.Forwarded(t); len(all) > 0 && client != "" {
		return client
	}
	return ip
}

// IsPrivate reports whether a text is an address that no client on the Internet has.
func IsPrivate(ip string) bool {
	address, err := netip.ParseAddr(ip)
	if err != nil {
		return false
	}
	address = address.Unmap()
	return address.IsPrivate() || address.IsLoopback() || address.IsLinkLocalUnicast() || sharedNetwork.Contains(address)
}

// sharedNetwork is between providers and their customers (RFC 6598).
var sharedNetwork = netip.MustParsePrefix("100.64.0.0/10")
