package redact

// pathWords are the parts of a path that a token follows, as in /invite/9fQ2…, besides the names of secrets.
var pathWords = wordsOf("reset verify confirm confirmation activate activation invite invitation invitations unsubscribe magic " +
	"login signin signup register recover recovery restore unlock share shared s webhook webhooks hook hooks services oauth callback bot key keys code")

// segment looks at a part of a path that ends here: what looks random behind the name of a secret is one.
func (s *scanner) segment(at int) {
	if at < s.path || at < s.until || at == 0 || at+1 == len(s.text) {
		return
	}
	name := s.nameBefore(at)
	if len(name) < 1 || len(name) > 64 || !pathWords.has(name) && s.tells(name) != always {
		return
	}
	end := at + 1
	for end < len(s.text) && !pathBreaks[s.text[end]] {
		end++
	}
	s.path = end
	for at++; at < end; at++ {
		start := at
		for at < end && s.text[at] != '/' {
			at++
		}
		s.addRandom(start, at, random)
	}
}

var pathBreaks = setOf("?#&;,\"'<>() \t\r\n\\")
