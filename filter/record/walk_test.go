package record

import (
	"bytes"
	"testing"
)

// FuzzNext walks any bytes: the events and what is left over are the chunk again, and every body that is a map can be read.
func FuzzNext(f *testing.F) {
	f.Add([]byte("\x92\x92\xd7\x00\x66\x58\x00\x00\x00\x00\x00\x01\x80\x81\xa1a\xa1b\x92\x01\x80"))
	f.Add([]byte("\x92\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00\x80"))
	f.Add([]byte("\xdd\xff\xff\xff\xff\x91\x91"))
	f.Fuzz(func(t *testing.T, chunk []byte) {
		var walked []byte
		rest := chunk
		for len(rest) > 0 {
			event, after, err := Next(rest)
			if err != nil {
				break
			}
			if len(after) >= len(rest) {
				t.Fatalf("no progress at %x", rest)
			}
			walked = append(walked, event.Raw...)
			if pairs, isMap := ReadMap(event.Body); isMap {
				for n := pairs.Len(); n > 0; n-- {
					if !pairs.Next() {
						t.Fatalf("%d pairs of %x cannot be read", n, event.Body)
					}
				}
			}
			rest = after
		}
		if !bytes.Equal(append(walked, rest...), chunk) {
			t.Fatalf("%x came back as %x and %x", chunk, walked, rest)
		}
	})
}
