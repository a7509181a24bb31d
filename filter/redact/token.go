package redact

import (
	"encoding/base64"
	"strings"
)

// prefix begins a token that says what it is.
type prefix struct {
	text string
	more int // bytes that such a token has at least
}

var prefixes = []prefix{
	{"eyJ", 17}, {"ghp_", 20}, {"gho_", 20}, {"ghu_", 20}, {"ghs_", 20}, {"ghr_", 20}, {"github_pat_", 20}, {"glpat-", 16},
	{"xoxb-", 16}, {"xoxp-", 16}, {"xoxa-", 16}, {"xoxr-", 16}, {"xoxs-", 16}, {"sk_live_", 16}, {"rk_live_", 16},
	{"AIza", 30}, {"AKIA", 12}, {"ASIA", 12}, {"hvs.", 20}, {"npm_", 30}, {"dop_v1_", 30}, {"SG.", 30},
	{"sk_test_", 16}, {"rk_test_", 16}, {"whsec_", 16}, {"xapp-", 16}, {"shpat_", 20}, {"ya29.", 20}, {"GOCSPX-", 20}, {"pypi-", 30},
	{"dapi", 30}, {"hf_", 30}, {"sk-", 32}, {"glptt-", 16}, {"glsa_", 20}, {"dckr_pat_", 20}, {"PMAK-", 20}, {"LTAI", 12}, {"AGE-SECRET-KEY-", 20},
}

const privateKey = "-----BEGIN "

// prefixesBy are the prefixes by their first byte.
var prefixesBy = func() (by [256][]prefix) {
	for _, p := range prefixes {
		by[p.text[0]] = append(by[p.text[0]], p)
	}
	return by
}()

// token looks at tokens that say what they are.
func (s *scanner) token(at int) {
	if at < s.until {
		return
	}
	rest := s.text[at:]
	for _, p := range prefixesBy[rest[0]] {
		if !strings.HasPrefix(rest, p.text) {
			continue
		}
		if end := tokenLength(rest, "_-.="); end >= len(p.text)+p.more {
			s.add(at, at+end, Token)
		}
		return
	}
}

// key looks at a private key in PEM.
func (s *scanner) key(at int) {
	rest := s.text[at:]
	if at < s.until || !strings.HasPrefix(rest, privateKey) || !strings.Contains(rest[:min(len(rest), 64)], "PRIVATE KEY") {
		return
	}
	end := len(rest)
	if close := strings.Index(rest, "-----END "); close >= 0 {
		end = close
	}
	s.add(at, at+end, Token)
}

// tokenLength returns how many bytes of a text are letters, digits, or some others that a token has.
func tokenLength(text, others string) int {
	end := 0
	for end < len(text) && (isWordByte(text[end]) || strings.IndexByte(others, text[end]) >= 0) {
		end++
	}
	return end
}

// credentials looks at "Bearer TOKEN" and "Basic CREDENTIALS", wherever they stand.
func (s *scanner) credentials(at int) {
	if at < s.until {
		return
	}
	for _, scheme := range []string{"bearer", "basic"} {
		if len(s.text)-at <= len(scheme) || !strings.EqualFold(s.text[at:at+len(scheme)], scheme) {
			continue
		}
		start := at + len(scheme)
		blanks := len(s.text[start:]) - len(strings.TrimLeft(s.text[start:], " \t+"))
		if strings.HasPrefix(s.text[start:], "%20") {
			blanks = len("%20")
		}
		end := start + blanks + tokenLength(s.text[start+blanks:], "_-.~+/=")
		if value := s.text[start+blanks : end]; blanks > 0 && (scheme == "bearer" && isOpaque(value) || isUserAndPassword(value)) {
			s.add(start+blanks, end, Token)
		}
	}
}

// isOpaque tells tokens from words.
func isOpaque(text string) bool {
	text = strings.TrimRight(text, "=") // of a parameter, such as realm="…"
	return len(text) >= 16 || len(text) >= 6 && strings.ContainsAny(text, "0123456789-_.~+/=")
}

// isUserAndPassword reports whether a text is user:password in base64.
func isUserAndPassword(text string) bool {
	decoded, err := base64.StdEncoding.DecodeString(text)
	return err == nil && strings.IndexByte(string(decoded), ':') >= 0
}

// own adds what the operator's expression finds: its first group when it has one.
func (s *scanner) own() {
	for _, at := range s.r.pattern.FindAllStringSubmatchIndex(s.text, -1) {
		if len(at) >= 4 && at[2] >= 0 {
			at = at[2:]
		}
		s.add(at[0], at[1], Own)
	}
}
