package record

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"
)

func TestEventsTellTheirMetadata(t *testing.T) {
	metadata := msgp.AppendString(msgp.AppendString([]byte{0x81}, "a"), "b")
	body := []byte{0x80}
	now := []byte{0xd7, 0x00, 0x66, 0x58, 0x00, 0x00, 0, 0, 0, 1}
	join := func(parts ...[]byte) (all []byte) {
		for _, p := range parts {
			all = append(all, p...)
		}
		return all
	}
	for name, c := range map[string]struct{ event, metadata []byte }{
		"with metadata":        {join([]byte{0x92, 0x92}, now, metadata, body), metadata},
		"with empty metadata":  {join([]byte{0x92, 0x92}, now, []byte{0x80}, body), []byte{0x80}},
		"time alone in a list": {join([]byte{0x92, 0x91}, now, body), nil},
		"time alone":           {join([]byte{0x92}, now, body), nil},
		"more than metadata":   {join([]byte{0x92, 0x93}, now, metadata, []byte{0x01}, body), nil},
	} {
		e, rest, err := Next(c.event)
		require.NoError(t, err, name)
		require.Empty(t, rest)
		require.Equal(t, c.metadata, e.Meta, name)
		require.Equal(t, body, e.Body, name)
	}
}

func FuzzPairs(f *testing.F) {
	f.Add([]byte{0x82, 0xa1, 'a', 0xa1, 'b', 0xd9, 0x01, 'c', 0x93, 1, 2, 3})
	f.Add([]byte{0xde, 0x00, 0x02, 0xda, 0x00, 0x01, 'x', 0xc4, 0x01, 0x00, 0x05, 0xc0})
	f.Fuzz(func(t *testing.T, b []byte) {
		pairs, isMap := ReadMap(b)
		if !isMap {
			return
		}
		rest := pairs.Rest()
		for pairs.Next() {
			key, value, after, ok := CutPair(rest)
			require.True(t, ok)
			require.Equal(t, pairs.Key, key)
			require.Equal(t, pairs.Value, value)
			want, err := skip(rest)
			require.NoError(t, err)
			want, err = skip(want)
			require.NoError(t, err)
			require.Equal(t, want, after)
			rest = after
		}
	})
}
