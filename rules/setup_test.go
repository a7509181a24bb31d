package rules

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	coreruleset "github.com/corazawaf/coraza-coreruleset/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

// ownFile writes rules into a file for the property rules.
func ownFile(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, map[string]string{"own.conf": text})
	return filepath.Join(dir, "own.conf")
}

// TestEverySettingOfAFileForAPathHolds sets every variable for one path in a file in front of CRS, without properties and with all of them.
func TestEverySettingOfAFileForAPathHolds(t *testing.T) {
	own, directives := "", ""
	properties := setting.Map{}
	for i, c := range crsCases {
		value := "4" // allowed for each of the numbers, and no property's value but for the level of rules that run
		own += fmt.Sprintf("SecRule REQUEST_FILENAME \"@beginsWith /cms/\" \"id:%d,phase:1,pass,nolog,setvar:'tx.%s=%s'\"\n", 100+i, c.variable, value)
		directives += asks(1+i, c.variable, value) + asks(1001+i, c.variable, c.want)
		properties[c.property] = c.value
	}
	file := ownFile(t, own)
	for name, settings := range map[string]setting.Map{"without properties": {}, "with properties": properties} {
		settings["rules"], settings["directives"] = file+",crs", directives
		set := open(t, settings)
		for _, uri := range []string{"/cms/x", "/x"} {
			request := sample()
			request.URI = uri
			v, err := set.Inspect(request)
			require.NoError(t, err)
			for i, c := range crsCases {
				if uri == "/cms/x" {
					assert.Contains(t, ids(v), 1+i, "%s: %s of the file", name, c.variable)
				} else if name == "with properties" {
					assert.Contains(t, ids(v), 1001+i, "%s: %s elsewhere", name, c.variable)
				} else if _, ofCRS := crsDefaults[c.variable]; ofCRS {
					assert.NotContains(t, ids(v), 1001+i, "%s: %s elsewhere", name, c.variable)
				}
			}
		}
	}
}

// crsDefaults are variables to which CRS itself gives a value other than that of their case.
var crsDefaults = map[string]bool{"blocking_paranoia_level": true, "inbound_anomaly_score_threshold": true, "outbound_anomaly_score_threshold": true}

func TestDefaultsAreThoseOfTheRules(t *testing.T) {
	require.Empty(t, config(t, nil).Setup, "a property that is not given sets nothing")
	defaults := map[string]string{}
	for _, p := range Properties() {
		defaults[p.Name] = p.Default
	}
	directives := ""
	for i, c := range crsCases {
		if def := defaults[c.property]; def != "" {
			directives += asks(i+1, c.variable, def)
		}
	}
	require.NotEmpty(t, directives)
	v, err := open(t, setting.Map{"directives": directives}).Inspect(sample())
	require.NoError(t, err)
	for i, c := range crsCases {
		if defaults[c.property] != "" {
			require.Contains(t, ids(v), i+1, "the default that the documentation has of %s is that of CRS", c.property)
		}
	}
}

// smallCRS does with one rule what CRS does with its own.
const smallCRS = `SecRule &TX:inbound_anomaly_score_threshold "@eq 0" "id:901100,phase:1,pass,nolog,setvar:'tx.inbound_anomaly_score_threshold=5'"
SecRule ARGS "@contains attack" "id:942100,phase:2,pass,log,msg:'attack',severity:CRITICAL,setvar:tx.inbound_anomaly_score_pl1=+5"
SecRule TX:inbound_anomaly_score_pl1 "@ge %{tx.inbound_anomaly_score_threshold}" "id:949110,phase:2,deny,log,msg:'score'"
`

// The threshold is tried with one match of five points, the address is that of sample.
func TestThresholdsOfFilesAndProperties(t *testing.T) {
	const (
		high = "setvar:tx.inbound_anomaly_score_threshold=100"
		low  = "setvar:'tx.inbound_anomaly_score_threshold=5'"
	)
	at := func(test string) string { return "SecRule " + test + ` "id:10,phase:1,pass,nolog,` + high + "\"\n" }
	always := func(id int, set string) string {
		return fmt.Sprintf("SecAction \"id:%d,phase:1,pass,nolog,%s\"\n", id, set)
	}
	for name, c := range map[string]struct {
		rules       string
		property    string
		cms, others bool // alerts
	}{
		"no file and no property":               {"", "", true, true},
		"property":                              {"", "6", false, false},
		"path":                                  {at(`REQUEST_FILENAME "@beginsWith /cms/"`), "", false, true},
		"path, and a property that is strict":   {at(`REQUEST_FILENAME "@beginsWith /cms/"`), "3", false, true},
		"path, and a property that is not":      {at(`REQUEST_FILENAME "@beginsWith /other/"`), "50", false, false},
		"host":                                  {at(`REQUEST_HEADERS:Host "@streq 192.168.1.55"`), "3", false, false},
		"another host":                          {at(`REQUEST_HEADERS:Host "@streq a.example"`), "3", true, true},
		"address":                               {at(`REMOTE_ADDR "@ipMatch 192.168.1.0/24"`), "", false, false},
		"another address":                       {at(`REMOTE_ADDR "@ipMatch 10.0.0.0/8"`), "", true, true},
		"all, in a file":                        {always(1, high), "", false, false},
		"all, in a file, and a property":        {always(1, high), "5", true, true},
		"all, with a test, and a property":      {at(`REQUEST_URI "@unconditionalMatch"`), "5", true, true},
		"variable in other case":                {always(1, strings.ToUpper("setvar:tx.inbound_anomaly_score_threshold")+"=100"), "5", true, true},
		"removed for all, and a property":       {always(1, "setvar:!tx.inbound_anomaly_score_threshold"), "100", false, false},
		"raised for all stays":                  {always(1, "setvar:tx.inbound_anomaly_score_threshold=+95"), "5", false, false},
		"path before all":                       {at(`REQUEST_FILENAME "@beginsWith /cms/"`) + always(1, low), "", true, true},
		"path before all, and a property":       {at(`REQUEST_FILENAME "@beginsWith /cms/"`) + always(1, low), "4", true, true},
		"all before path":                       {always(1, low) + at(`REQUEST_FILENAME "@beginsWith /cms/"`), "", false, true},
		"all before path, and a property":       {always(1, high) + at(`REQUEST_FILENAME "@beginsWith /cms/"`), "4", false, true},
		"several variables in one rule":         {always(1, "setvar:tx.reporting_level=4,"+high+",setvar:tx.a=1"), "5", true, true},
		"path by skipAfter":                     {skip("skipAfter:END") + always(1, high) + "SecMarker END\n", "", false, true},
		"path by skipAfter, and a property":     {skip("skipAfter:END") + always(1, high) + "SecMarker \"END\"\n", "4", false, true},
		"path by skip, and a property":          {skip("skip:2") + always(1, "setvar:tx.a=1") + always(2, high), "4", false, true},
		"behind what skip skips":                {skip("skip:1") + always(1, "setvar:tx.a=1") + always(2, high), "5", true, true},
		"behind the marker, and a property":     {skip("skipAfter:END") + "SecMarker END\n" + always(1, high), "5", true, true},
		"skipped in another phase only":         {strings.Replace(skip("skipAfter:END"), "phase:1", "phase:2", 1) + always(1, high) + "SecMarker END\n", "5", true, true},
		"path in a chain, and a property":       {chain(high), "4", false, true},
		"path in the second phase":              {strings.Replace(at(`REQUEST_FILENAME "@beginsWith /cms/"`), "phase:1", "phase:2", 1), "4", false, true},
		"path of a rule that has a negated one": {at(`REQUEST_FILENAME "!@beginsWith /x"`), "4", false, true},
	} {
		t.Run(strings.ReplaceAll(name, ",", ""), func(t *testing.T) {
			files := ownFile(t, c.rules) + "," + ownFile(t, smallCRS)
			settings := setting.Map{"rules": files, "anomaly_inbound": c.property, "rule_packs": "off"}
			for _, prefilter := range []string{"on", "off"} {
				settings["prefilter"] = prefilter
				set := open(t, settings)
				require.Empty(t, set.Warnings())
				for uri, alerts := range map[string]bool{"/cms/?q=attack": c.cms, "/x/?q=attack": c.others} {
					request := sample()
					request.URI = uri
					v, err := set.Inspect(request)
					require.NoError(t, err)
					require.Equal(t, alerts, v.Blocked, "%s with prefilter %s", uri, prefilter)
				}
			}
		})
	}
}

// skip returns a rule that skips for all paths but /cms/.
func skip(how string) string {
	return "SecRule REQUEST_FILENAME \"!@beginsWith /cms/\" \"id:20,phase:1,pass,nolog," + how + "\"\n"
}

func chain(set string) string {
	return "SecAction \"id:30,phase:1,pass,nolog,chain\"\n SecRule REQUEST_FILENAME \"@beginsWith /cms/\" \"" + set + "\"\n"
}

func TestOtherSettingsOfFilesForSomeRequests(t *testing.T) {
	levels := "setvar:tx.blocking_paranoia_level=2,setvar:tx.detection_paranoia_level=2"
	own := `SecRule REQUEST_FILENAME "@beginsWith /api/" "id:1,phase:1,pass,nolog,setvar:'tx.allowed_methods=GET PUT'"
SecRule REMOTE_ADDR "@ipMatch 192.0.2.0/24" "id:2,phase:1,pass,nolog,` + levels + `"
SecRule REQUEST_HEADERS:Host "@endsWith .files.example" "id:3,phase:1,pass,nolog,setvar:'tx.restricted_extensions=.exe/'"
SecRule REQUEST_FILENAME "@streq /many" "id:4,phase:1,pass,nolog,setvar:tx.max_num_args=2"
`
	settings := setting.Map{"rules": ownFile(t, own) + ",crs", "allowed_methods": "GET POST", "restricted_extensions": ".exe/ .bak/"}
	for _, prefilter := range []string{"on", "off"} {
		settings["prefilter"] = prefilter
		set := open(t, settings)
		for name, c := range map[string]struct {
			edit    func(*model.Transaction)
			rule    int
			matches bool
		}{
			"method of a path":         {func(r *model.Transaction) { r.Method, r.URI = "PUT", "/api/x" }, 911100, false},
			"method elsewhere":         {func(r *model.Transaction) { r.Method, r.URI = "PUT", "/x" }, 911100, true},
			"no longer allowed there":  {func(r *model.Transaction) { r.Method, r.URI = "POST", "/api/x" }, 911100, true},
			"paranoia of a network":    {func(r *model.Transaction) { r.ClientIP, r.URI = "192.0.2.1", "/?q=%27%20or%20x" }, 942521, true},
			"paranoia of others":       {func(r *model.Transaction) { r.URI = "/?q=%27%20or%20x" }, 942521, false},
			"extension at a host":      {func(r *model.Transaction) { r.URI = "/a.bak"; r.RequestHeaders[0].Value = "a.files.example" }, 920440, false},
			"extension elsewhere":      {func(r *model.Transaction) { r.URI = "/a.bak" }, 920440, true},
			"arguments of a path":      {func(r *model.Transaction) { r.URI = "/many?a=1&b=2&c=3" }, 920380, true},
			"arguments elsewhere":      {func(r *model.Transaction) { r.URI = "/few?a=1&b=2&c=3" }, 920380, false},
			"arguments within a limit": {func(r *model.Transaction) { r.URI = "/many?a=1&b=2" }, 920380, false},
		} {
			request := sample()
			c.edit(request)
			v, err := set.Inspect(request)
			require.NoError(t, err)
			found := false
			for _, id := range ids(v) {
				found = found || id == c.rule
			}
			require.Equal(t, c.matches, found, "%s, prefilter %s: %v", name, prefilter, ids(v))
		}
	}
}

func TestOwnSetupTakesThePlaceOfTheEmbeddedOne(t *testing.T) {
	example, err := fs.ReadFile(coreruleset.FS, "@crs-setup.conf.example")
	require.NoError(t, err)
	selfContained := strings.ReplaceAll(string(example), ",log,auditlog,pass\"", ",log,auditlog,deny,status:403\"")
	require.NotEqual(t, string(example), selfContained)
	for name, c := range map[string]struct {
		setup, property, want string
	}{
		"unchanged":                  {string(example), "", "5"},
		"with a threshold":           {string(example) + always7, "", "7"},
		"with a property, too":       {string(example) + always7, "9", "9"},
		"with deny for a default":    {selfContained + always7, "", "7"},
		"without a version":          {always7, "", "7"},
		"of an earlier version":      {strings.ReplaceAll(string(example), "crs_setup_version=", "crs_setup_version=1"), "", "5"},
		"with tabs and other quotes": {strings.ReplaceAll(always7, "SecAction ", "SecAction\t"), "", "7"},
	} {
		t.Run(strings.ReplaceAll(name, ",", ""), func(t *testing.T) {
			set := open(t, setting.Map{"rules": ownFile(t, c.setup) + ",crs", "anomaly_inbound": c.property,
				"directives": asks(1, "inbound_anomaly_score_threshold", c.want)})
			require.Equal(t, []string{"directives:1: rule 1 blocks every request, so every record alerts"}, set.Warnings())
			v, err := set.Inspect(sample())
			require.NoError(t, err)
			require.Contains(t, ids(v), 1)
		})
	}
	_, err = library.Open(config(t, setting.Map{"rules": "crs," + ownFile(t, string(example))}))
	require.ErrorContains(t, err, "rule 900990: the id is already used by the rule at "+"@crs-setup.conf.example", "CRS has read its settings before")
}

const always7 = `SecAction "id:900110,phase:1,pass,t:none,nolog,setvar:tx.inbound_anomaly_score_threshold=7"` + "\n"
