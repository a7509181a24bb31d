package alert

import (
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/redact"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// collections are the variables of rules whose members have the names that say whether they are secrets.
var collections = []string{
	"ARGS", "ARGS_GET", "ARGS_POST", "REQUEST_COOKIES", "REQUEST_HEADERS", "RESPONSE_HEADERS", "MULTIPART_PART_HEADERS", "FILES", "ENV",
	"RESPONSE_ARGS",
}

// CleanMatch returns a match without secrets. When the value that matched has one, so may what the rule quotes of it, in any
// form: then the cleaned value stands for the quotation.
func CleanMatch(m *rules.Match, secrets *redact.Pass) rules.Match {
	clean := *m
	clean.Variable = secrets.Quoted(m.Variable)
	clean.Value = CleanValue(m.Variable, m.Value, secrets)
	hidden := clean.Value != m.Value
	for _, other := range m.Others {
		hidden = hidden || CleanValue(other, "x", secrets) != "x"
	}
	if !hidden {
		clean.Message, clean.Data = secrets.Quoted(m.Message), secrets.Quoted(m.Data)
		return clean
	}
	if m.Data != "" {
		clean.Data = "Matched Data: " + redact.Placeholder + " found within " + clean.Variable + ": " + clean.Value
	}
	if m.Value != "" {
		clean.Message = strings.ReplaceAll(m.Message, m.Value, clean.Value)
	}
	clean.Message = secrets.Quoted(clean.Message)
	return clean
}

// CleanValue returns the value of a variable of rules, such as ARGS:q, without secrets.
func CleanValue(variable, value string, secrets *redact.Pass) string {
	collection, name, _ := strings.Cut(variable, ":")
	switch collection {
	case "REQUEST_COOKIES":
		return secrets.Header("Cookie", value)
	case "REQUEST_HEADERS", "RESPONSE_HEADERS":
		return secrets.Header(name, value)
	}
	for _, known := range collections {
		if collection == known {
			return secrets.Field(name, value)
		}
	}
	return secrets.Quoted(value)
}
