package cli

import (
	"bufio"
	"slices"
	"strings"

	"github.com/mattn/go-runewidth"
)

// Grid writes lines in columns of fixed widths, so that each can be written as soon as it is known. On a terminal texts are
// cut to their column, and the last column takes what is left; elsewhere nothing is cut. Where even that is too much, columns are
// dropped.
type Grid struct {
	Console *Console
	to      *bufio.Writer
	Columns []Column
	Narrow  bool // columns had to shrink
}

// Column is one column of a grid. The last one needs no width.
type Column struct {
	Title string
	Width int
	Least int  // width to which it may shrink on a narrow terminal, 0 when it may not
	Right bool // texts are flush right
	Tail  bool // of a text that is cut the end stays
	Spare int  // columns with the highest number are dropped first on a narrow terminal, those with 0 never
	left  bool // out
}

// Cell is one text of a line; it may hold anything.
type Cell struct{ Text, Color string }

const (
	ColumnGap = 2
	LastWidth = 24  // of the last column, at least
	WideTable = 140 // of a terminal from which a whole finding has room in one line
)

func NewGrid(c *Console, to *bufio.Writer, columns ...Column) *Grid {
	g := &Grid{Console: c, to: to, Columns: columns}
	if c.Width == 0 {
		return g
	}
	for g.lacking(true) > 0 && g.leaveOut() {
	}
	lacking := g.lacking(false)
	g.Narrow = lacking > 0 || slices.ContainsFunc(columns, func(c Column) bool { return c.left })
	for i := range columns {
		if c := &g.Columns[i]; !c.left && c.Least > 0 && lacking > 0 {
			given := min(lacking, c.Width-c.Least)
			c.Width -= given
			lacking -= given
		}
	}
	g.Columns[len(columns)-1].Width = max(LastWidth, LastWidth-lacking)
	return g
}

// lacking returns by how many columns of the terminal the grid is too wide, at the least or the full width of its own.
func (g *Grid) lacking(least bool) int {
	lacking := LastWidth - g.Console.Width
	for _, c := range g.Columns[:len(g.Columns)-1] {
		switch {
		case c.left:
		case least && c.Least > 0:
			lacking += c.Least + ColumnGap
		default:
			lacking += c.Width + ColumnGap
		}
	}
	return lacking
}

// leaveOut hides the column that can be spared first. It reports false when there is none.
func (g *Grid) leaveOut() bool {
	most := -1
	for i, c := range g.Columns {
		if !c.left && c.Spare > 0 && (most < 0 || c.Spare > g.Columns[most].Spare) {
			most = i
		}
	}
	if most >= 0 {
		g.Columns[most].left = true
	}
	return most >= 0
}

func (g *Grid) Title() {
	titles := make([]Cell, len(g.Columns))
	for i, c := range g.Columns {
		titles[i] = Cell{c.Title, Bold}
	}
	g.Row(titles...)
}

// Row writes one line.
func (g *Grid) Row(cells ...Cell) {
	parts := make([]string, 0, len(cells))
	for i, c := range cells {
		if !g.Columns[i].left {
			parts = append(parts, g.Console.Paint(c.Color, g.fit(i, Printable(c.Text))))
		}
	}
	g.to.WriteString(strings.Join(parts, strings.Repeat(" ", ColumnGap)) + "\n")
}

func (g *Grid) fit(i int, text string) string {
	c := g.Columns[i]
	switch {
	case g.Console.Width == 0:
	case c.Tail:
		text = cutFront(text, c.Width)
	default:
		text = Cut(text, c.Width)
	}
	switch {
	case i == len(g.Columns)-1:
		return text
	case c.Right:
		return runewidth.FillLeft(text, c.Width)
	}
	return runewidth.FillRight(text, c.Width)
}

// SeverityCell shows a severity in its color.
func SeverityCell(name string) Cell {
	return Cell{strings.ToUpper(SeverityName(name)), severityColors[name]}
}

var severityColors = map[string]string{
	"emergency": Red, "alert": Red, "critical": Red, "error": Magenta, "warning": Yellow, "notice": Cyan,
}

// Widths that several grids share.
const (
	SeverityWidth = 9
	RuleWidth     = 7
)
