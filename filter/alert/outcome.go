package alert

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/fieldmap"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// Outcome is what has become of an attack, as far as the log tells it.
type Outcome string

// The outcomes.
const (
	Blocked         Outcome = "blocked"          // a device in front of the application has refused the request
	Attempted       Outcome = "attempted"        // nothing tells that it has succeeded
	LikelySucceeded Outcome = "likely succeeded" // the application has answered, and its answer gives something away
)

// Outcomes returns all outcomes.
func Outcomes() []Outcome { return []Outcome{Blocked, Attempted, LikelySucceeded} }

// refusals are the statuses with which devices refuse requests, whatever else is in the answer: forbidden, not acceptable, too
// many requests, and nginx's closed connection.
var refusals = []int{403, 406, 429, 444}

// ordinary are failures that applications and gateways answer with behind a protecting device, too: not logged in, not found,
// gone, and no answer from the application.
var ordinary = []int{401, 404, 410, 502, 504}

// guards are what protecting devices call themselves in the Server header. Content delivery networks are none of them: they put
// their names on what the application answers.
var guards = []string{
	"waf", "firewall", "mod_security", "modsecurity", "coraza", "imperva", "barracuda", "fortiweb", "wallarm", "safeline", "yunsuo",
	"safedog", "ddos-guard", "wordfence", "naxsi",
}

// refusing are the words with which products say that they did not let a request through: AWS, Azure, Google and Cloudflare among
// them. A challenge lets only those through who pass it.
var refusing = []string{
	"block", "blocked", "deny", "denied", "drop", "dropped", "reject", "rejected", "captcha", "challenge", "jschallenge", "js_challenge",
	"managed_challenge", "managedchallenge", "connectiondrop", "connectionclose", "forceconnectionclose", "connection_close",
}

// marks are response headers that protecting devices add when they refuse a request.
var marks = []string{
	"cf-mitigated", "x-sucuri-block", "x-amzn-waf-action", "x-waf-event-info", "x-wallarm-waf-check", "x-datadome", "x-denied-reason",
	"x-deny-reason", "x-protected-by", "x-firewall-block", "x-waf-block",
}

// outcomeOf tells what has become of an attack, and why it is thought so.
func outcomeOf(v *View) (Outcome, string) {
	action := v.Values.Get(fieldmap.Action)
	switch refused := isRefusal(action); {
	case refused && v.Producer.Inline:
		return Blocked, action
	case refused:
		return Blocked, "the source logged the action: " + action
	}
	if reason := refusalIn(v.Transaction); reason != "" && !v.Producer.Inline {
		return Blocked, reason
	}
	return answered(v)
}

// refusalIn returns by what a response is known for that of a device in front of the application, "" when it is not.
func refusalIn(t *rules.Transaction) string {
	status := t.ResponseStatus
	if slices.Contains(refusals, status) {
		return fmt.Sprintf("the request was refused with status %d", status)
	}
	if status >= 400 && !slices.Contains(ordinary, status) {
		if guard := protector(t.ResponseHeaders); guard != "" {
			return fmt.Sprintf("status %d from a WAF, identified by its response header %s", status, guard)
		}
	}
	return ""
}

// answered is the outcome of an attack that nobody has blocked.
func answered(v *View) (Outcome, string) {
	status, leak := v.Transaction.ResponseStatus, responseMatch(v.Verdict.Matches)
	switch {
	case status == 0 && v.Producer.Inline:
		return Attempted, "the request passed, and its response is not known"
	case status == 0:
		return Attempted, "the log does not have the response status"
	case status >= 200 && status < 300 && leak != nil:
		return LikelySucceeded, fmt.Sprintf("status %d, and rule %d matched in the response", status, leak.Rule.ID)
	case leak != nil:
		return Attempted, fmt.Sprintf("status %d is not a success, although rule %d matched in the response", status, leak.Rule.ID)
	case status >= 200 && status < 300:
		return Attempted, fmt.Sprintf("status %d, without a sign of success in the response", status)
	case v.Producer.Inline:
		return Attempted, fmt.Sprintf("the request passed, and the backend answered with status %d", status)
	default:
		return Attempted, fmt.Sprintf("status %d, which is not how a WAF blocks", status)
	}
}

// isRefusal reports whether what a source says that it has done with a request means that the application did not get it.
func isRefusal(action string) bool {
	refused, failed, forwarded := false, false, false
	for word := range strings.FieldsFuncSeq(strings.ToLower(action), func(c rune) bool { return (c < 'a' || c > 'z') && c != '_' && c != '-' }) {
		refused = refused || slices.Contains(refusing, word)
		failed = failed || word == "waf-failed"
		forwarded = forwarded || word == "forward"
	}
	return refused || failed && !forwarded // a load balancer whose firewall fails may be told to forward
}

// responseMatch returns the first match of a rule about the response, nil when there is none.
func responseMatch(matches []rules.Match) *rules.Match {
	for i := range matches {
		if matches[i].Rule.Response() {
			return &matches[i]
		}
	}
	return nil
}

// protector returns the name of the response header by which a protecting device is known, "" when there is none.
func protector(headers []rules.Header) string {
	for i := range headers {
		name, value := strings.ToLower(headers[i].Name), strings.ToLower(headers[i].Value)
		if slices.Contains(marks, name) {
			return name
		}
		if name == "server" && slices.ContainsFunc(guards, func(guard string) bool { return strings.Contains(value, guard) }) {
			return name
		}
	}
	return ""
}
