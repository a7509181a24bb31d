package filter

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func sorted(all []string) []string {
	slices.Sort(all)
	return all
}

// cefField says what a value may be, from the dictionary of the Common Event Format (ArcSight, revision 26): 0 is a number.
var cefFields = map[string]int{
	"rt": 0, "src": -4, "dst": -4, "spt": 0, "dpt": 0, "dhost": 1023, "externalId": 40, "act": 63, "cat": 1023, "app": 31, "proto": 31,
	"cn1": 0, "cn1Label": 1023, "cn2": 0, "cn2Label": 1023, "cnt": 0, "start": 0, "end": 0, "reason": 1023, "dvchost": 100,
	"deviceInboundInterface": 128, "requestMethod": 1023, "request": 1023, "msg": 1023, "requestClientApplication": 1023,
	"requestContext": 2048, "c6a2": -6, "c6a2Label": 1023, "c6a3": -6, "c6a3Label": 1023, "flexString1": 1023, "flexString1Label": 128,
	"flexString2": 1023, "flexString2Label": 128,
	"cs1": 4000, "cs1Label": 1023, "cs2": 4000, "cs2Label": 1023, "cs3": 4000, "cs3Label": 1023, "cs4": 4000, "cs4Label": 1023,
	"fluentBitWafIncident": 40,
	"cs5":                  4000, "cs5Label": 1023, "cs6": 4000, "cs6Label": 1023,
}

// parseCEF reads a line as the format is specified, and refuses everything else. No maintained Go library does: those that read
// the format say of themselves that they are loose.
func parseCEF(t testing.TB, line string) (head []string, extension map[string]string) {
	t.Helper()
	require.True(t, utf8.ValidString(line))
	require.NotContains(t, line, "\n")
	head, rest := cefHead(t, line)
	require.Equal(t, "CEF:0", head[0])
	severity, err := strconv.Atoi(head[6])
	require.NoError(t, err)
	require.True(t, severity >= 0 && severity <= 10)
	for _, field := range head {
		require.NotEmpty(t, field)
	}

	extension = map[string]string{}
	start := regexp.MustCompile(`(?:^| )([A-Za-z0-9]+)=`)
	at := start.FindAllStringSubmatchIndex(rest, -1)
	require.NotEmpty(t, at)
	require.Zero(t, at[0][0], "text before the first key: %q", rest)
	for i, place := range at {
		end := len(rest)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		key, value := rest[place[2]:place[3]], rest[place[1]:end]
		require.NotContains(t, extension, key, "%q comes twice", key)
		extension[key] = cefUnescaped(t, value)
		requireCEFValue(t, key, extension[key])
	}
	return head, extension
}

// cefHead splits the seven fields in front of the extension.
func cefHead(t testing.TB, line string) (head []string, rest string) {
	t.Helper()
	field := ""
	for i := 0; i < len(line); i++ {
		switch c := line[i]; c {
		case '\\':
			i++
			require.Contains(t, `\|`, string(line[i]), "escape in the head of %q", line)
			field += string(line[i])
		case '|':
			if head = append(head, field); len(head) == 7 {
				return head, line[i+1:]
			}
			field = ""
		default:
			field += string(c)
		}
	}
	require.Fail(t, "fewer than seven fields", line)
	return nil, ""
}

func cefUnescaped(t testing.TB, value string) string {
	t.Helper()
	var text strings.Builder
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case c == '\\':
			i++
			require.Less(t, i, len(value), "escape at the end of %q", value)
			require.Contains(t, `\=rn`, string(value[i]), "escape in %q", value)
			text.WriteByte(value[i])
		default:
			require.NotEqual(t, '=', rune(c), "equals sign without escape in %q", value)
			text.WriteByte(c)
		}
	}
	return text.String()
}

func requireCEFValue(t testing.TB, key, value string) {
	t.Helper()
	limit, known := cefFields[key]
	require.True(t, known, "unknown key %q", key)
	require.NotEmpty(t, value, key)
	switch limit {
	case 0:
		_, err := strconv.ParseInt(value, 10, 64)
		require.NoError(t, err, key)
	case -4:
		require.Regexp(t, `^\d+\.\d+\.\d+\.\d+$`, value, key)
	case -6:
		require.Regexp(t, `^[0-9a-f:]*:[0-9a-f:]*$`, value, key)
	default:
		require.LessOrEqual(t, len(value), limit, key)
	}
}
