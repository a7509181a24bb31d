package fieldmap

import (
	"net/netip"
	"strings"
)

// readAddress reads what a source logs as one end of a connection: an address or the name of a host, in brackets or quotes, with
// a zone, with a port. An address of version 6 without brackets has a port only where that is certain, or where the source always
// writes one. It returns "" for what says that the address is not known, and for what is neither an address nor a name.
func readAddress(text string, alwaysPort bool) (ip, port string) {
	if text = strings.Trim(text, " \t\""); text == "" {
		return "", ""
	}
	if text[0] == '[' {
		end := strings.IndexByte(text, ']')
		if end < 0 {
			return "", ""
		}
		ip, _ = plainAddress(text[1:end])
		return ip, portNumber(strings.TrimPrefix(text[end+1:], ":"))
	}
	at := strings.LastIndexByte(text, ':')
	switch {
	case at < 0:
		return hostOrAddress(text), ""
	case strings.IndexByte(text, ':') == at:
		return hostOrAddress(text[:at]), portNumber(text[at+1:])
	}
	port = portNumber(text[at+1:])
	head, isHead := plainAddress(text[:at])
	if isHead = isHead && port != ""; isHead && alwaysPort {
		return head, port
	}
	if ip, isWhole := plainAddress(text); isWhole || !isHead {
		return ip, ""
	}
	return head, port
}

// hostOrAddress returns an address or the name of a host, "" for anything else and for what stands for neither: unknown and
// _hidden (RFC 7239, section 6), and unix sockets.
func hostOrAddress(text string) string {
	if ip, isAddress := plainAddress(text); isAddress {
		return ip
	}
	if text == "" || text[0] == '_' || text[0] == '-' || strings.EqualFold(text, "unknown") || strings.EqualFold(text, "unix") {
		return ""
	}
	named := false // a name has a letter, in its last label at least
	for i := range len(text) {
		c := text[i]
		if !isHostByte(c) {
			return ""
		}
		if c == '.' {
			named = false
		} else {
			named = named || c < '0' || c > '9'
		}
	}
	if !named {
		return ""
	}
	return text
}

// isHostByte reports whether the name of a host may have a character; names beyond ASCII are logged as they came.
func isHostByte(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' || c == '-' || c == '.' || c == '_' || c >= 0x80
}

// isIPv4 reports whether a text is an address of version 4 and nothing else.
func isIPv4(text string) bool {
	dots := 0
	for i := range len(text) {
		if c := text[i]; c == '.' {
			dots++
		} else if c < '0' || c > '9' {
			return false
		}
	}
	if dots != 3 {
		return false
	}
	_, err := netip.ParseAddr(text)
	return err == nil
}

// plainAddress returns an IP address without its zone, one of version 4 without the prefix ::ffff:. It reports false for what is
// no address.
func plainAddress(text string) (ip string, ok bool) {
	if isIPv4(text) {
		return text, true
	}
	if at := strings.IndexByte(text, '%'); at > 0 {
		text = text[:at]
	}
	if !looksLikeAddress(text) {
		return "", false
	}
	address, err := netip.ParseAddr(text)
	if err != nil {
		return "", false
	}
	if address.Is4In6() {
		if at := strings.LastIndexByte(text, ':'); strings.IndexByte(text[at:], '.') > 0 {
			return text[at+1:], true
		}
		return address.Unmap().String(), true // allocates; nobody writes it so
	}
	return text, true
}

// looksLikeAddress reports whether a text has nothing but what addresses have; it spares the error of a parser, which allocates.
func looksLikeAddress(text string) bool {
	punctuated := false
	for i := range len(text) {
		c := text[i]
		if punctuated = punctuated || c == '.' || c == ':'; c != '.' && c != ':' && !isHex(c) {
			return false
		}
	}
	return punctuated
}

// portNumber returns a text when it is a port, "" for others.
func portNumber(text string) string {
	if n, ok := number(text, 0xffff); !ok || n == 0 {
		return ""
	}
	return text
}

// side tells the two ends of a connection apart.
func side(address Field) int {
	if address == ClientIP {
		return 0
	}
	return 1
}
