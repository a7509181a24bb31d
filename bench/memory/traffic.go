package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"

	jsoniter "github.com/json-iterator/go"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
)

// distinct is how many requests come again and again where records repeat.
const distinct = 40

var known = func() (list [distinct]corpus.Record) {
	for i := range list {
		list[i] = corpus.Clean(uint64(i))
	}
	return list
}()

func repeated(i uint64) corpus.Record { return known[i%distinct].Again(i) }

func attack(i uint64) corpus.Record { return corpus.Attack(1<<41 + i) }

// mixed is traffic as it is: one of twenty records was not seen before, one of a thousand is an attack.
func mixed(i uint64) corpus.Record {
	switch {
	case i%1000 == 500:
		return attack(i)
	case i%20 == 5:
		return corpus.Clean(1<<40 + i)
	}
	return repeated(i)
}

// writeRecords writes n records from number first on into a file, one a line, as a probe sends them. The file is there when it is
// complete.
func writeRecords(file string, record func(uint64) corpus.Record, first, n int) (err error) {
	draft := filepath.Join(filepath.Dir(file), "draft")
	f, err := os.Create(draft)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	line := jsoniter.NewStream(jsoniter.ConfigFastest, w, 4096)
	for i := first; i < first+n; i++ {
		r := record(uint64(i))
		line.WriteObjectStart()
		for k, field := range r.Nano(corpus.ProbeLimit) {
			if k > 0 {
				line.WriteMore()
			}
			line.WriteObjectField(field.Key)
			line.WriteString(field.Value)
		}
		line.WriteObjectEnd()
		line.WriteRaw("\n")
		if err := line.Flush(); err != nil {
			return fmt.Errorf("records: %w", err)
		}
	}
	if err = w.Flush(); err != nil {
		return fmt.Errorf("records: %w", err)
	}
	if err = f.Close(); err != nil {
		return fmt.Errorf("records: %w", err)
	}
	return os.Rename(draft, file)
}
