package sensitive

import (
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strings"
)

// WebToken is an expression for JSON web tokens.
const WebToken = `\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{16,}`

var webToken = regexp.MustCompile(WebToken)

// StrayToken finds a JSON web token that its reader should not have: one with privileges, one in the record of somebody else, or that of
// another subject than the one before. Most services give each caller a token of their own, and keys for anonymous use to everyone:
// these are none.
func StrayToken(text string) (start, end int) {
	subject := ""
	for _, at := range webToken.FindAllStringIndex(text, -1) {
		start, end = at[0], at[1]
		c := readClaims(text[start:end])
		switch {
		case c.public || IsExample(text, start) || isCode(text, start):
			continue
		case c.privileged, isElses(text, start), subject != "" && subject != c.subject:
			return start, end
		}
		subject = c.subject
	}
	return -1, -1
}

// claims is what a token says of its subject.
type claims struct {
	subject    string
	public     bool // for whoever comes, or the one in every documentation
	privileged bool // of a service or an administrator
}

// subjectClaims name who a token is for, the first that is there.
var subjectClaims = []string{"sub", "email", "preferred_username", "upn", "user_id", "uid", "username", "user", "client_id"}

// readClaims reads the payload of a token. One that cannot be read counts as that of a subject of its own.
func readClaims(token string) (c claims) {
	_, rest, _ := strings.Cut(token, ".")
	encoded, _, _ := strings.Cut(rest, ".")
	var payload map[string]any
	text, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil || json.Unmarshal(text, &payload) != nil {
		return claims{subject: encoded}
	}
	word := func(name string) string { s, _ := payload[name].(string); return strings.ToLower(s) }
	for _, name := range subjectClaims {
		if c.subject = word(name); c.subject != "" {
			break
		}
	}
	role := word("role")
	switch {
	case payload["kubernetes.io"] != nil, strings.Contains(word("iss"), "kubernetes/serviceaccount"), role == "service_role", role == "admin", role == "root", role == "superuser":
		c.privileged = true
	case c.subject == "", isAnonymous(role), isAnonymous(c.subject), c.subject == "1234567890":
		c.public = true
	}
	return c
}

func isAnonymous(word string) bool {
	switch word {
	case "anon", "anonymous", "guest", "public", "visitor":
		return true
	}
	return false
}

// ownFields are the fields in which a service gives its caller the caller's own token, or what comes with it, in lower case.
var ownFields = map[string]bool{
	"": true, "data": true, "result": true, "response": true, "payload": true, "session": true, "auth": true, "authentication": true, "credentials": true,
	"token": true, "tokens": true, "user": true, "me": true, "account": true, "profile": true, "currentuser": true, "current_user": true, "viewer": true,
	"config": true, "configuration": true, "settings": true, "app": true, "props": true, "pageprops": true, "initialstate": true, "__next_data__": true, "state": true,
	"chat": true, "support": true, "realtime": true, "websocket": true, "widget": true, "widgets": true, "integrations": true, "services": true, "features": true, "env": true,
	"bootstrap": true, "context": true, "login": true, "identity": true, "security": true, "oauth": true, "jwt": true, "supabase": true, "firebase": true, "maps": true, "analytics": true,
}

// isElses reports whether a token stands in a record of others: in a list, or in a field that is not about the caller.
func isElses(text string, start int) (is bool) {
	own := true
	enclosingFields(text, start, func(name string, list bool) bool {
		if own { // the field of the token itself
			own = false
			return true
		}
		is = list || !ownFields[strings.ToLower(name)]
		return !is
	})
	return is
}
