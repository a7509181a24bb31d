package receive

import (
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/tinylib/msgp/msgp"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/intake"
)

// Messages decodes messages that do not come through a socket of the receiver, with its settings and counts. It is for one goroutine.
type Messages struct{ in *reader }

// mostKept is the size in bytes from which memory for events is left to the garbage collector.
const mostKept = 4 * DefaultBatch

// place is where in a log of messages one stands. It becomes metadata of the records in the message, so that the same message at another
// place makes other alerts, and one that is read again the same.
type place struct {
	pairs []byte
	count int
}

// Messages returns a decoder. What it decodes goes to its caller, and not to the queue.
func (r *Receiver) Messages() *Messages {
	m := &Messages{r.newReader(false)}
	m.in.enough = math.MaxInt
	return m
}

// Add decodes a message that was sent at a time, and stands at an offset of a partition of a topic.
func (m *Messages) Add(data []byte, sent time.Time, topic string, partition int32, offset int64) {
	in := m.in
	defer in.recovered(data, netip.Addr{}, sent)
	in.before = mark{len(in.events), in.records}
	in.place.set(topic, partition, offset)
	in.counters.logged.Add(1)
	in.counters.bytes.Add(uint64(len(data)))
	if len(data) > in.settings.MaxMessage {
		in.counters.tooLong.Add(1)
		in.tell.once(fmt.Sprintf("a message of more than %d bytes is skipped", in.settings.MaxMessage))
		return
	}
	in.message(data, netip.Addr{}, sent)
}

// Take returns the events of the messages that were added since the last call. They are valid until the next one of Add.
func (m *Messages) Take() (events []byte, records int) {
	in := m.in
	events, records = in.events, in.records
	in.count()
	in.events, in.records, in.before = events[:0], 0, mark{}
	if cap(events) > mostKept {
		in.events = nil
	}
	return events, records
}

func (p *place) set(topic string, partition int32, offset int64) {
	p.count = 3
	p.pairs = msgp.AppendString(msgp.AppendString(p.pairs[:0], "topic"), topic)
	p.pairs = msgp.AppendInt32(msgp.AppendString(p.pairs, "partition"), partition)
	p.pairs = msgp.AppendInt64(msgp.AppendString(p.pairs, "offset"), offset)
}

// sent returns what is known of the message that is being decoded.
func (in *reader) sent(from netip.Addr, at time.Time) intake.Sent {
	return intake.Sent{From: from, At: at, Pairs: in.place.pairs, Metadata: in.place.count}
}
