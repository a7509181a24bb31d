package digest

import (
	"encoding/binary"
	"errors"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/incident"
)

// Span is a part of a stream of records that has partitions, such as a topic of Kafka: the records of a partition from one position to before
// another. Who reads the same records again makes the same span of them.
type Span struct {
	Stream     uint64 // names the stream
	Partition  uint32
	Partitions uint32 // that the stream has
	From, To   uint64 // positions; equal where there is nothing new
	Read       int64  // when nothing was behind To, in milliseconds; 0 where that is not known
}

// mostPartitions bounds the partitions of a stream.
const mostPartitions = 1 << 14

const (
	spanVersion  = 2
	spanHeadSize = 1 + 8 + 4 + 4 + 8 + 8 + 8
)

func (s *Span) append(out []byte) []byte {
	out = append(out, spanVersion)
	out = binary.LittleEndian.AppendUint64(out, s.Stream)
	out = appendUint32(appendUint32(out, s.Partition), s.Partitions)
	out = binary.LittleEndian.AppendUint64(out, s.From)
	out = binary.LittleEndian.AppendUint64(out, s.To)
	return binary.LittleEndian.AppendUint64(out, uint64(s.Read))
}

func readSpan(b []byte) (*Span, error) {
	s := &Span{
		Stream: binary.LittleEndian.Uint64(b[1:]), Partition: binary.LittleEndian.Uint32(b[9:]), Partitions: binary.LittleEndian.Uint32(b[13:]),
		From: binary.LittleEndian.Uint64(b[17:]), To: binary.LittleEndian.Uint64(b[25:]), Read: int64(binary.LittleEndian.Uint64(b[33:])),
	}
	if s.Partition >= s.Partitions || s.Partitions > mostPartitions || s.From > s.To || s.Read < 0 {
		return nil, errors.New("digest: malformed span")
	}
	return s, nil
}

// Section sums up the records of a span. It is not safe for concurrent use.
type Section struct {
	windows map[int64]*window
	route   incident.Route
	records uint64
}

// NewSection returns an empty section.
func NewSection() *Section { return &Section{windows: map[int64]*window{}} }

// Add takes an observation, of which it keeps no view.
func (s *Section) Add(o *incident.Observation) {
	at, offset := windowOf(o.Time)
	in := s.windows[at]
	if in == nil {
		if len(s.windows) == mostWindows { // hours apart each: no clock made these times
			return
		}
		in = newWindow()
		s.windows[at] = in
	}
	s.route.Parse(o.Method, o.Path)
	in.add(o, &s.route, offset)
	s.records++
}

// Records returns how many observations there were.
func (s *Section) Records() uint64 { return s.records }

// Seal makes the digest of a span. The salt is that of incident_rules.
func (s *Section) Seal(span Span, salt string) ([]byte, error) {
	packed, err := compress(encode(s.windows))
	if err != nil {
		return nil, err
	}
	return sign(head{span: &span}, packed, []byte(salt)), nil
}
