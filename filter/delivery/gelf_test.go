package delivery

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func newGELF(limit int) *gelfFormat {
	return &gelfFormat{machine: "collector", limit: limit, counters: &counters{}}
}

func gelfOf(t *testing.T, m Message) map[string]any {
	t.Helper()
	return parseGELF(t, newGELF(1<<20).document(&m))
}

func TestEveryValueOfAnAlertBecomesAField(t *testing.T) {
	m := Message{
		Time: time.Date(2024, 5, 30, 7, 16, 48, 917_400_000, time.UTC), Severity: 2, Host: "10.64.1.254",
		JSON: []byte(`{"rule_id":"932160","msg":"Remote Command Execution","score":5,"alert":true,"nothing":null,"id":"x",` +
			`"tags":["a","b\"",3],"empty":[],"none":{},"http":{"request":{"method":"GET","bytes":12}},` +
			`"messages":[{"id":1},{"id":2}],"a.b-c":"dots","with blank/ü":"u","_SRC_IP":"1.2.3.4"}`),
	}
	assert.Equal(t, map[string]any{
		"version": "1.1", "host": "10.64.1.254", "short_message": "Remote Command Execution", "timestamp": 1717053408.917, "level": 2.0,
		"_rule_id": "932160", "_msg": "Remote Command Execution", "_score": 5.0, "_alert": "true", "_id_": "x",
		"_tags": `a, b", 3`, "_http_request_method": "GET", "_http_request_bytes": 12.0,
		"_messages_0_id": 1.0, "_messages_1_id": 2.0, "_a.b-c": "dots", "_with_blank__": "u", "_SRC_IP": "1.2.3.4",
	}, gelfOf(t, m))
}

func TestFieldNamesAreUnique(t *testing.T) {
	got := gelfOf(t, Message{JSON: []byte(`{"a_b":1,"a":{"b":2},"a b":3,"a_b_2":4}`)})
	assert.Equal(t, 1.0, got["_a_b"])
	assert.Equal(t, 2.0, got["_a_b_2"])
	assert.Equal(t, 3.0, got["_a_b_3"])
	assert.Equal(t, 4.0, got["_a_b_2_2"])
}

func TestTheShortMessageIsTheRulesMessage(t *testing.T) {
	for in, want := range map[string]string{
		`{"message":"label","msg":"rule"}`:                     "rule",
		`{"message":"label","waf":{"msg":"rule"}}`:             "rule",
		`{"message":"label","rule":{"name":"rule"}}`:           "rule",
		`{"message":"label","finding_info":{"title":"rule"}}`:  "rule",
		`{"transaction":{"messages":[{"message":"rule"},{}]}}`: "rule",
		`{"message":"label"}`:                                  "label",
		`{"msg":"","message":7}`:                               "web attack",
		`CEF:0|fluent-bit-waf|waf|1|932160|rule|8|src=1.2.3.4`: `CEF:0|fluent-bit-waf|waf|1|932160|rule|8|src=1.2.3.4`,
		`{"msg":"` + strings.Repeat("é", 600) + `"}`:           strings.Repeat("é", 512),
	} {
		assert.Equal(t, want, gelfOf(t, Message{JSON: []byte(in)})["short_message"])
	}
}

func TestAGELFAlertIsSentAsItIs(t *testing.T) {
	in := `{"version":"1.1","host":"h","short_message":"m","level":3,"_x":"y"}`
	m := Message{JSON: []byte(in), Severity: 7}
	assert.Equal(t, in, string(newGELF(4096).document(&m)))
}

func TestALongGELFAlertKeepsWhatGELFDemands(t *testing.T) {
	in := fmt.Sprintf(`{"version":"1.1","host":"h","full_message":%q,"short_message":%q,"timestamp":1.5,"level":3,"_x":%q,"_y":1}`,
		strings.Repeat("f", 5000), strings.Repeat("s", 5000), strings.Repeat("x", 5000))
	m := Message{JSON: []byte(in), Severity: 7}
	f := newGELF(4096)
	doc := f.document(&m)
	assert.LessOrEqual(t, len(doc), 4096)
	got := parseGELF(t, doc)
	assert.Equal(t, "h", got["host"])
	assert.Equal(t, strings.Repeat("s", 1024), got["short_message"])
	assert.Equal(t, 1.5, got["timestamp"])
	assert.Equal(t, 3.0, got["level"])
	assert.Equal(t, 1.0, got["_y"])
	assert.Equal(t, "true", got["_shortened"])
	assert.Equal(t, int64(1), f.counters.shortened.Load())
}

func TestALongAlertIsShortenedToTheBound(t *testing.T) {
	m := Message{JSON: longAlert()}
	doc := newGELF(4096).document(&m)
	assert.LessOrEqual(t, len(doc), 4096)
	got := parseGELF(t, doc)
	assert.Equal(t, "932160", got["_rule_id"])
	assert.Equal(t, "true", got["_shortened"])
}

func TestADatagramIsWholeOrInChunks(t *testing.T) {
	random := make([]byte, 128*1408)
	rng := rand.NewChaCha8([32]byte{1})
	_, _ = rng.Read(random)
	for name, c := range map[string]struct {
		doc      []byte
		compress string
		count    int
	}{
		"small":                           {doc: random[:1420], compress: "gzip", count: 1},
		"one byte more":                   {doc: random[:1421], compress: "gzip", count: 2},
		"compressed into one":             {doc: bytes.Repeat([]byte("x"), 100_000), compress: "gzip", count: 1},
		"the same with zlib":              {doc: bytes.Repeat([]byte("x"), 100_000), compress: "zlib", count: 1},
		"not compressed":                  {doc: bytes.Repeat([]byte("x"), 1408*3), compress: "none", count: 3},
		"the most, as it does not shrink": {doc: random, compress: "gzip", count: 128},
	} {
		t.Run(name, func(t *testing.T) {
			datagrams := chunks(c.doc, 1420, c.compress)
			require.Len(t, datagrams, c.count)
			parts := make(map[string][][]byte)
			var whole []byte
			for _, d := range datagrams {
				assert.LessOrEqual(t, len(d), 1420)
				if whole = d; c.count > 1 {
					whole = joinChunks(t, parts, d)
				}
			}
			if whole[0] == 0x1f || whole[0] == 0x78 && c.compress == "zlib" {
				whole = decompress(t, whole)
			}
			assert.True(t, bytes.Equal(c.doc, whole))
		})
	}
}

func TestLargeAlertsArriveThroughGELF(t *testing.T) {
	random := make([]byte, 50_000)
	_, _ = rand.NewChaCha8([32]byte{2}).Read(random)
	for _, compress := range []string{"gzip", "zlib", "none"} {
		udp, box := gelfUDPServer(t)
		d := mustOpen(t, "gelf+udp://"+udp.LocalAddr().String()+"?compress="+compress, Options{})
		msgs := alerts(0, 2)
		msgs[1].JSON = fmt.Appendf(nil, `{"n":1,"msg":"large","random":"%x","text":%q}`, random[:20_000], strings.Repeat("y", 60_000))
		require.NoError(t, d.Deliver(t.Context(), "a", msgs))
		got := box.wait(t, 2)
		assert.Equal(t, fmt.Sprintf("%x", random[:20_000]), got[1]["_random"])
		assert.Equal(t, strings.Repeat("y", 60_000), got[1]["_text"])
	}
}

func FuzzGELF(f *testing.F) {
	f.Add([]byte(`{"a":{"id":[1,{"b":null}]},"a_id":true,"":"","_id":"x","msg":"\u0000"}`))
	f.Add([]byte(`{"version":"1.1","host":"","short_message":"x","_a":[1]}`))
	f.Add([]byte("CEF:0|\x00"))
	f.Fuzz(func(t *testing.T, alert []byte) {
		m := Message{JSON: alert, Host: string(alert)}
		doc := newGELF(minGELF).document(&m)
		if len(doc) > minGELF {
			t.Fatalf("%d bytes: %q", len(doc), doc)
		}
		var got map[string]any
		if err := json.Unmarshal(doc, &got); err != nil {
			t.Fatalf("%v: %q", err, doc)
		}
		if got["version"] != "1.1" || got["short_message"] == nil || got["host"] == nil {
			t.Fatalf("not GELF: %q", doc)
		}
		if bytes.IndexByte(doc, 0) >= 0 {
			t.Fatalf("the end of a frame inside of it: %q", doc)
		}
	})
}
