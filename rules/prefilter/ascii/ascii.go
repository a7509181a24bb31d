package ascii

// Fold is each byte with ASCII letters in lower case.
var Fold = func() (table [256]byte) {
	for i := range table {
		table[i] = byte(i)
		if 'A' <= i && i <= 'Z' {
			table[i] += 'a' - 'A'
		}
	}
	return table
}()

// Lower returns a text with its ASCII letters in lower case.
func Lower(s string) string {
	lower := []byte(s)
	for i, c := range lower {
		lower[i] = Fold[c]
	}
	return string(lower)
}

// Set returns a table of which bytes are members.
func Set(members string) (set [256]bool) {
	for i := range len(members) {
		set[members[i]] = true
	}
	return set
}

// Only reports whether a text has no bytes above ASCII.
func Only(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// EqualFold reports whether two texts differ in the case of ASCII letters only.
func EqualFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if Fold[a[i]] != Fold[b[i]] {
			return false
		}
	}
	return true
}

// EqualFolded reports whether a value is a text in lower case as long as it, but for the case of ASCII letters.
func EqualFolded(value, folded string) bool {
	for i := range len(folded) {
		if Fold[value[i]] != folded[i] {
			return false
		}
	}
	return true
}
