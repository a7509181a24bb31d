package survive

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
)

// access are the pairs of an access log with an attack.
func access() []string {
	return []string{"METHOD", "GET", "URL", "/?q=" + attack, "DOMAIN", "shop.example", "AGENT", "Mozilla/5.0", "L7_PROTOCOL", "http"}
}

// more returns the attack of access among pairs in msgpack, which count as n.
func more(n int, pairs []byte) []byte {
	known := access()
	b := msgp.AppendMapHeader(nil, uint32(n+len(known)/2))
	b = append(b, pairs...)
	for _, s := range known {
		b = msgp.AppendString(b, s)
	}
	return withBody(b)
}

func keys(n int) (pairs []byte) {
	for i := range n {
		pairs = msgp.AppendInt(msgp.AppendString(pairs, strings.Repeat("k", 1+i%30)), i)
	}
	return pairs
}

// at returns a record with a time of its own.
func at(time []byte, body []byte) []byte {
	return append(append(append([]byte{0x92, 0x92}, time...), 0x80), body...)
}

func TestOddRecordsPassAsTheyCame(t *testing.T) {
	long := strings.Repeat("x", sized(t, 50<<20, 5<<20))
	body := event(access()...)[13:]
	nan := msgp.AppendFloat64(nil, math.NaN())
	deep := sized(t, 1_000_000, 10_000)
	f := open(t, nil)
	for name, c := range map[string]struct {
		record []byte
		kind   string
	}{
		"no map":                       {withBody(msgp.AppendString(nil, "text")), "not http"},
		"nothing":                      {withBody([]byte{0xc0}), "not http"},
		"an empty map":                 {withBody([]byte{0x80}), "not http"},
		"start of a group":             {at([]byte{0xd7, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}, body), ""},
		"end of a group":               {at([]byte{0xd7, 0, 0xff, 0xff, 0xff, 0xfe, 0, 0, 0, 0}, body), ""},
		"time that is no number":       {at(nan, body), "alert"},
		"infinite time":                {at(msgp.AppendFloat64(nil, math.Inf(-1)), body), "alert"},
		"largest time":                 {at(msgp.AppendUint64(nil, math.MaxUint64), body), "broken"},
		"time that is a text":          {at(msgp.AppendString(nil, "noon"), body), "broken"},
		"10,000 keys":                  {more(10_000, keys(10_000)), "alert"},
		"the same key over and over":   {more(2, []byte("\xa3URL\xa1/\xa3URL\xa2/a")), "alert"},
		"keys that are no texts":       {more(4, []byte("\x01\x02\xc0\xc0\x91\x01\xc3\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00\x80")), "alert"},
		"a value nested deeply":        {more(1, []byte("\xa1n"+strings.Repeat("\x91", deep)+"\xc0")), "alert"},
		"a key nested deeply":          {more(1, []byte(strings.Repeat("\x81", deep)+"\xc0"+strings.Repeat("\xc0", deep)+"\xc0")), "alert"},
		"a URL nested deeply":          {getting("URL", strings.Repeat("\x91", deep)+"\xc0"), "not http"},
		"a long text":                  {more(1, msgp.AppendString([]byte("\xa1n"), long)), "alert"},
		"a long label":                 {more(1, msgp.AppendString(msgp.AppendString(nil, "message"), long)), "alert"},
		"a long binary value":          {more(1, msgp.AppendBytes([]byte("\xa1n"), []byte(long))), "alert"},
		"ends in its time":             {body[:3], "broken"},
		"ends in its body":             {event(access()...)[:60], "broken"},
		"promises 4 billion pairs":     {withBody([]byte{0xdf, 0xff, 0xff, 0xff, 0xff, 0xa1, 'a'}), "broken"},
		"promises 4 GB of text":        {withBody([]byte{0xdb, 0xff, 0xff, 0xff, 0xff, 'a'}), "broken"},
		"a code that msgpack has not":  {withBody([]byte{0xc1}), "broken"},
		"an event of three":            {append([]byte{0x93, 0x01, 0x80}, 0x80), "broken"},
		"metadata that is no map":      {append([]byte{0x92, 0x92, 0x01, 0xa1, 'x'}, body...), "alert"},
		"an event with more than that": {append([]byte{0x92, 0x93, 0x01, 0x80, 0x01}, body...), "alert"},
	} {
		t.Run(name, func(t *testing.T) {
			begin := time.Now()
			var got fate
			memory := allocated(func() { got = process(t, f, c.record) })
			require.Equal(t, c.kind, got.kind)
			require.Less(t, memory, uint64(64<<20+10*len(c.record)), "bytes allocated, beside 10 for each byte of the record")
			require.Less(t, time.Since(begin), 2*time.Minute)
		})
	}
}

// getting returns a record of GET with one more pair, whose value is msgpack.
func getting(key, value string) []byte {
	b := msgp.AppendString(msgp.AppendString(msgp.AppendMapHeader(nil, 2), "METHOD"), "GET")
	return withBody(append(msgp.AppendString(b, key), value...))
}

// A chunk that ends anywhere, or has a byte changed anywhere, continues with all its bytes.
func TestDamagedChunksContinueWithAllTheirBytes(t *testing.T) {
	f := open(t, nil)
	clean := event("METHOD", "GET", "URL", "/", "DOMAIN", "shop.example", "AGENT", "Mozilla/5.0", "L7_PROTOCOL", "http")
	chunk := append(append([]byte{}, clean...), clean...)
	var out filter.Outcome
	for end := range chunk {
		f.Process(chunk[:end], "nano", &out)
		require.False(t, out.Changed, "cut after %d bytes", end)
	}
	for i := range chunk {
		for _, b := range []byte{0x00, 0x7f, 0x80, 0x9f, 0xc1, 0xdb, 0xdd, 0xdf, 0xff} {
			damaged := append([]byte{}, chunk...)
			damaged[i] = b
			f.Process(damaged, "nano", &out)
			if out.Changed {
				require.Equal(t, damaged, withoutVerdicts(out.Data), "byte %d is %02x", i, b)
			}
		}
	}
	c := f.Counts()
	require.Equal(t, c.Records, c.Clean+c.Alerts+c.NotHTTP+c.Broken+c.Skipped)
	require.Zero(t, c.Panics)
}

// withoutVerdicts returns a chunk without what the filter has added.
func withoutVerdicts(chunk []byte) (all []byte) {
	for {
		e, rest, err := record.Next(chunk)
		if err != nil {
			return append(all, chunk...)
		}
		all = append(all, e.Head...)
		if record.Has(e.Body, "waf") {
			e.Body = record.AppendMapWith(nil, e.Body, "waf", nil)
		}
		all, chunk = append(all, e.Body...), rest
	}
}
