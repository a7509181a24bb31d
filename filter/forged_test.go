package filter

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// encodedKeys are all encodings of a key that msgpack has, those that are longer than necessary too.
func encodedKeys(key string) map[string][]byte {
	n := byte(len(key))
	all := map[string][]byte{}
	for name, head := range map[string][]byte{
		"fixstr": {0xa0 | n}, "str 8": {0xd9, n}, "str 16": {0xda, 0, n}, "str 32": {0xdb, 0, 0, 0, n},
		"bin 8": {0xc4, n}, "bin 16": {0xc5, 0, n}, "bin 32": {0xc6, 0, 0, 0, n},
	} {
		all[name] = append(head, key...)
	}
	return all
}

// forgedValues are values of every type.
func forgedValues() map[string][]byte {
	text := strings.Repeat("x", 70_000)
	return map[string][]byte{
		"map":       msgp.AppendBool(msgp.AppendString(msgp.AppendMapHeader(nil, 1), "alert"), true),
		"empty map": {0x80}, "text": msgp.AppendString(nil, "forged"), "empty text": {0xa0}, "long text": msgp.AppendString(nil, text),
		"list": {0x92, 0x01, 0x80}, "nil": {0xc0}, "false": {0xc2}, "number": {0xcd, 1, 2}, "float": msgp.AppendFloat64(nil, 0.5),
		"bytes": {0xc4, 1, 0}, "time": {0xd7, 0, 0x66, 0x58, 0, 0, 0, 0, 0, 1}, "map in maps": {0x81, 0x81, 0xc0, 0x80, 0x81, 0xa1, 'a', 0x80},
	}
}

// kinds are records by what becomes of them, as pairs.
var kinds = map[string][][]byte{
	"no map":        texts("message", "not http"),
	"nothing else":  nil,
	"other":         texts("L7_PROTOCOL", "dns", "METHOD", "GET", "URL", "/?q=../../etc/passwd"),
	"method alone":  texts("METHOD", "GET"),
	"head unread":   texts("L7_PROTOCOL", "http", "REQ_HEADER", "\x16\x03\x01garbage"),
	"clean":         texts("METHOD", "GET", "URL", "/ok", "DOMAIN", "shop.example", "AGENT", "Mozilla/5.0"),
	"clean in part": texts("METHOD", "GET", "URL", "/ok", "REQ_HEADER", "GET /ok HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: Mozilla/5.0\r\nAccept: */*\r\n\r\nmore"),
	"alert":         texts("METHOD", "GET", "URL", "/?t=../../etc/passwd"),
}

func texts(keysAndValues ...string) (all [][]byte) {
	for i := 0; i < len(keysAndValues); i += 2 {
		all = append(all, msgp.AppendString(msgp.AppendString(nil, keysAndValues[i]), keysAndValues[i+1]))
	}
	return all
}

// recordOfPairs is a record as Fluent Bit hands it over.
func recordOfPairs(pairs [][]byte) []byte {
	b := msgp.AppendMapHeader([]byte{0x92, 0x92, 0xd7, 0x00, 0x66, 0x58, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x80}, uint32(len(pairs)))
	for _, p := range pairs {
		b = append(b, p...)
	}
	return b
}

// values returns what a record has under a key.
func values(t *testing.T, event []byte, key string) (found [][]byte) {
	t.Helper()
	e, rest, err := record.Next(event)
	require.NoError(t, err)
	require.Empty(t, rest)
	for pairs, _ := record.ReadMap(e.Body); pairs.Next(); {
		if pairs.IsKey && pairs.Key == key {
			found = append(found, pairs.Value)
		}
	}
	return found
}

// A verdict that came with a record is nowhere in it afterwards, and all else is there as it came.
func TestVerdictsOfTheSenderDoNotGoOn(t *testing.T) {
	dice := rand.New(rand.NewPCG(17, 3))
	for _, key := range []string{"waf", "my.verdict", "é"} {
		keys, forged := encodedKeys(key), forgedValues()
		f := newFilter(t, setting.Map{"alert_key": key})
		for kind, pairs := range kinds {
			untouched := process(f, recordOfPairs(pairs), "nano")
			verdict := values(t, continues(recordOfPairs(pairs), untouched), key)
			for encoding, encoded := range keys {
				for name, value := range forged {
					forgery := append(append([]byte{}, encoded...), value...)
					all := append([][]byte{}, pairs...)
					for range 1 + dice.IntN(3) {
						at := dice.IntN(len(all) + 1)
						all = append(all[:at:at], append([][]byte{forgery}, all[at:]...)...)
					}
					came := recordOfPairs(all)
					out := process(f, came, "nano")
					require.True(t, out.Changed, "%s %s %s", kind, encoding, name)
					require.Equal(t, verdict, values(t, out.Data, key), "%s %s %s", kind, encoding, name)
					require.Equal(t, without(recordOfPairs(pairs), key), without(out.Data, key), "%s %s %s", kind, encoding, name)
				}
			}
		}
		require.Zero(t, f.Counts().Broken)
	}
}

// continues returns the events with which a chunk continues.
func continues(chunk []byte, out *Outcome) []byte {
	if out.Changed {
		return out.Data
	}
	return chunk
}

func without(event []byte, key string) []byte {
	e, _, _ := record.Next(event) // has been read before
	return record.AppendMapWith(nil, e.Body, key, nil)
}

func TestOtherKeysThanThatOfAlertsGoOn(t *testing.T) {
	for key, settings := range map[string]setting.Map{
		"waf":   {"alert_key": "verdict"},
		"WAF":   nil,
		"waf2":  nil,
		"a.waf": nil,
	} {
		chunk := pairs("message", "not http", key, "mine")
		require.False(t, process(newFilter(t, settings), chunk, "nano").Changed, key)
	}
	inside := event(t, map[string]any{"a": map[string]any{"waf": "mine"}, "b": []any{map[string]any{"waf": 1}}, "waf2": "waf"})
	require.False(t, process(newFilter(t, nil), inside, "nano").Changed)
	require.False(t, process(newFilter(t, setting.Map{"alert_key": "off"}), pairs("waf", "mine"), "nano").Changed)
}

// A record is looked at by itself: the one before it may have been no map, or have had other keys.
func TestRecordsWithAndWithoutVerdictsOfTheSenderTakeTurns(t *testing.T) {
	f := newFilter(t, nil)
	list := event(t, []any{"waf", map[string]any{"waf": 1}})
	plain, forged := pairs("message", "x"), pairs("message", "x", "waf", "forged")
	wide := [][]byte{msgp.AppendBool(msgp.AppendString(nil, "waf"), true)}
	for i := range 400 {
		wide = append(wide, texts(fmt.Sprint(i), "x")...)
	}
	var chunk, want []byte
	dice := rand.New(rand.NewPCG(1, 5))
	for range 500 {
		switch dice.IntN(5) {
		case 0:
			chunk, want = append(chunk, list...), append(want, list...)
		case 1:
			chunk, want = append(chunk, plain...), append(want, plain...)
		case 2:
			chunk, want = append(chunk, forged...), append(want, plain...)
		case 3:
			chunk, want = append(chunk, recordOfPairs(wide)...), append(want, recordOfPairs(wide[1:])...)
		case 4:
			chunk, want = append(chunk, clean("/")...), append(want, clean("/")...)
		}
	}
	require.Equal(t, want, process(f, chunk, "nano").Data)
	require.Equal(t, want, process(newFilter(t, setting.Map{"inspect_budget": "1m"}), chunk, "nano").Data)
}

func TestCopiesForTheEmitTagHaveTheirOwnVerdictOnly(t *testing.T) {
	for _, key := range []string{"waf", "verdict", "off"} {
		f := newFilter(t, setting.Map{"alert_key": key, "emit_tag": "alert", "emit_format": "record"})
		if key == "off" {
			key = "waf"
		}
		for encoding, encoded := range encodedKeys(key) {
			forgery := append(append([]byte{}, encoded...), forgedValues()["map"]...)
			out := process(f, recordOfPairs(append(append([][]byte{forgery}, kinds["alert"]...), forgery)), "nano")
			require.Len(t, out.Emits, 1)
			found := values(t, out.Emits[0].Event, key)
			require.Len(t, found, 1, encoding)
			require.Contains(t, string(found[0]), "rule_id", encoding)
		}
	}
}

func TestNoHTTPThatIsNotReadSaysSo(t *testing.T) {
	f := newFilter(t, setting.Map{"keep": "alerts"})
	out := process(f, recordOfPairs(kinds["head unread"]), "nano")
	require.Equal(t, map[string]any{"partial": []any{"headers"}}, body(t, out.Data)["waf"])
	c := f.Counts()
	require.Equal(t, []uint64{1, 1, 1}, []uint64{c.Records, c.NotHTTP, c.Partial})
	require.Equal(t, []string{"headers"}, f.Check(recordOfPairs(kinds["head unread"]))[0].Partial.Names())
}
