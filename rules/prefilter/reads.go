package prefilter

import (
	"slices"
	"strings"

	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
	corazavariables "github.com/corazawaf/coraza/v3/types/variables"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corazalink"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/ascii"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/variables"
)

// Reads lists what of a transaction the rules look at. What they do not look at makes no difference to the verdict.
type Reads struct {
	Volatile        string   // why no verdict holds for a second transaction, "" when it does
	Ports           bool     // the rules look at a port
	ServerAddress   bool     // the rules look at the server's address
	ResponseHeaders []string // names in lower case of the response headers that the rules look at
	AllResponse     bool     // the rules look at all response headers

	clientAddress bool                   // the rules look at the client's address itself
	networks      []plugintypes.Operator // tests of the client's address
	state         plugintypes.TransactionState
}

// steady are variables that follow from what a verdict is cached by: method, target, protocol, request headers, bodies,
// status, and the rules themselves.
func steady(name string) bool {
	_, known := variables.Sources[name]
	switch name {
	case "RULE", "MATCHED_VAR_NAME", "MATCHED_VARS_NAMES", "HIGHEST_SEVERITY", "REQBODY_ERROR_MSG", "REQBODY_PROCESSOR_ERROR_MSG",
		"STATUS_LINE", "RESPONSE_ARGS", "RESPONSE_XML", "ARGS_PATH", "MULTIPART_FILENAME_CHARSET", "MULTIPART_FILENAME_LANGUAGE",
		"FILES_TMP_CONTENT", "JSON":
		return true
	}
	return known
}

// findReads collects what the rules look at: targets, and macros of operators, messages and assignments. Rules that never run, for
// no transaction, do not count when the analysis holds.
func (g *Prefilter) findReads(f *dataFlow, holds bool) {
	p := &compiler{state: g.state}
	r := &g.reads
	r.state = g.state
	for _, c := range f.chains {
		if holds && c.dead && f.isDeadForCandidates(c) {
			continue
		}
		for i := range c.links {
			r.addLink(&c.links[i], p)
		}
		r.clientAddress = r.clientAddress || c.passesOn() || slices.ContainsFunc(c.links, readsRule) // a message can have the address
	}
}

// passesOn reports whether a later test can see a value that the chain has tested: the rest of a chain that tests the client's address, or
// a rule that begins with what the rule before has matched.
func (c *chain) passesOn() bool {
	testsAddress := false
	for i := range c.links {
		l := &c.links[i]
		if testsAddress || i == 0 {
			text := ""
			if l.Operator != nil {
				text = l.Operator.Argument
			}
			if testsAddress {
				for _, a := range assignments(l) {
					text += a.name + a.value
				}
			}
			if slices.ContainsFunc(macros(text), func(macro string) bool { return strings.HasPrefix(macro, "matched_var") }) ||
				slices.ContainsFunc(l.Targets, func(t corazalink.Target) bool { return strings.HasPrefix(t.Variable.Name(), "MATCHED_VAR") }) {
				return true
			}
		}
		if slices.ContainsFunc(l.Targets, func(t corazalink.Target) bool { return t.Variable == corazavariables.RemoteAddr }) {
			testsAddress = true
			if slices.ContainsFunc(assignments(l), func(a assignment) bool { return strings.Contains(strings.ToLower(a.name+a.value), "%{matched_var") }) {
				return true
			}
		}
	}
	return false
}

func (r *Reads) addLink(l *corazalink.Link, p *compiler) {
	for i := range l.Targets {
		t := &l.Targets[i]
		switch {
		case p.neverFilled(t.Variable):
		case t.Variable == corazavariables.RemoteAddr && r.addNetwork(l):
		default:
			r.add(t.Variable.Name(), strings.ToLower(t.Key), t.KeyRx != nil)
		}
	}
	if l.Operator != nil {
		r.addMacros(l.Operator.Argument)
	}
	r.addMacros(l.Message)
	r.addMacros(l.LogData)
	for i := range l.Actions {
		switch a := &l.Actions[i]; {
		case a.Assignment != nil:
			r.addMacros(a.Assignment.Name)
			r.addMacros(a.Assignment.Value)
		case a.Control == nil && !inert[a.Name] && a.Name != "skipafter" && a.Name != "skip" && r.Volatile == "":
			r.Volatile = "a rule has action " + a.Name
		}
	}
}

// addNetwork notes a test of the client's address, of which only the answer matters.
func (r *Reads) addNetwork(l *corazalink.Link) bool {
	if l.Operator == nil || !strings.EqualFold(l.Operator.Name, "ipMatch") || len(l.Transformations) > 0 {
		return false
	}
	r.networks = append(r.networks, l.Operator.Implementation)
	return true
}

func (r *Reads) addMacros(text string) {
	for _, macro := range macros(text) {
		name, key, _ := strings.Cut(macro, ".")
		r.add(strings.ToUpper(name), key, false)
	}
}

func (r *Reads) add(name, key string, isRegex bool) {
	switch name {
	case "REMOTE_ADDR", "REMOTE_HOST":
		r.clientAddress = true
	case "REMOTE_PORT", "SERVER_PORT":
		r.Ports = true
	case "SERVER_ADDR":
		r.ServerAddress = true
	case "RESPONSE_HEADERS":
		if key == "" || isRegex {
			r.AllResponse = true
		} else if !slices.Contains(r.ResponseHeaders, key) {
			r.ResponseHeaders = append(r.ResponseHeaders, key)
		}
	case "RESPONSE_HEADERS_NAMES":
		r.AllResponse = true
	case "RESPONSE_CONTENT_TYPE", "RESPONSE_BODY":
	default:
		if !steady(name) && r.Volatile == "" {
			r.Volatile = "a rule reads " + name
		}
	}
}

// ClientAddress returns what of the client's address the rules look at: the address, or the answers of the tests that they
// make of it, one bit each. What an alert says may depend on more: see Reduces.
func (r *Reads) ClientAddress(address string) (text string, answers uint64) {
	if r.clientAddress || len(r.networks) > 64 {
		return address, 0
	}
	for i, op := range r.networks {
		if op.Evaluate(r.state, address) {
			answers |= 1 << i
		}
	}
	return "", answers
}

// Reduces reports whether ClientAddress returns less of an address than a rule may put into an alert.
func (r *Reads) Reduces() bool {
	return !r.clientAddress && len(r.networks) > 0 && len(r.networks) <= 64
}

// SeesResponseHeader reports whether the rules can look at a response header. Names beyond ASCII always count.
func (r *Reads) SeesResponseHeader(name string) bool {
	return r.AllResponse || !ascii.Only(name) || slices.ContainsFunc(r.ResponseHeaders, func(seen string) bool { return strings.EqualFold(seen, name) })
}

// Reads returns what the rules look at.
func (g *Prefilter) Reads() *Reads { return &g.reads }
