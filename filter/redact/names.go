package redact

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// class is what a name tells of its value.
type class uint8

const (
	plain  class = iota // nothing
	random              // a secret where it looks random, as in key=name and key=9fQ2…
	code                // as random, and digits from 6 on: one-time codes
	always              // a secret, whatever it is
)

// Names are the names whose values are secrets. Case, escapes, and everything but letters and digits is ignored.
type Names struct {
	Parts     []string // anywhere in a name, also inside of a word
	Words     []string // a word of a name: between its dots, dashes, brackets and capitals
	Whole     []string // the whole name
	Random    []string // the last word of a name, or its end; the value is a secret where it looks random
	Code      []string // as Random; the value is also one when it has 6 digits or more and nothing else
	Innocuous []string // whole names that Random and Code would include
}

// BuiltIn are the names that a Redactor knows without being told. The page about redaction lists them.
var BuiltIn = Names{
	Parts: []string{
		"passw", "passphrase", "passcode", "secret", "token", "apikey", "accesskey", "privatekey", "signingkey", "encryptionkey",
		"subscriptionkey", "functionskey", "sharedkey", "accountkey", "storagekey", "masterkey", "authkey", "sessionkey", "securekey",
		"credential", "sessionid", "sessid", "authorization", "creditcard", "cardnumber", "securitycode", "onetimecode", "recoverycode",
		"backupcode", "authcode", "devicecode", "verificationcode", "signature", "assertion", "samlresponse", "samlrequest", "samlart",
		"codeverifier", "kennwort", "motdepasse", "contrasena", "contraseña", "contrasenya", "wachtwoord", "parolachiave", "adgangskode",
		"passord", "losenord", "lösenord", "salasana", "jelszo", "jelszó", "lozinka", "katasandi", "matkhau", "пароль", "密码", "密碼",
		"パスワード", "暗証番号", "비밀번호", "รหัสผ่าน", "كلمةالمرور", "סיסמה",
	},
	Words: []string{
		"pass", "pwd", "pw", "pin", "otp", "totp", "sid", "cvv", "cvc", "cvv2", "cvc2", "jwt", "auth", "mfa", "ssn", "bearer", "hmac",
		"session", "csrf", "xsrf", "sig", "wpnonce", "mdp", "senha", "haslo", "hasło", "heslo", "sifre", "şifre", "passe", "hdnea", "hdnts", "hdntl",
	},
	Whole: []string{
		"cookie", "cookies", "setcookie", "httpcookie", "httpcookies", "requestcookie", "documentcookie", "wresult",
	},
	Random: []string{
		"key", "keys", "state", "ticket", "sign", "verify", "verifier", "cookie", "cookies", "nonce", "license", "magic", "invite", "invitation",
		"confirmation", "activation", "reset", "unlock", "hash", "parola", "clave", "geheim", "secwebsocketprotocol", "policy", "relaystate",
	},
	Code: []string{"code"},
	Innocuous: []string{
		"secwebsocketkey", "idempotencykey", "publickey", "primarykey", "foreignkey", "partitionkey", "sortkey", "cachekey", "routingkey",
		"filehash", "commithash", "contenthash",
	},
}

// ending is the last word of a name and what it tells.
type ending struct {
	text string
	of   class
}

// names finds out in one pass what a name tells.
type names struct {
	parts     automaton
	foreign   []string // parts and words that are not ASCII
	words     words
	whole     words
	endings   [256][]ending // by their last byte
	innocuous words
}

var builtIn = newNames(&BuiltIn)

func newNames(n *Names) *names {
	c := &names{}
	var parts []string
	for _, part := range n.Parts {
		if isASCII(part) {
			parts = append(parts, part)
		} else {
			c.foreign = append(c.foreign, part)
		}
	}
	c.parts = newAutomaton(parts)
	for _, word := range n.Words {
		if c.words.add(word); !isASCII(word) {
			c.foreign = append(c.foreign, word)
		}
	}
	for _, name := range n.Whole {
		c.whole.add(name)
	}
	for k, list := range map[class][]string{random: n.Random, code: n.Code} {
		for _, text := range list {
			last := text[len(text)-1]
			c.endings[last] = append(c.endings[last], ending{text, k})
		}
	}
	for _, name := range n.Innocuous {
		c.innocuous.add(name)
	}
	return c
}

// classify returns what a name such as password, user[pass], apiKey or X-Auth-Token tells of its value. Escapes in it are undone.
func (r *Redactor) classify(name string) class {
	for i := range len(name) {
		if beginsEscape[name[i]] {
			return r.classifyPlain(decodedName(name))
		}
	}
	return r.classifyPlain(name)
}

// beginsEscape are the bytes without which decodedName has nothing to undo.
var beginsEscape = setOf(`%\`)

// classifyPlain is classify for a name without escapes.
func (r *Redactor) classifyPlain(name string) class {
	var buffer [64]byte
	squeezed := buffer[:0]
	state, start := 0, 0
	isForeign := false
	for i := range len(name) {
		c := name[i]
		symbol := symbolOf[c]
		if symbol >= otherSymbol {
			if c < utf8.RuneSelf {
				if builtIn.words.has(shared(squeezed[start:])) {
					return always
				}
				start = len(squeezed)
				continue
			}
			isForeign = true
		} else if isUpper(c) && len(squeezed) > start && !isUpper(name[i-1]) {
			if builtIn.words.has(shared(squeezed[start:])) {
				return always
			}
			start = len(squeezed)
		}
		squeezed = append(squeezed, lowerByte[c])
		if state = int(builtIn.parts[state][symbol]); state == found {
			return always
		}
	}
	text := shared(squeezed)
	switch {
	case builtIn.words.has(text[start:]), builtIn.whole.has(text), len(r.names) > 0 && r.names[text], isForeign && r.isForeignSecret(name):
		return always
	case builtIn.innocuous.has(text):
		return plain
	}
	return builtIn.ending(squeezed)
}

// ending returns what the end of a name tells, in front of the number of an element.
func (n *names) ending(squeezed []byte) class {
	end := len(squeezed)
	for end > 0 && isDigit(squeezed[end-1]) {
		end--
	}
	if end == 0 {
		return plain
	}
	for _, e := range n.endings[squeezed[end-1]] {
		if end >= len(e.text) && string(squeezed[end-len(e.text):end]) == e.text {
			return e.of
		}
	}
	return plain
}

// isForeignSecret looks at a name that is not ASCII: also letters of full width and those with accents are letters.
func (r *Redactor) isForeignSecret(name string) bool {
	folded := strings.Map(func(c rune) rune {
		switch {
		case c >= 0xff01 && c <= 0xff5e: // full width
			return c - 0xff01 + '!'
		case c >= 0x300 && c <= 0x36f, c >= 0x200b && c <= 0x200f, c >= 0x202a && c <= 0x202e, c >= 0x2060 && c <= 0x2069, c == 0xad, c == 0xfeff:
			return -1 // marks and what cannot be seen
		}
		return c
	}, name)
	if folded != name {
		return r.classify(folded) == always
	}
	squeezed := squeeze(strings.ToLower(name))
	return r.names[squeezed] || slices.ContainsFunc(builtIn.foreign, func(part string) bool { return strings.Contains(squeezed, part) })
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

// lastWord returns the last word of a name that is no number: name of fields[0][name], Value of dataValue.
func lastWord(name string) string {
	end := len(name)
	for end > 0 && !isLetter(name[end-1]) {
		end--
	}
	start := end
	for start > 0 && isLetter(name[start-1]) && !(start < end && isUpper(name[start]) && !isUpper(name[start-1])) {
		start--
	}
	return name[start:end]
}

// squeeze returns the letters and digits of a text, letters of ASCII in lower case.
func squeeze(text string) string {
	return string(appendSqueezed(make([]byte, 0, len(text)), text))
}

func appendSqueezed[T string | []byte](dst []byte, text T) []byte {
	for i := range len(text) {
		if c := squeezedByte[text[i]]; c != 0 {
			dst = append(dst, c)
		}
	}
	return dst
}

// lowerByte is each byte in lower case, and squeezedByte likewise but 0 for what is no letter or digit.
var lowerByte, squeezedByte = func() (low, squeezed [256]byte) {
	for i := range low {
		c := byte(i)
		low[i] = lower(c)
		if isWordByte(c) {
			squeezed[i] = low[i]
		}
	}
	return low, squeezed
}()

// ownHeaders are headers whose values have parts.
var ownHeaders = [...]struct {
	name string
	kind Kind
	of   class
}{
	{"authorization", Authorization, always}, {"proxy-authorization", Authorization, always}, {"cookie", Cookie, always},
	{"cookie2", Cookie, always}, {"set-cookie", SetCookie, always}, {"set-cookie2", SetCookie, always},
	{"www-authenticate", 0, plain}, {"proxy-authenticate", 0, plain}, // a challenge tells no secret
}

// headerKind returns what the value of a header is, and what its name tells of it.
func (r *Redactor) headerKind(name string) (Kind, class) {
	if kind, of, has := partsOf(name); has {
		return kind, of
	}
	return Argument, r.classify(name)
}

// partsOf returns what the value of a header that has parts is.
func partsOf(name string) (kind Kind, of class, has bool) {
	for i := range ownHeaders {
		if h := &ownHeaders[i]; len(h.name) == len(name) && strings.EqualFold(h.name, name) {
			return h.kind, h.of, true
		}
	}
	return 0, 0, false
}

// automaton finds whether one of some texts of letters and digits of ASCII in lower case is in another one: the next state by the state
// and the symbol of a byte. It starts with 0, and is never left behind found.
type automaton [][symbols]uint16

const (
	symbols     = 37 // digits, letters, and everything else
	otherSymbol = symbols - 1
	found       = 1
)

// symbolOf is the symbol of each byte.
var symbolOf = func() (of [256]uint8) {
	for i := range of {
		switch c := lower(byte(i)); {
		case isDigit(c):
			of[i] = c - '0'
		case isLetter(c):
			of[i] = c - 'a' + 10
		default:
			of[i] = symbols - 1
		}
	}
	return of
}()

func newAutomaton(texts []string) automaton {
	a := make(automaton, found+1)
	for _, text := range texts {
		state := 0
		for i := range len(text) {
			to := &a[state][symbolOf[text[i]]]
			switch {
			case i == len(text)-1:
				*to = found // also of a longer text that begins so
			case *to == 0:
				*to = uint16(len(a))
				a = append(a, [symbols]uint16{})
			}
			if state = int(a[state][symbolOf[text[i]]]); state == found {
				break
			}
		}
	}
	a.link()
	return a
}

// link adds the steps where a text goes on otherwise than the one that was expected.
func (a automaton) link() {
	fails := make([]int, len(a))
	queue := []int{0}
	for len(queue) > 0 {
		state := queue[0]
		queue = queue[1:]
		for c := range symbols {
			switch to := int(a[state][c]); {
			case state != 0 && a[fails[state]][c] == found:
				a[state][c] = found
			case to == 0:
				a[state][c] = a[fails[state]][c]
			case to != found:
				if state != 0 {
					fails[to] = int(a[fails[state]][c])
				}
				queue = append(queue, to)
			}
		}
	}
}

func isASCII(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

func isLetter(c byte) bool { c = lower(c); return 'a' <= c && c <= 'z' }

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
