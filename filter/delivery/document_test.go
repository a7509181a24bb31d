package delivery

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"
)

func TestADocumentIsWrittenAsItCameWithoutBlanks(t *testing.T) {
	for in, want := range map[string]string{
		`{}`:                              `{}`,
		" { } ":                           `{}`,
		`{"a":1}`:                         `{"a":1}`,
		`{ "a" : [ 1 , "x" , null ] }`:    `{"a":[1,"x",null]}`,
		`{"a":{"b":[{"c":[]},{}]}}`:       `{"a":{"b":[{"c":[]},{}]}}`,
		`{"a\"b":"\\","c":"\u00e9\\\""}`:  `{"a\"b":"\\","c":"\u00e9\\\""}`,
		`{"a":-1.5e3,"b":true,"a":false}`: `{"a":-1.5e3,"b":true,"a":false}`,
		"{\"a\":\n1\n,\t\"b\":\r\n2}":     `{"a":1,"b":2}`,
	} {
		doc, ok := parseDocument([]byte(in))
		require.True(t, ok, in)
		assert.Equal(t, want, string(doc.append(nil)))
		assert.Equal(t, len(want), doc.size(), in)
	}
}

func TestOnlyAJSONObjectIsADocument(t *testing.T) {
	for _, in := range []string{``, ` `, `[]`, `"{}"`, `{`, `{"a":1}}`, `{"a"}`, `CEF:0|x`, `{"a":1} x`, "{\"a\":\"\n\"}"} {
		_, ok := parseDocument([]byte(in))
		assert.False(t, ok, in)
	}
}

func TestAPathLeadsToAValueOrNowhere(t *testing.T) {
	doc, ok := parseDocument([]byte(`{"a":{"b":[{"c":"x"},{"c":"y"}]},"d":1,"d":2}`))
	require.True(t, ok)
	assert.Equal(t, `"y"`, string(doc.at("a", "b", "1", "c").text))
	assert.Equal(t, `2`, string(doc.at("d").text), "of two members with a name the last one counts")
	assert.Nil(t, doc.at("a", "b", "2", "c"))
	assert.Nil(t, doc.at("a", "x", "y"))
	assert.Nil(t, doc.at("d", "e"))
}

func TestJSONBecomesTheSameInMsgpack(t *testing.T) {
	doc, ok := parseDocument([]byte(`{"s":"a\u00e9\n\ud83d\ude00","i":-7,"u":18446744073709551615,"f":1.5,"big":1e999,` +
		`"t":true,"n":null,"l":[1,{"k\"":"v"}],"e":{}}`))
	require.True(t, ok)
	got, rest, err := msgp.ReadMapStrIntfBytes(doc.appendMsgpack(nil), nil)
	require.NoError(t, err)
	require.Empty(t, rest)
	assert.Equal(t, map[string]any{
		"s": "aé\n😀", "i": int64(-7), "u": uint64(18446744073709551615), "f": 1.5, "big": "1e999",
		"t": true, "n": nil, "l": []any{int64(1), map[string]any{`k"`: "v"}}, "e": map[string]any{},
	}, got)
}
