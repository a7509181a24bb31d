package pipeline

import (
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/redact"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/telemetry"
)

// noHTTP warns of a filter that inspects nothing because its records are not read as HTTP transactions.
type noHTTP struct {
	counts   *telemetry.Counters
	log      telemetry.Logger
	redactor *redact.Redactor
	over     atomic.Bool // one was, or the warning is logged
	first    atomic.Pointer[string]
}

// recordsWithoutHTTP is how many records may be none of HTTP before the log says so.
const recordsWithoutHTTP = 1000

// watch looks at a batch that has been counted.
func (n *noHTTP) watch(b *batch) {
	if n.over.Load() {
		return
	}
	for i := range b.items {
		switch it := &b.items[i]; it.kind {
		case NotHTTP:
			if n.first.Load() == nil {
				keys := DescribeKeys(it.event.Body)
				n.first.Store(&keys)
			}
		case Skipped, several:
		default:
			n.over.Store(true)
			return
		}
	}
	if n.counts.NotHTTP.Load() >= recordsWithoutHTTP {
		n.warn()
	}
}

// warn warns, once, when records have come and none of them was inspected.
func (n *noHTTP) warn() {
	first := n.first.Load()
	if first == nil || !n.over.CompareAndSwap(false, true) {
		return
	}
	n.log.Safely(telemetry.LevelWarn, n.redactor.Line(fmt.Sprintf("nothing is inspected: no HTTP transaction in the first %d records. The first one %s. "+
		`"wafctl map FILE" shows how records are read`, n.counts.NotHTTP.Load(), *first)))
}

// maxDescribedKeys is how many keys of a record a message names.
const maxDescribedKeys = 20

// DescribeKeys describes a record that is no HTTP transaction: its keys, without their values.
func DescribeKeys(body []byte) string {
	var keys []string
	line := false
	for pairs, _ := record.ReadMap(body); pairs.Next(); {
		if len(keys) == maxDescribedKeys {
			keys = append(keys, "…")
			break
		}
		if pairs.IsKey {
			keys = append(keys, fmt.Sprintf("%.64s", pairs.Key))
			text, isText := record.Text(pairs.Value)
			line = isText && pairs.Key == "log" && !strings.HasPrefix(text, "{")
		}
	}
	switch {
	case len(keys) == 0:
		return "has no keys"
	case len(keys) == 1 && line:
		return "has only the key log, with a line in no known format"
	case len(keys) == 1:
		return "has only the key " + keys[0]
	}
	return "has the keys " + strings.Join(keys, ", ")
}
