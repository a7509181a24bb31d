// Package logtime reads the times that logs write. It knows the layouts of the sources whose records the filter
// reads. A text in none of them is no time, rather than a guess.
package logtime

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// layouts are those of the logs that field maps know, by where a text has its first mark and what that is. Fractions of seconds, behind a point
// or a comma, are read with each of them.
func layouts(text string) []string {
	mark := strings.IndexAny(text, "-/, ")
	switch {
	case mark == 4 && text[mark] == '-' && len(text) > 10 && text[10] == 'T':
		return layoutsWithT
	case mark == 4 && text[mark] == '-':
		return layoutsWithSpace
	case mark == 2 && text[mark] == '/':
		return layoutsOfCommonLog
	case mark == 4 && text[mark] == '/':
		return layoutsWithSlashes
	}
	return layoutsOfMail
}

var (
	layoutsWithT = []string{
		time.RFC3339,               // nginx, Envoy, Traefik, cloud load balancers
		"2006-01-02T15:04:05Z0700", // Suricata, Java
		"2006-01-02T15:04:05",
	}
	layoutsWithSpace = []string{
		time.DateTime, // Nano, HAProxy's %t in JSON, Python
		"2006-01-02 15:04:05Z07:00",
		"2006-01-02 15:04:05 -0700",
	}
	layoutsOfCommonLog = []string{
		"02/Jan/2006:15:04:05 -0700",
		"02/Jan/2006:15:04:05", // HAProxy
	}
	layoutsWithSlashes = []string{"2006/01/02 15:04:05"}
	layoutsOfMail      = []string{time.RFC1123Z, time.RFC1123} // the latter would take +0000 for the name of a zone
)

// Parse reads a time as a log writes it: a date in one of the usual forms, or seconds, milliseconds, microseconds or nanoseconds
// since 1970. A time that names no zone is one of the zone given; nil is UTC.
func Parse(text string, zone *time.Location) (time.Time, bool) {
	if zone == nil {
		zone = time.UTC
	}
	if text = strings.Trim(text, " []"); text == "" {
		return time.Time{}, false
	}
	if !strings.ContainsAny(text, ":-/") {
		return parseNumber(text)
	}
	for _, layout := range layouts(text) {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// noZone is one that no text names.
var noZone = time.FixedZone("", 12_345)

// ParseExact is Parse for a time that names its zone, or is a number since 1970.
func ParseExact(text string) (time.Time, bool) {
	t, ok := Parse(text, noZone)
	name, offset := t.Zone()
	isKnown := offset != 0 || name == "UTC" || name == "GMT" || name == "" // package time takes other abbreviations for UTC
	return t, ok && isKnown && t.Location() != noZone
}

// parseNumber reads digits, with a fraction where they are seconds.
func parseNumber(text string) (time.Time, bool) {
	digits, fraction, _ := strings.Cut(text, ".")
	if whole, err := strconv.ParseInt(digits, 10, 64); err == nil && len(fraction) <= 9 {
		padded := fraction + strings.Repeat("0", 9-len(fraction))
		nanoseconds, err := strconv.ParseUint(padded, 10, 32)
		return fromNumber(whole, int64(nanoseconds), err == nil)
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return time.Time{}, false
	}
	return FromFloat(f)
}

// FromInt reads a number since 1970 of seconds, or of something shorter when it would be the year 5138 or later. What would be
// before 1973 is no time.
func FromInt(n int64) (time.Time, bool) { return fromNumber(n, 0, true) }

// FromFloat is FromInt for a number with a fraction. A float has some seven digits behind the point here, so that microseconds are
// what it can mean.
func FromFloat(f float64) (time.Time, bool) {
	if !(f > 0 && f < math.MaxInt64) {
		return time.Time{}, false
	}
	whole, part := math.Modf(f)
	return fromNumber(int64(whole), int64(math.Round(part*1e6))*1000, true)
}

func fromNumber(n, nanoseconds int64, ok bool) (time.Time, bool) {
	switch {
	case !ok || n < 1e8:
		return time.Time{}, false
	case n < 1e11:
		return time.Unix(n, nanoseconds).UTC(), true
	case n < 1e14:
		return time.UnixMilli(n).UTC(), true
	case n < 1e17:
		return time.UnixMicro(n).UTC(), true
	}
	return time.Unix(0, n).UTC(), true
}
