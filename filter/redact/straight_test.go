package redact

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/sensitive"
)

// straight reads texts as a Pass does, but in the straightforward way: it looks at every byte for everything, skips nothing, undoes every
// encoding in every part, and remembers nothing.
type straight struct{ r *Redactor }

func (d straight) read(v *view, level int, budget *int) {
	s := scanner{r: d.r, text: v.text, level: level}
	d.walk(&s)
	s.again()
	d.cards(&s)
	if d.r.pattern != nil {
		s.own()
	}
	if level < mostLevels {
		d.readParts(v, &s, level, budget)
	}
	v.spans = merged(s.spans)
}

func (d straight) walk(s *scanner) {
	s.headerLine(0)
	for i := range len(s.text) {
		switch c := s.text[i]; c {
		case '\n', '\r':
			s.headerLine(i + 1)
		case '=':
			d.assignment(s, i)
		case ':':
			d.colon(s, i)
		case '<':
			s.open = i + 1
		case '>':
			s.element(i)
		case ',':
			s.comma(i)
		case '/':
			s.segment(i)
		case '-':
			s.option(i)
			s.key(i)
		default:
			if i == 0 || !isInWord[s.text[i-1]] || i >= 3 && s.text[i-3] == '%' {
				s.credentials(i)
				s.token(i)
			}
		}
	}
}

// assignment is that of scanner without a look at the name first.
func (d straight) assignment(s *scanner, at int) {
	if at < s.until {
		return
	}
	before := at
	for before > 0 && isBlank(s.text[before-1]) {
		before--
	}
	name := s.argumentBefore(before)
	if name == "" {
		return
	}
	start := at + 1
	for start < len(s.text) && (s.text[start] == '=' || s.text[start] == '>') {
		start++
	}
	isSpaced := before < at || start > at+1
	if isSpaced {
		start = s.afterBlanks(start)
	}
	from, to := s.assigned(start, isSpaced && s.indent(before-len(name)) >= 0)
	if s.argumentPair(name, before-len(name), from, to) {
		return
	}
	if of := d.classify(s, name); of != plain {
		s.addValue(from, to, of)
	}
}

// colon is likewise.
func (d straight) colon(s *scanner, at int) {
	for _, scheme := range [...]string{"://", `:\/\/`} {
		if strings.HasPrefix(s.text[at:], scheme) {
			s.userInfo(at + len(scheme))
			return
		}
	}
	if at < s.until {
		return
	}
	end := len(strings.TrimRight(s.text[:at], " \t\r\n"))
	isQuoted := end > 0 && isQuote(s.text[end-1])
	var name string
	if isQuoted {
		name = s.quotedBefore(end)
	} else {
		end = len(strings.TrimRight(s.text[:at], " \t"))
		name = s.nameBefore(end)
	}
	start := s.afterBlanks(at + 1)
	if isQuoted {
		start = s.afterSpace(start)
	}
	if name == "" || start == len(s.text) {
		return
	}
	if isQuoted {
		s.member(name, start)
	} else {
		s.line(name, end-len(name), start)
	}
}

func (d straight) classify(s *scanner, name string) class {
	if slices.Contains(s.variables, name) {
		return always
	}
	return straightClass(d.r, name)
}

// straightClass is Redactor.classify by the lists themselves.
func straightClass(r *Redactor, name string) class {
	name = decodedName(name)
	var words []string
	word := ""
	for i := range len(name) {
		c := name[i]
		if !isWordByte(c) || isUpper(c) && i > 0 && !isUpper(name[i-1]) {
			words, word = append(words, word), ""
		}
		if isWordByte(c) {
			word += string([]byte{lower(c)})
		}
	}
	words = append(words, word)
	squeezed := strings.Join(words, "")
	is := func(text string) bool { return text == squeezed }
	isPart := func(part string) bool { return isASCII(part) && strings.Contains(squeezed, part) }
	isEnd := func(text string) bool { return strings.HasSuffix(strings.TrimRight(squeezed, "0123456789"), text) }
	switch {
	case slices.ContainsFunc(words, func(w string) bool { return slices.Contains(BuiltIn.Words, w) }),
		slices.ContainsFunc(BuiltIn.Parts, isPart), slices.ContainsFunc(BuiltIn.Whole, is), r.names[squeezed],
		strings.IndexFunc(name, func(c rune) bool { return c >= utf8.RuneSelf }) >= 0 && r.isForeignSecret(name):
		return always
	case slices.ContainsFunc(BuiltIn.Innocuous, is):
		return plain
	case slices.ContainsFunc(BuiltIn.Random, isEnd):
		return random
	case slices.ContainsFunc(BuiltIn.Code, isEnd):
		return code
	}
	return plain
}

func (d straight) cards(s *scanner) {
	var groups []span
	for at := 0; at < len(s.text); {
		if !isDigit(s.text[at]) {
			at += escapeLength(s.text[at:])
			continue
		}
		end := at + len(s.text[at:]) - len(strings.TrimLeft(s.text[at:], "0123456789"))
		groups = append(groups, span{at, end, Card})
		at = end
	}
	for first := range groups {
		number := ""
		for last := first; last < len(groups); last++ {
			if last > first && !isSeparator(s.text[groups[last-1].end:groups[last].start]) {
				break
			}
			number += s.text[groups[last].start:groups[last].end]
			if len(number) >= shortestCard && len(number) <= longestCard && isIssued(number) && sensitive.Luhn(number) {
				s.add(groups[first].start, groups[last].end, Card)
			}
		}
	}
}

func (d straight) readParts(v *view, s *scanner, level int, budget *int) {
	read := func(at extent, decode func(string) ([]byte, []int32)) {
		if *budget <= 0 {
			return
		}
		decoded, places := decode(v.text[at.start:at.end])
		if decoded == nil {
			return
		}
		*budget -= len(decoded)
		for i := range places {
			places[i] += int32(at.start)
		}
		p := part{view: view{text: string(decoded)}, places: places}
		d.read(&p.view, level+1, budget)
		for _, found := range p.spans {
			s.spans = append(s.spans, p.place(found))
		}
		v.parts = append(v.parts, p)
	}
	each := func(parts []extent, decode func(string) ([]byte, []int32)) {
		for _, at := range parts {
			read(at, decode)
		}
	}
	each(straightParts(v.text, &percentBreaks, shortestPart), straightUnescape("%+", percentEscape))
	quoted := -1
	for i := 0; i <= len(v.text); i++ {
		switch {
		case i == len(v.text) || v.text[i] == '"':
			read(extent{quoted + 1, i}, straightUnescape(`\`, slashEscape))
			quoted = i
		case v.text[i] == '\\':
			i++
		}
	}
	each(straightParts(v.text, &referenceBreaks, shortestPart), straightUnescape("&", reference))
	var outside, slashes byteSet
	for c := range outside {
		outside[c] = !inRun[c]
	}
	slashes['/'] = true
	for _, run := range straightParts(v.text, &outside, shortestRun) {
		for _, piece := range straightParts(v.text[run.start:run.end], &slashes, 0)[1:] {
			if piece.end-piece.start >= shortestRun {
				read(extent{run.start + piece.start, run.start + piece.end}, func(text string) ([]byte, []int32) { return decodeRun(nil, text) })
			}
		}
		read(run, func(text string) ([]byte, []int32) { return decodeRun(nil, text) })
	}
	if isChunked(v.text) {
		read(extent{0, len(v.text)}, func(text string) ([]byte, []int32) { return withoutChunks(nil, text) })
	}
	read(extent{0, len(v.text)}, straightUnescape("\x00", zero))
}

// straightParts returns the parts of a text between some bytes that have a length at least.
func straightParts(text string, breaks *byteSet, shortest int) (parts []extent) {
	start := 0
	for i := 0; i <= len(text); i++ {
		if i == len(text) || breaks[text[i]] {
			if i-start >= shortest {
				parts = append(parts, extent{start, i})
			}
			start = i + 1
		}
	}
	return parts
}

// straightUnescape replaces escapes byte by byte.
func straightUnescape(signs string, escape func(string) (int, string)) func(string) ([]byte, []int32) {
	return func(text string) (decoded []byte, places []int32) {
		isEscaped := false
		for i := 0; i < len(text); {
			n, stands := 0, ""
			if strings.IndexByte(signs, text[i]) >= 0 {
				n, stands = escape(text[i:])
			}
			isEscaped = isEscaped || n > 0
			if n == 0 {
				n, stands = 1, text[i:i+1]
			}
			for range len(stands) {
				places = append(places, int32(i))
			}
			decoded = append(decoded, stands...)
			i += n
		}
		if !isEscaped {
			return nil, nil
		}
		return append([]byte{}, decoded...), append(places, int32(len(text)))
	}
}

// textDice makes texts of what heads, forms, JSON, XML and cookies are made of, also with something else in the place of a byte.
type textDice struct{ *rand.Rand }

func (d textDice) pick(list ...string) string { return list[d.IntN(len(list))] }

func (d textDice) name() string {
	all := slices.Concat(BuiltIn.Parts, BuiltIn.Words, BuiltIn.Whole, BuiltIn.Random, BuiltIn.Code, BuiltIn.Innocuous,
		strings.Fields(namesOfPairs+" "+valuesOfPairs+" "+wordsOfTags), []string{"own", "q", "user", "Accept", "X-", "Id", "1", "__"})
	name := ""
	for range 1 + d.IntN(3) {
		word := all[d.IntN(len(all))]
		switch d.IntN(5) {
		case 0:
			word = strings.ToUpper(word)
		case 1:
			word = strings.ToUpper(word[:1]) + word[1:]
		case 2:
			at := d.IntN(len(word))
			word = word[:at] + fmt.Sprintf(d.pick("%%%02x", "%%25%02X", `\u%04x`), word[at]) + word[at+1:]
		}
		name += word + d.pick("", "", "-", "_", "[", "].", "7")
	}
	return name
}

func (d textDice) value() string {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./+=%"
	switch d.IntN(9) {
	case 0:
		return d.pick("4111111111111111", "5500 0000 0000 0004", "3782-822463-10005", "4111%201111+1111-1111", "%34111111111111111", "%a4111111111111111", "4111%2d1111%2D1111%2b1111",
			"4111\u00a01111\u20111111_1111", "4111T1111111111111", "1 2 3 4 5 6 7 8", "4111111111111112")
	case 1:
		return d.pick("", "", "%41", "%-4", "%%4", "x") + prefixes[d.IntN(len(prefixes))].text + strings.Repeat("Zq7Xy9Wv2Kp4", 4)
	case 2:
		return d.pick("Bearer ", "basic ", "BEARER%20", "bASIC+", "-----BEGIN RSA PRIVATE KEY-----\n") + "dXNlcjpwYXNzd29yZA=="
	case 3:
		return d.pick("https://bob:hunter22@h/x", "/reset/token/Zq7Xy9Wv2Kp4", "text/html;q=0.9", "../../etc/passwd", "<script>alert(1)</script>", "$p", "--token abc -u a:b")
	case 4:
		return d.name()
	default:
		text := make([]byte, d.IntN(40))
		for i := range text {
			text[i] = letters[d.IntN(len(letters))]
		}
		return string(text)
	}
}

func (d textDice) text(depth int) string {
	var text strings.Builder
	for range 1 + d.IntN(6) {
		value := d.value()
		if depth > 0 && d.IntN(3) == 0 {
			value = written(d.pick(Escapes()...), d.text(depth-1))
		}
		switch d.IntN(8) {
		case 0:
			fmt.Fprintf(&text, "%s: %s\r\n%s", d.pick(d.name(), "Cookie", "Set-Cookie", "Authorization", "Content-Disposition"), value, d.pick("", " folded\r\n"))
		case 1:
			fmt.Fprintf(&text, `{"%s":"%s","%s" : %s,["%s","%s"]}`, d.name(), value, d.name(), d.value(), d.name(), d.value())
		case 2:
			fmt.Fprintf(&text, "<%s a=%s %s='%s' value=\"%s\">%s</%s>", d.name(), d.value(), d.pick("name", "itemprop", "http-equiv", "id"), d.name(), d.value(), value, d.name())
		case 3:
			fmt.Fprintf(&text, "name=%q\r\n\r\n%s\r\n--", d.name(), value)
		case 4:
			text.WriteString(value + d.pick(" ", "\n", "\x00", ", ", "; ", "&amp;", `\"`, "%"))
		default:
			fmt.Fprintf(&text, "%s%s%s&", d.name(), d.pick("=", "=", " = ", "%3d"), value)
		}
	}
	all := []byte(text.String())
	for range d.IntN(4) {
		all[d.IntN(len(all))] = byte(d.IntN(256))
	}
	return string(all)
}

// written writes a text in an encoding that redaction undoes.
func written(encoding, text string) string {
	if encoding == decoders[base64Or16].name && len(text)%2 == 0 {
		return base64.RawURLEncoding.EncodeToString([]byte(text))
	}
	var all strings.Builder
	for i := range len(text) {
		switch c := text[i]; encoding {
		case decoders[percent].name:
			fmt.Fprintf(&all, "%%%02x", c)
		case decoders[slash].name:
			fmt.Fprintf(&all, `\u%04x`, c)
		case decoders[markup].name:
			fmt.Fprintf(&all, "&#%d;", c)
		case decoders[base64Or16].name:
			fmt.Fprintf(&all, "%02x", c)
		case decoders[chunks].name:
			fmt.Fprintf(&all, "1\r\n%c\r\n", c)
		default:
			fmt.Fprintf(&all, "\x00%c", c)
		}
	}
	return all.String()
}

func requireSameView(t *testing.T, want, got *view) {
	t.Helper()
	require.Equal(t, want.text, got.text)
	require.Equal(t, want.spans, got.spans, "%q", want.text)
	require.Len(t, got.parts, len(want.parts), "%q", want.text)
	for i := range want.parts {
		require.Equal(t, want.parts[i].places, got.parts[i].places, "%q", want.text)
		requireSameView(t, &want.parts[i].view, &got.parts[i].view)
	}
}

func TestTextsAreReadAsInTheStraightforwardWay(t *testing.T) {
	r := newRedactor(t, []string{"own"}, `ACME-(\d+)`)
	d := textDice{rand.New(rand.NewPCG(8, 15))}
	secret, parts := 0, 0
	for range 1_000 {
		text := d.text(2)
		want, got := &view{text: text}, &view{text: text}
		budget := len(text)*mostDecoded + leastBudget
		straight{r}.read(want, 0, &budget)
		p := r.pass()
		p.scan(got)
		requireSameView(t, want, got)
		p.Release()
		secret += len(want.spans)
		parts += len(want.parts)
	}
	require.Greater(t, secret, 1_000, "the texts show nothing")
	require.Greater(t, parts, 1_000, "the texts show nothing")
}

func TestNamesAreLookedUpAsInTheLists(t *testing.T) {
	r := newRedactor(t, []string{"own"}, "")
	d := textDice{rand.New(rand.NewPCG(4, 2))}
	found := map[class]int{}
	for range 30_000 {
		name := []byte(d.name())
		if at := d.IntN(2 * len(name)); at < len(name) {
			name[at] = byte(d.IntN(256))
		}
		want := straightClass(r, string(name))
		require.Equal(t, want, r.classify(string(name)), "%q", name)
		found[want]++
	}
	for _, of := range []class{plain, random, code, always} {
		require.Greater(t, found[of], 100, of)
	}
}

// A Pass uses the memory of one that was released; what that has learned must not show.
func TestAPassThatIsUsedAgainIsLikeANewOne(t *testing.T) {
	r := newRedactor(t, nil, "")
	d := textDice{rand.New(rand.NewPCG(16, 23))}
	for range 150 {
		request := &rules.Transaction{URI: "/?password=" + d.pick("hunter22", "correcthorse") + "&" + d.text(1), RequestBody: d.text(2), RequestHeaders: []rules.Header{
			{Name: "Cookie", Value: d.value()}, {Name: d.name(), Value: d.value()},
		}}
		fresh := &Pass{r: r}
		fresh.learned.memory = &fresh.memory
		fresh.learnAll(request, nil)
		used := r.Start(request)
		texts := []string{"hunter22 correcthorse", request.URI, request.RequestBody, d.text(1), strings.ToUpper(request.RequestBody), written(d.pick(Escapes()...), request.RequestHeaders[0].Value)}
		for _, text := range texts {
			require.Equal(t, fresh.Text(text), used.Text(text))
			require.Equal(t, fresh.Quoted(text), used.Quoted(text))
		}
		require.Equal(t, fresh.Found(), used.Found())
		used.Release()
	}
}

func TestAReleasedPassGivesNothingAway(t *testing.T) {
	p := newRedactor(t, nil, "").Start(&rules.Transaction{URI: "/?password=hunter22"})
	p.Release()
	require.Equal(t, Placeholder, p.Text("anything"))
	p.Release() // changes nothing
	var none *Pass
	none.Release()
}
