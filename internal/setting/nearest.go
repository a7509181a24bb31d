package setting

// farthest is how many characters of a mistyped word may differ from the one that is meant.
const farthest = 3

// Nearest returns the name that a mistyped word probably stands for, "" when none is close.
func Nearest(word string, names []string) string {
	best, bestDistance := "", min(farthest+1, len(word))
	for _, name := range names {
		if d := distance(name, word); d < bestDistance {
			best, bestDistance = name, d
		}
	}
	return best
}

// distance returns how many characters must be typed, removed or changed to get from one word to the other.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
