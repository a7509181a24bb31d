package fieldmap

import "github.com/fluent-bit-waf/fluent-bit-waf/filter/record"

// Reading tells what a map takes from one key of a record.
type Reading struct {
	Target string // as maps name it
	Key    string // dotted path of the key
	Value  []byte // as msgpack, a view of the record
}

// Trace returns what a map takes from a record, in the record's order, and the keys at its top level that it does not read.
func (m *Map) Trace(metadata, body []byte) (read []Reading, unread []string) {
	pairs, isMap := record.ReadMap(body)
	if !isMap {
		return nil, nil
	}
	t := tracer{m: m}
	if inside, isMap := record.ReadMap(metadata); isMap && m.root.children[metadataKey] != nil {
		for inside.Next() {
			t.pair(m.root.children[metadataKey], "metadata:", &inside)
		}
	}
	for pairs.Next() {
		before := len(t.read)
		t.pair(m.root, "", &pairs)
		if len(t.read) == before {
			unread = append(unread, pairs.Key)
		}
	}
	return t.read, unread
}

type tracer struct {
	m    *Map
	read []Reading
}

func (t *tracer) pair(n *node, path string, pair *record.Pairs) {
	if !pair.IsKey {
		return
	}
	place := path + pair.Key
	child, p := n.next(pair.Key)
	switch {
	case p != nil:
		t.add(p.to, place, pair.Value)
	case child != nil:
		for _, a := range child.actions {
			t.add(a, place, pair.Value)
		}
		if inside, isMap := record.ReadMap(pair.Value); isMap && child.deeper() {
			for inside.Next() {
				t.pair(child, place+".", &inside)
			}
		}
	}
}

func (t *tracer) add(a *action, key string, value []byte) {
	t.read = append(t.read, Reading{t.m.entries[a.entry].target, key, value})
}
