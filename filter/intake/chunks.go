package intake

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"time"
)

// Chunks puts the chunks of GELF messages together. What senders can make it keep is bounded: in bytes, in messages of one
// sender, and in time. It may be used by several goroutines.
type Chunks struct {
	// Gone is called with the number of chunks of each message that is given up, before Add or Expire return.
	Gone func(chunks int)

	mu       sync.Mutex
	pending  map[chunkKey]*message
	begun    []moment               // of pending messages by age, and of some that are no longer pending
	finished map[chunkKey]time.Time // messages whose chunks may still be repeated
	ended    []moment               // of finished messages by age
	senders  map[netip.Addr]int     // messages that each of them has pending
	bytes    int
}

// moment is when a message began or ended.
type moment struct {
	chunkKey
	at time.Time
}

type chunkKey struct {
	from netip.Addr
	id   uint64
}

// message is what has come of a message; parts not yet there are nil.
type message struct {
	parts [][]byte
	have  int
	bytes int
	since time.Time
}

// ChunkFate is what became of a chunk.
type ChunkFate int

// What becomes of a chunk.
const (
	ChunkKept      ChunkFate = iota // others of its message are awaited
	ChunkCompletes                  // its message is complete
	ChunkRepeated                   // it was there already, or its message was complete
	ChunkRefused                    // it is malformed, contradicts others of its message, or its sender has too many messages pending
)

const (
	chunkHead       = 12 // bytes: magic, id, number and count
	maxChunks       = 128
	chunkLife       = 5 * time.Second // what GELF says, from the first chunk on
	maxChunkBytes   = 32 << 20        // of all pending messages
	maxChunkSenders = 1000
	maxPending      = 200    // messages of one sender
	maxFinished     = 20_000 // that are remembered
	// What a pending message takes besides the bytes of its chunks, about.
	messageOverhead = 512
)

// IsChunk reports whether a datagram is a chunk of a GELF message.
func IsChunk(datagram []byte) bool {
	return len(datagram) > 1 && datagram[0] == 0x1e && datagram[1] == 0x0f
}

// Add takes a chunk, of which it keeps a copy. With ChunkCompletes it returns the message, which is the caller's then, and of how
// many chunks it is made.
func (c *Chunks) Add(from netip.Addr, chunk []byte, now time.Time) (whole []byte, chunks int, fate ChunkFate) {
	if !IsChunk(chunk) || len(chunk) < chunkHead {
		return nil, 0, ChunkRefused
	}
	key := chunkKey{from, binary.BigEndian.Uint64(chunk[2:])}
	number, count := int(chunk[10]), int(chunk[11])
	if count == 0 || count > maxChunks || number >= count {
		return nil, 0, ChunkRefused
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expire(now)
	if _, finished := c.finished[key]; finished {
		return nil, 0, ChunkRepeated
	}
	m := c.pending[key]
	if m == nil {
		if m = c.begin(key, count, now); m == nil {
			return nil, 0, ChunkRefused
		}
	}
	switch {
	case count != len(m.parts):
		return nil, 0, ChunkRefused
	case m.parts[number] != nil:
		return nil, 0, ChunkRepeated
	}
	c.keep(m, number, chunk[chunkHead:])
	if m.have < count {
		c.makeRoom(key)
		return nil, 0, ChunkKept
	}
	c.finish(key, m, now)
	return m.join(), count, ChunkCompletes
}

// Pending returns how many chunks wait for others of their message.
func (c *Chunks) Pending() (chunks int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.pending {
		chunks += m.have
	}
	return chunks
}

// Expire gives up messages that have waited for too long. Add does so as well.
func (c *Chunks) Expire(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expire(now)
}

// begin returns a new message, nil when there may be none.
func (c *Chunks) begin(key chunkKey, count int, now time.Time) *message {
	waiting, known := c.senders[key.from]
	if waiting >= maxPending || !known && len(c.senders) >= maxChunkSenders {
		return nil
	}
	if c.pending == nil {
		c.pending, c.finished, c.senders = map[chunkKey]*message{}, map[chunkKey]time.Time{}, map[netip.Addr]int{}
	}
	m := &message{parts: make([][]byte, count), since: now, bytes: messageOverhead}
	c.pending[key] = m
	c.senders[key.from]++
	c.bytes += m.bytes
	c.begun = append(c.begun, moment{key, now})
	return m
}

func (c *Chunks) keep(m *message, number int, data []byte) {
	m.parts[number] = append(make([]byte, 0, len(data)), data...)
	m.have++
	m.bytes += len(data)
	c.bytes += len(data)
}

func (c *Chunks) finish(key chunkKey, m *message, now time.Time) {
	c.forget(key, m)
	if len(c.finished) < maxFinished {
		c.finished[key] = now
		c.ended = append(c.ended, moment{key, now})
	}
}

func (c *Chunks) forget(key chunkKey, m *message) {
	delete(c.pending, key)
	c.bytes -= m.bytes
	if c.senders[key.from]--; c.senders[key.from] <= 0 {
		delete(c.senders, key.from)
	}
}

func (c *Chunks) expire(now time.Time) {
	for len(c.begun) > 0 && now.Sub(c.begun[0].at) >= chunkLife {
		c.giveUpOldest()
	}
	for len(c.ended) > 0 && now.Sub(c.ended[0].at) >= chunkLife {
		delete(c.finished, c.ended[0].chunkKey)
		c.ended = c.ended[1:]
	}
}

// makeRoom gives the oldest messages up, but for one, until the pending ones take no more than they may.
func (c *Chunks) makeRoom(but chunkKey) {
	for c.bytes > maxChunkBytes && c.begun[0].chunkKey != but {
		c.giveUpOldest()
	}
}

// giveUpOldest takes the first of the begun messages, and gives it up unless it is finished.
func (c *Chunks) giveUpOldest() {
	first := c.begun[0]
	c.begun = c.begun[1:]
	if m := c.pending[first.chunkKey]; m != nil && m.since.Equal(first.at) {
		c.giveUp(first.chunkKey, m)
	}
}

func (c *Chunks) giveUp(key chunkKey, m *message) {
	c.forget(key, m)
	if c.Gone != nil {
		c.Gone(m.have)
	}
}

func (m *message) join() []byte {
	whole := make([]byte, 0, m.bytes)
	for _, part := range m.parts {
		whole = append(whole, part...)
	}
	return whole
}
