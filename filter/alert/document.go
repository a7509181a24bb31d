package alert

import (
	"encoding/binary"
	"strconv"

	"github.com/tinylib/msgp/msgp"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/visible"
)

// document writes nested msgpack maps. Members without a value are skipped, and so are maps without members.
type document struct {
	bytes []byte
	maps  []openMap
}

// usualDepth is how many maps most documents have within one another.
const usualDepth = 4

// openMap is a map that is being written.
type openMap struct {
	key     int // offset of its key
	head    int // offset of its header
	members uint32
}

// mapHead is a header with a number of members that is filled in later.
var mapHead = []byte{0xdf, 0, 0, 0, 0}

// newDocument starts a map behind what dst holds.
func newDocument(dst []byte) *document {
	d := &document{bytes: dst, maps: make([]openMap, 0, usualDepth)}
	d.push(len(dst))
	return d
}

// push starts a map whose key, if any, is at an offset.
func (d *document) push(key int) {
	d.maps = append(d.maps, openMap{key: key, head: len(d.bytes)})
	d.bytes = append(d.bytes, mapHead...)
}

// pop ends the innermost map and returns it.
func (d *document) pop() openMap {
	m := d.maps[len(d.maps)-1]
	d.maps = d.maps[:len(d.maps)-1]
	binary.BigEndian.PutUint32(d.bytes[m.head+1:], m.members)
	return m
}

// end ends the outermost map and returns everything.
func (d *document) end() []byte {
	d.pop()
	return d.bytes
}

// key starts a member.
func (d *document) key(name string) {
	d.maps[len(d.maps)-1].members++
	d.bytes = msgp.AppendString(d.bytes, visible.WithoutBidi(name))
}

// object writes a map with the members that write adds.
func (d *document) object(name string, write func()) {
	start := len(d.bytes)
	d.key(name)
	d.push(start)
	write()
	if m := d.pop(); m.members == 0 {
		d.bytes = d.bytes[:m.key]
		d.maps[len(d.maps)-1].members--
	}
}

// list writes a list of n maps; write adds the members of each.
func (d *document) list(name string, n int, write func(i int)) {
	if n == 0 {
		return
	}
	d.key(name)
	d.bytes = msgp.AppendArrayHeader(d.bytes, uint32(n))
	for i := range n {
		d.push(len(d.bytes))
		write(i)
		d.pop()
	}
}

// text writes a text that is not empty.
func (d *document) text(name, value string) {
	if value != "" {
		d.always(name, value)
	}
}

// always writes a text, also an empty one.
func (d *document) always(name, value string) {
	d.key(name)
	d.bytes = msgp.AppendString(d.bytes, visible.WithoutBidi(value))
}

// texts writes a list of texts that is not empty.
func (d *document) texts(name string, values []string) {
	if len(values) > 0 {
		d.alwaysTexts(name, values)
	}
}

func (d *document) alwaysTexts(name string, values []string) {
	d.key(name)
	d.bytes = msgp.AppendArrayHeader(d.bytes, uint32(len(values)))
	for _, v := range values {
		d.bytes = msgp.AppendString(d.bytes, visible.WithoutBidi(v))
	}
}

func (d *document) number(name string, value int64) {
	d.key(name)
	d.bytes = msgp.AppendInt64(d.bytes, value)
}

// float writes the value of a key.
func (d *document) float(value float64) { d.bytes = msgp.AppendFloat64(d.bytes, value) }

// numeral writes a text as a number, when it is one.
func (d *document) numeral(name, value string) {
	if n, err := strconv.ParseInt(value, 10, 64); err == nil {
		d.number(name, n)
	}
}

func (d *document) flag(name string, value bool) {
	d.key(name)
	d.bytes = msgp.AppendBool(d.bytes, value)
}

// pairs writes texts under their own names.
func (d *document) pairs(all []Pair) {
	for _, p := range all {
		d.always(p.Name, p.Value)
	}
}
