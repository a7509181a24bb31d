package main

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// entrant is a contestant under the name of its column.
type entrant struct {
	name string
	contestant
}

// compare has all entrants inspect the same records, in turn, several times, and prints what a record takes. The first entrant
// is compared with all others.
func compare(entrants []entrant, runs, records int) error {
	heading := []string{"µs a record", "records"}
	for _, e := range entrants {
		heading = append(heading, e.name)
	}
	for _, e := range entrants[1:] {
		heading = append(heading, "to "+e.name)
	}
	t := table{append(heading, "goal", "alerts of each")}
	differences := map[string]int{}
	for i := range recordSets {
		fmt.Fprintf(os.Stderr, "%s …\n", recordSets[i].name)
		row, err := compareSet(entrants, &recordSets[i], runs, records, differences)
		if err != nil {
			return err
		}
		t.row(row...)
	}
	t.print()
	printDifferences(differences)
	return nil
}

// compareSet returns the row of one set. The first run, which warms everything up, does not count.
func compareSet(entrants []entrant, set *recordSet, runs, records int, differences map[string]int) (row []string, err error) {
	n := max(records/set.divisor, 5)
	took := make([][]time.Duration, len(entrants))
	alerts := make([]int, len(entrants))
	for run := range runs + 1 {
		batch := set.records(uint64(run*n), n)
		var ids [][]int // of the first entrant that tells them
		for i, e := range entrants {
			r, err := e.run(batch)
			if err != nil {
				return nil, fmt.Errorf("%s, %s: %w", set.name, e.name, err)
			}
			if ids == nil {
				ids = r.ids
			}
			noteDifferences(differences, e.name, ids, r.ids)
			if run > 0 {
				took[i] = append(took[i], r.took/time.Duration(n))
				alerts[i] += r.alerts
			}
		}
	}
	row = []string{set.name, fmt.Sprintf("%d × %d", runs, n)}
	for i := range entrants {
		row = append(row, microseconds(median(took[i])))
	}
	for i := range entrants[1:] {
		row = append(row, times(median(ratios(took[i+1], took[0]))))
	}
	return append(row, set.goal+" ×", strings.Trim(fmt.Sprint(alerts), "[]")), nil
}

// ratios divides the durations of the same run.
func ratios(long, short []time.Duration) []float64 {
	list := make([]float64, len(long))
	for i := range list {
		list[i] = float64(long[i]) / float64(max(short[i], 1))
	}
	return list
}

func microseconds(d time.Duration) string {
	µs := float64(d) / float64(time.Microsecond)
	if µs < 100 {
		return fmt.Sprintf("%.1f", µs)
	}
	return fmt.Sprintf("%.0f", µs)
}

func times(ratio float64) string {
	if ratio < 10 {
		return fmt.Sprintf("%.1f ×", ratio)
	}
	return fmt.Sprintf("%.0f ×", ratio)
}

// noteDifferences counts rules that matched for one engine and not for the other.
func noteDifferences(differences map[string]int, name string, want, got [][]int) {
	for i := range got {
		for _, id := range want[i] {
			if !slices.Contains(got[i], id) {
				differences[fmt.Sprintf("%s misses %d", name, id)]++
			}
		}
		for _, id := range got[i] {
			if !slices.Contains(want[i], id) {
				differences[fmt.Sprintf("%s adds %d", name, id)]++
			}
		}
	}
}

func printDifferences(differences map[string]int) {
	if len(differences) == 0 {
		return
	}
	fmt.Println("\nrules that other engines see differently than plain Coraza, and on how many records:")
	names := slices.SortedFunc(maps.Keys(differences), func(a, b string) int {
		return cmp.Or(differences[b]-differences[a], strings.Compare(a, b))
	})
	for _, name := range names {
		fmt.Printf("  %s: %d\n", name, differences[name])
	}
}
