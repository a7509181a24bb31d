package survive

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// seeds are starts of what expressions of the Core Rule Set look for, so that they go on reading.
var seeds = []string{
	"a", " ", "'", "\"", "<", "(", "../", ";", "a=", "union ", "select ", "<script ", "on=", "style=", "|cat ", "$(", "`", "\\", "-- ", "/*", "0x", "%u00",
	"http://", "?", "{", "[", "1 or ", "or 1=1 ", "concat(", "' and ", "eval(", "import ", "&#x", "\x00", "é", "\xff", "javascript:", "data:", "a.b.", "__proto__",
}

// worst searches the bodies of a size that keep the engine busy for longest: every seed repeated, then the slowest in pairs.
func worst(t *testing.T, size int) (slowest string, took time.Duration) {
	f := open(t, setting.Map{"cache_size": "0"})
	process(t, f, body("a")) // compiles
	timed := func(text string) time.Duration {
		begin := time.Now()
		process(t, f, body(text))
		return time.Since(begin)
	}
	slow := map[string]time.Duration{}
	try := func(unit string) {
		text := strings.Repeat(unit, size/len(unit))
		if slow[unit] = timed(text); slow[unit] > took {
			slowest, took = unit, slow[unit]
		}
	}
	for _, seed := range seeds {
		try(seed)
	}
	first := slowest
	for _, seed := range seeds {
		try(first + seed)
	}
	return strings.Repeat(slowest, size/len(slowest)), took
}

func body(text string) []byte {
	return post("application/x-www-form-urlencoded", "q="+url.QueryEscape(text))
}

func TestWorstBodiesStayWithinTheBudget(t *testing.T) {
	size := sized(t, 64<<10, 2<<10)
	text, alone := worst(t, size)
	t.Logf("the worst body found repeats %q: %s for %d bytes", text[:min(len(text), 24)], alone, size)

	// Twice the size takes about twice as long: expressions run in linear time.
	f := open(t, setting.Map{"cache_size": "0"})
	process(t, f, body("a"))
	double := time.Hour // the fastest time: in others the machine may have been busy
	for range 5 {
		begin := time.Now()
		process(t, f, body(text+text))
		double = min(double, time.Since(begin))
	}
	require.Less(t, double, 8*max(alone, 20*time.Millisecond), "of one half: %s", alone)

	const budget = 20 * time.Millisecond
	limited := open(t, setting.Map{"inspect_budget": budget.String(), "cache_size": "0"})
	process(t, limited, body("a"))
	var chunk []byte
	const records = 50
	for i := range records {
		chunk = append(chunk, body(fmt.Sprint(i, text))...)
	}
	var out filter.Outcome
	begin := time.Now()
	limited.Process(chunk, "nano", &out)
	took := time.Since(begin)
	t.Logf("%d of them in one chunk: %s with a budget of %s", records, took, budget)
	require.Less(t, took, budget+10*time.Second, "for a machine that is busy with other tests")
	addsUp(t, limited, 1+records)

	// The records of another input, which comes next, are not held up.
	begin = time.Now()
	limited.Process(get("/index.html", ""), "other", &out)
	require.Less(t, time.Since(begin), budget+10*time.Second)
	addsUp(t, limited, 2+records)
}
