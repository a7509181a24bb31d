package engine

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/debuglog"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corazalink"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/load"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/regex"
)

// compiler compiles a program. It is for one goroutine.
type compiler struct {
	*load.Program
	operators   *Operators
	expressions *regex.Budget // of the lazy DFAs of operators and prefilter; nil without
	times       *profile      // of the rules, collected unless nil
	yields      bool          // records flow while it compiles, and come first
	yielded     time.Time
	compiles    bool // every rule was compiled apart
}

// compile builds the WAF of a program. Every rule is compiled apart first, so that all that is wrong is found at once.
// Without strict, rules that cannot be used are omitted with warnings.
func (p *compiler) compile(strict bool) (coraza.WAF, error) {
	if p.compiles {
		return p.assemble()
	}
	probes := p.probe()
	defer probes.close()
	if p.SettleRejected(strict); len(p.Problems) > 0 {
		return nil, errors.Join(p.Problems...)
	}
	p.compiles = true
	return p.assemble()
}

// assemble builds the WAF of a program whose rules are known to compile one by one. Its patterns are those of the engines
// that are open and have them too.
func (p *compiler) assemble() (coraza.WAF, error) {
	var log debuglog.Logger
	if p.times != nil {
		log = ruleLog{profile: p.times}
	}
	config, parsed := p.config(log)
	defer parsed()
	waf, err := newWAF(config)
	if err == nil {
		return waf, nil
	}
	if at := p.culprit(); at >= 0 {
		return nil, fmt.Errorf("%s: %s: %w", p.Directives[at].Place(), p.Directives[at].Name, explain(err))
	}
	return nil, fmt.Errorf("rule set: %w", explain(err))
}

// Try compiles a program without the rules that cannot be used, which the program notes. It returns a function that returns what is known
// of a rule.
func Try(program *load.Program) (rule func(id int) *model.RuleInfo, err error) {
	p := &compiler{Program: program, operators: new(Operators)}
	probes := p.probe()
	defer probes.close()
	waf, err := p.assemble()
	if err != nil {
		return nil, err
	}
	defer closeWAF(waf)
	compiled, err := corazalink.Compiled(waf)
	if err != nil {
		return nil, err
	}
	table := newRuleTable(program, compiled)
	return func(id int) *model.RuleInfo { return table.infos[id] }, nil
}

// culprit returns the index of the directive at which the parser stops, -1 when it reads all.
func (p *compiler) culprit() int {
	parsed := 0
	log := debuglog.DefaultWithPrinterFactory(func(io.Writer) debuglog.Printer {
		return func(_ debuglog.Level, message, _ string) {
			if message == "Parsing directive" {
				parsed++
			}
		}
	}).WithLevel(debuglog.LevelDebug)
	config, _ := p.config(log)
	waf, err := newWAF(config)
	if err == nil || parsed > len(p.Directives) {
		closeWAF(waf)
		return -1
	}
	return parsed - 1
}

func closeWAF(waf coraza.WAF) {
	if closer, can := waf.(io.Closer); can {
		closer.Close()
	}
}

// perlOnly are the constructs of Perl's expressions that RE2, which matches in linear time, does not have.
var perlOnly = []struct {
	written *regexp.Regexp
	name    string
}{
	{regexp.MustCompile(`\(\?<?[=!]`), "look-ahead and look-behind"},
	{regexp.MustCompile(`\(\?>`), "atomic groups"},
	{regexp.MustCompile(`[*+?}]\+`), "possessive quantifiers"},
	{regexp.MustCompile(`\\[1-9gk]`), "back references"},
	{regexp.MustCompile(`\(\?(?:R|&|P>|\d|\()`), "recursion and conditions"},
}

// explain returns the part of Coraza's error that says what is wrong, in few words.
func explain(err error) error {
	text := err.Error()
	for _, wrapping := range []string{"invalid WAF config from file: ", "invalid WAF config from string: ", "failed to parse string: "} {
		text = strings.TrimPrefix(text, wrapping)
	}
	if strings.HasPrefix(text, "failed to compile the directive") {
		_, text, _ = strings.Cut(text, ": ")
	}
	if parsing, isPattern := strings.CutPrefix(text, "error parsing regexp: "); isPattern {
		text = "pattern cannot be compiled: " + shortened(parsing, 100)
		for _, construct := range perlOnly {
			if construct.written.MatchString(parsing) {
				text += " (RE2 has no " + construct.name + ")"
				break
			}
		}
	}
	return errors.New(shortened(text, 300))
}

// shortened returns a text of at most some bytes, with a sign that there was more.
func shortened(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "…"
}
