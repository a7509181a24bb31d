package rules

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/load"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
)

// directive is one that rules may hold, with arguments as ModSecurity takes them.
type directive struct{ name, args string }

// modSecurity3 are the directives in the reference manual of ModSecurity 3 and in its parser.
var modSecurity3 = []directive{
	{"Include", "included.conf"}, {"SecAction", `"id:5,phase:1,pass,nolog"`}, {"SecArgumentSeparator", "&"}, {"SecArgumentsLimit", "1000"},
	{"SecAuditEngine", "RelevantOnly"}, {"SecAuditLog", "/var/log/audit.log"}, {"SecAuditLog2", "/var/log/audit2.log"},
	{"SecAuditLogDirMode", "02750"}, {"SecAuditLogFileMode", "00640"}, {"SecAuditLogFormat", "JSON"}, {"SecAuditLogParts", "ABCFHZ"},
	{"SecAuditLogPrefix", "waf"}, {"SecAuditLogRelevantStatus", `"^[45]"`}, {"SecAuditLogStorageDir", "/var/log/audit"},
	{"SecAuditLogType", "Serial"}, {"SecCacheTransformations", "Off"}, {"SecChrootDir", "/srv"}, {"SecCollectionTimeout", "3600"},
	{"SecComponentSignature", `"own/1.0"`}, {"SecConnEngine", "Off"}, {"SecConnReadStateLimit", "50"}, {"SecConnWriteStateLimit", "50"},
	{"SecContentInjection", "Off"}, {"SecCookieFormat", "0"}, {"SecCookieV0Separator", ";"}, {"SecDataDir", "/tmp"},
	{"SecDebugLog", "/tmp/debug.log"}, {"SecDebugLogLevel", "3"}, {"SecDefaultAction", `"phase:2,log,pass"`},
	{"SecDisableBackendCompression", "On"}, {"SecGeoLookupDb", "/usr/share/GeoIP.dat"}, {"SecGsbLookupDb", "/tmp/gsb.dat"},
	{"SecGuardianLog", "|/usr/bin/guardian"}, {"SecHashEngine", "Off"}, {"SecHashKey", "rand keyOnly"}, {"SecHashMethodPm", `HashUrl ".php"`},
	{"SecHashMethodRx", `HashUrl "x"`}, {"SecHashParam", `"hmac"`}, {"SecHttpBlKey", "whdkfieyhtnf"}, {"SecInterceptOnError", "On"},
	{"SecMarker", "END"}, {"SecParseXmlIntoArgs", "On"}, {"SecPcreMatchLimit", "1000"}, {"SecPcreMatchLimitRecursion", "1000"},
	{"SecRemoteRules", "key https://rules.example/x"}, {"SecRemoteRulesFailAction", "Warn"}, {"SecRequestBodyAccess", "On"},
	{"SecRequestBodyInMemoryLimit", "131072"}, {"SecRequestBodyJsonDepthLimit", "512"}, {"SecRequestBodyLimit", "13107200"},
	{"SecRequestBodyLimitAction", "Reject"}, {"SecRequestBodyNoFilesLimit", "131072"}, {"SecResponseBodyAccess", "On"},
	{"SecResponseBodyLimit", "524288"}, {"SecResponseBodyLimitAction", "Reject"}, {"SecResponseBodyMimeType", "text/html"},
	{"SecResponseBodyMimeTypesClear", ""}, {"SecRule", `ARGS "@rx x" "id:5,phase:2,pass,nolog"`}, {"SecRuleEngine", "On"},
	{"SecRuleInheritance", "On"}, {"SecRulePerfTime", "1000"}, {"SecRuleRemoveById", "1"}, {"SecRuleRemoveByMsg", `"message"`},
	{"SecRuleRemoveByTag", `"tag"`}, {"SecRuleScript", `check.lua "id:5,phase:2,deny"`}, {"SecRuleUpdateActionById", `1 "pass"`},
	{"SecRuleUpdateTargetById", `1 "!ARGS:q"`}, {"SecRuleUpdateTargetByMsg", `"message" "!ARGS:q"`}, {"SecRuleUpdateTargetByTag", `"tag" "!ARGS:q"`},
	{"SecSensorId", "sensor"}, {"SecServerSignature", `"none"`}, {"SecStatusEngine", "On"}, {"SecStreamInBodyInspection", "On"},
	{"SecStreamOutBodyInspection", "On"}, {"SecTmpDir", "/tmp"}, {"SecTmpSaveUploadedFiles", "On"}, {"SecUnicodeMapFile", "unicode.mapping 20127"},
	{"SecUploadDir", "/tmp"}, {"SecUploadFileLimit", "10"}, {"SecUploadFileMode", "0640"}, {"SecUploadKeepFiles", "Off"},
	{"SecWebAppId", `"shop"`}, {"SecXmlExternalEntity", "Off"},
}

// others are directives of ModSecurity 2, of Apache in files for ModSecurity, and of Coraza.
var others = []directive{
	{"Define", "x y"}, {"IncludeOptional", "*.none"}, {"LoadFile", "libxml2.so"}, {"LoadModule", "security2_module x.so"}, {"SecDataset", "words `"},
	{"SecEncryptionEngine", "Off"}, {"SecEncryptionKey", "rand"}, {"SecEncryptionMethodPm", "HashUrl x"}, {"SecEncryptionMethodRx", "HashUrl x"},
	{"SecEncryptionParam", "x"}, {"SecIgnoreRuleCompilationErrors", "On"}, {"SecPdfProtect", "On"}, {"SecPdfProtectMethod", "TokenRedirection"},
	{"SecPdfProtectSecret", "x"}, {"SecPdfProtectTimeout", "10"}, {"SecPdfProtectTokenName", "x"}, {"SecReadStateLimit", "50"},
	{"SecResponseBodyJsonDepthLimit", "512"}, {"SecRxPreFilter", "On"}, {"SecUnicodeCodePage", "20127"}, {"SecUnicodeMap", "unicode.mapping"},
	{"SecWriteStateLimit", "50"}, {"UnDefine", "x"},
}

const (
	named   = `SecRule ARGS:q "@contains x" "id:1,phase:2,deny,msg:'message',tag:'tag'"` + "\n"
	dataset = "SecDataset words `\nx\n`\n"
)

// fate says what becomes of a directive, as the page shows it.
func fate(t *testing.T, d directive) string {
	t.Helper()
	dir := t.TempDir()
	text := named + strings.TrimSpace(d.name+" "+d.args) + "\n"
	if d.name == "SecDataset" {
		text = dataset
	}
	write(t, dir, map[string]string{"own.conf": text, "included.conf": "# nothing\n"})
	report := Check(config(t, setting.Map{"rules": filepath.Join(dir, "own.conf"), "rule_packs": "off"}))
	found := slices.Concat(report.Refused, report.Broken, report.Warnings)
	if len(found) == 0 {
		return "used"
	}
	require.Len(t, found, 1, d.name)
	place := filepath.Join(dir, "own.conf") + ":2: " + d.name
	require.True(t, strings.HasPrefix(found[0], place), "%q names the place", found[0])
	why, skipped := strings.CutPrefix(strings.TrimLeft(strings.TrimPrefix(found[0], place), ": "), "skipped: ")
	switch {
	case skipped && len(report.Warnings) == 1:
		return "skipped: " + why
	case len(report.Refused) == 1:
		return "prevents startup: " + strings.TrimPrefix(why, "is not allowed: ")
	}
	return "rejected: " + why
}

// TestThePageOfDirectivesIsCurrent compares the page's tables with what becomes of each directive; UPDATE_GOLDEN=1 writes them.
func TestThePageOfDirectivesIsCurrent(t *testing.T) {
	const page = "../docs/directives.md"
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	current := string(text)
	for name, list := range map[string][]directive{"modsecurity": modSecurity3, "others": others} {
		start, end := "<!-- generated: "+name+" -->\n", "\n<!-- end -->"
		before, rest, found := strings.Cut(current, start)
		require.True(t, found, name)
		_, after, found := strings.Cut(rest, end)
		require.True(t, found, name)
		table := "\n| what happens | directives |\n|---|---|\n"
		for _, group := range byFate(t, list) {
			table += fmt.Sprintf("| %s | `%s` |\n", group.fate, strings.Join(group.names, "` `"))
		}
		current = before + start + table + end + after
	}
	if os.Getenv("UPDATE_GOLDEN") != "" {
		require.NoError(t, os.WriteFile(page, []byte(current), 0o644))
		return
	}
	require.Equal(t, current, string(text), "make generate writes the page anew")
}

// fateGroup is what happens to some directives.
type fateGroup struct {
	fate  string
	names []string
}

// byFate groups directives by what happens to them, in the order of the first of each group.
func byFate(t *testing.T, list []directive) (groups []fateGroup) {
	t.Helper()
	for _, d := range list {
		happens := fate(t, d)
		at := slices.IndexFunc(groups, func(g fateGroup) bool { return g.fate == happens })
		if at < 0 {
			at = len(groups)
			groups = append(groups, fateGroup{fate: happens})
		}
		groups[at].names = append(groups[at].names, d.name)
	}
	return groups
}

func TestEveryDirectiveThatIsKnownIsOnThePage(t *testing.T) {
	listed := map[string]bool{}
	for _, d := range slices.Concat(modSecurity3, others) {
		name := strings.ToLower(d.name)
		require.False(t, listed[name], d.name)
		listed[name] = true
	}
	for _, name := range slices.Concat(slices.Collect(maps.Keys(load.Ignored)), slices.Collect(maps.Keys(load.Refused)), slices.Collect(maps.Keys(effects()))) {
		require.True(t, listed[strings.ToLower(name)], name)
	}
	require.Equal(t, `rejected: unknown directive "secfoo"`, fate(t, directive{"SecFoo", "On"}))
}

// effect is what rules without and with a directive find in a transaction.
type effect struct {
	without, with string
	request       *model.Transaction
	before, after []int
}

// effects are the directives that are used.
func effects() map[string]effect {
	found := map[string]effect{}
	asked := &model.Transaction{Method: "GET", URI: "/?q=x&r=x", Protocol: "HTTP/1.1", ClientIP: "192.0.2.1"}
	form := func() *model.Transaction { return post("application/x-www-form-urlencoded", "a=1&q=x") }
	json := func() *model.Transaction { return post("application/json", `{"a":{"b":{"c":1}}}`) }
	page := *asked
	page.HasResponse, page.ResponseStatus, page.ResponseProtocol = true, 200, "HTTP/1.1"
	page.ResponseHeaders, page.ResponseBody = []model.Header{{Name: "Content-Type", Value: "text/html"}}, "<p>leak x</p>"
	feed := page
	feed.ResponseHeaders = []model.Header{{Name: "Content-Type", Value: "application/feed"}}
	answer := page
	answer.ResponseHeaders, answer.ResponseBody = []model.Header{{Name: "Content-Type", Value: "application/json"}}, `{"a":{"b":{"c":1}}}`
	const leak = `SecRule RESPONSE_BODY "@contains x" "id:4,phase:4,deny"` + "\n"
	const deep = `SecRule RESPONSE_HEADERS:Content-Type "json" "id:6,phase:3,pass,nolog,ctl:responseBodyProcessor=JSON"` + "\n" +
		"SecResponseBodyMimeType application/json\n" + `SecRule &RESPONSE_ARGS "@gt 0" "id:7,phase:4,deny"` + "\n"
	add := func(name, without, with string, request *model.Transaction, before, after []int) {
		found[name] = effect{without, with, request, before, after}
	}
	one := []int{1}
	add("SecAction", "", `SecAction "id:1,phase:1,deny"`, asked, nil, one)
	add("SecRule", "", named, asked, nil, one)
	add("SecMarker", `SecAction "id:2,phase:2,pass,nolog,skipAfter:M"`+"\n"+named, `SecAction "id:2,phase:2,pass,nolog,skipAfter:M"`+"\nSecMarker M\n"+named,
		asked, nil, one)
	add("SecDefaultAction", `SecRule ARGS:q "x" "id:1,phase:2,block"`, `SecDefaultAction "phase:2,log,deny"`+"\n"+`SecRule ARGS:q "x" "id:1,phase:2,block"`,
		asked, nil, one)
	add("Include", "", "Include included.conf", asked, nil, one)
	add("IncludeOptional", "", "IncludeOptional inc*.conf\nIncludeOptional none.conf", asked, nil, one)
	add("SecDataset", "SecDataset words `\ny\n`\n"+`SecRule ARGS:q "@pmFromDataset words" "id:1,phase:2,deny"`,
		dataset+`SecRule ARGS:q "@pmFromDataset words" "id:1,phase:2,deny"`, asked, nil, one)
	for name, args := range map[string]string{
		"SecRuleRemoveById": "1", "SecRuleRemoveByMsg": "message", "SecRuleRemoveByTag": "tag", "SecRuleUpdateActionById": `1 "pass,nolog"`,
		"SecRuleUpdateTargetById": "1 !ARGS:q", "SecRuleUpdateTargetByMsg": "message !ARGS:q", "SecRuleUpdateTargetByTag": "tag !ARGS:q",
	} {
		add(name, named, named+name+" "+args, asked, one, nil)
	}
	for name, args := range map[string]string{"SecRequestBodyAccess": "Off", "SecRequestBodyLimit": "4", "SecArgumentsLimit": "1"} {
		add(name, named, named+name+" "+args, form(), one, nil)
	}
	add("SecRequestBodyJsonDepthLimit", "", "SecRequestBodyJsonDepthLimit 2", json(), nil, []int{200002})
	for name, args := range map[string]string{"SecResponseBodyAccess": "Off", "SecResponseBodyLimit": "6", "SecResponseBodyMimeTypesClear": ""} {
		add(name, leak, leak+name+" "+args, &page, []int{4}, nil)
	}
	add("SecResponseBodyMimeType", leak, leak+"SecResponseBodyMimeType application/feed", &feed, nil, []int{4})
	add("SecResponseBodyJsonDepthLimit", deep, deep+"SecResponseBodyJsonDepthLimit 1", &answer, []int{7}, nil)
	add("SecComponentSignature", named, named+`SecComponentSignature "own/1.0"`, asked, one, one)
	return found
}

func TestEveryDirectiveThatIsUsedHasAnEffect(t *testing.T) {
	used := effects()
	for _, d := range slices.Concat(modSecurity3, others) {
		e, has := used[d.name]
		require.Equal(t, fate(t, d) == "used", has, "%s has an effect if, and only if, it is used", d.name)
		if !has {
			continue
		}
		for _, prefilter := range []string{"on", "off"} {
			for text, want := range map[string][]int{e.without: e.before, e.with: e.after} {
				dir := t.TempDir()
				write(t, dir, map[string]string{"own.conf": text + "\n", "included.conf": named})
				set := open(t, setting.Map{"rules": filepath.Join(dir, "own.conf"), "rule_packs": "off", "prefilter": prefilter})
				v, err := set.Inspect(e.request)
				require.NoError(t, err)
				require.Equal(t, want, ids(v), "%s, prefilter %s:\n%s", d.name, prefilter, text)
				require.Equal(t, d.name == "SecComponentSignature" && text == e.with, set.Name() == "own/1.0")
			}
		}
	}
}
