package delivery

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDigestsGoWhereAProgramReadsThem(t *testing.T) {
	msgs := []Message{{JSON: []byte(`{"alert":1}`)}, {JSON: []byte(`{"digest":1}`), Digest: true}}
	for list, want := range map[string][]int{ // messages that each takes
		"stdout,json+tcp://host,forward://host?tag=t":                                 {2, 2, 2},
		"syslog+udp://host,gelf+tcp://host,stdout":                                    {1, 1, 2},
		"stdout,forward://host?tag=t&only=digests,forward+tls://host?tag=t":           {1, 1, 1},
		"forward://host?tag=t&only=all,forward://host?tag=t&timeout=1s,file:///tmp/x": {2, 2, 2},
	} {
		d, err := Open(list, Options{})
		require.NoError(t, err)
		for i, to := range d.destinations {
			taken := to.takes.wanted(msgs)
			require.Len(t, taken, want[i], "%s: %d", list, i)
			require.Equal(t, strings.Contains(list, "only=digests") && i == 1, len(taken) == 1 && taken[0].Digest, "%s: %d", list, i)
		}
		require.NoError(t, d.Close())
	}
	_, err := Open("forward://host?tag=t&only=alerts", Options{})
	require.ErrorContains(t, err, `unknown value "alerts"`)

	require.Equal(t, msgs[:1], Wanted("file:///tmp/x", true)(msgs))
	require.Equal(t, msgs, Wanted("file:///tmp/x", false)(msgs))
	require.Equal(t, msgs[1:], Wanted("kafka://host/t?only=digests", true)(msgs))
}
