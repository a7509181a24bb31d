package fieldmap

import (
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"github.com/tinylib/msgp/msgp"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

const (
	maxListed   = 4096 // headers or arguments taken of one record; engines read about 1,000
	maxArgDepth = 16   // of nested values that become arguments
)

// view returns bytes as a string without copying them.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// Read fills the values with what a record's body says. It reports false when the body is no map.
func (m *Map) Read(body []byte, v *Values) bool {
	pairs, isMap := record.ReadMap(body)
	if !isMap {
		return false
	}
	v.proxies = privateNetworks
	v.reset(m)
	v.visitMap(m.root, pairs)
	v.finish()
	return true
}

// visit takes a value for everything that the map wants of its place.
func (v *Values) visit(n *node, value []byte) {
	for _, a := range n.actions {
		v.take(a, "", value)
	}
	if !n.deeper() {
		return
	}
	if pairs, isMap := record.ReadMap(value); isMap {
		v.visitMap(n, pairs)
	}
}

func (v *Values) visitMap(n *node, pairs record.Pairs) {
	for pairs.Next() {
		if !pairs.IsKey {
			continue
		}
		if child, p := n.next(pairs.Key); child != nil {
			v.visit(child, pairs.Value)
		} else if p != nil {
			v.take(p.to, pairs.Key[len(p.text):], pairs.Value)
		}
	}
}

// take reads a value for one target. The suffix is what a key has behind the prefix that led here.
func (v *Values) take(a *action, suffix string, value []byte) {
	switch a.reading {
	case asHeaders:
		v.takeHeaders(&v.requestList, a, suffix, value)
	case asResponseHeaders:
		v.takeHeaders(&v.responseList, a, suffix, value)
	case asArguments:
		v.takeArguments(a, suffix, value, 0)
	case asHeader, asResponseHeader, asArgument:
		v.takeSlot(a, value)
	default:
		var (
			text string
			ok   bool
		)
		if a.field == Action && a.reading == asField {
			text, ok = v.allTexts(a, value)
		} else {
			text, ok = v.text(a, value)
		}
		if ok {
			v.takeText(a, text)
		}
	}
}

// allTexts is text for a list of which all values count: it has commas between them.
func (v *Values) allTexts(a *action, value []byte) (text string, ok bool) {
	items, isArray := record.ReadArray(value)
	if !isArray {
		return v.text(a, value)
	}
	return onScratch(&v.scratch, func(dst []byte) []byte {
		start := len(dst)
		for items.Next() {
			if one, isText := record.Text(items.Value); isText {
				if len(dst) > start {
					dst = append(dst, ',')
				}
				dst = append(dst, one...)
			}
		}
		return dst
	}), true
}

// takeText stores a text for the fields of a target.
func (v *Values) takeText(a *action, text string) {
	switch a.reading {
	case asField:
		if a.field == ClientIP || a.field == ServerIP {
			v.takeAddress(a, text, false)
			return
		}
		if a.upper {
			text = upperMethod(text)
		}
		v.set(a.field, text, a.rank)
		v.absolute = v.absolute || a.absolute
		if a.unescaped && text != "" && v.ranks[a.field] == a.rank {
			v.unescaped |= 1 << a.field
			v.mayBeRaw = v.mayBeRaw || a.guess
		}
	case asAddress:
		v.takeAddress(a, text, true)
	case asRequestLine:
		v.takeRequestLine(a, text)
	case asURL:
		v.takeTarget(a, text)
	}
}

// takeRequestLine stores the parts of a request line. Without a version it is cut, as servers cut one that is too long, or that
// of HTTP/0.9; only a key of its own tells.
func (v *Values) takeRequestLine(a *action, text string) {
	method, target, version, ok := requestLine(text)
	isWhole := strings.HasSuffix(trimRight(text), version) && isWholeVersion(version)
	if ok && !isWhole {
		target = cutTarget(text, method)
	}
	if !ok || !isRequest(trimLeft(method), target, version) {
		return
	}
	v.set(Method, method, a.rank)
	v.takeTarget(a, target)
	if v.noVersion = !isWhole; isWhole {
		v.set(Version, version, a.rank)
	}
}

// text returns a scalar as text, decoded as the action says; of a list the first value counts. It reports false for what is no
// text; nil, and what stands for nothing, is an empty one.
func (v *Values) text(a *action, value []byte) (text string, ok bool) {
	if items, isArray := record.ReadArray(value); isArray {
		if !items.Next() {
			return "", true
		}
		value = items.Value
	}
	text, ok = v.rawText(a, value)
	return a.escapes.undo(text, &v.scratch), ok
}

// rawText returns a scalar as text with the escapes of the log format.
func (v *Values) rawText(a *action, value []byte) (text string, ok bool) {
	text, ok = v.scalar(value)
	switch {
	case !ok, text == "":
		return text, ok
	case slices.Contains(a.empty, text):
		return "", true
	case a.base64:
		return fromBase64(text, &v.scratch)
	}
	return text, true
}

// scalar returns a text, number, boolean or nil as text.
func (v *Values) scalar(value []byte) (text string, ok bool) {
	if text, isText := record.Text(value); isText {
		return text, true
	}
	if len(value) == 0 {
		return "", false
	}
	start := len(v.scratch)
	switch msgp.NextType(value) {
	case msgp.IntType:
		n, _, err := msgp.ReadInt64Bytes(value)
		if err != nil {
			return "", false
		}
		v.scratch = strconv.AppendInt(v.scratch, n, 10)
	case msgp.UintType:
		n, _, err := msgp.ReadUint64Bytes(value)
		if err != nil {
			return "", false
		}
		v.scratch = strconv.AppendUint(v.scratch, n, 10)
	case msgp.Float32Type, msgp.Float64Type:
		n, _, err := msgp.ReadFloat64Bytes(value)
		if err != nil {
			return "", false
		}
		v.scratch = strconv.AppendFloat(v.scratch, n, 'f', -1, 64)
	case msgp.BoolType:
		if value[0] == 0xc3 {
			return "true", true
		}
		return "false", true
	case msgp.NilType:
		return "", true
	default:
		return "", false
	}
	return view(v.scratch[start:]), true
}

// takeSlot stores a header or argument that has a name of its own. Of a header that was sent several times all values count,
// of a nested argument everything in it.
func (v *Values) takeSlot(a *action, value []byte) {
	s := &v.slots[a.slot]
	if s.given && s.text != "" && a.rank > s.rank {
		return
	}
	name := v.source.slots[a.slot].name
	if _, isMap := record.ReadMap(value); isMap && a.reading == asArgument {
		v.takeArguments(a, name, value, 0)
		return
	}
	text, ok := v.text(a, value)
	if !ok || s.given && s.text != "" && text == "" || text == redacted && a.reading != asArgument {
		return
	}
	*s = slot{text, a.rank, true}
	items, isArray := record.ReadArray(value)
	for more := isArray && items.Next(); more && items.Next(); {
		if text, ok := v.text(a, items.Value); ok && text != "" {
			v.add(a.reading, v.copied(name), text)
		}
	}
}

// add appends a header or argument.
func (v *Values) add(r reading, name, text string) {
	list := &v.arguments
	switch r {
	case asHeader, asHeaders:
		list = &v.requestList.list
	case asResponseHeader, asResponseHeaders:
		list = &v.responseList.list
	}
	if r != asArgument && r != asArguments && v.isSetAside(r, name, text) {
		return
	}
	if len(*list) == maxListed {
		v.partial |= r.part()
		return
	}
	*list = append(*list, rules.Header{Name: name, Value: text})
}

// part returns the part of a transaction that readings of a kind fill.
func (r reading) part() rules.Partial {
	switch r {
	case asHeader, asHeaders:
		return rules.PartialHeaders
	case asResponseHeader, asResponseHeaders:
		return rules.PartialResponse
	}
	return rules.PartialArguments
}

// copied returns a text at an address of its own.
func (v *Values) copied(text string) string {
	return onScratch(&v.scratch, func(dst []byte) []byte { return append(dst, text...) })
}

// takeHeaders reads headers: one whose name is the end of a key, a map of names to a value or a list of values, a list of maps
// with name and value, a list of lines, header lines in one text, or the values of known headers between bars.
func (v *Values) takeHeaders(to *headerValues, a *action, suffix string, value []byte) {
	if suffix != "" {
		v.takeHeaderKey(a, suffix, value)
		return
	}
	if pairs, isMap := record.ReadMap(value); isMap {
		to.whole = to.whole || a.all
		for pairs.Next() {
			if pairs.IsKey {
				v.takeHeader(a, pairs.Key, pairs.Value)
			}
		}
		return
	}
	if items, isArray := record.ReadArray(value); isArray {
		to.whole = to.whole || a.all
		for items.Next() {
			v.takeHeaderItem(to, a, items.Value)
		}
		return
	}
	if text, ok := v.rawText(a, value); ok && text != "" {
		to.whole = to.whole || a.all
		v.takeHeaderText(to, a, text)
	}
}

// takeHeader appends a header with one or several values.
func (v *Values) takeHeader(a *action, name string, value []byte) {
	items, isArray := record.ReadArray(value)
	if !isArray {
		if text, ok := v.text(a, value); ok {
			v.add(a.reading, name, text)
		}
		return
	}
	for first := true; items.Next(); first = false {
		if text, ok := v.text(a, items.Value); ok {
			if !first {
				name = v.copied(name)
			}
			v.add(a.reading, name, text)
		}
	}
}

// takeHeaderKey appends a header that has a key of its own; sources write an empty text for one that was not sent.
func (v *Values) takeHeaderKey(a *action, name string, value []byte) {
	if text, isText := record.Text(value); isText && (text == "" || slices.Contains(a.empty, text)) || record.IsNil(value) {
		v.notSent |= partOf(name) &^ rules.PartOtherHeaders
		return
	}
	if a.dashes && strings.IndexByte(name, '_') >= 0 {
		name = onScratch(&v.scratch, func(dst []byte) []byte { return appendDashed(dst, name) })
	}
	v.takeHeader(a, name, value)
}

// appendDashed appends a name with dashes in place of underscores.
func appendDashed(dst []byte, name string) []byte {
	for i := range len(name) {
		if name[i] == '_' {
			dst = append(dst, '-')
		} else {
			dst = append(dst, name[i])
		}
	}
	return dst
}

// takeHeaderItem reads one element of a list of headers.
func (v *Values) takeHeaderItem(to *headerValues, a *action, item []byte) {
	pairs, isMap := record.ReadMap(item)
	if !isMap {
		if line, ok := v.rawText(a, item); ok {
			v.takeHeaderText(to, a, line)
		}
		return
	}
	var name, text string
	for pairs.Next() {
		switch {
		case !pairs.IsKey:
		case strings.EqualFold(pairs.Key, "name") || strings.EqualFold(pairs.Key, "key"):
			name, _ = v.scalar(pairs.Value)
		case strings.EqualFold(pairs.Key, "value"):
			text, _ = v.text(a, pairs.Value)
		}
	}
	if name != "" {
		v.add(a.reading, name, text)
	}
}

// takeHeaderText reads header lines, or the values of headers between bars.
func (v *Values) takeHeaderText(to *headerValues, a *action, text string) {
	if a.names == nil && !a.guess {
		h := newHead(a.escapes.undo(text, &v.scratch))
		if to.list, _ = h.headers(to.list); h.unread || hasText(h.rest) {
			v.partial |= a.reading.part()
		}
		return
	}
	text = strings.TrimSuffix(strings.TrimPrefix(text, "{"), "}")
	for i, more := 0, true; more && (a.guess || i < len(a.names)); i++ {
		var value string
		if value, text, more = strings.Cut(text, "|"); value == "" {
			continue
		}
		name := "Captured"
		if !a.guess {
			name = a.names[i]
		} else if a.reading == asHeaders {
			name = v.guessed(value)
		}
		v.add(a.reading, v.copied(name), a.escapes.undo(value, &v.scratch))
	}
}

// guessed returns the header that a value most likely belongs to: rules that look at single headers would miss it otherwise.
func (v *Values) guessed(value string) string {
	switch {
	case strings.HasPrefix(value, "http://") || strings.HasPrefix(value, "https://"):
		return "Referer"
	case strings.ContainsAny(value, " /") && !v.listed("User-Agent"):
		return "User-Agent"
	}
	return "Captured"
}

// takeArguments makes an argument of a value, and of each value in nested maps and lists: names are joined with dots, as in
// JSON bodies.
func (v *Values) takeArguments(a *action, name string, value []byte, depth int) {
	if depth == maxArgDepth || len(v.arguments) == maxListed {
		v.partial |= rules.PartialArguments
		return
	}
	if pairs, isMap := record.ReadMap(value); isMap {
		for pairs.Next() {
			if pairs.IsKey {
				v.takeArguments(a, v.joined(name, pairs.Key), pairs.Value, depth+1)
			}
		}
		return
	}
	if items, isArray := record.ReadArray(value); isArray {
		for items.Next() {
			v.takeArguments(a, v.copied(name), items.Value, depth+1)
		}
		return
	}
	if text, ok := v.text(a, value); ok {
		v.add(asArguments, name, text)
	}
}

func (v *Values) joined(name, key string) string {
	if name == "" {
		return key
	}
	return onScratch(&v.scratch, func(dst []byte) []byte { return append(append(append(dst, name...), '.'), key...) })
}
