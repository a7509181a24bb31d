package intake

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/tinylib/msgp/msgp"
)

// readSeconds reads a msgpack number of seconds since 1970.
func readSeconds(value []byte) (time.Time, bool) {
	switch msgp.NextType(value) {
	case msgp.IntType, msgp.UintType:
		n, _, err := msgp.ReadInt64Bytes(value)
		return atSecond(n, 0, err == nil)
	case msgp.Float64Type:
		f, _, err := msgp.ReadFloat64Bytes(value)
		if err != nil || f < 0 || f > math.MaxUint32 {
			return time.Time{}, false
		}
		whole, part := math.Modf(f)
		// A float has some seven digits behind the point here: microseconds are what it can mean.
		return atSecond(int64(whole), int64(math.Round(part*1e6))*1000, true)
	}
	return time.Time{}, false
}

// parseSeconds reads digits with at most nine behind a point.
func parseSeconds(text string) (time.Time, bool) {
	digits, fraction, _ := strings.Cut(text, ".")
	seconds, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || len(fraction) > 9 {
		return time.Time{}, false
	}
	var nanoseconds uint64
	if fraction != "" {
		if nanoseconds, err = strconv.ParseUint(fraction, 10, 32); err != nil {
			return time.Time{}, false
		}
		for range 9 - len(fraction) {
			nanoseconds *= 10
		}
	}
	return atSecond(int64(seconds), int64(nanoseconds), true)
}

func atSecond(seconds, nanoseconds int64, ok bool) (time.Time, bool) {
	t := time.Unix(seconds, nanoseconds)
	return t, ok && inRange(t)
}

// inRange reports whether the time of an event, whose seconds are 32 bits without sign, can be t.
func inRange(t time.Time) bool { return t.Unix() > 0 && t.Unix() <= math.MaxUint32 }
