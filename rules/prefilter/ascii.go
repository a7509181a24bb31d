package prefilter

// fold is each byte with ASCII letters in lower case.
var fold = func() (table [256]byte) {
	for i := range table {
		table[i] = byte(i)
		if 'A' <= i && i <= 'Z' {
			table[i] += 'a' - 'A'
		}
	}
	return table
}()

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// equalFold reports whether two texts differ in the case of ASCII letters only.
func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if fold[a[i]] != fold[b[i]] {
			return false
		}
	}
	return true
}

// equalFolded reports whether a value is a text in lower case as long as it, but for the case of ASCII letters.
func equalFolded(value, folded string) bool {
	for i := range len(folded) {
		if fold[value[i]] != folded[i] {
			return false
		}
	}
	return true
}
