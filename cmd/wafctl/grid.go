package main

import (
	"bufio"
	"strings"

	"github.com/mattn/go-runewidth"
)

// grid writes lines in columns of fixed widths, so that each can be written as soon as it is known. On a terminal texts are
// cut to their column, and the last column takes what is left; elsewhere nothing is cut.
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
	lacking := lastWidth - c.width
	for _, c := range columns[:len(columns)-1] {
		lacking += c.width + columnGap
	}
	g.narrow = lacking > 0
	for i := range columns {
		if c := &g.columns[i]; c.least > 0 && lacking > 0 {
			given := min(lacking, c.width-c.least)
			c.width -= given
			lacking -= given
		}
	}
	g.columns[len(columns)-1].width = max(lastWidth, lastWidth-lacking)
	return g
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
	parts := make([]string, len(cells))
	for i, c := range cells {
		parts[i] = g.console.paint(c.color, g.fit(i, printable(c.text)))
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
