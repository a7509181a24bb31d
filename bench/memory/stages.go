package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/bench/fluentbit"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
)

// pipeline is one of those that are compared; all get the same records.
type pipeline struct {
	name    string
	filters int
	reloads int // at the end
}

var pipelines = []pipeline{
	{name: "without"},
	{name: "waf", filters: 1},
	{name: "8 × waf", filters: 8},
	{name: "reloads", filters: 1, reloads: 10},
}

// stage is a time in the life of a pipeline at whose end memory is looked at.
type stage struct {
	name   string
	record func(uint64) corpus.Record // nil: time passes
	share  int                        // of the records: one of so many
}

var stages = []stage{
	{name: "started"},
	{"repeated", fluentbit.Repeated, 1},
	{"all different", fluentbit.Unique, 1},
	{"attacks", fluentbit.Attack, 10},
	{name: "idle"},
}

// idle is how long the pipeline has nothing to do at the end.
const idle = 20 * time.Second

// run is a pipeline on its way.
type run struct {
	*fluentbit.Process
	files, sent int
}

// rulesFile is one that can be changed.
const rulesFile = "own.conf"

func (p *plan) start(of pipeline) (*run, error) {
	var filters strings.Builder
	for range of.filters {
		var reloading []string
		if of.reloads > 0 {
			reloading = []string{"rules: crs,DIR/" + rulesFile, "reload_interval: 1s"}
		}
		filters.WriteString(p.Filter(reloading...))
	}
	if of.filters == 0 {
		filters.WriteString(" []")
	}
	text := "  inputs:\n    - name: tail\n      path: DIR/*.jsonl\n      parser: lines\n      refresh_interval: 1\n      read_from_head: on\n" +
		"      mem_buf_limit: 5M\n  filters:" + filters.String() + "\n  outputs:\n    - name: 'null'\n      match: '*'\n"
	c := fluentbit.Config{Pipeline: text, Sections: "parsers:\n  - name: lines\n    format: json\n", Prepare: prepare}
	if of.filters > 0 {
		c.Args = []string{"-e", p.Plugin}
	}
	f, err := fluentbit.Start(p.Path, c)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", of.name, err)
	}
	return &run{Process: f}, nil
}

// prepare writes what a pipeline wants to find in its directory.
func prepare(dir string) error { return changeRules(dir, 0) }

func changeRules(dir string, version int) error {
	text := fmt.Sprintf("SecAction \"id:10000,phase:1,pass,nolog,setvar:tx.version=%d\"\n", version)
	if err := os.WriteFile(filepath.Join(dir, "draft"), []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(filepath.Join(dir, "draft"), filepath.Join(dir, rulesFile))
}

// send has the pipeline read n records from number first on, and waits until they have come out.
func (r *run) send(record func(uint64) corpus.Record, first, n int) error {
	r.files++
	file := filepath.Join(r.Dir, fmt.Sprintf("%d.jsonl", r.files))
	if err := fluentbit.WriteRecords(file, record, first, n); err != nil {
		return err
	}
	r.sent += n
	if err := r.Await(r.sent); err != nil {
		return err
	}
	return os.Remove(file)
}

// live takes a pipeline through all stages and returns its memory at the end of each.
func (p *plan) live(of pipeline) (after []fluentbit.Memory, err error) {
	r, err := p.start(of)
	if err != nil {
		return nil, err
	}
	defer r.Stop()
	note := func(stage string) error {
		m, err := r.Memory()
		after = append(after, m)
		fmt.Fprintf(os.Stderr, "%s, %s: %s\n", of.name, stage, written(m))
		return err
	}
	for _, s := range stages {
		switch {
		case s.record != nil:
			err = r.send(s.record, 0, p.records/s.share)
		case len(after) > 0:
			time.Sleep(idle)
		}
		if err == nil {
			err = note(s.name)
		}
		if err != nil {
			return nil, fmt.Errorf("%s, %s: %w", of.name, s.name, err)
		}
	}
	for n := range of.reloads {
		if err := changeRules(r.Dir, n+1); err != nil {
			return nil, err
		}
		time.Sleep(reloadTime)
	}
	if of.reloads > 0 {
		err = note(fmt.Sprintf("%d reloads", of.reloads))
	}
	return after, err
}

// reloadTime is how long a change of rules takes at most until it is in use.
const reloadTime = 5 * time.Second

// compare takes all pipelines through all stages and prints what they have more than the first one.
func (p *plan) compare() error {
	rows := []string{"MB resident\t"}
	for _, s := range stages {
		rows = append(rows, s.name+"\t")
	}
	rows = append(rows, "reloads\t", "peak\t")
	var bare []fluentbit.Memory
	for _, of := range pipelines {
		if p.only != "" && of.name != p.only {
			continue
		}
		after, err := p.live(of)
		if err != nil {
			return err
		}
		if bare == nil {
			bare = after
		}
		addColumns(rows, of.name, after, bare)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, row := range rows {
		fmt.Fprintln(w, row) //nolint:errcheck // Flush tells
	}
	return w.Flush()
}

// addColumns adds the memory after each stage, and how much of it the pipeline without filter does not need.
func addColumns(rows []string, name string, after, bare []fluentbit.Memory) {
	rows[0] += name + "\tabove\t"
	for i := range len(rows) - 2 {
		if i == len(after) {
			rows[i+1] += "\t\t"
			continue
		}
		rows[i+1] += written(after[i]) + "\t" + megabytes(after[i].Sum()-bare[min(i, len(bare)-1)].Sum()) + "\t"
	}
	peak, bareOne := after[len(after)-1].Peak, bare[len(bare)-1].Peak
	rows[len(rows)-1] += megabytes(peak) + "\t" + megabytes(peak-bareOne) + "\t"
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f", float64(n)/1e6) }

func written(m fluentbit.Memory) string {
	return fmt.Sprintf("%s + %s = %s", megabytes(m.Anon), megabytes(m.File), megabytes(m.Sum()))
}
