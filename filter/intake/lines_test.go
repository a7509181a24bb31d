package intake

import (
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// memory grants what is needed, and other bytes now and then.
type memory struct {
	t          *testing.T
	random     *rand.Rand
	held, most int
}

func (m *memory) Reserve(bytes int, needed bool) bool {
	if !needed && m.random.IntN(2) == 0 {
		return false
	}
	m.held += bytes
	m.most = max(m.most, m.held)
	return true
}

func (m *memory) Release(bytes int) {
	m.held -= bytes
	require.GreaterOrEqual(m.t, m.held, 0)
}

// jumpy reads as much as it feels like.
type jumpy struct {
	from   io.Reader
	random *rand.Rand
}

func (j *jumpy) Read(b []byte) (int, error) { return j.from.Read(b[:1+j.random.IntN(len(b))]) }

func TestBoundedLinesAreThoseOfOthersWithinTheirMemory(t *testing.T) {
	const limit = 300 << 10
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 1))
		var text strings.Builder
		for range 60 {
			size := random.IntN(200)
			if random.IntN(8) == 0 {
				size = random.IntN(limit + limit/4)
			}
			text.WriteString(strings.Repeat("x", size) + "\n\n\x00"[:1+random.IntN(2)])
		}
		text.WriteString("the last")
		want, wantLong := lines(t, strings.NewReader(text.String()), limit)
		m := &memory{t: t, random: random}
		l := NewBoundedLines(&jumpy{strings.NewReader(text.String()), random}, limit, m)
		var found []string
		var tooLong []int
		for {
			b, err := l.Next()
			require.Equal(t, cap(l.buffer), m.held, "what is accounted is what there is")
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
			if b.TooLong {
				tooLong = append(tooLong, b.Line)
			}
			for number, line := range b.All() {
				for len(found) < number {
					found = append(found, "")
				}
				found[number-1] = string(line)
			}
		}
		require.Equal(t, want, found, "seed %d", seed)
		require.Equal(t, wantLong, tooLong)
		require.LessOrEqual(t, m.most, MostMemory(limit))
	}
}

func TestBoundedLinesGiveLargeBuffersBack(t *testing.T) {
	m := &memory{t: t, random: rand.New(rand.NewPCG(1, 1))}
	from, to := io.Pipe()
	l := NewBoundedLines(from, 1<<20, m)
	go func() {
		to.Write([]byte(strings.Repeat("x", 1<<20) + "\n"))             //nolint:errcheck // a pipe
		to.Write([]byte("y"))                                           //nolint:errcheck // a pipe
		to.Write([]byte("y\n" + strings.Repeat("x", 3<<20)))            //nolint:errcheck // a pipe
		to.Write([]byte("\n" + strings.Repeat("z", 200<<10) + "\ny\n")) //nolint:errcheck // a pipe
		to.Close()
	}()
	held := map[byte]int{}
	for {
		b, err := l.Next()
		if err != nil {
			require.ErrorIs(t, err, io.EOF)
			break
		}
		if b.TooLong {
			held['t'] = m.held
			continue
		}
		held[b.Text[0]] = m.held
	}
	require.Greater(t, held['x'], 1<<20)
	require.LessOrEqual(t, held['y'], SharedRead)
}

func TestLinesWithoutMemoryEndWithoutTheirRest(t *testing.T) {
	refuse := refusing{}
	l := NewBoundedLines(iotest.HalfReader(strings.NewReader("a\n"+strings.Repeat("x", 20<<10))), 1<<20, &refuse)
	b, err := l.Next()
	require.NoError(t, err)
	require.Equal(t, "a\n", string(b.Text))
	_, err = l.Next()
	require.ErrorIs(t, err, ErrNoMemory)
	_, err = l.Next()
	require.ErrorIs(t, err, ErrNoMemory)
}

// refusing grants the first buffer only.
type refusing struct{ asked int }

func (m *refusing) Reserve(int, bool) bool {
	m.asked++
	return m.asked == 1
}

func (m *refusing) Release(int) {}
