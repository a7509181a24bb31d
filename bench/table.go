package main

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// table is a table with a heading as its first row; the first column is aligned to the left, all others to the right.
type table [][]string

func (t *table) row(cells ...string) { *t = append(*t, cells) }

func (t *table) print() {
	var widths []int
	for _, row := range *t {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range *t {
		var b strings.Builder
		for i, cell := range row {
			space := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				b.WriteString(cell + space)
				continue
			}
			b.WriteString("  " + space + cell)
		}
		fmt.Println(strings.TrimRight(b.String(), " "))
	}
}
