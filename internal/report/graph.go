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
	Hidden        int // sources and targets that it does not have
}

type graphNode struct {
	Name, Label string
	X, Y        int
	Attacked    bool // by another node
	Rest        bool // it stands for several sources or targets
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

// drawing is a graph that is made.
type drawing struct {
	graph
	numbers  map[string]int // of nodes by their names
	services map[string]string
	left     map[string]bool // names that had no room
	nameless int             // sources and targets that are only counted
}

// graphOf lays out the graph of incidents, the worst first.
func graphOf(all []*incident.Incident) graph {
	d := &drawing{numbers: map[string]int{}, services: servicesOf(all), left: map[string]bool{}}
	for _, i := range all {
		d.add(i)
	}
	for _, i := range all { // names come before numbers where room is scarce
		d.addRest(i)
	}
	d.Hidden = d.nameless
	for name := range d.left {
		if _, drawn := d.numbers[name]; !drawn {
			d.Hidden++
		}
	}
	d.place()
	d.draw()
	return d.graph
}

// node returns the number of the node with a name, -1 when there is no room.
func (d *drawing) node(name string) int {
	name = cmp.Or(d.services[name], name)
	if n, known := d.numbers[name]; known {
		return n
	}
	if len(d.Nodes) >= mostNodes {
		d.left[name] = true
		return -1
	}
	d.numbers[name] = len(d.Nodes)
	d.Nodes = append(d.Nodes, graphNode{Name: shown(name, maxText), Label: shortened(shown(name, maxText))})
	return d.numbers[name]
}

// add adds the path of an incident, or else its first sources and targets.
func (d *drawing) add(i *incident.Incident) {
	for _, h := range i.Hops {
		d.connect(d.node(h.From), d.node(h.To), i.Severity, true, h.Succeeded, h.What)
	}
	if len(i.Hops) > 0 {
		return
	}
	for _, from := range firstOf(i.Sources) {
		for _, to := range firstOf(i.Targets) {
			d.attack(i, d.node(from.Name), d.node(to.Name))
		}
	}
}

// attack adds the edge of an incident that has no path.
func (d *drawing) attack(i *incident.Incident, from, to int) {
	d.connect(from, to, i.Severity, false, false, strings.Join(i.KindNames(), ", "))
}

// addRest adds one node for the other sources of an incident, and one for its other targets.
func (d *drawing) addRest(i *incident.Incident) {
	sources, targets := firstOf(i.Sources), firstOf(i.Targets)
	if len(i.Hops) > 0 || len(sources) == 0 || len(targets) == 0 {
		d.leave(i.Sources, i.SourceSeen)
		d.leave(i.Targets, i.TargetSeen)
		return
	}
	if more := d.rest("source", i.Sources[len(sources):], i.SourceSeen-len(sources)); more >= 0 {
		for _, to := range targets {
			d.attack(i, more, d.node(to.Name))
		}
	}
	if more := d.rest("target", i.Targets[len(targets):], i.TargetSeen-len(targets)); more >= 0 {
		for _, from := range sources {
			d.attack(i, d.node(from.Name), more)
		}
	}
}

// rest returns the number of a node for so many sources or targets, of which some have names; -1 when there are none, or no room.
func (d *drawing) rest(noun string, named []incident.Count, n int) int {
	n = max(n, len(named))
	switch {
	case n == 0:
		return -1
	case len(d.Nodes) >= mostNodes:
		d.leave(named, n)
		return -1
	}
	d.Nodes = append(d.Nodes, graphNode{Name: plural(n, "more "+noun), Label: andMore(n), Rest: true})
	return len(d.Nodes) - 1
}

// leave notes sources or targets that the graph may not have.
func (d *drawing) leave(named []incident.Count, seen int) {
	for _, one := range named {
		d.left[cmp.Or(d.services[one.Name], one.Name)] = true
	}
	d.nameless += max(0, seen-len(named))
}

func firstOf(list []incident.Count) []incident.Count { return list[:min(len(list), manyEach)] }

func andMore(n int) string { return "and " + Number(n) + " more" }

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
		if x2 < x { // back, below the nodes
			x, y, x2, y2 = from.X+nodeWidth/2, from.Y+nodeHeight, to.X+nodeWidth/2, to.Y+nodeHeight+6
			e.Path = fmt.Sprintf("M%d %dC%d %d %d %d %d %d", x, y, x, y+rowHeight, x2, y2+rowHeight, x2, y2)
			g.Height = max(g.Height, max(y, y2)+rowHeight)
		} else {
			middle := (x2 - x) / 2
			e.Path = fmt.Sprintf("M%d %dC%d %d %d %d %d %d", x, y, x+middle, y, x2-middle, y2, x2, y2)
		}
		e.Level = styles[e.severity]
		e.Title = from.Name + " → " + to.Name + ": " + shown(e.description, maxDetail)
		if e.succeeded {
			e.Title += ", likely succeeded"
		}
	}
}
