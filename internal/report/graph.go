package report

import (
	"cmp"
	"fmt"
	"net"
	"strings"
	"unicode/utf8"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident"
)

// graph shows who attacked whom. A node stands right of those that attacked it, so that a chain reads from left to right.
type graph struct {
	Width, Height int
	Nodes         []graphNode
	Edges         []graphEdge
	Hidden        int // nodes that have no room
}

type graphNode struct {
	Name, Label string
	X, Y        int
	Attacked    bool // by another node
	layer       int
}

type graphEdge struct {
	Path        string // of the line, in the language of SVG
	Title       string
	Level       string // of the worst incident
	Chain       bool   // it is a hop of an attacker who moved on
	from, to    int
	severity    incident.Severity
	succeeded   bool
	description string
}

// TextX and TextY are where the name stands.
func (n graphNode) TextX() int { return n.X + nodeWidth/2 }

// TextY is the place of the base line.
func (n graphNode) TextY() int { return n.Y + nodeHeight/2 + 4 }

// FullWidth and FullHeight include the edges of nodes.
func (g graph) FullWidth() int { return g.Width + 2 }

// FullHeight is as FullWidth.
func (g graph) FullHeight() int { return g.Height + 2 }

// Levels returns those that edges have.
func (g graph) Levels() (all []string) {
	for s := incident.Critical; ; s-- {
		for i := range g.Edges {
			if g.Edges[i].severity == s {
				all = append(all, styles[s])
				break
			}
		}
		if s == incident.Info {
			return all
		}
	}
}

// Measures of the graph in its own units, which are pixels where the page has room.
const (
	mostNodes   = 40
	mostLayers  = 9 // an attacker and eight hops
	nodeWidth   = 142
	nodeHeight  = 26
	columnWidth = 197
	rowHeight   = 38
	longestName = 20 // characters that fit a node
	manyEach    = 6  // sources and targets of an incident that are drawn
)

// graphOf lays out the graph of incidents, the worst first. Background is about nobody.
func graphOf(all []*incident.Incident) graph {
	g := &graph{}
	numbers := map[string]int{}
	hidden := map[string]bool{}
	services := servicesOf(all)
	node := func(text string) int {
		text = cmp.Or(services[text], text)
		if n, known := numbers[text]; known {
			return n
		}
		if len(g.Nodes) >= mostNodes {
			hidden[text] = true
			return -1
		}
		numbers[text] = len(g.Nodes)
		g.Nodes = append(g.Nodes, graphNode{Name: shown(text, maxText), Label: shortened(shown(text, maxText))})
		return numbers[text]
	}
	for _, i := range all {
		if i.Has(incident.Background) && len(i.Kinds) == 1 {
			continue
		}
		for _, h := range i.Hops {
			g.connect(node(h.From), node(h.To), i.Severity, true, h.Succeeded, h.What)
		}
		if len(i.Hops) > 0 {
			continue // its sources and targets are those of the path
		}
		for _, from := range i.Sources[:min(len(i.Sources), manyEach)] {
			for _, to := range i.Targets[:min(len(i.Targets), manyEach)] {
				g.connect(node(from.Name), node(to.Name), i.Severity, false, false, strings.Join(i.KindNames(), ", "))
			}
		}
	}
	g.Hidden = len(hidden)
	g.place()
	g.draw()
	return *g
}

// servicesOf returns targets by the addresses from which they act as clients themselves: an address is a target without its port.
func servicesOf(all []*incident.Incident) map[string]string {
	services := map[string]string{}
	note := func(target string) {
		if host, _, err := net.SplitHostPort(target); err == nil && services[host] == "" {
			services[host] = target
		}
	}
	for _, i := range all {
		for _, h := range i.Hops {
			note(h.To)
		}
		for _, t := range i.Targets {
			note(t.Name)
		}
	}
	return services
}

// shortened returns a name that fits a node.
func shortened(text string) string {
	if utf8.RuneCountInString(text) <= longestName {
		return text
	}
	runes := []rune(text)
	return string(runes[:longestName/2]) + "…" + string(runes[len(runes)-longestName/2+1:])
}

// connect adds an edge, or makes the one that is there worse.
func (g *graph) connect(from, to int, s incident.Severity, chain, succeeded bool, what string) {
	if from < 0 || to < 0 || from == to {
		return
	}
	for n := range g.Edges {
		if e := &g.Edges[n]; e.from == from && e.to == to {
			e.severity, e.Chain, e.succeeded = max(e.severity, s), e.Chain || chain, e.succeeded || succeeded
			if what != "" && !strings.Contains(e.description, what) {
				e.description += "; " + what
			}
			return
		}
	}
	g.Edges = append(g.Edges, graphEdge{from: from, to: to, severity: s, Chain: chain, succeeded: succeeded, description: what})
}

// place puts each node right of those that attack it, in the order in which they are named. In a circle some edges lead back.
func (g *graph) place() {
	for range mostLayers - 1 {
		for i := range g.Edges {
			e := &g.Edges[i]
			if to := &g.Nodes[e.to]; to.layer <= g.Nodes[e.from].layer && g.Nodes[e.from].layer+1 < mostLayers && !g.reaches(e.to, e.from) {
				to.layer = g.Nodes[e.from].layer + 1
			}
		}
	}
	var rows [mostLayers]int
	for i := range g.Nodes {
		n := &g.Nodes[i]
		n.X, n.Y = n.layer*columnWidth, rows[n.layer]*rowHeight
		rows[n.layer]++
		g.Width, g.Height = max(g.Width, n.X+nodeWidth), max(g.Height, n.Y+nodeHeight)
	}
	for i := range g.Nodes { // the columns stand in the middle
		n := &g.Nodes[i]
		n.Y += (g.Height - (rows[n.layer]-1)*rowHeight - nodeHeight) / 2
	}
}

// reaches reports whether edges lead from one node to another.
func (g *graph) reaches(from, to int) bool {
	seen := make([]bool, len(g.Nodes))
	next := []int{from}
	for len(next) > 0 {
		n := next[0]
		next = next[1:]
		if n == to {
			return true
		}
		for i := range g.Edges {
			if e := &g.Edges[i]; e.from == n && !seen[e.to] {
				seen[e.to] = true
				next = append(next, e.to)
			}
		}
	}
	return false
}

// draw writes the lines.
func (g *graph) draw() {
	for i := range g.Edges {
		e := &g.Edges[i]
		from, to := &g.Nodes[e.from], &g.Nodes[e.to]
		to.Attacked = true
		x, y, x2, y2 := from.X+nodeWidth, from.Y+nodeHeight/2, to.X-7, to.Y+nodeHeight/2
		middle := (x2 - x) / 2
		if x2 < x { // back, below the nodes
			x, y, x2, y2, middle = from.X+nodeWidth/2, from.Y+nodeHeight, to.X+nodeWidth/2, to.Y+nodeHeight+6, 0
			e.Path = fmt.Sprintf("M%d %dC%d %d %d %d %d %d", x, y, x, y+rowHeight, x2, y2+rowHeight, x2, y2)
			g.Height = max(g.Height, max(y, y2)+rowHeight)
		} else {
			e.Path = fmt.Sprintf("M%d %dC%d %d %d %d %d %d", x, y, x+middle, y, x2-middle, y2, x2, y2)
		}
		e.Level = styles[e.severity]
		e.Title = from.Name + " → " + to.Name + ": " + shown(e.description, maxDetail)
		if e.succeeded {
			e.Title += ", likely succeeded"
		}
	}
}
