package alert

import (
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// techniqueTag is how our own packs name techniques of MITRE ATT&CK.
const techniqueTag = "attack.T"

// Techniques of MITRE ATT&CK by the categories of CRS, which names none.
var techniquesByCategory = map[string][]string{
	"sqli":               {"T1190"},
	"lfi":                {"T1190", "T1083"},
	"rfi":                {"T1190"},
	"rce":                {"T1190", "T1059"},
	"injection-php":      {"T1190", "T1059"},
	"injection-java":     {"T1190", "T1059"},
	"injection-generic":  {"T1190", "T1059"},
	"ssti":               {"T1190", "T1059"},
	"ssrf":               {"T1190"},
	"generic":            {"T1190"},
	"xss":                {"T1190", "T1059.007"},
	"fixation":           {"T1563"},
	"reputation-scanner": {"T1595.002"},
}

// techniquesOf returns the techniques that a rule names, or those of its category.
func techniquesOf(r *rules.RuleInfo) (ids []string) {
	for _, tag := range r.Tags {
		if id, names := strings.CutPrefix(tag, techniqueTag); names {
			ids = append(ids, "T"+id)
		}
	}
	if ids != nil {
		return ids
	}
	return techniquesByCategory[r.Category()]
}
