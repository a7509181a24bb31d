package intake

import (
	"bytes"
	"encoding/base64"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/stretchr/testify/require"
)

func gzipped(t testing.TB, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func zlibbed(t testing.TB, text []byte, level int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := zlib.NewWriterLevel(&b, level)
	require.NoError(t, err)
	_, err = w.Write(text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func TestDatagramsAreUnpacked(t *testing.T) {
	text := []byte(`{"version":"1.1","short_message":"` + string(bytes.Repeat([]byte("abc"), 1000)) + `"}`)
	var u Unpacker
	coded := Unpacker{Base64: true}
	for range 2 { // memory is used again
		for name, datagram := range map[string][]byte{
			"as it is": text, "gzip": gzipped(t, text), "zlib": zlibbed(t, text, 6), "zlib, stored": zlibbed(t, text, 0), "zlib, best": zlibbed(t, text, 9),
		} {
			got, err := u.Text(datagram)
			require.NoError(t, err, name)
			require.Equal(t, string(text), string(got), name)
			got, err = coded.Text(append([]byte(base64.StdEncoding.EncodeToString(datagram)), '\n'))
			require.NoError(t, err, name)
			require.Equal(t, string(text), string(got), name)
			got, err = coded.Text(datagram)
			require.NoError(t, err, name)
			require.Equal(t, string(text), string(got), name)
		}
	}
}

func TestDecompressedTextIsBounded(t *testing.T) {
	u := Unpacker{Limit: 1000}
	for size, fits := range map[int]bool{1000: true, 1001: false, 50_000_000: false} {
		for name, datagram := range map[string][]byte{"gzip": gzipped(t, make([]byte, size)), "zlib": zlibbed(t, make([]byte, size), 6)} {
			got, err := u.Text(datagram)
			if fits {
				require.NoError(t, err, name)
				require.Len(t, got, size)
			} else {
				require.EqualError(t, err, "decompress a message: text is too long (want at most 1000 bytes)")
			}
		}
	}
	require.Less(t, cap(u.text), 10_000)
}

func TestBrokenPackingIsToldAndTheNextDatagramIsRead(t *testing.T) {
	text := []byte(`{"a":1}`)
	u := Unpacker{Base64: true}
	for _, datagram := range [][]byte{
		gzipped(t, text)[:12], zlibbed(t, text, 6)[:6], {0x1f, 0x8b, 0x00}, {0x78, 0x9c, 0xff}, []byte("***"),
	} {
		_, err := u.Text(datagram)
		require.Error(t, err, "%x", datagram)
		got, err := u.Text(gzipped(t, text))
		require.NoError(t, err)
		require.Equal(t, text, got)
		got, err = u.Text(zlibbed(t, text, 6))
		require.NoError(t, err)
		require.Equal(t, text, got)
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(gzipped(f, []byte(`{"a":1}`)))
	f.Add(zlibbed(f, []byte(`{"a":1}`), 6))
	f.Add([]byte("eyJhIjoxfQ=="))
	f.Add([]byte(`{"a":1}`))
	u := Unpacker{Limit: 10_000, Base64: true}
	f.Fuzz(func(t *testing.T, datagram []byte) {
		text, err := u.Text(datagram)
		if err == nil {
			require.LessOrEqual(t, len(text), max(10_000, len(datagram)))
		}
	})
}
