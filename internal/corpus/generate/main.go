// Command generate writes records of the corpus as JSON lines. They are for trying and timing programs that read
// them. Equal flags give equal records.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
)

func main() {
	records := flag.Uint64("records", 1000, "how many `records`")
	attacks := flag.Uint64("attacks", 10, "how many of `1000` records are attacks, about")
	repeated := flag.Uint64("repeated", 0, "only so many `requests` differ, 0 for all; the others repeat them with other times and ports")
	flag.Parse()
	if err := write(os.Stdout, *records, *attacks, *repeated); err != nil {
		fmt.Fprintf(os.Stderr, "generate: %v\n", err)
		os.Exit(1)
	}
}

// write writes records in the order of their times.
func write(to io.Writer, records, attacks, repeated uint64) error {
	lines := bufio.NewWriterSize(to, 64<<10)
	var line []byte
	planted := uint64(0)
	for i := range records {
		number := i
		if repeated > 0 {
			number %= repeated
		}
		record := corpus.Clean(number)
		if isAttack(i, attacks) {
			record = campaign(planted)
			planted++
		}
		again := record.Again(i)
		line = appendJSON(line[:0], again.Nano(corpus.ProbeLimit))
		if _, err := lines.Write(line); err != nil {
			return err
		}
	}
	return lines.Flush()
}

func appendJSON(dst []byte, fields []corpus.Field) []byte {
	separator := byte('{')
	for _, f := range fields {
		value, _ := json.Marshal(f.Value) // a text can always be written
		dst = fmt.Appendf(append(dst, separator), "%q:%s", f.Key, value)
		separator = ','
	}
	return append(dst, "}\n"...)
}

// Attacks come in waves: of waveLength records the first quarter has nine times as many as the rest.
const waveLength = 4000

// isAttack decides of record number i; in the long run so many of 1000 are attacks.
func isAttack(i, of1000 uint64) bool {
	dice := rand.New(rand.NewPCG(i, 2)) //nolint:gosec // equal numbers have to give equal records
	chance := float64(of1000) / 3000
	if i%waveLength < waveLength/4 {
		chance *= 9
	}
	return dice.Float64() < chance
}

// leaked is the response to attacks that ask for /etc/passwd and succeed.
const leaked = "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"

// campaign returns attack number i as one of few that attack few: some sources and destinations come often, where an attack is
// refused the status shows it, and few succeed.
func campaign(i uint64) corpus.Record {
	dice := rand.New(rand.NewPCG(i, 1)) //nolint:gosec // equal numbers have to give equal records
	r := corpus.Attack(i)
	source, destination := dice.ExpFloat64()*4, dice.ExpFloat64()*3
	r.SrcIP = fmt.Sprintf("198.51.100.%d", 10+int(source))
	r.DstIP = fmt.Sprintf("10.0.%d.10", int(destination+source/3))
	status := []int{200, 200, 403, 403, 404, 500}[dice.IntN(6)]
	if i%48 == 16 {
		status, r.ResponseBody = 200, leaked
	}
	if status != r.Status {
		r.ResponseHead = strings.Replace(r.ResponseHead, fmt.Sprintf(" %d ", r.Status), fmt.Sprintf(" %d ", status), 1)
		r.Status = status
	}
	return r
}
