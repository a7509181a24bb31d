package setting

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestProblemsSayWhatIsAllowed(t *testing.T) {
	table := []Property{{Name: "n"}}
	for _, c := range []struct {
		text string
		read func(r *Reader)
		want string
	}{
		{"7", func(r *Reader) { r.Int("n", 1, 4) }, "property n: 7 is out of range (1 to 4)"},
		{"99999999999999999999", func(r *Reader) { r.Int("n", 1, 4) }, "property n: 99999999999999999999 is out of range (1 to 4)"},
		{"x", func(r *Reader) { r.Int("n", 1, 4) }, `property n: malformed number "x" (want 1 to 4)`},
		{"1h", func(r *Reader) { r.Duration("n", time.Second, time.Minute) }, "property n: 1h is out of range (1s to 1m, or off)"},
		{"1y", func(r *Reader) { r.Duration("n", time.Second, 2*time.Hour) }, `property n: malformed time "1y" (want off, or a time such as 10s or 5m, 1s to 2h)`},
		{"1ms", func(r *Reader) { r.Interval("n") }, "property n: 1ms is out of range (at least 100ms, or off)"},
	} {
		r := NewReader(Map{"n": c.text}, table)
		c.read(r)
		require.EqualError(t, r.Err(), c.want)
	}
}

func TestNearest(t *testing.T) {
	names := []string{"blocking_paranoia", "detection_paranoia", "emit_tag", "rules"}
	for word, want := range map[string]string{
		"blocking_paranoai": "blocking_paranoia",
		"blockingparanoia":  "blocking_paranoia",
		"emittag":           "emit_tag",
		"rule":              "rules",
		"something_else":    "",
		"ruling":            "rules",
		"x":                 "",
	} {
		require.Equal(t, want, Nearest(word, names), word)
	}
}

func TestReadersTakeTheSpellingsOfFluentBit(t *testing.T) {
	table := []Property{{Name: "n", Default: "10M", Values: []string{"one", "two", "three"}}}
	read := func(text string, read func(r *Reader) any) (any, error) {
		r := NewReader(Map{"n": text}, table)
		value := read(r)
		return value, r.Err()
	}
	size := func(r *Reader) any { return r.Size("n") }
	word := func(r *Reader) any { return r.Word("n") }
	flag := func(r *Reader) any { return r.Bool("n") }
	list := func(r *Reader) any { return r.List("n") }
	interval := func(r *Reader) any { return r.Interval("n") }
	for _, c := range []struct {
		text    string
		read    func(r *Reader) any
		want    any
		problem string
	}{
		{"", size, int64(10 << 20), ""},
		{"512", size, int64(512), ""},
		{" 64k ", size, int64(64 << 10), ""},
		{"1GB", size, int64(1 << 30), ""},
		{"-1", size, int64(0), `malformed size "-1"`},
		{"9999999999G", size, int64(0), "malformed size"},
		{"TWO", word, "two", ""},
		{"four", word, "four", `unknown value "four" (want one, two or three)`},
		{"Yes", flag, true, ""},
		{"0", flag, false, ""},
		{"maybe", flag, false, `malformed switch "maybe"`},
		{" a,, b ,", list, []string{"a", "b"}, ""},
		{"30", interval, 30 * time.Second, ""},
		{"OFF", interval, time.Duration(0), ""},
		{"1m30s", interval, 90 * time.Second, ""},
	} {
		got, err := read(c.text, c.read)
		require.Equal(t, c.want, got, c.text)
		if c.problem == "" {
			require.NoError(t, err, c.text)
		} else {
			require.ErrorContains(t, err, c.problem, c.text)
		}
	}
}

func TestAllProblemsAreReportedAtOnce(t *testing.T) {
	r := NewReader(Map{"a": "x", "b": "y"}, []Property{{Name: "a"}, {Name: "b"}})
	r.Noun = "key"
	r.Int("a", 1, 2)
	r.Bool("b")
	r.Text("c")
	require.Len(t, r.Problems(), 3)
	require.EqualError(t, r.Err(), "key a: malformed number \"x\" (want 1 to 2)\nkey b: malformed switch \"y\" (want on or off)\nkey c: not in the key table")
	var problem *Problem
	require.ErrorAs(t, r.Err(), &problem)
	require.Equal(t, "a", problem.Name)
	require.True(t, r.Given("a"))
	require.False(t, r.Given("c"))
}

func TestTimesAreWrittenAsUsersDo(t *testing.T) {
	for d, want := range map[time.Duration]string{10 * time.Minute: "10m", 2 * time.Hour: "2h", 90 * time.Second: "1m30s", 100 * time.Millisecond: "100ms"} {
		require.Equal(t, want, Time(d))
	}
}
