package intake

import (
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
)

var received = time.Unix(1717053408, 917)

func decode(text string) (events []record.Event, err error) {
	var d Decoder
	chunk, n, err := d.AppendEvents(nil, []byte(text), received)
	for len(chunk) > 0 {
		var (
			e      record.Event
			broken error
		)
		if e, chunk, broken = record.Next(chunk); broken != nil {
			return nil, broken
		}
		events = append(events, e)
	}
	if n != len(events) {
		panic("records are counted wrongly")
	}
	return events, err
}

func TestObjectsBecomeEvents(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string // bodies, written as JSON
	}{
		"nothing":                        {" \r\n\t", nil},
		"one":                            {`{"a":"b"}`, []string{`{"a":"b"}`}},
		"several on one line":            {`{"a":1}{"b":2} {"c":3}`, []string{`{"a":1}`, `{"b":2}`, `{"c":3}`}},
		"over several lines":             {"{\n \"a\" : [ 1 , 2 ]\n}\n{}", []string{`{"a":[1,2]}`, `{}`}},
		"behind a byte order mark":       {"\ufeff{\"a\":1}", []string{`{"a":1}`}},
		"a key twice":                    {`{"a":1,"a":2}`, []string{`{"a":1,"a":2}`}},
		"all kinds of values":            {`{"a":[true,false,null,-1,1.5,"x",{},[]]}`, []string{`{"a":[true,false,null,-1,1.5,"x",{},[]]}`}},
		"whole numbers of 64 bits":       {`[9223372036854775807,18446744073709551615,-9223372036854775808]`, []string{`[9223372036854775807,18446744073709551615,-9223372036854775808]`}},
		"a number with more digits":      {`[18446744073709551616,-9223372036854775809]`, []string{`["18446744073709551616","-9223372036854775809"]`}},
		"a number out of range":          {`[1e999,-1E+999]`, []string{`["1e999","-1E+999"]`}},
		"minus zero":                     {`[-0]`, []string{`[-0]`}},
		"escapes":                        {`["\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"]`, []string{`["\"\\/\u0008\u000c\n\r\té😀"]`}},
		"half a surrogate pair":          {`["\ud83d-\ude00\ud83d\u0041"]`, []string{`["�-��A"]`}},
		"NUL in a string":                {`["\u0000"]`, []string{`["\u0000"]`}},
		"nginx's escapes":                {`["\x22\x3Cscript>"]`, []string{`["\"<script>"]`}},
		"control characters in a string": {"[\"a\tb\x01\"]", []string{`["a\tb\u0001"]`}},
	} {
		t.Run(name, func(t *testing.T) {
			text := c.text
			if inList := strings.HasPrefix(text, "["); inList {
				text = `{"":` + text + `}`
			}
			events, err := decode(text)
			require.NoError(t, err)
			require.Len(t, events, len(c.want))
			for i, e := range events {
				want := c.want[i]
				if strings.HasPrefix(want, "[") {
					want = `{"":` + want + `}`
				}
				require.Equal(t, want, asJSON(t, e.Body))
				require.Equal(t, received.Unix(), e.Time.Seconds)
				require.EqualValues(t, received.Nanosecond(), e.Time.Nanoseconds)
			}
		})
	}
}

func TestBytesThatAreNotUTF8StayAsTheyAre(t *testing.T) {
	for _, text := range []string{"\xff\xfe", "\\n\xff\xc0\x80"} {
		events, err := decode(`{"a":"` + text + `"}`)
		require.NoError(t, err)
		pairs, _ := record.ReadMap(events[0].Body)
		require.True(t, pairs.Next())
		value, _ := record.Text(pairs.Value)
		require.Equal(t, strings.ReplaceAll(text, `\n`, "\n"), value)
	}
}

func TestWhatIsNotJSONIsRefusedWithItsPlace(t *testing.T) {
	for text, want := range map[string]string{
		`hello`:        "not JSON at byte 1 (want an object)",
		`[1]`:          "not JSON at byte 1 (want an object)",
		`"a"`:          "not JSON at byte 1 (want an object)",
		`{"a":1},`:     "not JSON at byte 8 (want an object)",
		`{`:            "not JSON at byte 2 (want a key in double quotes)",
		`{"a"`:         "not JSON at byte 5 (want a colon)",
		`{"a":`:        "not JSON at byte 6 (want a value)",
		`{"a":1`:       "not JSON at byte 7 (want a comma or })",
		`{"a":1,}`:     "not JSON at byte 8 (want a key in double quotes)",
		`{a:1}`:        "not JSON at byte 2 (want a key in double quotes)",
		`{"a":tru}`:    "not JSON at byte 6 (want a value)",
		`{"a":01}`:     "not JSON at byte 7 (want a comma or })",
		`{"a":1.}`:     "not JSON at byte 8 (want a digit)",
		`{"a":-}`:      "not JSON at byte 7 (want a digit)",
		`{"a":1e}`:     "not JSON at byte 8 (want a digit)",
		`{"a":[1 2]}`:  "not JSON at byte 9 (want a comma or ])",
		`{"a":"b`:      "not JSON at byte 8 (want a closing double quote)",
		`{"a":"\`:      "not JSON at byte 8 (want an escape)",
		`{"a":"\q"}`:   "not JSON at byte 8 (want an escape)",
		`{"a":"\u12"}`: `not JSON at byte 8 (want four hexadecimal digits after \u)`,
		`{"a":"\xg0"}`: `not JSON at byte 8 (want two hexadecimal digits after \x)`,
		`{"a":"\n`:     "not JSON at byte 9 (want a closing double quote)",
	} {
		_, err := decode(text)
		require.EqualError(t, err, want, text)
	}
}

func TestObjectsBeforeBrokenOnesCount(t *testing.T) {
	events, err := decode(`{"a":1} {"b":2} {"c":`)
	require.Error(t, err)
	require.Len(t, events, 2)
}

func TestDepthIsBounded(t *testing.T) {
	for depth, fits := range map[int]bool{maxDepth - 1: true, maxDepth: false, 1_000_000: false} {
		_, err := decode(`{"a":` + strings.Repeat("[", depth) + strings.Repeat("]", depth) + `}`)
		require.Equal(t, fits, err == nil, depth)
	}
}

func TestDecodingAllocatesNothingOnceItHasMemory(t *testing.T) {
	text, err := os.ReadFile("../../testdata/nano-sample.json")
	require.NoError(t, err)
	var d Decoder
	chunk := make([]byte, 0, 1<<16)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if _, n, err := d.AppendEvents(chunk, text, received); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}))
}

// FuzzDecode holds the decoder against encoding/json: what that accepts, ours accepts with the same meaning.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`{"a":[1,-2.5e3,"\u00e9\n",null,true,{}]}`, `{"a":1}{"b":2}`, `{"a":"\x41"}`, `{"a":18446744073709551616}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var d Decoder
		chunk, n, err := d.AppendEvents(nil, text, received)
		var want map[string]any
		valid := utf8.Valid(text) && json.Unmarshal(text, &want) == nil && want != nil
		if valid && err != nil && !strings.Contains(err.Error(), "levels") {
			t.Fatalf("refused valid JSON: %v", err)
		}
		for range n {
			e, rest, err := record.Next(chunk)
			require.NoError(t, err)
			chunk = rest
			if valid && n == 1 {
				requireSame(t, want, e.Body)
			}
		}
		require.Empty(t, chunk)
	})
}

func requireSame(t *testing.T, want any, value []byte) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		pairs, isMap := record.ReadMap(value)
		require.True(t, isMap)
		last := map[string][]byte{}
		for pairs.Next() {
			last[pairs.Key] = pairs.Value
		}
		require.Len(t, last, len(want))
		for key, v := range last {
			requireSame(t, want[key], v)
		}
	case []any:
		items, isArray := record.ReadArray(value)
		require.True(t, isArray)
		for _, w := range want {
			require.True(t, items.Next())
			requireSame(t, w, items.Value)
		}
	case string:
		text, isText := record.Text(value)
		require.True(t, isText)
		require.Equal(t, want, text)
	case float64:
		if text, isText := record.Text(value); isText {
			require.Greater(t, math.Abs(want), 9e18, text)
			return
		}
		v, _, err := msgp.ReadFloat64Bytes(value)
		if err != nil {
			n, _, intErr := msgp.ReadIntfBytes(value)
			require.NoError(t, intErr)
			switch n := n.(type) {
			case int64:
				v = float64(n)
			case uint64:
				v = float64(n)
			}
		}
		require.Equal(t, want, v)
	case bool:
		v, _, err := msgp.ReadBoolBytes(value)
		require.NoError(t, err)
		require.Equal(t, want, v)
	case nil:
		require.True(t, record.IsNil(value))
	}
}

func lines(t *testing.T, from io.Reader, limit int) (found []string, tooLong []int) {
	t.Helper()
	l := NewLines(from, limit)
	for {
		b, err := l.Next()
		if errors.Is(err, io.EOF) {
			return found, tooLong
		}
		require.NoError(t, err)
		if b.TooLong {
			tooLong = append(tooLong, b.Line)
		}
		for number, text := range b.All() {
			for len(found) < number {
				found = append(found, "")
			}
			found[number-1] = string(text)
		}
	}
}

func TestLinesKeepTheirNumbers(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"nothing":           {"", nil},
		"one without end":   {"a", []string{"a"}},
		"several":           {"a\nb\r\nc\n", []string{"a", "b\r", "c"}},
		"blank ones":        {"\n \na\n\nb", []string{"", "", "a", "", "b"}},
		"NUL as end":        {"a\x00b\x00c", []string{"a", "b", "c"}},
		"both kinds of end": {"a\nb\x00c\n\x00d\x00", []string{"a", "b", "c", "", "d"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, from := range []io.Reader{
				strings.NewReader(c.text), iotest.OneByteReader(strings.NewReader(c.text)), iotest.DataErrReader(strings.NewReader(c.text)),
			} {
				found, tooLong := lines(t, from, 0)
				require.Equal(t, c.want, found)
				require.Empty(t, tooLong)
			}
		})
	}
}

func TestLinesThatAreTooLongAreLeftOut(t *testing.T) {
	long := strings.Repeat("x", 400<<10)
	text := "a\n" + long + "\nb\n" + long[:300<<10] + "\n" + long + long + "\n\nc\n" + long
	found, tooLong := lines(t, strings.NewReader(text), 300<<10)
	require.Equal(t, []int{2, 5, 8}, tooLong)
	require.Equal(t, []string{"a", "", "b", long[:300<<10], "", "", "c"}, found)
}

func TestLinesReturnWhatCameBeforeAnError(t *testing.T) {
	l := NewLines(io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(io.ErrClosedPipe)), 0)
	var all string
	for {
		b, err := l.Next()
		if err != nil {
			require.ErrorIs(t, err, io.ErrClosedPipe)
			break
		}
		all += string(b.Text)
	}
	require.Equal(t, "a\nb", all)
}

// asJSON writes a msgpack value as JSON, without the escapes that only HTML needs.
func asJSON(t testing.TB, value []byte) string {
	t.Helper()
	var text strings.Builder
	_, err := msgp.UnmarshalAsJSON(&text, value)
	require.NoError(t, err)
	return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&", `\ufffd`, "\ufffd").Replace(text.String())
}
