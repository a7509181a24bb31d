package rules

import (
	"fmt"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

// leftOut lists directives that have no meaning for logged transactions, with what leaving them out means.
var leftOut = map[string]string{
	"secargumentseparator":         "arguments are separated by &",
	"secauditengine":               noAudit,
	"secauditlog":                  noAudit,
	"secauditlog2":                 noAudit,
	"secauditlogdirmode":           noAudit,
	"secauditlogfilemode":          noAudit,
	"secauditlogformat":            noAudit,
	"secauditlogparts":             noAudit,
	"secauditlogrelevantstatus":    noAudit,
	"secauditlogstoragedir":        noAudit,
	"secauditlogtype":              noAudit,
	"seccachetransformations":      noTuning,
	"secchrootdir":                 "the collector's own root stays",
	"seccollectiontimeout":         noCollections,
	"secconnengine":                "connections are not limited",
	"secconnreadstatelimit":        "connections are not limited",
	"secconnwritestatelimit":       "connections are not limited",
	"seccookieformat":              "cookies are read in Netscape format",
	"seccookiev0separator":         "cookies are separated by ;",
	"secdatadir":                   noCollections,
	"secdebuglog":                  "use the collector's log",
	"secdebugloglevel":             "use the collector's log",
	"secgeolookupdb":               "no geographic look-up",
	"secguardianlog":               noAudit,
	"sechttpblkey":                 "no network look-up",
	"secgsblookupdb":               "no network look-up",
	"sechashengine":                "no link hashing",
	"sechashkey":                   "no link hashing",
	"sechashmethodpm":              "no link hashing",
	"sechashmethodrx":              "no link hashing",
	"sechashparam":                 "no link hashing",
	"secinterceptonerror":          noTuning,
	"secpcrematchlimit":            "expressions run in linear time and need no limit",
	"secpcrematchlimitrecursion":   "expressions run in linear time and need no limit",
	"secrequestbodynofileslimit":   "SecRequestBodyLimit holds for all bodies",
	"secrequestbodyinmemorylimit":  "bodies are held in memory only",
	"secruleperftime":              "no timing by rule",
	"secsensorid":                  noAudit,
	"secserversignature":           "responses are not changed",
	"secstatusengine":              "nothing is reported to other hosts",
	"secstreaminbodyinspection":    "bodies are inspected whole",
	"secstreamoutbodyinspection":   "bodies are inspected whole",
	"sectmpdir":                    noFiles,
	"sectmpsaveuploadedfiles":      noFiles,
	"secunicodecodepage":           noUnicodeMap,
	"secunicodemap":                noUnicodeMap,
	"secunicodemapfile":            noUnicodeMap,
	"secuploaddir":                 noFiles,
	"secuploadfilelimit":           noFiles,
	"secuploadfilemode":            noFiles,
	"secuploadkeepfiles":           noFiles,
	"secwebappid":                  noCollections,
	"secxmlexternalentity":         "external entities are never loaded",
	"seccontentinjection":          "responses are not changed",
	"secdisablebackendcompression": "responses are not changed",
}

const (
	noAudit       = "alerts take the place of the audit log"
	noCollections = "nothing is kept between transactions"
	noFiles       = "uploaded files are not stored"
	noTuning      = "the engine needs no such tuning"
	noUnicodeMap  = "%u escapes are decoded to their low byte"
)

// refused lists directives that would fetch or run something.
var refused = map[string]string{
	"secremoterules":           "rules are never fetched from the network",
	"secremoterulesfailaction": "rules are never fetched from the network",
	"secrulescript":            "scripts are never run",
}

// settle removes what has no meaning for logged transactions, each with a warning that names place and consequence.
func (p *program) settle() {
	kept := p.directives[:0]
	for _, d := range p.directives {
		name := strings.ToLower(d.Name)
		if why, found := refused[name]; found {
			p.fail(fmt.Errorf("%s: %s is refused: %s", d.Place(), d.Name, why))
			continue
		}
		if d.File == "engine.conf" {
			kept = append(kept, d)
			continue
		}
		consequence, skip := leftOut[name]
		switch {
		case skip:
			p.warn(d, consequence)
		case d.Is("SecRuleEngine"):
			if !strings.EqualFold(strings.Trim(d.Args, `"`), "DetectionOnly") {
				p.warn(d, "the engine always detects and never interrupts")
			}
		case d.Is("SecRequestBodyLimitAction"), d.Is("SecResponseBodyLimitAction"):
			if !strings.EqualFold(strings.Trim(d.Args, `"`), "ProcessPartial") {
				p.warn(d, "bodies above the limit are inspected up to it")
			}
		case d.Is("SecIgnoreRuleCompilationErrors"):
			p.warn(d, "rules_strict decides what becomes of rules that cannot be compiled")
		default:
			kept = append(kept, d)
		}
	}
	p.directives = kept
}

func (p *program) warn(d seclang.Directive, consequence string) {
	p.warnings = append(p.warnings, fmt.Sprintf("%s: %s left out: %s", d.Place(), d.Name, consequence))
}
