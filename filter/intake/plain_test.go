package intake

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
)

const accessLine = `192.0.2.1 - - [30/May/2024:07:16:48 +0000] "GET /a HTTP/1.1" 200 5`

func TestTextsThatAreNoJSON(t *testing.T) {
	const invalid = "not JSON at byte 1 (want an object)"
	for text, want := range map[string][3]string{ // without plain lines, with known ones, with all
		accessLine:  {invalid, `{"log":"` + strings.ReplaceAll(accessLine, `"`, `\"`) + `"}`, `{"log":"` + strings.ReplaceAll(accessLine, `"`, `\"`) + `"}`},
		"started\r": {invalid, invalid, `{"log":"started"}`},
		"<190>May 30 07:16:48 web1 nginx: {\"a\":1}": {invalid, `{"log":"<190>May 30 07:16:48 web1 nginx: {\"a\":1}"}`, `{"log":"<190>May 30 07:16:48 web1 nginx: {\"a\":1}"}`},
		"#Version: 1.0":          {invalid, "", ""},
		"#Fields: cs-method":     {invalid, "", ""},
		"# a comment":            {invalid, invalid, `{"log":"# a comment"}`},
		`{"a":1}`:                {`{"a":1}`, `{"a":1}`, `{"a":1}`},
		`{"a":1`:                 {"not JSON at byte 7 (want a comma or })", "not JSON at byte 7 (want a comma or })", "not JSON at byte 7 (want a comma or })"},
		"[1]":                    {invalid, invalid, `{"log":"[1]"}`},
		"":                       {"", "", ""},
		"\ufeff" + `  {"a":1}  `: {`{"a":1}`, `{"a":1}`, `{"a":1}`},
	} {
		for plain, want := range want {
			d := Decoder{Plain: Plain(plain)}
			chunk, records, err := d.AppendEvents(nil, []byte(text), received)
			have := ""
			if err != nil {
				have = err.Error()
			} else if records > 0 {
				e, rest, err := record.Next(chunk)
				require.NoError(t, err)
				require.Empty(t, rest)
				have = asJSON(t, e.Body)
			}
			require.Equal(t, want, have, "%q, plain %d", text, plain)
		}
	}
}

func TestLineHasTheColumnsBeforeIt(t *testing.T) {
	d := Decoder{Plain: KnownPlain}
	read := func(text string) string {
		chunk, records, err := d.AppendEvents(nil, []byte(text), received)
		if err != nil || records == 0 {
			return ""
		}
		e, _, err := record.Next(chunk)
		require.NoError(t, err)
		if e.Meta == nil {
			return "{}"
		}
		return asJSON(t, e.Meta)
	}
	require.Empty(t, read("192.0.2.1 GET /a"))
	require.Empty(t, read("#Fields: c-ip cs-method cs-uri"))
	require.Equal(t, `{"w3c_fields":"#Fields: c-ip cs-method cs-uri"}`, read("192.0.2.1 GET /a"))
	require.Equal(t, "{}", read(accessLine), "lines of other formats do not need them")
	require.Equal(t, "{}", read(`{"a":1}`))
}

func TestLastColumnsOfAText(t *testing.T) {
	d := Decoder{Plain: KnownPlain}
	_, _, err := d.AppendEvents(nil, []byte("#Fields: before"), received)
	require.NoError(t, err)
	before := d.Columns
	for text, want := range map[string]string{
		"":                                 "#Fields: before",
		"x":                                "#Fields: before",
		"#Fields: a\nx\n#Fields: b\r\nx\n": "#Fields: b",
		"#Fields: a\nx #Fields: b\n":       "#Fields: a",
		"#Fields: a\n#Fields:\n":           "#Fields: a",
		"x #Fields: a\n":                   "#Fields: before",
		"#Fields: a":                       "#Fields: a",
		strings.Repeat("#Fields: a\n#Fields: b\n", 9): "#Fields: b",
	} {
		require.Equal(t, want, LastColumns([]byte(text), before).String(), "%q", text)
	}
}

func TestKindOfAnInput(t *testing.T) {
	for start, want := range map[string]Plain{"": KnownPlain, "\n\n": KnownPlain, `{"a":1}`: KnownPlain, "\ufeff \r\n{": KnownPlain, accessLine: AllPlain, "#": AllPlain} {
		require.Equal(t, want, PlainOf([]byte(start)), "%q", start)
	}
}

func TestObjectsOfTextsAreBounded(t *testing.T) {
	var d Decoder
	for text, fits := range map[string]bool{
		`{"a":[[1]]}`: true, ` {} `: true, `{"a":[[[1]]]}`: false, `{} {}`: false, `{}x`: false, `[]`: false, ``: false, `{"a":`: false,
	} {
		out, err := d.AppendObject([]byte("x"), []byte(text), 3)
		require.Equal(t, fits, err == nil, "%q: %v", text, err)
		require.Equal(t, fits, len(out) > 1, "%q", text)
	}
	_, err := d.AppendObject(nil, []byte(`{"a":`+strings.Repeat("[", 400)+strings.Repeat("]", 400)+`}`), 3)
	require.Error(t, err)
	_, _, err = d.AppendEvents(nil, []byte(`{"a":`+strings.Repeat("[", 400)+strings.Repeat("]", 400)+`}`), received)
	require.NoError(t, err, "the bound is that of the call")
}
