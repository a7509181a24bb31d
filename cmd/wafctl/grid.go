package main

import (
	"bufio"
	"slices"
	"strings"

	"github.com/mattn/go-runewidth"
)

// grid writes lines in columns of fixed widths, so that each can be written as soon as it is known. On a terminal texts are
// cut to their column, and the last column takes what is left; elsewhere nothing is cut. Where even that is too much, columns are
// left out.
type grid struct {
	console *console
	to      *bufio.Writer
	columns []column
	narrow  bool // columns had to shrink
}

// column is one column of a grid. The last one needs no width.
type column struct {
	title string
	width int
	least int  // width to which it may shrink on a narrow terminal, 0 when it may not
	right bool // texts are flush right
	tail  bool // of a text that is cut the end stays
	spare int  // columns with the highest number are left out first on a narrow terminal, those with 0 never
	left  bool // out
}

// cell is one text of a line; it may hold anything.
type cell struct{ text, color string }

const (
	columnGap = 2
	lastWidth = 24 // of the last column, at least
)

func newGrid(c *console, to *bufio.Writer, columns ...column) *grid {
	g := &grid{console: c, to: to, columns: columns}
	if c.width == 0 {
		return g
	}
	for g.lacking(true) > 0 && g.leaveOut() {
	}
	lacking := g.lacking(false)
	g.narrow = lacking > 0 || slices.ContainsFunc(columns, func(c column) bool { return c.left })
	for i := range columns {
		if c := &g.columns[i]; !c.left && c.least > 0 && lacking > 0 {
			given := min(lacking, c.width-c.least)
			c.width -= given
			lacking -= given
		}
	}
	g.columns[len(columns)-1].width = max(lastWidth, lastWidth-lacking)
	return g
}

// lacking returns by how many columns of the terminal the grid is too wide, at the least or the full width of its own.
func (g *grid) lacking(least bool) int {
	lacking := lastWidth - g.console.width
	for _, c := range g.columns[:len(g.columns)-1] {
		switch {
		case c.left:
		case least && c.least > 0:
			lacking += c.least + columnGap
		default:
			lacking += c.width + columnGap
		}
	}
	return lacking
}

// leaveOut leaves out the column that can be spared first. It reports false when there is none.
func (g *grid) leaveOut() bool {
	most := -1
	for i, c := range g.columns {
		if !c.left && c.spare > 0 && (most < 0 || c.spare > g.columns[most].spare) {
			most = i
		}
	}
	if most >= 0 {
		g.columns[most].left = true
	}
	return most >= 0
}

func (g *grid) title() {
	titles := make([]cell, len(g.columns))
	for i, c := range g.columns {
		titles[i] = cell{c.title, bold}
	}
	g.row(titles...)
}

// row writes one line.
func (g *grid) row(cells ...cell) {
	parts := make([]string, 0, len(cells))
	for i, c := range cells {
		if !g.columns[i].left {
			parts = append(parts, g.console.paint(c.color, g.fit(i, printable(c.text))))
		}
	}
	g.to.WriteString(strings.Join(parts, strings.Repeat(" ", columnGap)) + "\n")
}

func (g *grid) fit(i int, text string) string {
	c := g.columns[i]
	switch {
	case g.console.width == 0:
	case c.tail:
		text = cutFront(text, c.width)
	default:
		text = cut(text, c.width)
	}
	switch {
	case i == len(g.columns)-1:
		return text
	case c.right:
		return runewidth.FillLeft(text, c.width)
	}
	return runewidth.FillRight(text, c.width)
}

// severityCell shows a severity in its color.
func severityCell(name string) cell {
	return cell{strings.ToUpper(severityName(name)), severityColors[name]}
}

var severityColors = map[string]string{
	"emergency": red, "alert": red, "critical": red, "error": magenta, "warning": yellow, "notice": cyan,
}

// Widths that several grids share.
const (
	severityWidth = 9
	ruleWidth     = 7
)
