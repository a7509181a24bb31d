package incident

import "math/bits"

// ways is how many rows share a place in a table. Their keys are two lines of a processor's cache.
const ways = 16

// table keeps a fixed number of rows under keys that are hashes. A new row takes, among the sixteen that share its place, a free one or
// the one that was used least recently, unless that is in use or was used within the table's idle time: whoever invents keys cannot
// push out rows that are in use.
type table[T any] struct {
	places uint64
	idle   uint32 // seconds for which a row is safe
	keys   []uint64
	used   []uint32 // second of the last use
	rows   []T

	evicted, rejected uint64
}

func newTable[T any](rows int, idle uint32) *table[T] {
	return &table[T]{places: uint64(rows / ways), idle: idle, keys: make([]uint64, rows), used: make([]uint32, rows), rows: make([]T, rows)}
}

func (t *table[T]) place(key uint64) int {
	hi, _ := bits.Mul64(key, t.places)
	return int(hi) * ways
}

// find returns the number of the row with a key, -1 when there is none.
func (t *table[T]) find(key uint64) int {
	at := t.place(key)
	for i, k := range t.keys[at : at+ways] {
		if k == key {
			return at + i
		}
	}
	return -1
}

// get returns the row with a key and notes its use, nil when there is none.
func (t *table[T]) get(key uint64, now uint32) *T {
	i := t.find(key)
	if i < 0 {
		return nil
	}
	t.used[i] = max(t.used[i], now)
	return &t.rows[i]
}

// add returns an empty row for a key that has none, nil when there is no room. leave is called with a row before it is given to another
// key, and may refuse that.
func (t *table[T]) add(key uint64, now uint32, leave func(*T) bool) *T {
	at, best := t.place(key), -1
	for i := at; i < at+ways; i++ {
		if t.keys[i] == 0 {
			best = i
			break
		}
		if passed(now, t.used[i]) >= t.idle && (best < 0 || t.used[i] < t.used[best]) {
			best = i
		}
	}
	if best < 0 || t.keys[best] != 0 && leave != nil && !leave(&t.rows[best]) {
		t.rejected++
		return nil
	}
	if t.keys[best] != 0 {
		t.evicted++
	}
	var empty T
	t.keys[best], t.used[best], t.rows[best] = key, now, empty
	return &t.rows[best]
}

// drop frees the row with a key.
func (t *table[T]) drop(key uint64) {
	if i := t.find(key); i >= 0 {
		var empty T
		t.keys[i], t.used[i], t.rows[i] = 0, 0, empty
	}
}

// doorkeeper lets a key in at its second sighting. It forgets keys when others take their places: four share one.
type doorkeeper []uint32

func (d doorkeeper) seen(key uint64) bool {
	at, tag := key%uint64(len(d)/4)*4, uint32(key>>32)|1
	four := d[at : at+4]
	for _, known := range four {
		if known == tag {
			return true
		}
	}
	copy(four[1:], four)
	four[0] = tag
	return false
}
