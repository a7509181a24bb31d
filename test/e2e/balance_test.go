//go:build e2e

package e2e

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/stretchr/testify/require"
)

// balance is what a filter or output tells at its end, and before a hot reload.
type balance struct {
	kind, name                                             string
	records, clean, alerts, notHTTP, broken, skipped, late int
	emitted, failed, suppressed                            int
}

var balanceLine = regexp.MustCompile(`\[(filter|output):waf:([^]]+)\] records (\d+): clean (\d+), alerts (\d+), not http (\d+), ` +
	`broken (\d+), skipped (\d+) \((\d+) of them late\); alerts emitted (\d+), failed (\d+)(?:, partly inspected \d+)?(?:, suppressed (\d+))?`)

// balances returns all that are in the log.
func (p *pipeline) balances() (all []balance) {
	p.t.Helper()
	for _, m := range balanceLine.FindAllStringSubmatch(p.log(), -1) {
		a := balance{kind: m[1], name: m[2]}
		for i, n := range []*int{
			&a.records, &a.clean, &a.alerts, &a.notHTTP, &a.broken, &a.skipped, &a.late, &a.emitted, &a.failed, &a.suppressed,
		} {
			if text := m[3+i]; text != "" {
				var err error
				*n, err = strconv.Atoi(text)
				require.NoError(p.t, err)
			}
		}
		all = append(all, a)
	}
	return all
}

// addsUp requires that every balance in the log does.
func (p *pipeline) addsUp() {
	p.t.Helper()
	log := p.log()
	for _, a := range p.balances() {
		require.Equal(p.t, a.records, a.clean+a.alerts+a.notHTTP+a.broken+a.skipped, "%+v", a)
		if a.kind == "output" || strings.Contains(log, "emitter_for_"+a.name) {
			require.Equal(p.t, a.alerts, a.emitted+a.failed+a.suppressed, "%+v", a)
		}
	}
}

// balance returns the sum over all filters, or all outputs, that have ended.
func (p *pipeline) balance(kind string) (sum balance) {
	p.t.Helper()
	ended := 0
	for _, a := range p.balances() {
		if a.kind == kind {
			ended++
			sum.records, sum.alerts, sum.broken, sum.late = sum.records+a.records, sum.alerts+a.alerts, sum.broken+a.broken, sum.late+a.late
		}
	}
	lines := func(text string) int {
		return len(regexp.MustCompile(`\[`+kind+`:waf:[^]]+\] `+text).FindAllString(p.log(), -1))
	}
	if ended < lines(`\d+ rules loaded`)-lines(`rules were reloaded in`) {
		p.skipWithoutLastLines()
	}
	return sum
}

// skipWithoutLastLines ends a test whose log lacks its end: Fluent Bit's log thread ends without reading what is still on the way
// to it. The plugins wait for it a moment, which a busy machine may outlast.
func (p *pipeline) skipWithoutLastLines() {
	p.t.Helper()
	require.Contains(p.t, p.log(), "service has stopped")
	p.t.Skip("Fluent Bit has ended before the last lines were in its log")
}

// lines returns how many records an output has written to a file.
func (p *pipeline) lines(file string) int { return strings.Count(p.read(file), "\n") }
