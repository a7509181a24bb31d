package gate

import (
	"slices"
	"strings"

	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
)

// Reads says what of a transaction the rules look at. What they do not look at makes no difference to the verdict.
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

// steady are variables that follow from what a verdict is remembered by: method, target, protocol, request headers, bodies,
// status, and the rules themselves.
func steady(name string) bool {
	_, known := sources[name]
	switch name {
	case "RULE", "MATCHED_VAR_NAME", "MATCHED_VARS_NAMES", "HIGHEST_SEVERITY", "REQBODY_ERROR_MSG", "REQBODY_PROCESSOR_ERROR_MSG",
		"STATUS_LINE", "RESPONSE_ARGS", "RESPONSE_XML", "ARGS_PATH", "MULTIPART_FILENAME_CHARSET", "MULTIPART_FILENAME_LANGUAGE",
		"FILES_TMP_CONTENT", "JSON":
		return true
	}
	return known
}

// findReads collects what the rules look at that can run.
func (g *Gate) findReads(f *flow) {
	r := &g.reads
	r.state = g.state
	for _, e := range f.entries {
		c := e.chain
		if c == nil || c.dead || c.static && !c.matches {
			continue
		}
		for i := range e.rules {
			rule := &e.rules[i]
			for _, t := range rule.Targets {
				if t.Variable == "REMOTE_ADDR" && r.addNetwork(rule.Operator.Name, rule.Operator.Argument, rule.All("t")) {
					continue
				}
				r.add(t.Variable, strings.ToLower(t.Key), t.IsRegex)
			}
			r.addMacros(rule.Operator.Argument)
			for _, a := range rule.Actions {
				r.addMacros(a.Value)
			}
		}
	}
}

// addNetwork notes a test of the client's address, of which only the answer matters.
func (r *Reads) addNetwork(operator, argument string, transformations []string) bool {
	if !strings.EqualFold(operator, "ipMatch") || slices.ContainsFunc(transformations, func(t string) bool { return t != "none" }) {
		return false
	}
	op, err := getOperator("ipMatch", plugintypes.OperatorOptions{Arguments: argument})
	if err == nil {
		r.networks = append(r.networks, op)
	}
	return err == nil
}

func (r *Reads) addMacros(text string) {
	for _, m := range macroPattern.FindAllStringSubmatch(text, -1) {
		name, key, _ := strings.Cut(m[1], ".")
		r.add(strings.ToUpper(name), strings.ToLower(key), false)
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
// make of it, one bit each.
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

// Reads returns what the rules look at.
func (g *Gate) Reads() *Reads { return &g.reads }
