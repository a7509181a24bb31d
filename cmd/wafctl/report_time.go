package main

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// timeLayouts are those of the logs that field maps know. Fractions of seconds are read with each of them.
var timeLayouts = []string{
	time.DateTime,                // Nano
	time.RFC3339,                 // nginx, Envoy, Traefik, cloud load balancers
	"2006-01-02T15:04:05Z0700",   // Suricata
	"2006-01-02T15:04:05",        //
	"02/Jan/2006:15:04:05 -0700", // the common log format
	"2006-01-02 15:04:05Z07:00",  //
	"2006/01/02 15:04:05",        //
}

var errTime = errors.New("unknown form of time")

// readTime reads the time of a transaction as its record writes it: a date in one of the usual forms, or seconds,
// milliseconds, microseconds or nanoseconds since 1970. A time without a zone is taken as UTC.
func readTime(text string) (time.Time, error) {
	text = strings.Trim(text, " []")
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(seconds) || seconds < 1e8 || seconds > 1e19 {
		return time.Time{}, errTime
	}
	for seconds >= 1e11 { // the year 5138: it counts something shorter than seconds
		seconds /= 1000
	}
	return time.UnixMilli(int64(seconds * 1000)).UTC(), nil
}
