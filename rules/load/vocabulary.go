package load

import (
	"slices"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

// Vocabulary is what the engine knows of SecLang beyond its grammar.
type Vocabulary struct {
	Operators map[string]string // operators that it compiles, as it spells them, by their lower case
	Variable  func(name string) (hasKeys, known bool)
}

// pointless are operators that say nothing of a log record: a rule with one is omitted with a warning.
var pointless = map[string]string{
	"rbl":       "no network lookups",
	"gsblookup": "no network lookups",
	"geolookup": "there is no geographic database",
}

// unusable are operators of ModSecurity that Coraza does not have, and those that would start programs, with the reason.
var unusable = map[string]string{
	"inspectfile":  "programs are never executed",
	"fuzzyhash":    "Coraza does not implement it",
	"rsub":         "responses are not changed",
	"rxglobal":     "Coraza does not implement it; @rx matches at the first place",
	"validatedtd":  "Coraza does not implement it",
	"validatehash": "there is no link hashing",
}

// idle are actions that change nothing in a log record, with what leaving them out means. They go, their rules stay.
var idle = map[string]string{
	"append":                 "responses are not changed",
	"pause":                  "nothing is delayed",
	"prepend":                "responses are not changed",
	"sanitisearg":            noAudit,
	"sanitisematched":        noAudit,
	"sanitisematchedbytes":   noAudit,
	"sanitiserequestheader":  noAudit,
	"sanitiseresponseheader": noAudit,
	"sanitizearg":            noAudit,
	"sanitizematched":        noAudit,
	"sanitizematchedbytes":   noAudit,
	"sanitizerequestheader":  noAudit,
	"sanitizeresponseheader": noAudit,
	"setrsc":                 noCollections,
	"setsid":                 noCollections,
	"setuid":                 noCollections,
	"xmlns":                  "names of XML elements are compared as they are written",
}

// collections are kept between transactions, which logged ones are not: they stay empty.
var collections = []string{"ip", "session", "global", "resource", "user"}

// collectionOf returns the collection that the value of setvar, expirevar or deprecatevar changes, "" when it is not one of
// them.
func collectionOf(a *seclang.Action) string {
	switch a.Name {
	case "setvar", "expirevar", "deprecatevar":
		name, _, _ := strings.Cut(strings.ToLower(strings.TrimPrefix(a.Value, "!")), ".")
		if slices.Contains(collections, name) {
			return name
		}
	}
	return ""
}
