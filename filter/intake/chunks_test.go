package intake

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var sender = netip.MustParseAddr("192.0.2.7")

// chunk is one chunk of a GELF message.
func chunk(id uint64, number, count int, data string) []byte {
	b := binary.BigEndian.AppendUint64([]byte{0x1e, 0x0f}, id)
	return append(append(b, byte(number), byte(count)), data...)
}

func TestChunksBecomeTheirMessageInAnyOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		var c Chunks
		order := random.Perm(maxChunks)
		for n, number := range order {
			whole, chunks, fate := c.Add(sender, chunk(9, number, maxChunks, fmt.Sprintf("%d,", number)), received)
			if n < maxChunks-1 {
				require.Equal(t, ChunkKept, fate)
				continue
			}
			require.Equal(t, ChunkCompletes, fate)
			require.Equal(t, maxChunks, chunks)
			var want string
			for i := range maxChunks {
				want += fmt.Sprintf("%d,", i)
			}
			require.Equal(t, want, string(whole))
		}
		require.Zero(t, c.bytes)
		require.Empty(t, c.pending)
		require.Empty(t, c.senders)
	}
}

func TestMessagesOfSeveralSendersAreKeptApart(t *testing.T) {
	var c Chunks
	other := netip.MustParseAddr("192.0.2.8")
	c.Add(sender, chunk(1, 0, 2, "a"), received)
	c.Add(other, chunk(1, 0, 2, "b"), received)
	whole, _, _ := c.Add(other, chunk(1, 1, 2, "B"), received)
	require.Equal(t, "bB", string(whole))
	whole, _, _ = c.Add(sender, chunk(1, 1, 2, "A"), received)
	require.Equal(t, "aA", string(whole))
}

func TestRepeatedChunksDoNotCount(t *testing.T) {
	var c Chunks
	for range 3 {
		_, _, fate := c.Add(sender, chunk(1, 0, 2, "a"), received)
		require.Contains(t, []ChunkFate{ChunkKept, ChunkRepeated}, fate)
	}
	whole, _, fate := c.Add(sender, chunk(1, 1, 2, "b"), received)
	require.Equal(t, ChunkCompletes, fate)
	require.Equal(t, "ab", string(whole))
	_, _, fate = c.Add(sender, chunk(1, 0, 2, "a"), received.Add(time.Second))
	require.Equal(t, ChunkRepeated, fate, "after the message is complete")
	require.Zero(t, c.Pending())
}

func TestChunksThatAreNoneAreRefused(t *testing.T) {
	var c Chunks
	c.Add(sender, chunk(1, 0, 2, "a"), received)
	for name, datagram := range map[string][]byte{
		"no count":           chunk(2, 0, 0, "a"),
		"too many chunks":    chunk(2, 0, maxChunks+1, "a"),
		"a number too high":  chunk(2, 2, 2, "a"),
		"cut in its head":    chunk(2, 0, 2, "")[:chunkHead-1],
		"another count":      chunk(1, 1, 3, "a"),
		"not a chunk at all": []byte(`{"a":"aaaaaaaaaaaaa"}`),
	} {
		_, _, fate := c.Add(sender, datagram, received)
		require.Equal(t, ChunkRefused, fate, name)
	}
	require.Equal(t, 1, c.Pending())
}

func TestMessagesThatStayIncompleteAreGivenUpAfterFiveSeconds(t *testing.T) {
	gone := 0
	c := Chunks{Gone: func(chunks int) { gone += chunks }}
	c.Add(sender, chunk(1, 0, 3, "a"), received)
	c.Add(sender, chunk(1, 1, 3, "b"), received.Add(4*time.Second))
	c.Expire(received.Add(chunkLife - time.Millisecond))
	require.Zero(t, gone)
	c.Expire(received.Add(chunkLife))
	require.Equal(t, 2, gone)

	// The same id begins anew, with a time of its own.
	c.Add(sender, chunk(1, 2, 3, "c"), received.Add(chunkLife))
	c.Expire(received.Add(2*chunkLife - time.Millisecond))
	require.Equal(t, 1, c.Pending())
	c.Expire(received.Add(2 * chunkLife))
	require.Zero(t, c.Pending())
	require.Zero(t, c.bytes)
	require.Empty(t, c.senders)
}

func TestWhatSendersCanMakeItKeepIsBounded(t *testing.T) {
	gone := 0
	c := Chunks{Gone: func(chunks int) { gone += chunks }}
	payload := string(make([]byte, 60_000))
	kept, refused := 0, 0
	for id := range uint64(2000) {
		from := netip.AddrFrom4([4]byte{10, 0, byte(id >> 8), byte(id)})
		switch _, _, fate := c.Add(from, chunk(id, 0, 2, payload), received); fate {
		case ChunkKept:
			kept++
		case ChunkRefused:
			refused++
		}
		require.LessOrEqual(t, c.bytes, maxChunkBytes)
		require.LessOrEqual(t, len(c.senders), maxChunkSenders)
	}
	require.Equal(t, kept, gone+c.Pending(), "each chunk is pending or told as gone")
	require.Zero(t, refused, "older messages make room before there are too many senders")

	var one Chunks
	for id := range uint64(maxPending + 10) {
		_, _, fate := one.Add(sender, chunk(id, 0, 2, "a"), received)
		require.Equal(t, id >= maxPending, fate == ChunkRefused)
	}
	var many Chunks
	for n := range maxChunkSenders + 10 {
		_, _, fate := many.Add(netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}), chunk(1, 0, 2, "a"), received)
		require.Equal(t, n >= maxChunkSenders, fate == ChunkRefused)
	}
}

// FuzzChunks sends datagrams that are cut from the input, and compares what comes out with what went in.
func FuzzChunks(f *testing.F) {
	f.Add([]byte("\x1e\x0f12345678\x00\x02hello"), []byte("\x1e\x0f12345678\x01\x02world"), uint16(3))
	f.Add([]byte("\x1e\x0f"), []byte{}, uint16(6000))
	f.Fuzz(func(t *testing.T, one, two []byte, milliseconds uint16) {
		sent, out := 0, 0
		c := Chunks{Gone: func(chunks int) { out += chunks }}
		now := received
		for n := range 6 {
			datagram := one
			if n%2 == 1 {
				datagram = two
			}
			switch whole, chunks, fate := c.Add(sender, datagram, now); fate {
			case ChunkKept:
				sent++
			case ChunkCompletes:
				sent++
				out += chunks
				require.LessOrEqual(t, len(whole), len(one)+len(two))
			}
			now = now.Add(time.Duration(milliseconds) * time.Millisecond)
		}
		require.Equal(t, sent, out+c.Pending())
	})
}
