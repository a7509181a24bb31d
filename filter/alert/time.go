package alert

import "time"

// timestampLayout is RFC 3339 with milliseconds.
const timestampLayout = "2006-01-02T15:04:05.000Z07:00"

// timestamp writes a time in UTC.
func timestamp(t time.Time) string { return t.UTC().Format(timestampLayout) }
