// Command memory measures what the plugin adds to the resident memory of a real Fluent Bit. The same records go
// through tail and null: without the filter, with it, with eight of it that have the same rules, and with rules that
// are reloaded. Run it with "make bench-memory".
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/fluent-bit-waf/fluent-bit-waf/bench/fluentbit"
)

// plan is what is measured with.
type plan struct {
	*fluentbit.Setup
	records int
	long    int
	only    string
}

func main() {
	p := plan{Setup: fluentbit.Flags()}
	flag.IntVar(&p.records, "records", 100_000, "records of a stage; a tenth of them where all are attacks")
	flag.IntVar(&p.long, "long", 0, "instead of the stages: so many mixed records, with the memory along the way")
	flag.StringVar(&p.only, "only", "", "only the pipeline of this name, nothing to compare with")
	flag.Parse()
	if flag.NArg() > 0 || p.records < 100 || p.long < 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := p.run(); err != nil {
		fmt.Fprintln(os.Stderr, "memory:", err)
		os.Exit(1)
	}
}

func (p *plan) run() error {
	version, err := p.Find()
	if err != nil {
		return err
	}
	leave, err := p.install()
	if err != nil {
		return err
	}
	defer leave()
	fmt.Printf("%s, %s, %d cores; tail → null; resident memory in MB: what was written, what was read of files, and both\n\n", version, runtime.GOARCH,
		runtime.NumCPU())
	if p.long > 0 {
		return p.follow()
	}
	return p.compare()
}

// install copies the plugin into a directory of its own, as packages do. A file that the linker has just written is in memory in
// pieces of up to 2 MB, of which a process that needs one page gets the whole.
func (p *plan) install() (leave func(), err error) {
	dir, err := os.MkdirTemp("", "waf-memory-")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			leave()
		}
	}()
	leave = func() { os.RemoveAll(dir) } //nolint:errcheck // left to the system
	from, err := os.Open(p.Plugin)
	if err != nil {
		return leave, err
	}
	defer from.Close()
	p.Plugin = filepath.Join(dir, "out_waf.so")
	to, err := os.OpenFile(p.Plugin, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return leave, err
	}
	defer to.Close()
	if _, err := io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from}, make([]byte, 32<<10)); err != nil {
		return leave, err
	}
	if err := to.Sync(); err != nil {
		return leave, err
	}
	return leave, os.Symlink("out_waf.so", filepath.Join(dir, "flb-filter_waf.so"))
}
