package literalset

// Set is a set of texts of which every match contains at least one, ASCII letters in lower case. An empty set that is
// not nil says that nothing matches; nil says that nothing is known.
type Set []string

// Likelihood estimates how often one of the texts starts at a position of ordinary request text.
func (l Set) Likelihood() float64 {
	sum := 0.0
	for _, text := range l {
		p := 1.0
		for i := range len(text) {
			p *= frequency(text[i])
		}
		sum += p
	}
	return sum
}

// frequency estimates the share of a byte in paths, queries, headers and forms.
func frequency(c byte) float64 {
	switch {
	case c >= 'a' && c <= 'z':
		return letterFrequency[c-'a']
	case c >= '0' && c <= '9':
		return 0.03
	}
	switch c {
	case '/', ' ', '.', '-', '=', '&', '%', '_':
		return 0.03
	case '+', ':', ',', ';', '"', '?', '(', ')', '{', '}', '[', ']', '\'', '*', '@', '\n', '\r':
		return 0.005
	}
	return 0.0005
}

var letterFrequency = [26]float64{.065, .015, .035, .035, .1, .018, .018, .03, .065, .004, .008, .04, .03, .06, .065, .025, .002,
	.055, .06, .075, .028, .012, .015, .004, .018, .003}
