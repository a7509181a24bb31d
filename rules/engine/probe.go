package engine

import (
	"fmt"
	"path"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/corazawaf/coraza/v3"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/load"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

// probes are engines of one rule each. While they are open, their patterns are compiled already for an engine of all rules.
// An engine that fails to compile cannot be closed, and what it had compiled stays in memory: with one rule each, that is
// next to nothing, while a whole rule set would leave all patterns before the broken rule behind.
type probes struct{ open []coraza.WAF }

func (ps *probes) close() {
	for _, waf := range ps.open {
		closeWAF(waf)
	}
}

// probe compiles what can be compiled apart, on all cores, and rejects what is broken.
func (p *compiler) probe() *probes {
	all := p.Units()
	files := newProgramFiles(p)
	datasets := p.datasets()
	results := make([]coraza.WAF, len(all))
	failures := make([]error, len(all))
	var next atomic.Int64
	var group sync.WaitGroup
	for range p.workers() {
		group.Go(func() {
			i := -1
			failed := func(cause any, _ []byte) {
				if i >= 0 {
					failures[i] = fmt.Errorf("panic: %s", recovery.Describe(cause))
				}
			}
			recovery.Loop(nil, failed, func() {
				for i = int(next.Add(1)) - 1; i < len(all); i = int(next.Add(1)) - 1 {
					p.yield()
					if text := probeText(&all[i], datasets); text != "" {
						results[i], failures[i] = files.compile(text, path.Dir(all[i].Directives[0].File))
					}
				}
			})
		})
	}
	group.Wait()
	ps := &probes{}
	for i, waf := range results {
		if failures[i] != nil {
			p.Reject(&all[i], explain(failures[i]))
		} else if waf != nil {
			ps.open = append(ps.open, waf)
		}
	}
	p.Replace(all)
	return ps
}

// workers returns how many rules are compiled at the same time.
func (p *compiler) workers() int {
	if p.yields {
		return 1
	}
	return runtime.GOMAXPROCS(0)
}

// slice is how long compiling runs before it lets others run, where records flow. While all threads of Go are busy, a record
// would otherwise wait until the scheduler interrupts one, after ten milliseconds for each chunk; and compiling has to go on
// where records keep all threads busy.
const slice = 2 * time.Millisecond

// yield lets others run, between one rule and the next.
func (p *compiler) yield() {
	if p.yields && time.Since(p.yielded) > slice {
		runtime.Gosched()
		p.yielded = time.Now()
	}
}

// probeText returns what must be parsed to try a unit, "" when it can only be tried together with other rules.
func probeText(u *load.Unit, datasets string) string {
	var b strings.Builder
	for i := range u.Directives {
		b.WriteString(parserRows(&u.Directives[i]))
	}
	d := &u.Directives[0]
	switch {
	case d.Is("SecDefaultAction"):
		b.WriteString("SecAction \"id:1,pass,nolog\"\n")
	case strings.HasPrefix(strings.ToLower(d.Name), "secruleupdate"):
		return ""
	case usesDataset(u):
		return datasets + b.String()
	}
	return b.String()
}

func usesDataset(u *load.Unit) bool {
	for i := range u.Rules {
		if load.IsOfDataset(u.Rules[i].Operator.Name) {
			return true
		}
	}
	return false
}

// datasets returns the lists that rules may refer to.
func (p *compiler) datasets() string {
	var b strings.Builder
	for i := range p.Directives {
		if p.Directives[i].Is("SecDataset") && wellFormed(&p.Directives[i]) {
			b.WriteString(parserRows(&p.Directives[i]))
		}
	}
	return b.String()
}

// wellFormed reports whether a list can be parsed: a broken one is reported once, not for every rule that uses it.
func wellFormed(d *seclang.Directive) bool {
	waf, err := newWAF(coraza.NewWAFConfig().WithDirectives(parserRows(d)))
	if err == nil {
		closeWAF(waf)
	}
	return err == nil
}
