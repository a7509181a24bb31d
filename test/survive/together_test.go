package survive

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// traffic is one chunk of what comes in: mostly clean, attacks, other protocols, and what cannot be read at its end.
func traffic(turn, records int) (chunk []byte) {
	for i := range records {
		n := turn*records + i
		switch {
		case n%11 == 3:
			chunk = append(chunk, get(fmt.Sprintf("/?n=%d&q=%s", n, attack), "")...)
		case n%13 == 5:
			chunk = append(chunk, event("L7_PROTOCOL", "dns", "QUERY", fmt.Sprint("host", n))...)
		default:
			r := corpus.Clean(uint64(n))
			chunk = r.AppendEvent(chunk, n)
		}
	}
	return append(chunk, 0xc1)
}

// continued returns what a chunk becomes.
func continued(f *filter.Filter, chunk []byte) []byte {
	var out filter.Outcome
	f.Process(chunk, "nano", &out)
	if out.Changed {
		return slices.Clone(out.Data)
	}
	return chunk
}

func TestSixteenInstancesAtOnceFindWhatOneDoes(t *testing.T) {
	const instances, records = 16, 20
	turns := sized(t, 100, 3)
	one := open(t, nil)
	var want [][]byte
	for turn := range turns {
		want = append(want, continued(one, traffic(turn, records)))
	}
	var group sync.WaitGroup
	for i := range instances {
		// Half of them share rules and cache, a quarter has rules of its own, a quarter no cache.
		settings := []setting.Map{nil, {"directives": `SecAction "id:9000001,phase:1,pass,nolog"`}, nil, {"cache_size": "0"}}[i%4]
		f := open(t, settings)
		group.Go(func() {
			for turn := range turns {
				turn = (turn + i) % turns
				if chunk := traffic(turn, records); !bytes.Equal(want[turn], continued(f, chunk)) {
					t.Errorf("instance %d: chunk %d became another one", i, turn)
				}
			}
			c := f.Counts()
			if c.Records != uint64(turns*(records+1)) || c.Records != c.Clean+c.Alerts+c.NotHTTP+c.Broken+c.Skipped || c.Alerts != one.Counts().Alerts {
				t.Errorf("instance %d: %s; one alone: %s", i, c, one.Counts())
			}
		})
	}
	group.Wait()
	addsUp(t, one, turns*(records+1))
}

func TestSixteenThreadsOfOneInstance(t *testing.T) {
	const threads, records = 16, 20
	turns := sized(t, 200, 4)
	one, f := open(t, nil), open(t, setting.Map{"emit_tag": "alert", "emit_format": "record"})
	var group sync.WaitGroup
	for range threads {
		group.Go(func() {
			var out filter.Outcome
			for turn := range turns {
				pass(f, traffic(turn, records), &out)
			}
		})
	}
	group.Wait()
	for turn := range turns {
		continued(one, traffic(turn, records))
	}
	c, alone := f.Counts(), one.Counts()
	addsUp(t, f, threads*turns*(records+1))
	require.Equal(t, threads*alone.Alerts, c.Alerts)
	require.Equal(t, threads*alone.Clean, c.Clean)
	require.NotZero(t, c.Emitted)
}

func TestAlertsAddUpWithFloodControl(t *testing.T) {
	f := open(t, setting.Map{"emit_tag": "alert", "flood_window": "60s", "alert_limit": "5"})
	var out filter.Outcome
	for turn := range 5 {
		f.Process(traffic(turn, 40), "nano", &out)
		for i := range out.Emits {
			if i%3 == 2 {
				f.EmitFailed(&out.Emits[i])
			} else {
				f.EmitTaken(&out.Emits[i])
			}
		}
	}
	require.NotZero(t, f.Counts().Suppressed)
	addsUp(t, f, 5*41)
}
