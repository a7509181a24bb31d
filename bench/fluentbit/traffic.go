package fluentbit

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

// Repeated returns the record of a number of clean traffic that repeats with other ports and times, as health checks and polling do.
func Repeated(i uint64) corpus.Record { return known[i%distinct].Again(i) }

// Unique returns the record of a number of clean traffic that never repeats.
func Unique(i uint64) corpus.Record { return corpus.Clean(1<<40 + i) }

// Attack returns an attack of a number.
func Attack(i uint64) corpus.Record { return corpus.Attack(1<<41 + i) }

// Mixed is traffic as it is: one of twenty records was not seen before, one of a thousand is an attack.
func Mixed(i uint64) corpus.Record {
	switch {
	case i%1000 == 500:
		return Attack(i)
	case i%20 == 5:
		return Unique(i)
	}
	return Repeated(i)
}

// WriteRecords writes n records from number first on into a file, one a line, as a probe sends them. The file is there when it is
// complete.
func WriteRecords(file string, record func(uint64) corpus.Record, first, n int) (err error) {
	draft := filepath.Join(filepath.Dir(file), "draft")
	f, err := os.Create(draft)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	for i := first; i < first+n; i++ {
		if _, err = w.Write(append(JSON(record(uint64(i))), '\n')); err != nil {
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

// JSON writes a record as a probe sends it.
func JSON(r corpus.Record) []byte {
	line := jsoniter.NewStream(jsoniter.ConfigFastest, nil, 4096)
	line.WriteObjectStart()
	for k, field := range r.Nano(corpus.ProbeLimit) {
		if k > 0 {
			line.WriteMore()
		}
		line.WriteObjectField(field.Key)
		line.WriteString(field.Value)
	}
	line.WriteObjectEnd()
	return line.Buffer()
}
