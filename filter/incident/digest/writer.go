package digest

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident"
)

// Key is that of a digest in a record.
const Key = "waf_digest"

// A digest is the version, the node and its number or a span, the first bytes of an HMAC-SHA256 of everything else under the salt, and the compressed
// content.
const (
	version  = 1
	headSize = 1 + 8 + 8
	macSize  = 8
)

// How a Writer sends.
const (
	settle = 2 * time.Second // in which records of a window may come after its end
	full   = 32768           // groups that do not wait for the end of their window
	enough = 4096            // groups of complete windows that do not wait for the next turn
)

// Writer makes digests of the observations of one node. It is not safe for concurrent use.
type Writer struct {
	node   uint64
	number uint64
	salt   []byte
	every  time.Duration

	windows map[int64]*window
	begun   map[int64]time.Time // when the first record of a window came
	newest  int64               // time of an observation, in milliseconds
	groups  int
	turn    int64
	route   incident.Route
	ready   [][]byte
	records uint64
}

// NewWriter returns a writer with a name of its own, that sends so often. The salt is that of incident_rules.
func NewWriter(salt string, every time.Duration) *Writer {
	var node [8]byte
	_, _ = rand.Read(node[:]) // it never fails
	return newWriter(binary.LittleEndian.Uint64(node[:]), salt, every)
}

func newWriter(node uint64, salt string, every time.Duration) *Writer {
	return &Writer{node: node, salt: []byte(salt), every: every, windows: map[int64]*window{}, begun: map[int64]time.Time{}}
}

// Add takes an observation, of which it keeps no view.
func (w *Writer) Add(o *incident.Observation, now time.Time) error {
	at, offset := windowOf(o.Time)
	in := w.windows[at]
	if in == nil {
		in = newWindow()
		w.windows[at], w.begun[at] = in, now
	}
	w.route.Parse(o.Method, o.Path)
	if in.add(o, &w.route, offset) {
		w.groups++
	}
	w.newest = max(w.newest, o.Time)
	w.records++
	if w.groups >= full {
		return w.seal(func(int64) bool { return true })
	}
	return nil
}

func windowOf(milliseconds int64) (at int64, offset uint32) {
	milliseconds = max(0, milliseconds)
	return milliseconds / windowTime, uint32(milliseconds % windowTime)
}

// Due returns the digests that are to be sent now: at times those of the windows that are over.
func (w *Writer) Due(now time.Time) ([][]byte, error) {
	turn := now.Add(-settle).Unix() / int64(w.every/time.Second)
	if w.turn == 0 {
		w.turn = turn
	}
	if turn > w.turn || turn < w.turn-1 || w.groups >= enough { // a clock may be set back
		w.turn = turn
		if err := w.seal(func(at int64) bool { return w.isOver(at, now) }); err != nil {
			return nil, err
		}
	}
	ready := w.ready
	w.ready = nil
	return ready, nil
}

// isOver reports whether a window has ended, by the times of records or by the clock.
func (w *Writer) isOver(at int64, now time.Time) bool {
	return (at+1)*windowTime+settle.Milliseconds() <= w.newest || now.Sub(w.begun[at]) >= windowTime*time.Millisecond+settle
}

// Rest returns the digests of everything that was not sent yet.
func (w *Writer) Rest() ([][]byte, error) {
	err := w.seal(func(int64) bool { return true })
	ready := w.ready
	w.ready = nil
	return ready, err
}

// seal makes a digest of some windows.
func (w *Writer) seal(these func(at int64) bool) error {
	chosen := map[int64]*window{}
	for at, in := range w.windows {
		if these(at) && len(chosen) < mostWindows {
			chosen[at] = in
			delete(w.windows, at)
			delete(w.begun, at)
			w.groups -= len(in.groups)
		}
	}
	if len(chosen) == 0 {
		return nil
	}
	packed, err := compress(encode(chosen))
	if err != nil {
		return err
	}
	w.number++
	w.ready = append(w.ready, sign(head{node: w.node, number: w.number}, packed, w.salt))
	return nil
}

// Records returns how many observations there were.
func (w *Writer) Records() uint64 { return w.records }

// head names a digest: the run of a node, and which of its digests it is, or the span of which it is.
type head struct {
	node, number uint64
	span         *Span // nil for a digest of a node
}

func (h head) append(out []byte) []byte {
	if h.span != nil {
		return h.span.append(out)
	}
	out = append(out, version)
	out = binary.LittleEndian.AppendUint64(out, h.node)
	return binary.LittleEndian.AppendUint64(out, h.number)
}

// readHead reads the first bytes of a digest.
func readHead(b []byte) (h head, err error) {
	if b[0] == spanVersion {
		h.span, err = readSpan(b)
		return h, err
	}
	return head{node: binary.LittleEndian.Uint64(b[1:]), number: binary.LittleEndian.Uint64(b[9:])}, nil
}

func sign(h head, packed, salt []byte) []byte {
	out := h.append(make([]byte, 0, spanHeadSize+macSize+len(packed)))
	out = append(out, mac(out, packed, salt)...)
	return append(out, packed...)
}

func mac(head, packed, salt []byte) []byte {
	m := hmac.New(sha256.New, append([]byte("waf digest "), salt...))
	m.Write(head)
	m.Write(packed)
	return m.Sum(nil)[:macSize]
}

// verify returns the name and the compressed content of a digest.
func verify(digest, salt []byte) (h head, packed []byte, err error) {
	if len(digest) == 0 {
		return h, nil, errors.New("digest: too short")
	}
	size := map[byte]int{version: headSize, spanVersion: spanHeadSize}[digest[0]]
	switch {
	case size == 0:
		return h, nil, fmt.Errorf("digest: version %d (expected %d or %d)", digest[0], version, spanVersion)
	case len(digest) < size+macSize:
		return h, nil, errors.New("digest: too short")
	}
	packed = digest[size+macSize:]
	if !hmac.Equal(digest[size:size+macSize], mac(digest[:size], packed, salt)) {
		return h, nil, errors.New("digest: wrong signature: it was changed on its way, or the salt in incident_rules is not the same")
	}
	h, err = readHead(digest)
	return h, packed, err
}
