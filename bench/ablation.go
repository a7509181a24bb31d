package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// buildTags are those of the plugin.
const buildTags = "no_fs_access,coraza.disabled_operators.rbl,coraza.disabled_operators.inspectFile"

// turns is how many turns of both replicas a run has. They are short: what else the machine does then slows both down alike.
const turns = 40

// ablate builds the program once for each feature without it and prints how much more processor time its filter takes than one with all
// features. The two take turns over the same events, and must make the same of them.
// The first row, of nothing, shows what differences mean nothing.
func ablate(runs int, only *regexp.Regexp) error {
	root, err := filepath.Abs(".")
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "ablation-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary directory
	heading := []string{"processor time without"}
	for i := range ablationSets {
		heading = append(heading, ablationSets[i].name)
	}
	t := table{append(heading, "ready", "heap")}
	for i := range features {
		f := &features[i]
		if !only.MatchString(f.name) {
			continue
		}
		fmt.Fprintf(os.Stderr, "%s …\n", f.name)
		row, err := f.ablate(root, dir, runs)
		if err != nil {
			t.print()
			return fmt.Errorf("%s: %w", f.name, err)
		}
		fmt.Fprintln(os.Stderr, strings.Join(row[1:], "  "))
		t.row(row...)
	}
	t.print()
	return nil
}

// ablate returns the row of a feature. Each run has replicas of its own: where a process has its memory makes more difference than many
// features, and stays as it is until it ends.
func (f *feature) ablate(root, dir string, runs int) (row []string, err error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	with := program
	if f.edits != nil {
		if program, err = f.build(root, dir); err != nil {
			return nil, err
		}
	}
	columns := make([][]float64, len(ablationSets)+2)
	for range runs {
		ratios, err := f.run(with, program)
		if err != nil {
			return nil, err
		}
		for i, ratio := range ratios {
			columns[i] = append(columns[i], ratio)
		}
	}
	row = []string{f.name}
	for i := range columns {
		row = append(row, factor(median(columns[i])))
	}
	return row, nil
}

// run returns how much more a replica of one program takes than one of another, which has all features: for each set, until it is ready, and of
// the heap.
func (f *feature) run(with, without string) (ratios []float64, err error) {
	a, err := startReplica(with, nil)
	if err != nil {
		return nil, err
	}
	defer a.close()
	b, err := startReplica(without, f.settings)
	if err != nil {
		return nil, err
	}
	defer b.close()
	for set := range ablationSets {
		var ofTurns []float64
		for turn := range turns {
			first, second, err := inTurn(a, b, turn, set)
			if err != nil {
				return nil, err
			}
			if first.made != second.made {
				return nil, fmt.Errorf("%s, turn %d: the output is another without it", ablationSets[set].name, turn)
			}
			ofTurns = append(ofTurns, float64(second.took)/float64(first.took))
		}
		ratios = append(ratios, median(ofTurns))
	}
	return append(ratios, float64(b.ready)/float64(a.ready), float64(b.heap)/float64(a.heap)), nil
}

// factor shows how much more something takes.
func factor(ratio float64) string {
	if ratio < 2 {
		return fmt.Sprintf("%+.1f %%", 100*(ratio-1))
	}
	return times(ratio)
}

// build builds the program without the feature.
func (f *feature) build(root, dir string) (program string, err error) {
	overlay, err := f.writeOverlay(root, dir)
	if err != nil {
		return "", err
	}
	program = filepath.Join(dir, "bench")
	build := exec.Command("go", "build", "-tags", buildTags, "-ldflags", "-s -w", "-overlay", overlay, "-o", program, "./bench")
	build.Dir, build.Stderr = root, os.Stderr
	return program, build.Run()
}

// inTurn has two replicas process the same events; which begins changes with each turn.
func inTurn(a, b *replica, turn, set int) (ofA, ofB processed, err error) {
	if turn%2 == 1 {
		ofB, ofA, err = inTurn(b, a, 0, set)
		return ofA, ofB, err
	}
	if ofA, err = a.process(set); err == nil {
		ofB, err = b.process(set)
	}
	return ofA, ofB, err
}

// replica is the program in a process of its own, which processes events when it is asked.
type replica struct {
	command *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	ready   time.Duration // processor time until the rules are loaded
	heap    int64         // bytes, with the rules loaded and warm
}

// processed is what a replica says of a run: processor time, and a hash of its output.
type processed struct {
	took time.Duration
	made uint64
}

func startReplica(program string, settings setting.Map) (*replica, error) {
	arguments := []string{"-replica"}
	for name, value := range settings {
		arguments = append(arguments, name+"="+value)
	}
	r := &replica{command: exec.Command(program, arguments...)}
	r.command.Stderr = os.Stderr
	var err error
	if r.in, err = r.command.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := r.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	r.out = bufio.NewReader(out)
	if err := r.command.Start(); err != nil {
		return nil, err
	}
	_, err = fmt.Fscanln(r.out, &r.ready, &r.heap)
	if err != nil {
		r.close()
	}
	return r, err
}

func (r *replica) process(set int) (p processed, err error) {
	if _, err := fmt.Fprintln(r.in, set); err != nil {
		return p, err
	}
	_, err = fmt.Fscanln(r.out, &p.took, &p.made)
	return p, err
}

// close ends the process, which stops at the end of its input.
func (r *replica) close() {
	if err := errors.Join(r.in.Close(), r.command.Wait()); err != nil {
		fmt.Fprintln(os.Stderr, "bench: replica:", err)
	}
}
