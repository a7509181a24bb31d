package filter

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

func TestExplanationIsOfTheKindThatCheckFinds(t *testing.T) {
	f := newFilter(t, setting.Map{"rules": "crs"})
	for name, c := range map[string]struct {
		event    []byte
		fieldMap string
	}{
		"attack":    {sample(t), "nano"},
		"clean":     {clean("/"), "nano"},
		"in part":   {pairs("REQ_HEADER", "GET / HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: x\r\n\r\nmore"), "nano"},
		"other log": {pairs("message", "not http"), ""},
	} {
		found := f.Check(c.event)
		before := f.Counts()
		x, err := f.Explain(c.event)
		require.NoError(t, err, name)
		require.Equal(t, found[0].Kind, x.Kind, name)
		require.Equal(t, c.fieldMap, x.FieldMap, name)
		if found[0].Verdict != nil {
			require.Equal(t, found[0].Verdict, x.Rules.Verdict, name)
		}
		require.Equal(t, before, f.Counts(), "explaining counts nothing")
	}
	_, err := f.Explain([]byte("\xc1"))
	require.EqualError(t, err, "explain: record: broken msgpack")
}
