package redact

import "strings"

// tagNames are attributes that hold the name of a value, and tagValues those that hold the value.
var (
	tagNames  = wordsOf("name id type key field param property itemprop http-equiv attribute label")
	tagValues = wordsOf("value content default defaultvalue val data-value data-content data-default")
)

// tag looks at the element that is open: <input name="password" value="…">, <meta name="csrf-token" content="…">,
// <property name="password">…</property>. It is looked at once.
func (s *scanner) tag() {
	isSecret, isText := false, false
	var values []span
	end := s.attributes(func(name string, from, to int) {
		name = strings.ToLower(name)
		switch {
		case tagValues.has(name):
			values = append(values, span{from, to, Argument})
		case tagNames.has(name) && s.named(from, to) == always:
			isSecret = true
			isText = isText || name != "id" && name != "type"
		}
	})
	if !isSecret {
		return
	}
	for _, v := range values {
		s.add(v.start, v.end, v.kind)
	}
	if len(values) == 0 && isText && end < len(s.text) && s.text[end] == '>' && s.text[end-1] != '/' {
		s.content(end + 1)
	}
}

// attributes calls a function with each attribute of the element that is open, and returns where its tag ends.
func (s *scanner) attributes(do func(name string, from, to int)) int {
	limit := min(len(s.text), s.open+2*nearby)
	at := s.open + endOf(s.text[s.open:limit], " \t\r\n/>")
	for at < limit && s.text[at] != '>' && s.text[at] != '<' {
		if c := s.text[at]; isBlank(c) || isBreak(c) || c == '/' {
			at++
			continue
		}
		end := at + endOf(s.text[at:limit], " \t\r\n=></")
		name := s.text[at:end]
		at = s.afterSpace(end)
		if at >= limit || s.text[at] != '=' {
			at = max(end, at)
			if at == end && end < limit && s.text[end] == '=' {
				at++
			}
			continue
		}
		at = s.afterSpace(at + 1)
		from, to, isQuoted := s.quoted(at)
		if !isQuoted {
			from, to = at, at+endOf(s.text[at:], " \t\r\n><")
		}
		do(name, from, to)
		at = to
		if isQuoted {
			at++
		}
	}
	return min(at, limit)
}

// content adds the text of an element, up to the next one.
func (s *scanner) content(at int) {
	const data = "<![CDATA["
	start := s.afterSpace(at)
	if strings.HasPrefix(s.text[start:], data) {
		end := strings.Index(s.text[start:], "]]>")
		if end < 0 {
			end = len(s.text) - start
		}
		s.add(start+len(data), start+end, Argument)
		return
	}
	s.add(at, at+endOf(s.text[at:], "<"), Argument)
}

// element looks at the text of an XML element, whose opening tag ends here.
func (s *scanner) element(at int) {
	open := s.open
	s.open = 0
	if at < s.until || open == 0 || open == at {
		return
	}
	tag := s.text[open:at]
	name := tag[:endOf(tag, " \t\r\n/")]
	if name == "" || strings.HasSuffix(tag, "/") || strings.IndexByte("/?!", name[0]) >= 0 {
		return
	}
	switch {
	case s.tells(name) == always:
		s.add(at+1, s.elementEnd(at, name), Argument)
	case pairNames.has(strings.ToLower(name[strings.LastIndexByte(name, ':')+1:])):
		s.elementPair(at+1, open-1)
	}
}

// elementEnd returns where the closing tag of an element begins.
func (s *scanner) elementEnd(at int, name string) int {
	for close := at; close+2+len(name) <= len(s.text); {
		if strings.EqualFold(s.text[close+2:close+2+len(name)], name) && s.text[close:close+2] == "</" {
			return close
		}
		next := strings.Index(s.text[close+1:], "</")
		if next < 0 {
			break
		}
		close += 1 + next
	}
	return len(s.text)
}

// elementPair looks at <name>password</name><value>…</value>, and at <key>password</key><string>…</string>.
func (s *scanner) elementPair(at, open int) {
	end := at + endOf(s.text[at:min(len(s.text), at+256)], "<")
	if s.named(at, end) != always {
		return
	}
	if before := strings.TrimRight(s.text[:open], " \t\r\n"); strings.HasSuffix(before, ">") {
		if start := strings.LastIndex(before, "</"); start >= 0 && pairValues.has(strings.ToLower(before[start+2:len(before)-1])) {
			name := before[start+2 : len(before)-1]
			if from := strings.LastIndex(before[max(0, start-nearby):start], "<"+name); from >= 0 {
				s.add(max(0, start-nearby)+from+1+len(name)+1, start, Argument)
			}
		}
	}
	close := strings.IndexByte(s.text[end:min(len(s.text), end+256)], '>')
	if close < 0 {
		return
	}
	next := s.afterSpace(end + close + 1)
	if next >= len(s.text) || s.text[next] != '<' || next+1 == len(s.text) || s.text[next+1] == '/' {
		return
	}
	tagEnd := strings.IndexByte(s.text[next:min(len(s.text), next+nearby)], '>')
	if tagEnd < 0 {
		return
	}
	name := s.text[next+1 : next+tagEnd]
	name = name[:endOf(name, " \t\r\n/")]
	s.add(next+tagEnd+1, s.elementEnd(next+tagEnd, name), Argument)
}

// disposition looks at the head of a part of a multipart body: its body is the value of the name there.
func (s *scanner) disposition(start, end int) {
	var name strings.Builder
	for at := start; at < end; {
		at = s.afterSpace(at)
		stop := at + endOf(s.text[at:end], "=;")
		if stop >= end {
			break
		}
		if s.text[stop] == ';' {
			at = stop + 1
			continue
		}
		key := strings.ToLower(strings.TrimSpace(s.text[at:stop]))
		from, to, isQuoted := s.quoted(s.afterSpace(stop + 1))
		if !isQuoted || to > end {
			from = min(end, s.afterSpace(stop+1))
			to = from + endOf(s.text[from:end], ";")
		}
		if base, _, _ := strings.Cut(key, "*"); base == "name" { // name*=UTF-8''…, name*0=…
			value := s.text[from:to]
			if charset := strings.LastIndexByte(value, '\''); key != base && charset >= 0 {
				value = value[charset+1:]
			}
			name.WriteString(value)
			name.WriteByte(' ')
		}
		at = max(to, stop+1)
		if isQuoted {
			at++
		}
	}
	text := strings.TrimSpace(name.String())
	if text == "" {
		return
	}
	of := s.classify(text)
	if joined := s.classify(strings.ReplaceAll(text, " ", "")); of == plain || joined == always {
		of = joined
	}
	if of != plain {
		s.partBody(end, of)
	}
}

// partBody adds what follows the blank line of a part, up to the line of the next boundary.
func (s *scanner) partBody(from int, of class) {
	body := -1
	near := s.text[from:min(len(s.text), from+2*nearby)]
	for _, blank := range []string{"\r\n\r\n", "\n\n", "\r\r"} {
		if at := strings.Index(near, blank); at >= 0 && (body < 0 || from+at+len(blank) < body) {
			body = from + at + len(blank)
		}
	}
	if body < 0 {
		return
	}
	end := len(s.text)
	if at := strings.Index(s.text[body:], "\n--"); at >= 0 {
		end = body + at
	}
	s.addValue(body, end, of)
}
