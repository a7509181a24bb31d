// Package top shows live what a filter does: how many records and alerts there are, who attacks what, which rules match, what
// becomes of attacks, and what is not inspected. It reads the metrics of a running instance, or what is found in a stream of records.
//
// Memory does not grow with time: lists keep a bounded number of names, and rates a minute of counts.
package top

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/visible"
)

// Source is what is watched. Read is not called by two goroutines at once.
type Source interface {
	// Title names the source: an address or a file.
	Title() string
	// Read returns the counts of this moment. An error is temporary once there was a reading.
	Read(ctx context.Context) (*Reading, error)
}

// Reading is what a source has counted. Counts only grow, unless what counts them starts anew. Texts are printable.
type Reading struct {
	At      time.Time
	Since   time.Time // when counting began; zero when it is not known
	Records []Count   // by what became of them
	Alerts  uint64
	Levels  []Count // alerts by severity
	Ends    []Count // alerts by outcome; nil when the source does not tell
	Ways    []Count // verdicts by how they were found; nil when the source does not tell
	Missed  []Count // what is not inspected, or not in full, by the reason
	Lists   []List
	State   string // of a source that may have an end, "" otherwise
	Ended   bool   // nothing more comes
	Note    string // what is to know of the source, a line
}

// Count is a name with its count.
type Count struct {
	Name string
	N    uint64
}

// List ranks names by their counts. Of a Reading they are the most frequent ones, highest first.
type List struct {
	Title string
	Rows  []Row
	Least uint64 // names that are not in the list have at most this count
	Lack  uint64 // counts may lack this much: the names do not all have room
}

// Row is one name of a list.
type Row struct {
	Name  string
	About string
	N     uint64
}

const (
	maxRows = 200 // of a list in a reading
	maxText = 200 // bytes of a name or what is said of it
)

// shown returns a text as it may be written to a terminal.
func shown(text string) string {
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + "…"
	}
	return visible.Text(text)
}

// sorted puts the highest counts first and drops those that are 0.
func sorted(counts []Count) []Count {
	counts = slices.DeleteFunc(counts, func(c Count) bool { return c.N == 0 })
	slices.SortStableFunc(counts, func(a, b Count) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Name, b.Name)) })
	return counts
}

// bound puts the highest counts of a list first and keeps as many as a reading has room for.
func (l List) bound() List {
	slices.SortStableFunc(l.Rows, func(a, b Row) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Name, b.Name)) })
	if len(l.Rows) > maxRows {
		l.Rows = l.Rows[:maxRows]
		l.Least = l.Rows[maxRows-1].N
	}
	return l
}

func sum(counts []Count) (all uint64) {
	for _, c := range counts {
		all += c.N
	}
	return all
}
