package redact

import (
	"strings"

	"github.com/tinylib/msgp/msgp"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/visible"
)

// maxDepth bounds how deep a record is read; what lies deeper is skipped.
const maxDepth = 64

// AppendValue appends a msgpack value without secrets: texts are cleaned, and what stands under the name of a secret is taken
// out whole, whatever its type. Controls of the direction of text are replaced, also when p is nil.
func (p *Pass) AppendValue(dst, value []byte) []byte { return p.AppendMember(dst, value, "") }

// AppendMember is AppendValue for a value that stands under a key.
func (p *Pass) AppendMember(dst, value []byte, key string) []byte {
	if p == nil {
		if !visible.HasBidi(shared(value)) {
			return append(dst, value...)
		}
		p = &Pass{}
	}
	return p.appendValue(dst, value, key, 0)
}

// appendValue appends a value that stands under a key.
func (p *Pass) appendValue(dst, value []byte, key string, depth int) []byte {
	if depth == maxDepth {
		return msgp.AppendNil(dst)
	}
	if text, isText := record.Text(value); isText {
		return msgp.AppendString(dst, visible.WithoutBidi(p.under(key, text)))
	}
	if pairs, isMap := record.ReadMap(value); isMap {
		return p.appendMap(dst, pairs, key, depth)
	}
	if items, isArray := record.ReadArray(value); isArray {
		dst = msgp.AppendArrayHeader(dst, uint32(items.Len()))
		for items.Next() {
			dst = p.appendValue(dst, items.Value, key, depth+1)
		}
		return dst
	}
	if _, of := p.keyKind(key); of == always && !record.IsNil(value) {
		return msgp.AppendString(dst, p.under(key, "0"))
	}
	return append(dst, value...)
}

// appendMap appends a map. Below the name of a secret, all of it is one. A map with a name and its value is read as a member
// with that name.
func (p *Pass) appendMap(dst []byte, pairs record.Pairs, key string, depth int) []byte {
	named := p.pairName(pairs)
	_, of := p.keyKind(key)
	dst = msgp.AppendMapHeader(dst, uint32(pairs.Len()))
	for pairs.Next() {
		inner := key
		if of != always {
			inner = pairs.Key
		}
		if named != "" && pairValues.hasFold(lastWord(pairs.Key)) {
			inner = named
		}
		if pairs.IsKey {
			dst = msgp.AppendString(dst, visible.WithoutBidi(p.Text(pairs.Key)))
		} else {
			dst = append(dst, pairs.Raw[:len(pairs.Raw)-len(pairs.Value)]...)
		}
		dst = p.appendValue(dst, pairs.Value, inner, depth+1)
	}
	return dst
}

// pairName returns the name of a secret in a map of name and value, "" when there is none.
func (p *Pass) pairName(pairs record.Pairs) string {
	for pairs.Next() {
		if !pairNames.hasFold(lastWord(pairs.Key)) {
			continue
		}
		if name, isText := record.Text(pairs.Value); isText {
			if _, of := p.keyKind(name); of != plain {
				return name
			}
		}
	}
	return ""
}

// under returns a text that stands under a key of a record.
func (p *Pass) under(key, text string) string {
	if text == "" {
		return text
	}
	kind, of := p.keyKind(key)
	return p.valued(text, kind, of)
}

func (p *Pass) keyKind(key string) (Kind, class) {
	if p.r == nil {
		return Argument, plain
	}
	return p.r.keyKind(key)
}

// keyKind is headerKind for the keys of records, which put other words before the name of a header: http_cookie,
// request_Authorization, http.request.header.set-cookie.
func (r *Redactor) keyKind(key string) (Kind, class) {
	if kind, of := r.headerKind(key); of != always || kind != Argument {
		if of == plain && !strings.Contains(strings.ToLower(lastWord(key)), "cookie") {
			return kind, of
		}
	}
	squeezed := squeeze(key)
	switch {
	case strings.HasSuffix(squeezed, "setcookie") || strings.HasSuffix(squeezed, "setcookies"):
		return SetCookie, always
	case strings.HasSuffix(squeezed, "cookie") || strings.HasSuffix(squeezed, "cookies"):
		return Cookie, always
	case strings.HasSuffix(squeezed, "authorization"):
		return Authorization, always
	}
	return r.headerKind(key)
}
