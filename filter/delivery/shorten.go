package delivery

import (
	"bytes"
	"cmp"
	"slices"
	"unicode/utf8"
)

// What Shorten leaves of a text and of a list while other things can still be shortened.
const (
	keptText = 64 // bytes
	keptList = 4  // elements
)

// Shorten returns a JSON object that says the same in at most limit bytes, and whether it had to change it. It never cuts
// JSON itself, a character or an escape. Things are shortened in this order, each only as far as needed:
//
//  1. bodies: texts whose key, or the key of an object around them, contains "body" or "payload",
//  2. heads: the same with "head" or "cookie",
//  3. all other texts,
//  4. lists, which lose their last elements and keep at least 4,
//  5. whole members, the largest first.
//
// In steps 1 to 3 the longest texts of the group are cut to one common length, and each keeps at least 64 bytes. A
// shortened object ends with the member "shortened":true, so a limit below 18 bytes cannot be met: what is returned then
// is that member alone. A text that is not a JSON object is cut behind a whole character, and one of CEF not inside of a key, so
// that it loses its last fields.
func Shorten(json []byte, limit int) ([]byte, bool) {
	return shorten(json, limit, `"shortened":true`)
}

// shorten is Shorten with the member that marks a shortened object.
func shorten(text []byte, limit int, mark string) ([]byte, bool) {
	if len(text) <= limit {
		return text, false
	}
	doc, ok := parseDocument(text)
	if !ok {
		if bytes.HasPrefix(text, []byte("CEF:")) {
			return cutCEF(text, limit), true
		}
		return cutText(text, limit), true
	}
	name, state, _ := bytes.Cut([]byte(mark), []byte(":"))
	key := bytes.Trim(name, `"`)
	doc.items = slices.DeleteFunc(doc.items, func(v value) bool { return bytes.Equal(v.key, key) })
	doc.items = append(doc.items, value{key: key, text: state})

	cutTexts(doc, isBody, limit)
	cutTexts(doc, isHead, limit)
	cutTexts(doc, isAny, limit)
	cutLists(doc, limit)
	leaveOut(doc, limit)
	return doc.append(make([]byte, 0, doc.size())), true
}

func isBody(key []byte) bool {
	return containsFold(key, "body") || containsFold(key, "payload")
}

func isHead(key []byte) bool {
	return containsFold(key, "head") || containsFold(key, "cookie")
}

func isAny([]byte) bool { return true }

// containsFold ignores case.
func containsFold(key []byte, word string) bool {
	for ; len(key) >= len(word); key = key[1:] {
		if bytes.EqualFold(key[:len(word)], []byte(word)) {
			return true
		}
	}
	return false
}

// cutTexts cuts the longest of the texts that group selects by their key until doc fits limit or none has more than
// keptText bytes.
func cutTexts(doc *value, group func(key []byte) bool, limit int) {
	excess := doc.size() - limit
	if excess <= 0 {
		return
	}
	texts := longTexts(doc, group, nil)
	slices.SortStableFunc(texts, func(a, b *value) int { return cmp.Compare(len(b.text), len(a.text)) })
	level := commonLength(texts, excess)
	for _, v := range texts {
		if len(v.text)-2 > level {
			v.text = cutQuoted(v.text, level)
		}
	}
}

// longTexts appends the strings below v that group selects and that have more than keptText bytes.
func longTexts(v *value, group func(key []byte) bool, texts []*value) []*value {
	if v.kind == '"' && len(v.text)-2 > keptText && group(v.key) {
		return append(texts, v)
	}
	if len(v.items) > 0 && group(v.key) {
		group = isAny
	}
	for i := range v.items {
		texts = longTexts(&v.items[i], group, texts)
	}
	return texts
}

// commonLength returns the greatest length that, when no text is longer, saves excess bytes; keptText when none does.
// The texts are sorted, longest first.
func commonLength(texts []*value, excess int) int {
	total := 0
	for i, v := range texts {
		// The texts up to this one would all be cut to the length of the next.
		total += len(v.text) - 2
		next := keptText
		if i+1 < len(texts) {
			next = len(texts[i+1].text) - 2
		}
		if saved := total - (i+1)*next; saved >= excess {
			return next + (saved-excess)/(i+1)
		}
	}
	return keptText
}

// cutQuoted returns a JSON string with at most limit bytes between its quotes.
func cutQuoted(text []byte, limit int) []byte {
	inside := text[1 : len(text)-1]
	end := 0
	for end < len(inside) {
		next := end + unit(inside[end:])
		if next > limit {
			break
		}
		end = next
	}
	return slices.Concat(text[:1+end], []byte{'"'})
}

// unit is the length of the first character or escape of a JSON string; an escaped surrogate pair is one.
func unit(s []byte) int {
	if s[0] != '\\' {
		_, size := utf8.DecodeRune(s)
		return size
	}
	if s[1] != 'u' {
		return 2
	}
	isHigh := (s[2]|0x20) == 'd' && bytes.IndexByte([]byte("89abAB"), s[3]) >= 0
	if isHigh && len(s) >= 12 && s[6] == '\\' && s[7] == 'u' {
		return 12
	}
	return 6
}

// cutLists takes the last elements from lists, the largest list first, until doc fits limit or all lists are short.
func cutLists(doc *value, limit int) {
	for excess := doc.size() - limit; excess > 0; excess = doc.size() - limit {
		lists := longLists(doc, nil)
		if len(lists) == 0 {
			return
		}
		slices.SortStableFunc(lists, func(a, b longList) int { return cmp.Compare(b.size, a.size) })
		for _, list := range lists {
			for excess > 0 && len(list.items) > keptList {
				last := len(list.items) - 1
				excess -= list.items[last].size() + len(",")
				list.items = list.items[:last]
			}
		}
	}
}

type longList struct {
	*value
	size int
}

func longLists(v *value, lists []longList) []longList {
	if v.kind == '[' && len(v.items) > keptList {
		lists = append(lists, longList{v, v.size()})
	}
	for i := range v.items {
		lists = longLists(&v.items[i], lists)
	}
	return lists
}

// leaveOut drops values of doc, the largest first, and what is empty without them, until doc fits limit. The last member,
// the mark, stays.
func leaveOut(doc *value, limit int) {
	excess := doc.size() - limit
	if excess <= 0 {
		return
	}
	mark := doc.items[len(doc.items)-1]
	doc.items = doc.items[:len(doc.items)-1]
	all := leaves(doc, nil)
	slices.SortStableFunc(all, func(a, b *value) int { return cmp.Compare(b.sizeInside(), a.sizeInside()) })
	for _, v := range all {
		if excess <= 0 {
			break
		}
		excess -= v.sizeInside()
		v.kind, v.text = 0, nil
	}
	prune(doc)
	doc.items = append(doc.items, mark)
}

// leaves appends the values below v that hold no others.
func leaves(v *value, all []*value) []*value {
	for i := range v.items {
		if item := &v.items[i]; len(item.items) == 0 {
			all = append(all, item)
		} else {
			all = leaves(item, all)
		}
	}
	return all
}

// prune removes the dropped values below v, and objects and lists of which nothing is left.
func prune(v *value) {
	kept := v.items[:0]
	for _, item := range v.items {
		if len(item.items) > 0 {
			prune(&item)
			if len(item.items) == 0 {
				continue
			}
		} else if item.kind == 0 && item.text == nil {
			continue
		}
		kept = append(kept, item)
	}
	v.items = kept
}

// cutText cuts a text behind a whole character, and never between a backslash and what it escapes.
func cutText(text []byte, limit int) []byte {
	end := max(0, limit)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	if slashes := end - len(bytes.TrimRight(text[:end], `\`)); slashes%2 == 1 {
		end--
	}
	return text[:end]
}

// cutCEF cuts a line of the Common Event Format. What would be left of a key goes with its value.
func cutCEF(line []byte, limit int) []byte {
	cut := cutText(line, limit)
	start := bytes.LastIndexByte(cut, ' ')
	if start < 0 || bytes.IndexByte(cut[start:], '=') >= 0 {
		return cut
	}
	for end := start + 1; end < len(line); end++ {
		switch c := line[end]; {
		case c == '=' && end > start+1:
			return cut[:start]
		case c < '0' || c > '9' && c < 'A' || c > 'Z' && c < 'a' || c > 'z':
			return cut
		}
	}
	return cut
}
