package load

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

// crsVersion is a version of the OWASP Core Rule Set that a program holds.
type crsVersion struct {
	text  string // for instance 4.25.0
	major int
	place string
}

var crsSignature = regexp.MustCompile(`OWASP_CRS/((\d+)\.[\w.-]+)`)

// settleCRS recognizes the Core Rule Set among the rules: it says what an older one means, and rejects two at once. It
// returns the assignments of properties under the names of variables that this version reads.
func (p *Program) settleCRS(setup []Assignment) []Assignment {
	versions := p.crsVersions()
	if len(versions) == 0 {
		return setup
	}
	first := versions[0]
	p.crs3 = first.major == 3
	switch {
	case len(versions) > 1:
		p.fail(fmt.Errorf("%s: OWASP CRS %s is loaded together with CRS %s at %s (name one of them)",
			versions[1].place, versions[1].text, first.text, first.place))
	case first.major < 3:
		p.fail(fmt.Errorf("%s: OWASP CRS %s is too old (want 3 or newer, or crs for the embedded one)", first.place, first.text))
	case p.crs3:
		p.Warnings = append(p.Warnings, fmt.Sprintf("%s: OWASP CRS %s is no longer maintained (crs is the embedded, "+
			"current one)", first.place, first.text))
	}
	if !p.crs3 {
		return setup
	}
	renamed := slices.Clone(setup)
	for i := range renamed {
		variable := crs3Names.Replace("tx." + renamed[i].Variable)
		renamed[i].Variable = strings.TrimPrefix(variable, "tx.")
	}
	return renamed
}

// crs3Names are the names in CRS 3 of the variables that CRS 4 has renamed and that settings and packs use.
var crs3Names = strings.NewReplacer(
	"tx.blocking_paranoia_level", "tx.paranoia_level",
	"tx.detection_paranoia_level", "tx.executing_paranoia_level",
	"tx.inbound_anomaly_score_pl", "tx.anomaly_score_pl",
)

// crsVersions finds the versions by their signatures, or by the version of their rules where a file has lost its signature.
func (p *Program) crsVersions() (found []crsVersion) {
	for i := range p.Directives {
		if d := &p.Directives[i]; d.Is("SecComponentSignature") {
			found = appendVersion(found, d.Args, d.Place())
		}
	}
	if found != nil {
		return found
	}
	p.eachRule(func(r *seclang.Rule) {
		if version, has := r.Action("ver"); has && found == nil {
			found = appendVersion(found, version, r.Place())
		}
	})
	return found
}

func appendVersion(found []crsVersion, text, place string) []crsVersion {
	match := crsSignature.FindStringSubmatch(text)
	if match == nil {
		return found
	}
	major, err := strconv.Atoi(match[2])
	if err != nil {
		return found
	}
	return append(found, crsVersion{match[1], major, place})
}
