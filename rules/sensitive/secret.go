package sensitive

import (
	"regexp"
	"strings"
)

// Accept reports whether text[start:end], which an expression has found, is what a rule looks for.
type Accept func(text string, start, end int) bool

// Secrets are the checks of what expressions find for secrets, by the kind of secret.
var Secrets = map[string]Accept{
	"token":    isToken,
	"field":    isPasswordField,
	"setting":  isPasswordSetting,
	"userinfo": isUserinfo,
}

// isToken accepts keys and tokens that no documentation invents and no example holds.
func isToken(text string, start, end int) bool {
	return !IsPlaceholder(text[start:end]) && !IsExample(text, start) && !isSigned(text, start)
}

// isSigned reports whether a value stands in the fields of a signed form: these name the account that has signed, and hold no secret.
func isSigned(text string, start int) bool {
	fields := strings.ToLower(object(text, start))
	return strings.Contains(fields, `"policy"`) && strings.Contains(fields, `signature"`)
}

// isPasswordField accepts passwords in the fields of records: those of a named account or service. Labels, rules for passwords and the
// examples of an interface's description are none.
func isPasswordField(text string, start, end int) bool {
	value := text[start:end]
	if !couldBePassword(value) || IsExample(text, start) || isCode(text, start) {
		return false
	}
	own, first, label := "", true, false
	enclosingFields(text, start, func(name string, _ bool) bool {
		if first {
			own, first = name, false
			return true
		}
		label = label || containsFold(name, labelFields)
		return !label
	})
	return !label && (servicePassword.MatchString(own) || identity.MatchString(object(text, start)))
}

// labelFields are in the names of fields that hold what an interface shows, in lower case.
var labelFields = []string{"label", "error", "message", "validation", "i18n", "l10n", "translation", "locale", "string", "caption", "help", "rules"}

var (
	// identity is a field that says whose password stands beside it.
	identity = regexp.MustCompile(`(?i)["'](?:[\w.-]*[_.-])?(?:user(?:_?name)?|login|e?-?mail|account|host(?:name)?|server|dsn|url|database|uid|owner|principal)["']\s*:\s*["'\d]`)
	// servicePassword is the name of a field that says for what the password is.
	servicePassword = regexp.MustCompile(`(?i)^(?:[\w.-]*[_.-])?(?:db|database|smtp|ldap|mysql|postgres|pg|redis|mongo|amqp|rabbit\w*|admin|root|app|service|` +
		`aws|azure|gcp|jwt|encryption|signing|session|keystore|truststore|wifi|vpn|proxy)[_.-]?(?:\w+[_.-])?(?:pass\w*|pwd|secret\w*)$|secret_?key$|api_?secret$`)
)

// couldBePassword reports whether a value can be a password: one word in ASCII that is no path, no label and no placeholder.
func couldBePassword(value string) bool {
	letters := false
	for i := range len(value) {
		c := value[i]
		if c <= ' ' || c >= 0x7f {
			return false
		}
		letters = letters || isLetter(c)
	}
	return len(value) >= 4 && (letters || len(value) >= 6) && strings.IndexByte("/#.", value[0]) < 0 && !strings.Contains(value, "://") &&
		!containsFold(value[:min(len(value), contextReach)], passwordWords) && !IsPlaceholder(value)
}

// passwordWords are in labels and codes for messages, not in passwords.
var passwordWords = []string{"password", "passwd", "passwort", "passphrase", "secret_", "error", "invalid", "required", "minlength", "min_length"}

// isPasswordSetting accepts values in configuration files that have letters and digits, under names that are not meant for the public.
func isPasswordSetting(text string, start, end int) bool {
	value := text[start:end]
	digit, letter := false, false
	for i := range len(value) {
		digit, letter = digit || isDigit(value[i]), letter || isLetter(value[i])
	}
	name := text[max(0, start-contextReach):start]
	if at := strings.LastIndexByte(name, '\n'); at >= 0 {
		name = name[at+1:]
	}
	return digit && letter && couldBePassword(value) && !publicValue.MatchString(value) && !containsFold(name, publicNames) &&
		!IsExample(text, start) && !isCode(text, start)
}

// publicNames are in the names of keys that every visitor of a site gets.
var publicNames = []string{
	"public", "publishable", "site", "anon", "client", "browser", "search", "frontend", "vite_", "react_app", "gatsby", "nuxt", "expo", "docsearch",
}

// publicValue is a key that is made for browsers.
var publicValue = regexp.MustCompile(`^(?:pk_(?:live|test)_|sk_test_|AIza|phc_|pub-|6L[a-zA-Z0-9_-]{38}$)`)

// isUserinfo accepts names and passwords, user:password, in URLs. What documentation writes there is none: a word for a password, or the
// name once more.
func isUserinfo(text string, start, end int) bool {
	name, password, _ := strings.Cut(text[start:end], ":")
	if IsPlaceholder(password) || strings.EqualFold(name, password) || IsExample(text, start) || isCode(text, start) {
		return false
	}
	for _, word := range commonPasswords {
		if strings.EqualFold(password, word) {
			return false
		}
	}
	return true
}

// commonPasswords are what documentation writes for a password.
var commonPasswords = []string{
	"password", "passwd", "pass", "pwd", "pw", "passw0rd", "p4ssw0rd", "p@ssw0rd", "p%40ssw0rd", "mypassword", "my-password", "my_password", "token", "mytoken", "secret",
	"mysecret", "my-secret", "api_key", "apikey", "key", "user", "username", "test", "testing", "foo", "bar", "baz", "abc", "abc123", "1234", "12345",
	"123456", "access_token", "accesstoken", "x-oauth-basic", "oauth2", "credentials", "tiger", "pass123", "pass1234", "dbpass", "dbpassword", "userpass", "mypass", "postgres", "root", "guest", "admin", "qwerty", "letmein", "password1", "password123", "hunter2", "xxx", "...",
}

// commandPrompt is a line of a terminal on which somebody asks who they are.
var commandPrompt = regexp.MustCompile(`(?:[$#%>+❯]|&gt;|\b(?i:run)\s)\s*(?:</?\w[^>]*>\s*)*(?:sudo\s+(?:-\S+\s+)*(?:\w+\s+)?)?id\b`)

// promptReach is how far in front of the output of a command, in bytes, its prompt begins at most.
const promptReach = 160

// Unprompted accepts the output of the command id where no prompt stands in front, as in a log or a manual.
func Unprompted(text string, start, _ int) bool {
	return !commandPrompt.MatchString(text[max(0, start-promptReach):start])
}
