package model

import (
	"fmt"
	"strings"
)

// Verdict is what the rules say of one transaction. It is immutable and shares no memory with the transaction.
type Verdict struct {
	Matches  []Match // matches of detection rules, in the order in which they matched
	Blocked  bool    // a WAF in the request path would have blocked the transaction
	Inbound  int     // anomaly score of the request at the blocking paranoia level
	Outbound int     // anomaly score of the response at the blocking paranoia level
	Scores   []Score // scores that are not zero, by category and paranoia level
	Partial  Partial // parts of which rules did not see everything
}

// Score is one of the sums that CRS keeps.
type Score struct {
	Name  string // for instance sql_injection, xss, inbound_pl1
	Value int
}

// Match is one detection rule that matched.
type Match struct {
	Rule     *RuleInfo
	Message  string   // msg with its variables expanded
	Data     string   // logdata with its variables expanded
	Variable string   // what matched last, for instance ARGS:t
	Value    string   // its value after the rule's transformations
	Others   []string // what matched before it, in a chain or of several values; each once
	Values   int      // how many values matched
	Link     int      // place in the chain of the rule that matched last
}

// RuleInfo is what a rule's text says of it.
type RuleInfo struct {
	ID       int
	File     string
	Line     int
	Phase    int
	Severity Severity
	Message  string // msg, its variables as they are written
	Version  string
	Revision string
	Maturity string
	Accuracy string
	Tags     []string
	Chain    []Link

	// Detects reports whether the rule says something of the traffic: it has a severity, blocks, or logs a message, and does not only set
	// things up or sum up. One without a severity counts as critical when it blocks, else as a notice.
	Detects bool
	Logs    bool // ModSecurity would write its matches to the error log
}

// FallbackMessage returns what is said of matches of a rule that has no message.
func (t *RuleInfo) FallbackMessage() string { return fmt.Sprintf("Rule %d matched", t.ID) }

// Link is the operator of one rule of a chain.
type Link struct{ Name, Argument string }

// Severity returns the severity in ModSecurity's numbers, 0 emergency to 7 debug.
func (m *Match) Severity() int { return int(m.Rule.Severity) }

// Notice returns a match that stands for no rule.
func Notice(severity int, message string) Match {
	return Match{Rule: &RuleInfo{Severity: Severity(severity)}, Message: message}
}

// Clean reports whether no detection rule matched.
func (v *Verdict) Clean() bool { return len(v.Matches) == 0 && !v.Blocked }

// Score returns the sum of both anomaly scores.
func (v *Verdict) Score() int { return v.Inbound + v.Outbound }

// Wording describes the match in libmodsecurity's words, which dashboards and SIEM rules parse.
func (m *Match) Wording() string {
	if len(m.Rule.Chain) == 0 || m.Rule.Chain[0].Name == "" {
		return "Unconditional match in SecAction."
	}
	t := m.Rule.Chain[min(m.Link, len(m.Rule.Chain)-1)]
	return "Matched \"Operator `" + modSecurityName(t.Name) + "' with parameter `" + t.Argument + "' against variable `" +
		m.Variable + "' (Value: `" + m.Value + "' )"
}

// modSecurityName spells an operator as libmodsecurity names its class: rx is Rx, pmFromFile is PmFromFile.
func modSecurityName(operator string) string {
	switch lower := strings.ToLower(operator); lower {
	case "":
		return ""
	case "pmf":
		return "PmFromFile"
	case "ipmatchf":
		return "IpMatchFromFile"
	case "detectsqli":
		return "DetectSQLi"
	case "detectxss":
		return "DetectXSS"
	case "streq":
		return "StrEq"
	case "ipmatch":
		return "IpMatch"
	case "strmatch":
		return "StrMatch"
	default:
		return strings.ToUpper(operator[:1]) + operator[1:]
	}
}
