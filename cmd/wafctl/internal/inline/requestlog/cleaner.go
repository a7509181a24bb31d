package requestlog

// cleaner takes secrets out of texts. It knows those of before: that costs more than the rest of a line, and browsers, pages and many targets
// come again. It is for the goroutine that writes.
type cleaner struct {
	withoutSecrets func(header, text string) string
	known          map[cleanKey]string
}

type cleanKey struct{ header, text string }

const (
	mostKnown    = 4096
	longestKnown = 512 // bytes of a text
)

func (c *cleaner) text(header, text string) string {
	key := cleanKey{header, text}
	if clean, known := c.known[key]; known || text == "" {
		return clean
	}
	clean := c.withoutSecrets(header, text)
	if len(text) <= longestKnown {
		if len(c.known) >= mostKnown {
			clear(c.known)
		}
		c.known[key] = clean
	}
	return clean
}
