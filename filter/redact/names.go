package redact

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

// What a name contains, letters and digits only, whose value is a secret.
var secretParts = []string{
	"passw", "passphrase", "passcode", "secret", "token", "apikey", "accesskey", "privatekey", "signingkey", "encryptionkey",
	"credential", "sessionid", "sessid", "authorization", "creditcard", "cardnumber", "securitycode", "onetimecode",
}

// Words that a name of a secret has between its dots, dashes and capitals.
var secretWords = []string{
	"pass", "pwd", "pw", "pin", "otp", "totp", "sid", "cvv", "cvc", "cvv2", "cvc2", "jwt", "auth", "mfa", "ssn", "bearer", "hmac", "session",
	"csrf", "xsrf",
}

// longestName is how many bytes of a name are looked at.
const longestName = 128

// isSecretName reports whether a name is that of a secret, such as password, user[pass], apiKey or X-Auth-Token. Escapes in it
// are undone.
func (r *Redactor) isSecretName(name string) bool {
	if len(name) > longestName {
		name = name[len(name)-longestName:]
	}
	name = decodedName(name)
	squeezed := squeeze(name)
	for _, part := range secretParts {
		if strings.Contains(squeezed, part) {
			return true
		}
	}
	for _, own := range r.names {
		if squeezed == own {
			return true
		}
	}
	return slices.ContainsFunc(words(name), func(word string) bool { return slices.Contains(secretWords, word) })
}

// decodedName undoes what hides a name: percent escapes, also of percent signs, and \u escapes.
func decodedName(name string) string {
	for range 3 {
		if strings.IndexByte(name, '%') < 0 {
			break
		}
		decoded, err := url.PathUnescape(name)
		if err != nil {
			break
		}
		name = decoded
	}
	if strings.Contains(name, `\u`) {
		var text string
		if json.Unmarshal([]byte(`"`+name+`"`), &text) == nil {
			name = text
		}
	}
	return name
}

// squeeze returns the letters and digits of a text, letters of ASCII in lower case.
func squeeze(text string) string {
	squeezed := make([]byte, 0, len(text))
	for i := range len(text) {
		if c := text[i]; isWordByte(c) {
			squeezed = append(squeezed, lower(c))
		}
	}
	return string(squeezed)
}

// words splits a name at what is no letter or digit and before capitals, in lower case.
func words(name string) (all []string) {
	start := 0
	cut := func(end int) {
		if end > start {
			all = append(all, strings.ToLower(name[start:end]))
		}
	}
	for i := range len(name) {
		switch c := name[i]; {
		case !isWordByte(c):
			cut(i)
			start = i + 1
		case i > start && isUpper(c) && !isUpper(name[i-1]):
			cut(i)
			start = i
		}
	}
	cut(len(name))
	return all
}

// headerKind returns what the value of a header is, when it is a secret.
func (r *Redactor) headerKind(name string) (k Kind, secret bool) {
	switch strings.ToLower(name) {
	case "authorization", "proxy-authorization":
		return Authorization, true
	case "cookie", "cookie2":
		return Cookie, true
	case "set-cookie", "set-cookie2":
		return SetCookie, true
	case "www-authenticate", "proxy-authenticate", "authentication-info":
		return 0, false // a challenge tells no secret
	}
	return Argument, r.isSecretName(name)
}

func isWordByte(c byte) bool {
	return 'a' <= c && c <= 'z' || isUpper(c) || isDigit(c) || c >= 0x80
}

func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func lower(c byte) byte {
	if isUpper(c) {
		return c + 'a' - 'A'
	}
	return c
}
