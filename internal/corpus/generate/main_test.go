package main

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRecordsAreTheSameInEveryRunAndInTheOrderOfTime(t *testing.T) {
	var first, second bytes.Buffer
	require.NoError(t, write(&first, 8000, 10, 100))
	require.NoError(t, write(&second, 8000, 10, 100))
	require.Equal(t, first.String(), second.String())
	attacks, succeeded, time := 0, 0, ""
	urls := map[string]bool{}
	for line := range bytes.Lines(first.Bytes()) {
		var record map[string]string
		require.NoError(t, json.Unmarshal(line, &record))
		require.Greater(t, record["BEGIN_TIME"], time)
		time = record["BEGIN_TIME"]
		if bytes.Contains(line, []byte(`"SRC_IP":"198.51.100.`)) {
			attacks++
			if record["RSP_BODY"] == leaked {
				succeeded++
				require.Equal(t, "200", record["RETCODE"])
				require.Contains(t, record["URL"], "etc%2Fpasswd")
			}
			require.Contains(t, record["RSP_HEADER"], "HTTP/1.1 "+record["RETCODE"]+" ")
		} else {
			urls[record["URL"]] = true
		}
	}
	require.InDelta(t, 80, attacks, 25)
	require.Positive(t, succeeded)
	require.Less(t, succeeded, attacks/5)
	require.LessOrEqual(t, len(urls), 100)
}
