package intake

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func BenchmarkDecode(b *testing.B) {
	text, err := os.ReadFile("../../testdata/nano-sample.json")
	require.NoError(b, err)
	var (
		d   Decoder
		dst []byte
	)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if dst, _, err = d.AppendEvents(dst[:0], text, received); err != nil {
			b.Fatal(err)
		}
	}
}
