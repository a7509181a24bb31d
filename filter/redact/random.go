package redact

// Bounds from which a run of letters and digits counts as random: such texts are made by machines, and hold no word.
const (
	shortestRandom = 8  // with 3 changes between letters and digits
	mixedRandom    = 20 // with letters and digits
	hexRandom      = 12 // with letters and digits that are all hexadecimal
	casedRandom    = 16 // with a change from small to capital in 4 letters
	shortestCode   = 6  // digits
	longestCode    = 10
)

// addRandom adds the parts of a value that look random. A path, an attack or a word beside them stays.
func (s *scanner) addRandom(start, end int, of class) {
	if of == code && isCode(s.text[start:end]) {
		s.add(start, end, Argument)
		return
	}
	for at := start; at < end; {
		run := at
		isRandom := false
		for at < end && isRunByte(s.text[at]) && !s.isDots(at, end) {
			if !isWordByte(s.text[at]) {
				at++
				continue
			}
			piece := at
			for at < end && isWordByte(s.text[at]) {
				at++
			}
			isRandom = isRandom || looksRandom(s.text[piece:at])
		}
		if isRandom {
			s.add(run, at, Argument)
		}
		at = max(at, run+1)
	}
}

// isDots reports whether a way up in a path begins here, which no token has.
func (s *scanner) isDots(at, end int) bool {
	return s.text[at] == '.' && at+1 < end && s.text[at+1] == '.'
}

// isRunByte reports whether a byte can be part of a token: base64 in both alphabets, and what joins the parts of one.
func isRunByte(c byte) bool {
	switch c {
	case '-', '_', '+', '/', '=', '.', '~', '%':
		return true
	}
	return isWordByte(c)
}

// isCode reports whether a value is the digits of a one-time code.
func isCode(value string) bool {
	if len(value) < shortestCode || len(value) > longestCode {
		return false
	}
	for i := range len(value) {
		if !isDigit(value[i]) {
			return false
		}
	}
	return true
}

// looksRandom reports whether letters and digits were made by a machine rather than chosen as a name.
func looksRandom(text string) bool {
	if len(text) < shortestRandom {
		return false
	}
	var digits, letters, changes, capitals int
	hex := true
	for i := range len(text) {
		c := text[i]
		digit := isDigit(c)
		if digit {
			digits++
		} else {
			letters++
		}
		hex = hex && isHex(c)
		if i > 0 {
			if digit != isDigit(text[i-1]) {
				changes++
			}
			if isUpper(c) && !isUpper(text[i-1]) {
				capitals++
			}
		}
	}
	if digits == 0 {
		return len(text) >= casedRandom && capitals*4 >= len(text)
	}
	return letters > 0 && (changes >= 3 || len(text) >= mixedRandom || hex && len(text) >= hexRandom)
}
