package receive

import "sync/atomic"

// Counts tell what has become of what was sent, since the start. Of datagrams with one record each:
//
//	sent     = KernelDrops + Datagrams
//	Datagrams = Denied + Limited + Empty + ChunksRepeated + ChunksRefused + ChunksGone + chunks that wait
//	          + chunks of complete messages + other datagrams
//	Records  = QueueDrops + what waits in the queue + what the pipeline took
//
// where a datagram that is Invalid is a record when such are kept.
type Counts struct {
	Datagrams      uint64 // read from UDP sockets
	Lines          uint64 // read from TCP connections
	Logged         uint64 // messages read from a log such as Kafka's
	Bytes          uint64 // of all three
	Records        uint64 // that were put into the queue, or dropped there
	Invalid        uint64 // datagrams and lines that are not, or not only, JSON
	Empty          uint64 // datagrams and lines without any record
	TooLong        uint64 // lines and messages that are longer than max_message
	KernelDrops    uint64 // datagrams that found the receive buffer full
	QueueDrops     uint64 // records that found the queue full
	Denied         uint64 // datagrams and connections of senders that are not allowed
	Limited        uint64 // datagrams and lines above source_rate
	Refused        uint64 // connections above a limit
	Idle           uint64 // connections closed after idle_timeout
	Displaced      uint64 // connections closed to make place for one of another address
	Crowded        uint64 // connections closed because unfinished lines took all of their memory
	Cut            uint64 // lines that were lost with a displaced or crowded connection
	ChunksRepeated uint64 // GELF chunks that were there already
	ChunksRefused  uint64 // GELF chunks that are malformed, or of senders with too many messages pending
	ChunksGone     uint64 // GELF chunks whose message stayed incomplete
	Messages       uint64 // GELF messages that were put together from chunks
	MessageChunks  uint64 // the chunks of these
	Panics         uint64 // messages at which a decoder panicked; they are Invalid as well
	Untimed        uint64 // records whose time_key could not be read
	QueueBytes     int64  // now
	LineBytes      int64  // of the buffers of all connections, now
	Connections    int64  // now
}

// counters are Counts while they change.
type counters struct {
	datagrams, lines, logged, bytes, records, invalid, empty, tooLong, kernelDrops, denied, limited, refused, untimed, panics atomic.Uint64

	idle, displaced, crowded, cut atomic.Uint64

	chunksRepeated, chunksRefused, chunksGone, messages, messageChunks atomic.Uint64

	connections atomic.Int64
}

// Counts returns what has become of what was sent so far.
func (r *Receiver) Counts() Counts {
	c := &r.counters
	return Counts{
		Datagrams: c.datagrams.Load(), Lines: c.lines.Load(), Logged: c.logged.Load(), Bytes: c.bytes.Load(), Records: c.records.Load(),
		Invalid: c.invalid.Load(), Empty: c.empty.Load(), TooLong: c.tooLong.Load(), KernelDrops: c.kernelDrops.Load(),
		QueueDrops: r.Queue.dropped.Load(), Denied: c.denied.Load(), Limited: c.limited.Load(), Refused: c.refused.Load(),
		ChunksRepeated: c.chunksRepeated.Load(), ChunksRefused: c.chunksRefused.Load(), ChunksGone: c.chunksGone.Load(),
		Messages: c.messages.Load(), MessageChunks: c.messageChunks.Load(), Panics: c.panics.Load(), Untimed: c.untimed.Load(),
		QueueBytes: r.Queue.Bytes(), LineBytes: r.connections.bytes(), Connections: c.connections.Load(),
		Idle: c.idle.Load(), Displaced: c.displaced.Load(), Crowded: c.crowded.Load(), Cut: c.cut.Load(),
	}
}
