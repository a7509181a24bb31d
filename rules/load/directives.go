package load

import (
	"fmt"
	"strings"
)

// Ignored lists directives that have no meaning for logged transactions, with what leaving them out means.
var Ignored = map[string]string{
	"define":                         apacheOnly,
	"loadfile":                       apacheOnly,
	"loadmodule":                     apacheOnly,
	"secargumentseparator":           "arguments are separated by &",
	"secauditengine":                 noAudit,
	"secauditlog":                    noAudit,
	"secauditlog2":                   noAudit,
	"secauditlogdirmode":             noAudit,
	"secauditlogfilemode":            noAudit,
	"secauditlogformat":              noAudit,
	"secauditlogparts":               noAudit,
	"secauditlogprefix":              noAudit,
	"secauditlogrelevantstatus":      noAudit,
	"secauditlogstoragedir":          noAudit,
	"secauditlogtype":                noAudit,
	"seccachetransformations":        noTuning,
	"secchrootdir":                   "the collector's root applies",
	"seccollectiontimeout":           noCollections,
	"secconnengine":                  "connections are not limited",
	"secconnreadstatelimit":          "connections are not limited",
	"secconnwritestatelimit":         "connections are not limited",
	"seccookieformat":                "cookies are read in Netscape format",
	"seccookiev0separator":           "cookies are separated by ;",
	"secdatadir":                     noCollections,
	"secdebuglog":                    "use the collector's log",
	"secdebugloglevel":               "use the collector's log",
	"secencryptionengine":            noHashing,
	"secencryptionkey":               noHashing,
	"secencryptionmethodpm":          noHashing,
	"secencryptionmethodrx":          noHashing,
	"secencryptionparam":             noHashing,
	"secgeolookupdb":                 "no geographic lookups",
	"secguardianlog":                 noAudit,
	"sechttpblkey":                   "no network lookups",
	"secgsblookupdb":                 "no network lookups",
	"sechashengine":                  noHashing,
	"sechashkey":                     noHashing,
	"sechashmethodpm":                noHashing,
	"sechashmethodrx":                noHashing,
	"sechashparam":                   noHashing,
	"secignorerulecompilationerrors": "rules_strict decides about rules that cannot be compiled",
	"secinterceptonerror":            noTuning,
	"secparsexmlintoargs":            "XML is matched as a whole, not as arguments",
	"secpcrematchlimit":              "expressions run in linear time or have their own limit",
	"secpcrematchlimitrecursion":     "expressions run in linear time or have their own limit",
	"secpdfprotect":                  noPDF,
	"secpdfprotectmethod":            noPDF,
	"secpdfprotectsecret":            noPDF,
	"secpdfprotecttimeout":           noPDF,
	"secpdfprotecttokenname":         noPDF,
	"secreadstatelimit":              "connections are not limited",
	"secrequestbodynofileslimit":     "SecRequestBodyLimit applies to all bodies",
	"secrequestbodyinmemorylimit":    "bodies are kept in memory only",
	"secruleinheritance":             "there is only one set of rules",
	"secruleperftime":                "use wafctl check --profile",
	"secrxprefilter":                 "the plugin has its own prefilter",
	"secsensorid":                    noAudit,
	"secserversignature":             "responses are not changed",
	"secstatusengine":                "nothing is reported to other hosts",
	"secstreaminbodyinspection":      "bodies are inspected whole",
	"secstreamoutbodyinspection":     "bodies are inspected whole",
	"sectmpdir":                      noFiles,
	"sectmpsaveuploadedfiles":        noFiles,
	"secunicodecodepage":             noUnicodeMap,
	"secunicodemap":                  noUnicodeMap,
	"secunicodemapfile":              noUnicodeMap,
	"secuploaddir":                   noFiles,
	"secuploadfilelimit":             noFiles,
	"secuploadfilemode":              noFiles,
	"secuploadkeepfiles":             noFiles,
	"secwebappid":                    noCollections,
	"secwritestatelimit":             "connections are not limited",
	"secxmlexternalentity":           "external entities are never loaded",
	"seccontentinjection":            "responses are not changed",
	"secdisablebackendcompression":   "responses are not changed",
	"undefine":                       apacheOnly,
}

const (
	apacheOnly    = "for Apache only"
	noHashing     = "no link hashing"
	noPDF         = "responses are not changed"
	noAudit       = "alerts replace the audit log"
	noCollections = "nothing is kept between transactions"
	noFiles       = "uploaded files are not stored"
	noTuning      = "the engine does not need it"
	noUnicodeMap  = "%u escapes are decoded to their low byte"
)

// Refused lists directives that would fetch or run something.
var Refused = map[string]string{
	"secremoterules":           "rules are never fetched from the network",
	"secremoterulesfailaction": "rules are never fetched from the network",
	"secrulescript":            "scripts are never run",
}

// settle brings the program into the form that Coraza reads and means: what has no meaning for logged transactions goes,
// each with a warning that names place and consequence; what cannot be used is rejected.
func (p *Program) settle() {
	all := p.Units()
	for i := range all {
		p.settleDirective(&all[i])
	}
	p.yieldToOwnRules(all)
	p.settleDefaults(all)
	for i := range all {
		p.settleRule(&all[i])
	}
	p.settleDatasets(all)
	p.settleIDs(all)
	p.settleReferences(all)
	p.Replace(all)
}

func (p *Program) settleDirective(u *Unit) {
	d := &u.Directives[0]
	name := strings.ToLower(d.Name)
	if why, found := Refused[name]; found {
		p.fail(fmt.Errorf("%s: %s is not allowed: %s", d.Place(), d.Name, why))
		p.drop(u)
		return
	}
	if d.File == baseFile {
		return
	}
	if consequence, found := Ignored[name]; found {
		p.leave(u, consequence)
		return
	}
	switch name {
	case "secruleengine":
		p.leaveUnless(u, "DetectionOnly", "the engine always detects and never interrupts")
	case "secrequestbodylimitaction", "secresponsebodylimitaction":
		p.leaveUnless(u, "ProcessPartial", "bodies above the limit are inspected up to it")
	}
}

// leaveUnless takes a directive out of the program, with a warning unless it says what holds anyway.
func (p *Program) leaveUnless(u *Unit, same, consequence string) {
	if strings.EqualFold(unquoted(u.Directives[0].Args), same) {
		p.drop(u)
		return
	}
	p.leave(u, consequence)
}
