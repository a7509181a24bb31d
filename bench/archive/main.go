// Command archive measures how many GB of logs a minute wafctl checks in compressed files, next to unpacking them and counting their
// lines with zcat and wc. It writes the files itself, and keeps every program to a number of cores. Run it with "make bench-archive".
package main

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// plan is what is measured with.
type plan struct {
	wafctl      string
	size        int64 // bytes of each archive, unpacked
	files, runs int
	cores       int
}

func main() {
	var p plan
	flag.StringVar(&p.wafctl, "wafctl", "build/out/wafctl", "the `program`")
	megabytes := flag.Int64("size", 256, "`MB` of each archive, unpacked")
	flag.IntVar(&p.files, "files", 8, "files of each archive")
	flag.IntVar(&p.runs, "runs", 3, "runs of each, of which the median is shown")
	flag.IntVar(&p.cores, "cores", 2, "cores that each program may use")
	flag.Parse()
	p.size = *megabytes * 1_000_000
	if flag.NArg() > 0 || p.size < 1 || p.files < 1 || p.runs < 1 || p.cores < 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := p.run(); err != nil {
		fmt.Fprintln(os.Stderr, "archive:", err)
		os.Exit(1)
	}
}

func (p *plan) run() error {
	if err := limitCores(p.cores); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "archive")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it is in the folder for temporary files
	fmt.Printf("%s, %d of %d cores; %d MB in %d files, median of %d runs\nGB of text a minute (seconds of all cores together for 1 GB)\n\n", runtime.GOARCH, p.cores, runtime.NumCPU(),
		p.size/1_000_000, p.files, p.runs)
	fmt.Println("| records | packed | unpacked and counted | wafctl check | wafctl incidents |")
	fmt.Println("|---|---|---|---|---|")
	for _, f := range formats {
		for _, packing := range packings {
			if err := p.measure(filepath.Join(dir, f.name+packing.name), f, packing); err != nil {
				return err
			}
		}
	}
	return nil
}

// limitCores has this process, and those that it starts, use only some cores.
func limitCores(n int) error {
	var all, some unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return fmt.Errorf("cores: %w", err)
	}
	for i := 0; some.Count() < min(n, all.Count()); i++ {
		if all.IsSet(i) {
			some.Set(i)
		}
	}
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return fmt.Errorf("cores: %w", err)
	}
	for _, task := range tasks { // a program is started by any of them
		id, _ := strconv.Atoi(task.Name())
		if err := unix.SchedSetaffinity(id, &some); err != nil {
			return fmt.Errorf("cores: %w", err)
		}
	}
	return nil
}

// measure prints the line of one archive.
func (p *plan) measure(dir string, f format, packing packing) error {
	text, packed, err := write(dir, f, packing, p.size, p.files)
	if err != nil {
		return err
	}
	fmt.Printf("| %s | %s, %.0f:1 ", f.title, packing.name, float64(text)/float64(packed))
	for _, command := range []string{
		packing.unpack + " " + dir + "/* | wc -l",
		p.wafctl + " check -q " + dir,
		p.wafctl + " incidents " + dir,
	} {
		taken, err := median(p.runs, command)
		if err != nil {
			return err
		}
		if taken.clock == 0 {
			fmt.Print("| – ")
			continue
		}
		gigabytes := float64(text) / 1e9
		fmt.Printf("| %.1f (%.0f s) ", gigabytes/taken.clock.Minutes(), taken.cores.Seconds()/gigabytes)
	}
	fmt.Println("|")
	return os.RemoveAll(dir)
}

// missing is how a shell ends when a program is not there.
const missing = 127

// taken is how long a command takes, by the clock and on all cores together.
type taken struct{ clock, cores time.Duration }

// median returns the run of a command that is in the middle by the clock, nothing when a program of it is not installed.
func median(runs int, command string) (taken, error) {
	all := make([]taken, 0, runs)
	for range runs {
		start := time.Now()
		cmd := exec.Command("bash", "-o", "pipefail", "-c", command)
		out, err := cmd.CombinedOutput()
		switch code := cmd.ProcessState.ExitCode(); {
		case code == missing:
			return taken{}, nil
		case code > 1: // 1 is that of alerts
			return taken{}, fmt.Errorf("%s: %w: %.300s", command, err, out)
		}
		all = append(all, taken{time.Since(start), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()})
	}
	slices.SortFunc(all, func(a, b taken) int { return cmp.Compare(a.clock, b.clock) })
	return all[len(all)/2], nil
}
