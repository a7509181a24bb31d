package main

import "github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"

// recordSet is a kind of traffic. Its records are numbered; those of one number are always the same.
type recordSet struct {
	name    string
	goal    string // what the ratio to plain Coraza is to be
	divisor int    // of the number of records in a run: large ones are fewer
	record  func(i uint64) corpus.Record
}

// repeated is how many requests come again and again.
const repeated = 40

var recordSets = []recordSet{
	{"clean, all different", "20", 1, corpus.Clean},
	{"clean, repeated", "500", 1, func(i uint64) corpus.Record { r := corpus.Clean(i % repeated); return r.Again(i) }},
	{"99 % clean, 1 % attacks", "15", 1, func(i uint64) corpus.Record {
		if i%100 == 50 {
			return corpus.Attack(i)
		}
		return corpus.Clean(1<<40 + i)
	}},
	{"scanners", "8", 1, func(i uint64) corpus.Record { return corpus.Scanner(1<<42 + i) }},
	{"attacks only", "8", 1, func(i uint64) corpus.Record { return corpus.Attack(1<<41 + i) }},
	{"10 kB forms, clean", "10", 25, form(usualSize)},
	{"10 kB JSON, clean", "10", 25, document(usualSize)},
	{"10 kB multipart, clean", "10", 25, multipart(usualSize)},
	{"10 kB XML, type not allowed", "5", 25, markup(usualSize)},
	{"100 kB forms, clean", "10", 100, form(10 * usualSize)},
	{"100 kB JSON, clean", "10", 100, document(10 * usualSize)},
	{"100 kB responses, clean", "10", 100, response(10*usualSize, "")},
	{"100 kB responses, SQL errors", "8", 100, response(10*usualSize, "You have an error in your SQL syntax; ")},
}

// records returns records from a first number on.
func (s *recordSet) records(first uint64, n int) []corpus.Record {
	list := make([]corpus.Record, n)
	for i := range list {
		list[i] = s.record(first + uint64(i))
	}
	return list
}
