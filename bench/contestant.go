package main

import (
	"slices"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
)

// contestant is an engine that inspects records.
type contestant interface {
	run(records []corpus.Record) (result, error)
}

// result is what an engine makes of records.
type result struct {
	took   time.Duration // processor time
	alerts int           // records that reach an anomaly threshold, or whose body cannot be read
	ids    [][]int       // of the detection rules that matched, for each record in ascending order; nil if unknown
}

// isAlert reports whether a rule blocks in an engine that is set to block.
func isAlert(id int) bool {
	switch id {
	case 949110, 949111, 959100, 959101, 200002, 200003:
		return true
	}
	return false
}

// isDetection reports whether a rule detects something: the first hundred ids of each CRS file set things up.
func isDetection(id int) bool {
	return 910000 <= id && id < 949000 && id%1000 >= 100 || 950000 <= id && id < 959000 && id%1000 >= 100
}

// add adds a record by the ids of all rules that matched and say so.
func (r *result) add(all []int) {
	ids := []int{}
	for _, id := range all {
		if isDetection(id) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	r.ids = append(r.ids, slices.Compact(ids))
	if slices.ContainsFunc(all, isAlert) {
		r.alerts++
	}
}
