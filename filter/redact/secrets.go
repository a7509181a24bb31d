package redact

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"html"
	"net/url"
	"slices"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// What is learned is looked for everywhere, so it must be long enough not to be found by chance. Cookies are often flags and
// names of languages.
const (
	shortestSecret = 6
	shortestCookie = 8
	mostSecrets    = 256
)

// noSecrets are words that stand where secrets do and are none.
var noSecrets = []string{Placeholder, "password", "passwd", "secret", "undefined", "required", "optional", "string", "function"}

// secret is the value of one, letters of ASCII in lower case.
type secret struct {
	text     string
	squeezed string // letters and digits only: what is left after a rule's transformations
	kind     Kind
}

func (p *Pass) learnHeaders(headers []rules.Header) {
	for i := range headers {
		h := &headers[i]
		kind, is := p.r.headerKind(h.Name)
		if !is {
			p.learnText(h.Value)
			continue
		}
		s := scanner{r: p.r, text: h.Value}
		s.value(0, len(h.Value), kind)
		p.learnSpans(h.Value, s.spans)
	}
}

// learnArguments learns the arguments of the request target, and those that the record has apart from it. The form of a body is
// read by learnText.
func (p *Pass) learnArguments(t *rules.Transaction) {
	for i := range t.Arguments {
		if p.r.isSecretName(t.Arguments[i].Name) {
			p.learn(t.Arguments[i].Value, Argument)
		}
	}
	_, query, _ := strings.Cut(t.URI, "?")
	p.learnPairs(query)
	p.learnPairs(t.RequestBody)
}

// learnPairs learns the values of name=value pairs up to their separators, whatever stands in them.
func (p *Pass) learnPairs(text string) {
	for text != "" {
		var pair string
		pair, text, _ = strings.Cut(text, "&")
		name, value, assigned := strings.Cut(pair, "=")
		if assigned && len(name) <= longestName && p.r.isSecretName(name) {
			p.learn(value, Argument)
		}
	}
}

func (p *Pass) learnText(text string) { p.learnSpans(text, p.r.scan(text)) }

func (p *Pass) learnSpans(text string, spans []span) {
	for _, s := range spans {
		p.learn(text[s.start:s.end], s.kind)
	}
}

// learn remembers a secret in the forms in which it can come back: as it is written, and without the escapes of where it stands.
func (p *Pass) learn(text string, k Kind) {
	forms := []string{text, strings.Trim(text, ` "'`), html.UnescapeString(text)}
	if decoded, err := url.QueryUnescape(text); err == nil {
		forms = append(forms, decoded)
	}
	if decoded, err := url.PathUnescape(text); err == nil {
		forms = append(forms, decoded)
	}
	if strings.IndexByte(text, '\\') >= 0 {
		var decoded string
		if json.Unmarshal([]byte(`"`+strings.Trim(text, `"`)+`"`), &decoded) == nil {
			forms = append(forms, decoded)
		}
	}
	if k == Authorization || k == Token {
		if decoded, err := base64.StdEncoding.DecodeString(text); err == nil {
			_, password, _ := strings.Cut(string(decoded), ":")
			forms = append(forms, string(decoded), password)
		}
	}
	for _, form := range forms {
		p.remember(form, k)
	}
}

func (p *Pass) remember(text string, k Kind) {
	shortest := shortestSecret
	if k == Cookie || k == SetCookie {
		shortest = shortestCookie
	}
	text = lowered(strings.TrimSpace(text))
	if len(text) < shortest || len(p.secrets) == mostSecrets || slices.Contains(noSecrets, text) ||
		slices.ContainsFunc(p.secrets, func(s secret) bool { return s.text == text }) {
		return
	}
	s := secret{text: text, squeezed: squeeze(text), kind: k}
	if len(s.squeezed) < shortest {
		s.squeezed = ""
	}
	p.secrets = append(p.secrets, s)
}

// settle puts longer secrets before those that they contain.
func (p *Pass) settle() {
	slices.SortStableFunc(p.secrets, func(a, b secret) int { return cmp.Compare(len(b.text), len(a.text)) })
}

// withoutLearned takes out the secrets that were learned, whatever their case.
func (p *Pass) withoutLearned(text string) string {
	if len(p.secrets) == 0 {
		return text
	}
	var spans []span
	low := lowered(text)
	for i := range p.secrets {
		s := &p.secrets[i]
		for from := 0; ; {
			at := strings.Index(low[from:], s.text)
			if at < 0 {
				break
			}
			from += at + len(s.text)
			spans = append(spans, span{from - len(s.text), from, s.kind})
		}
	}
	return p.replace(text, merged(spans))
}

// leaks reports whether a secret is in a text under a disguise: with other blanks, escapes or quotes in it, or in base64.
func (p *Pass) leaks(text string) (k Kind, leaks bool) {
	squeezed := squeeze(strings.ReplaceAll(text, Placeholder, "\n"))
	for i := range p.secrets {
		if s := &p.secrets[i]; s.squeezed != "" && strings.Contains(squeezed, s.squeezed) {
			return s.kind, true
		}
	}
	return p.encoded(text)
}

// encoded reports whether a text is base64 with a secret in it.
func (p *Pass) encoded(text string) (k Kind, is bool) {
	if len(text) < 12 || strings.ContainsAny(text, " []<>{};&?.,:") {
		return 0, false
	}
	decoded, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return 0, false
	}
	low := lowered(string(decoded))
	for i := range p.secrets {
		if strings.Contains(low, p.secrets[i].text) {
			return p.secrets[i].kind, true
		}
	}
	if spans := p.r.scan(string(decoded)); len(spans) > 0 {
		return spans[0].kind, true
	}
	return 0, false
}

// lowered returns a text of the same length with the letters of ASCII in lower case.
func lowered(text string) string {
	low := []byte(text)
	for i, c := range low {
		low[i] = lower(c)
	}
	return string(low)
}
