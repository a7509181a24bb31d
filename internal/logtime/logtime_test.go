package logtime

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTimesOfLogsAreRead(t *testing.T) {
	noon := time.Date(2024, 5, 30, 12, 0, 1, 0, time.UTC)
	for _, text := range []string{
		"2024-05-30 12:00:01", "2024-05-30 12:00:01.000", "2024-05-30 12:00:01,000", "2024-05-30T12:00:01Z", "2024-05-30T14:00:01.000+02:00",
		"2024-05-30T12:00:01.000000+0000", "2024-05-30T12:00:01", "30/May/2024:14:00:01 +0200", "[30/May/2024:12:00:01 +0000]",
		"30/May/2024:12:00:01.000", "2024/05/30 12:00:01", "2024-05-30 14:00:01 +0200", "Thu, 30 May 2024 12:00:01 GMT", "Thu, 30 May 2024 14:00:01 +0200",
		"2024-05-30 14:00:01+02:00", "2024-05-30 12:00:01Z", "1717070401",
		"1717070401.000", "1717070401000", "1717070401000000", "1717070401000000000", "1.717070401e9",
	} {
		got, ok := Parse(text, nil)
		require.True(t, ok, text)
		require.True(t, noon.Equal(got), "%s: %s", text, got)
	}
	for _, text := range []string{"", "yesterday", "12:00", "1", "-5", "NaN", "Inf", "1e300", "99999999999999999999", "1717070401.0000000000x"} {
		_, ok := Parse(text, nil)
		require.False(t, ok, text)
	}
}

func TestFractionsAreKept(t *testing.T) {
	for text, want := range map[string]string{
		"2018-10-03T14:42:44.836744+0000": "2018-10-03T14:42:44.836744Z",
		"2018-10-03 14:42:44,836":         "2018-10-03T14:42:44.836Z",
		"1576280412771":                   "2019-12-13T23:40:12.771Z",
		"1637348125.839596":               "2021-11-19T18:55:25.839596Z",
		"1717070401.123456789":            "2024-05-30T12:00:01.123456789Z",
	} {
		got, ok := Parse(text, nil)
		require.True(t, ok, text)
		require.Equal(t, want, got.UTC().Format(time.RFC3339Nano))
	}
}

func TestATimeWithoutAZoneIsOfTheZoneGiven(t *testing.T) {
	zone := time.FixedZone("east", 2*3600)
	for text, want := range map[string]string{
		"2024-05-30 14:00:01": "2024-05-30T12:00:01Z", "2024-05-30T14:00:01Z": "2024-05-30T14:00:01Z", "1717070401": "2024-05-30T12:00:01Z",
	} {
		got, ok := Parse(text, zone)
		require.True(t, ok, text)
		require.Equal(t, want, got.UTC().Format(time.RFC3339))
	}
}

func TestExactTimesNameTheirZone(t *testing.T) {
	want := time.Date(2024, 5, 30, 12, 0, 1, 0, time.UTC)
	for _, text := range []string{"2024-05-30T12:00:01Z", "2024-05-30T14:00:01+02:00", "30/May/2024:14:00:01 +0200", "Thu, 30 May 2024 12:00:01 GMT", "1717070401"} {
		got, ok := ParseExact(text)
		require.True(t, ok, text)
		require.True(t, want.Equal(got), "%s: %s", text, got)
	}
	for _, text := range []string{"2024-05-30 12:00:01", "2024-05-30T12:00:01", "30/May/2024:12:00:01.000", "2024/05/30 12:00:01", "Thu, 30 May 2024 12:00:01 PST", "yesterday"} {
		_, ok := ParseExact(text)
		require.False(t, ok, text)
	}
}

func TestNumbersAreReadByTheirSize(t *testing.T) {
	want := time.Date(2019, 12, 13, 23, 40, 12, 0, time.UTC)
	for _, n := range []int64{1576280412, 1576280412000, 1576280412000000, 1576280412000000000} {
		got, ok := FromInt(n)
		require.True(t, ok)
		require.True(t, want.Equal(got), n)
		got, ok = FromFloat(float64(n))
		require.True(t, ok)
		require.True(t, want.Equal(got), n)
	}
	for _, n := range []int64{0, -1, 200} {
		_, ok := FromInt(n)
		require.False(t, ok)
	}
}
