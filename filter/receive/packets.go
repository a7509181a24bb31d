package receive

import (
	"errors"
	"net/netip"
	"runtime/debug"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/intake"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
)

const (
	batchLength = 64      // datagrams that are read at a time
	maxDatagram = 1 << 16 // bytes, a little more than UDP can carry
	// flushSize is how many bytes of events are decoded before they go to the queue, unless batches are smaller.
	flushSize = 256 << 10
	// After fewer than fewDatagrams a socket is left alone for a while: waking up for each costs more than decoding it. It is as
	// long as the kernel's buffer can hold what comes at gatherRate, in bytes a second, and not worth it below shortestGather.
	fewDatagrams   = batchLength / 2
	gatherRate     = 800 << 20
	shortestGather = time.Millisecond
	longestGather  = 10 * time.Millisecond
	// backlogLook is how often a full backlog is looked at.
	backlogLook = time.Millisecond
	// lastLook is how often an empty socket is looked at until the deadline.
	lastLook = 5 * time.Millisecond
	// overtime is how long after the deadline it may take to read what the kernel has.
	overtime = 3 * time.Second
)

// reader decodes what arrives at a socket, or complete lines of any connection. Goroutines take turns with it.
type reader struct {
	*Receiver
	decoder  intake.Decoder
	unpacker intake.Unpacker
	waits    bool // for room in the queue
	enough   int  // bytes of events that go to the queue together
	events   []byte
	records  int
	before   mark
	place    place  // of messages that come from a log
	untimed  uint64 // what the decoder had counted when it was last asked
}

// mark is what a reader had before the message that it decodes, but for what it has handed over since.
type mark struct{ events, records int }

func (r *Receiver) newReader(waits bool) *reader {
	return &reader{
		Receiver: r,
		waits:    waits,
		enough:   min(flushSize, r.settings.Batch/2),
		decoder:  intake.Decoder{Shape: r.settings.Shape, Plain: intake.KnownPlain},
		unpacker: intake.Unpacker{Limit: r.settings.MaxMessage, Base64: r.settings.Base64},
	}
}

// readPackets reads a socket until the end, and then for as long as the kernel has something.
func (r *Receiver) readPackets(s *socket) {
	in, later := r.newReader(false), newBacklog()
	r.group.Go(func() { recovery.Loop(nil, r.Caught("backlog"), func() { later.decode(in, s) }) })
	defer close(later.slabs)
	messages := make([]ipv4.Message, batchLength)
	for i := range messages {
		messages[i].Buffers = [][]byte{make([]byte, maxDatagram)}
		messages[i].OOB = make([]byte, controlSize)
	}
	for {
		n, err := s.batch.ReadBatch(messages, 0)
		if errors.Is(err, unix.EAGAIN) {
			if r.ended(s) {
				return
			}
			continue
		}
		if err != nil {
			r.tell.once("receive on " + s.LocalAddr().String() + ": " + err.Error())
			time.Sleep(longestGather)
			n = 0
		}
		r.take(s, in, later, messages[:n])
		if n < fewDatagrams {
			time.Sleep(s.gather)
		}
		if r.late() {
			return
		}
	}
}

// take decodes what was read, or keeps it for later when more is there already. What is kept comes first.
func (r *Receiver) take(s *socket, in *reader, later *backlog, messages []ipv4.Message) {
	if len(messages) == 0 {
		return
	}
	now := time.Now()
	if (len(messages) == batchLength || later.waiting.Load() > 0) && later.keep(messages, r.Queue, now) {
		return
	}
	for later.waiting.Load() > 0 {
		time.Sleep(backlogLook)
	}
	in.packets(s, messages, now)
}

// ended waits until an empty socket has something, and reports whether it need not be read any more.
func (r *Receiver) ended(s *socket) bool {
	if r.ending.Load() {
		patience := time.Until(r.deadline)
		time.Sleep(min(patience, lastLook))
		return patience <= 0
	}
	if err := s.await(r.wake); err != nil {
		r.tell.once("wait for " + s.LocalAddr().String() + ": " + err.Error())
		time.Sleep(longestGather)
	}
	return false
}

// packets takes what was read from a socket at once.
func (in *reader) packets(s *socket, messages []ipv4.Message, now time.Time) {
	for i := range messages {
		m := &messages[i]
		in.datagram(m.Buffers[0][:m.N], sender(m.Addr), now)
		if len(in.events) >= in.enough {
			in.flush()
		}
	}
	last := &messages[len(messages)-1]
	if drops, told := toldDrops(last.OOB[:last.NN]); told {
		in.counters.kernelDrops.Add(s.drops.advance(drops))
	}
	in.flush()
}

// gatherTime is for how long a socket with a receive buffer of so many bytes may be left alone.
func gatherTime(buffer int64) time.Duration {
	switch t := time.Duration(buffer * int64(time.Second) / gatherRate); {
	case t < shortestGather:
		return 0
	default:
		return min(t, longestGather)
	}
}

// datagram takes what one sender has sent at once.
func (in *reader) datagram(data []byte, from netip.Addr, now time.Time) {
	c := &in.counters
	defer in.recovered(data, from, now)
	in.before = mark{len(in.events), in.records}
	c.datagrams.Add(1)
	c.bytes.Add(uint64(len(data)))
	if !allowed(in.settings.Allow, from) {
		c.denied.Add(1)
		return
	}
	if !in.rates.may(from, now) {
		c.limited.Add(1)
		return
	}
	if intake.IsChunk(data) {
		whole, chunks, fate := in.chunks.Add(from, data, now)
		switch fate {
		case intake.ChunkRepeated:
			c.chunksRepeated.Add(1)
		case intake.ChunkRefused:
			c.chunksRefused.Add(1)
		case intake.ChunkCompletes:
			c.messages.Add(1)
			c.messageChunks.Add(uint64(chunks))
			in.message(whole, from, now)
		}
		return
	}
	in.message(data, from, now)
}

// message takes a whole message in any of its forms.
func (in *reader) message(data []byte, from netip.Addr, now time.Time) {
	text, err := in.unpacker.Text(data)
	if err != nil {
		in.invalid(data, err, from, now)
		return
	}
	in.text(text, from, now)
	in.decoder.Columns = nil // others may have sent the next message
}

// recovered is to be deferred with a message. A panic of a decoder makes an invalid one of it.
func (in *reader) recovered(data []byte, from netip.Addr, now time.Time) {
	if cause := recover(); cause != nil {
		in.Caught("decoder")(cause, debug.Stack())
		in.events, in.records = in.events[:in.before.events], in.before.records
		in.invalid(data, errPanic, from, now)
	}
}

var errPanic = errors.New("recovered from a panic of the decoder")

func (in *reader) invalid(data []byte, reason error, from netip.Addr, now time.Time) {
	events, records := in.decoder.AppendInvalid(in.events, data, reason, in.sent(from, now))
	in.events = events
	in.records += records
	in.counters.invalid.Add(1)
	in.tell.invalid(reason)
}

// text takes JSON objects.
func (in *reader) text(text []byte, from netip.Addr, now time.Time) {
	all := 0
	for at := 0; ; in.flush() {
		events, next, records, err := in.decoder.AppendSome(in.events, text, at, in.enough, in.sent(from, now))
		in.events = events
		in.records += records
		all += records
		if err != nil {
			in.counters.invalid.Add(1)
			in.tell.invalid(err)
			return
		}
		if at = next; at == len(text) {
			break
		}
	}
	if all == 0 {
		in.counters.empty.Add(1)
	}
}

// flush hands over what was decoded.
func (in *reader) flush() {
	in.count()
	if in.waits {
		in.Queue.PutWait(in.events, in.records)
	} else {
		in.Queue.Put(in.events, in.records)
	}
	in.reset()
}

func (in *reader) count() {
	in.counters.records.Add(uint64(in.records))
	in.counters.untimed.Add(in.decoder.Untimed - in.untimed)
	in.untimed = in.decoder.Untimed
}

func (in *reader) reset() {
	in.records, in.before = 0, mark{}
	if cap(in.events) > 4*flushSize {
		in.events = nil
	}
	in.events = in.events[:0]
}
