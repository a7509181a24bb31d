package delivery

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWhatFitsIsNotTouched(t *testing.T) {
	in := []byte(`{ "a" : "b" }`)
	out, shortened := Shorten(in, len(in))
	assert.False(t, shortened)
	assert.Equal(t, string(in), string(out))
}

// longAlert has every kind of thing that Shorten knows, each so long that it alone can make room for 1,000 bytes.
func longAlert() []byte {
	list := strings.TrimSuffix(strings.Repeat(`"930100",`, 200), ",")
	return fmt.Appendf(nil, `{"rule_id":"932160","req_body":%q,"request":{"body":{"content":%q},"headers":{"cookie":%q,"x":%q}},`+
		`"rsp_header":%q,"url":%q,"rule_ids":[%s],"severity":"2"}`,
		strings.Repeat("a", 1500), strings.Repeat("b", 2500), strings.Repeat("c", 1500), strings.Repeat("d", 500),
		strings.Repeat("e", 1500), strings.Repeat("f", 1500), list)
}

type shortAlert struct {
	RuleID  string `json:"rule_id"`
	ReqBody string `json:"req_body"`
	Request struct {
		Body    struct{ Content string }
		Headers struct{ Cookie, X string }
	}
	RspHeader string   `json:"rsp_header"`
	URL       string   `json:"url"`
	RuleIDs   []string `json:"rule_ids"`
	Severity  string
	Shortened bool
}

func TestThingsAreShortenedInTheStatedOrder(t *testing.T) {
	full := longAlert()
	for name, c := range map[string]struct {
		limit int
		want  func(t *testing.T, a *shortAlert)
	}{
		"bodies first, the longest first": {limit: len(full) - 900, want: func(t *testing.T, a *shortAlert) {
			assert.Len(t, a.ReqBody, 1500)
			assert.InDelta(t, 2500-900, len(a.Request.Body.Content), 25)
			assert.Len(t, a.Request.Headers.Cookie, 1500)
		}},
		"bodies to one length": {limit: len(full) - 3000, want: func(t *testing.T, a *shortAlert) {
			assert.InDelta(t, 500, len(a.ReqBody), 15)
			assert.Equal(t, len(a.ReqBody), len(a.Request.Body.Content))
			assert.Len(t, a.Request.Headers.Cookie, 1500)
		}},
		"then heads": {limit: len(full) - 5000, want: func(t *testing.T, a *shortAlert) {
			assert.Len(t, a.ReqBody, 64)
			assert.Len(t, a.Request.Body.Content, 64)
			assert.Less(t, len(a.RspHeader), 1500)
			assert.Len(t, a.Request.Headers.X, 500)
			assert.Len(t, a.URL, 1500)
		}},
		"then other texts": {limit: len(full) - 8000, want: func(t *testing.T, a *shortAlert) {
			assert.Len(t, a.RspHeader, 64)
			assert.Len(t, a.Request.Headers.X, 64)
			assert.Less(t, len(a.URL), 1500)
			assert.Greater(t, len(a.URL), 64)
			assert.Len(t, a.RuleIDs, 200)
		}},
		"then lists": {limit: 1024, want: func(t *testing.T, a *shortAlert) {
			assert.Len(t, a.URL, 64)
			assert.Less(t, len(a.RuleIDs), 200)
			assert.Greater(t, len(a.RuleIDs), 4)
		}},
		"then the largest members": {limit: 200, want: func(t *testing.T, a *shortAlert) {
			assert.Empty(t, a.URL)
			assert.Len(t, a.RuleIDs, 4)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			out, shortened := Shorten(full, c.limit)
			assert.True(t, shortened)
			assert.LessOrEqual(t, len(out), c.limit)
			var a shortAlert
			require.NoError(t, json.Unmarshal(out, &a), "%s", out)
			assert.True(t, a.Shortened)
			assert.Equal(t, "932160", a.RuleID, "what names the rule stays")
			assert.Equal(t, "2", a.Severity)
			c.want(t, &a)
		})
	}
}

func TestShortenUsesTheRoomThatItHas(t *testing.T) {
	in := fmt.Appendf(nil, `{"id":"1","body":%q}`, strings.Repeat("x", 5000))
	for limit := 200; limit < 4000; limit += 777 {
		out, _ := Shorten(in, limit)
		assert.Equal(t, limit, len(out))
	}
}

func TestCharactersAndEscapesStayWhole(t *testing.T) {
	for name, unit := range map[string]string{
		"UTF-8 of 4 bytes": "😀", "escape of 2 bytes": `\"`, "escape of 6 bytes": `\u00e9`, "surrogate pair": `\ud83d\ude00`,
	} {
		t.Run(name, func(t *testing.T) {
			in := []byte(`{"body":"` + strings.Repeat(unit, 300) + `"}`)
			var whole struct{ Body string }
			require.NoError(t, json.Unmarshal(in, &whole))
			for limit := 100; limit < 130; limit++ {
				out, shortened := Shorten(in, limit)
				var part struct{ Body string }
				require.NoError(t, json.Unmarshal(out, &part), "%s", out)
				assert.True(t, shortened)
				assert.LessOrEqual(t, len(out), limit)
				assert.NotEmpty(t, part.Body)
				assert.True(t, strings.HasPrefix(whole.Body, part.Body), "%q", part.Body)
			}
		})
	}
}

func TestTheMarkIsThereOnce(t *testing.T) {
	in := fmt.Appendf(nil, `{"shortened":"no","body":%q}`, strings.Repeat("x", 500))
	out, _ := Shorten(in, 100)
	assert.Equal(t, 1, strings.Count(string(out), `"shortened"`))
	assert.Contains(t, string(out), `"shortened":true}`)
}

func TestTheSmallestShortenedObjectIsTheMark(t *testing.T) {
	in := []byte(`{"a":[[[[{},{}]],[]]],"b":{"c":123456789012345678901234567890}}`)
	for _, limit := range []int{-1, 0, 17, 18} {
		out, shortened := Shorten(in, limit)
		assert.True(t, shortened)
		assert.Equal(t, `{"shortened":true}`, string(out))
	}
	out, _ := Shorten(in, 50)
	assert.Equal(t, `{"a":[[[[{},{}]],[]]],"shortened":true}`, string(out))
}

func TestTextIsCutBehindAWholeCharacter(t *testing.T) {
	for limit, want := range []string{"", "", "é", "éa", "éa", "éa\\|", "éa\\|b"} {
		out, shortened := Shorten([]byte(`éa\|bcd`), limit)
		assert.True(t, shortened)
		assert.Equal(t, want, string(out), limit)
	}
}

func TestShorteningAHostileAlertTakesLittleTime(t *testing.T) {
	// 40,000 lists and texts; anything quadratic would take minutes here.
	var b strings.Builder
	b.WriteString(`{"a":[`)
	for i := range 20_000 {
		fmt.Fprintf(&b, `[1,2,3,4,5,6],"%070d",`, i)
	}
	b.WriteString(`0]}`)
	out, shortened := Shorten([]byte(b.String()), 2048)
	assert.True(t, shortened)
	assert.LessOrEqual(t, len(out), 2048)
	deep := strings.Repeat(`{"a":[1,2,3,4,5,`, 1000) + "0" + strings.Repeat("]}", 1000)
	out, shortened = Shorten([]byte(deep), 2048)
	assert.True(t, shortened)
	assert.LessOrEqual(t, len(out), 2048)
}

func FuzzShorten(f *testing.F) {
	f.Add(longAlert(), 1000)
	f.Add([]byte(`{"body":"\ud83d\ude00\\\"","a":[1,2,3,4,5,6,[{}]],"":{"x":null}}`), 30)
	f.Add([]byte("CEF:0|a\\|b"), 5)
	f.Fuzz(func(t *testing.T, text []byte, limit int) {
		limit = len(`{"shortened":true}`) + max(0, limit%5000)
		in := string(text)
		out, shortened := Shorten(text, limit)
		if string(text) != in {
			t.Fatal("the input was changed")
		}
		if len(out) > limit {
			t.Fatalf("%d bytes for a limit of %d: %q", len(out), limit, out)
		}
		if shortened != (len(in) > limit) {
			t.Fatalf("%d bytes, limit %d, shortened %t", len(in), limit, shortened)
		}
		if isObject(text) && !isObject(out) {
			t.Fatalf("no object any more: %q", out)
		}
		if utf8.Valid(text) && !utf8.Valid(out) {
			t.Fatalf("not UTF-8 any more: %q", out)
		}
	})
}

func BenchmarkShorten(b *testing.B) {
	alert := longAlert()
	b.ReportAllocs()
	b.SetBytes(int64(len(alert)))
	for b.Loop() {
		Shorten(alert, 2048)
	}
}

func TestALineOfCEFLosesItsLastFields(t *testing.T) {
	const head = `CEF:0|v|p|1|930120|a \| b|9|`
	for cut, want := range map[string]string{
		"src=192.0.2.1 act=blocked msg=a b c":               "src=192.0.2.1 act=blocked msg=a b c",
		"src=192.0.2.1 act=blocked ms":                      "src=192.0.2.1 act=blocked",
		"src=192.0.2.1 act=blocked msg":                     "src=192.0.2.1 act=blocked",
		"src=192.0.2.1 act=blocked ":                        "src=192.0.2.1 act=blocked",
		"src=192.0.2.1 act=blocked msg=":                    "src=192.0.2.1 act=blocked msg=",
		"src=192.0.2.1 act=blocked msg=a b c\\":             "src=192.0.2.1 act=blocked msg=a b c",
		"src=192.0.2.1 act=blocked msg=a b c\\=d \xc3":      "src=192.0.2.1 act=blocked msg=a b c\\=d ",
		"src=192.0.2.1 act=blocked msg=a b c\\=d \xc3\xa9 ": "src=192.0.2.1 act=blocked msg=a b c\\=d é",
	} {
		line := head + "src=192.0.2.1 act=blocked msg=a b c\\=d é cs6Label=x"
		out, shortened := Shorten([]byte(line), len(head+cut))
		assert.True(t, shortened)
		assert.Equal(t, head+want, string(out))
	}
}
