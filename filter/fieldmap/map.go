package fieldmap

import (
	"slices"
	"strings"
)

// Map says under which keys a source logs the parts of a transaction. It is immutable and safe for concurrent use.
type Map struct {
	Name  string
	Title string // the source in one line
	Path  string // of the file that it came from, "" for built-in maps

	identity    uint64 // a number that no other map has
	entries     []entry
	root        *node
	slots       []slotTarget
	constants   []constant
	detects     uint64   // conditions that a record of this source meets, as bits
	ownQuery    []string // how the names of arguments begin that the source adds to queries
	pairedPorts uint64   // ports whose keys come in pairs with those of their address, as bits of their fields
	bodyLimit   int      // bytes at which the source cuts bodies, 0 when it does not or that is not known
}

// newMap returns an empty map. path is that of its file.
func newMap(path string) *Map { return &Map{Path: path, identity: lastIdentity.Add(1), root: &node{}} }

// entry is one line of a map: a target and the keys that it is read from, the first alternative first.
type entry struct {
	target string
	keys   []string
	action action
}

// node is a place in records: the top level, or what a key or several nested keys lead to.
type node struct {
	actions  []*action
	detects  uint64 // conditions that are met when a record has something here
	children map[string]*node
	prefixes []prefix
}

// prefix takes all keys that begin with a text.
type prefix struct {
	text string
	to   *action
}

// action takes a value for a target.
type action struct {
	target
	entry     int      // line of the map that it stands for
	slot      int      // of a target with a name of its own
	rank      uint8    // place among alternatives
	base64    bool     // the value is written in base64
	unescaped bool     // the value has lost the escapes of a URI
	absolute  bool     // the request line has an absolute URL where the client sent a path
	upper     bool     // a method that the source has in lower case
	all       bool     // many headers: the source logs every header
	dashes    bool     // many headers: names have underscores in place of dashes
	names     []string // many headers: a text with the values of these headers between bars
	guess     bool     // many headers: such a text, and the names are not known; unescaped: the value may have its escapes
	empty     []string // texts that stand for nothing
	escapes   escapes  // what to undo in texts
}

// slotTarget is a header or argument that has a name of its own.
type slotTarget struct {
	reading reading
	name    string
}

type constant struct {
	field Field
	text  string
}

// lastRank is the rank of a constant: every key comes before it.
const lastRank = 255

// read adds an entry: it puts the action where its keys lead.
func (m *Map) read(target string, a action, keys []string) {
	a.entry = len(m.entries)
	m.entries = append(m.entries, entry{target, keys, a})
	for rank, key := range keys {
		ranked := a
		ranked.rank = uint8(rank)
		if base, isPrefix := strings.CutSuffix(key, "*"); isPrefix {
			m.root.prefixPlaces(base, &ranked)
		} else {
			m.root.places(key, func(n *node) { n.actions = append(n.actions, &ranked) })
		}
	}
}

func (n *node) child(key string) *node {
	if n.children == nil {
		n.children = map[string]*node{}
	}
	c, found := n.children[key]
	if !found {
		c = &node{}
		n.children[key] = c
	}
	return c
}

// places calls put for every place that a dotted path can mean: each dot may be part of a key or lead into a nested map.
func (n *node) places(path string, put func(*node)) {
	put(n.child(path))
	for i := 1; i < len(path)-1; i++ {
		if path[i] == '.' {
			n.child(path[:i]).places(path[i+1:], put)
		}
	}
}

// prefixPlaces does the same for all keys that begin with a dotted path.
func (n *node) prefixPlaces(path string, a *action) {
	n.prefixes = append(n.prefixes, prefix{path, a})
	for i := 1; i < len(path); i++ {
		if path[i] == '.' {
			n.child(path[:i]).prefixPlaces(path[i+1:], a)
		}
	}
}

// next returns where a key leads, nil when nowhere. Without a place of its own a key may have a prefix that does.
func (n *node) next(key string) (child *node, p *prefix) {
	if child = n.children[key]; child != nil {
		return child, nil
	}
	for i := range n.prefixes {
		if strings.HasPrefix(key, n.prefixes[i].text) && len(key) > len(n.prefixes[i].text) {
			return nil, &n.prefixes[i]
		}
	}
	return nil, nil
}

// deeper reports whether maps at this place have anything to read.
func (n *node) deeper() bool { return len(n.children) > 0 || len(n.prefixes) > 0 }

// slotFor returns the slot of a target with a name of its own.
func (m *Map) slotFor(r reading, name string) int {
	at := slices.IndexFunc(m.slots, func(s slotTarget) bool { return s.reading == r && s.name == name })
	if at < 0 {
		at = len(m.slots)
		m.slots = append(m.slots, slotTarget{r, name})
	}
	return at
}
