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
