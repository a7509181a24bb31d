package tune

import (
	"bufio"
	"fmt"
	"slices"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
)

// Records with attacks do not belong among those from which exclusions are made, so evidence of one is reported before the exclusions. It is
// not proof: what is reported is to be looked at.

// Precise are rules of CRS that clean requests hardly ever match, by what they find.
var Precise = map[int]string{
	913100: "a scanner",
	932170: "Shellshock", 932171: "Shellshock",
	934110: "cloud metadata",
	944150: "Log4Shell", 944151: "Log4Shell", 944152: "Log4Shell",
}

const (
	// A clean text is taken for several kinds of attacks less often than an attack, which tries them.
	manyKinds = 3
	// One of these rules may take a word for a command or a path; several agree on attacks.
	manyExecuting = 3
)

// executing are the kinds of attacks that run code or read files.
var executing = []string{"rce", "lfi", "rfi", "injection-php", "injection-java", "injection-generic", "ssrf", "ssti"}

// kinds are the kinds of attacks of which a request may be evidence. Others are of the protocol, or of responses.
var kinds = append([]string{"sqli", "xss", "fixation"}, executing...)

// suspect is a record that looks like an attack.
type suspect struct {
	place   string // file and line
	request string
	why     string
	rules   []int
}

// suspects finds the alerts that look like attacks, and tells why.
func suspects(alerts []falseAlert) (all []suspect) {
	byClient := kindsByClient(alerts)
	for i := range alerts {
		a := &alerts[i]
		why := a.evidence()
		if tried := byClient[a.client]; why == "" && len(byClient) > 1 && len(tried) >= manyKinds && len(a.kinds()) > 0 {
			why = fmt.Sprintf("its client alerts with %d kinds of attacks: %s", len(tried), strings.Join(tried, ", "))
		}
		if why == "" {
			continue
		}
		s := suspect{place: a.place, request: a.request, why: why}
		for _, m := range a.matches {
			s.rules = append(s.rules, m.rule)
		}
		all = append(all, s)
	}
	return all
}

// evidence returns why a record alone looks like an attack, "" when it does not.
func (a *falseAlert) evidence() string {
	executes := 0
	for _, m := range a.matches {
		if what := Precise[m.rule]; what != "" {
			return fmt.Sprintf("rule %d found %s", m.rule, what)
		}
		if slices.Contains(executing, m.kind) {
			executes++
		}
	}
	switch found := a.kinds(); {
	case len(found) >= manyKinds:
		return fmt.Sprintf("it alerts with %d kinds of attacks: %s", len(found), strings.Join(found, ", "))
	case executes >= manyExecuting:
		return fmt.Sprintf("%d rules found code or paths: %s", executes, strings.Join(found, ", "))
	}
	return ""
}

// kinds returns the kinds of attacks that the rules of an alert find, sorted.
func (a *falseAlert) kinds() (found []string) {
	for _, m := range a.matches {
		if slices.Contains(kinds, m.kind) && !slices.Contains(found, m.kind) {
			found = append(found, m.kind)
		}
	}
	slices.Sort(found)
	return found
}

// kindsByClient collects the kinds of attacks of all alerts of each client. Where all come through one proxy, there is one client only.
func kindsByClient(alerts []falseAlert) map[string][]string {
	all := map[string][]string{}
	for i := range alerts {
		a := &alerts[i]
		merged := slices.Concat(all[a.client], a.kinds())
		slices.Sort(merged)
		all[a.client] = slices.Compact(merged)
	}
	return all
}

// attacksOf counts the records that look like attacks and that a rule has matched.
func attacksOf(all []suspect, rule int) (n int) {
	for i := range all {
		if slices.Contains(all[i].rules, rule) {
			n++
		}
	}
	return n
}

// MaxSuspects is how many are named; the first ones are enough to see what they are.
const MaxSuspects = 10

// warnOfAttacks writes what to look at before the exclusions.
func (t *tuned) warnOfAttacks(c *cli.Console, to *bufio.Writer) {
	if len(t.attacks) == 0 {
		return
	}
	title := fmt.Sprintf("Before you exclude anything: %s look like attacks, not false positives", cli.Count(len(t.attacks), "record"))
	if len(t.attacks) == 1 {
		title = "Before you exclude anything: 1 record looks like an attack, not a false positive"
	}
	fmt.Fprintf(to, "%s\n\n", c.Paint(cli.Red, title))
	for _, s := range t.attacks[:min(len(t.attacks), MaxSuspects)] {
		fmt.Fprintf(to, "  %s: %s\n    %s\n", cli.Printable(s.place), cli.Cut(cli.Printable(s.request), suspectWidth), s.why)
	}
	if more := len(t.attacks) - MaxSuspects; more > 0 {
		fmt.Fprintf(to, "  and %s more\n", cli.Grouped(more))
	}
	fmt.Fprintf(to, "\nExclusions marked with ! affect rules that matched there, and would let such attacks pass. Remove what is not clean from\n"+
		"the the file, and run tune again.\n\n")
}

// suspectWidth keeps a request within a line.
const suspectWidth = 100
