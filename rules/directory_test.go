package rules

import (
	"bufio"
	_ "embed"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	coreruleset "github.com/corazawaf/coraza-coreruleset/v4"
	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/load"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

// write makes files below a directory; a name that ends with a slash is a directory.
func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
}

// modSecurityDirectory returns a directory in the layout of ModSecurity for Anylog: a main file whose absolute paths are
// those of another machine, the engine's configuration in an old style, and the CRS that is embedded here.
func modSecurityDirectory(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, map[string]string{"main.conf": mainText, "modsecurity.conf": oldStyle, "unicode.mapping": "(MAC - Roman)\n",
		"spare.conf.disabled": "SecRuleEngine Off\n"})
	copyCRS(t, dir)
	return dir
}

func copyCRS(t *testing.T, dir string) {
	t.Helper()
	names, err := fs.Glob(coreruleset.FS, "@owasp_crs/*")
	require.NoError(t, err)
	files := map[string]string{}
	for _, name := range append(names, "@crs-setup.conf.example") {
		text, err := fs.ReadFile(coreruleset.FS, name)
		require.NoError(t, err)
		files["rules/"+filepath.Base(name)] = string(text)
	}
	files["crs-setup.conf"] = files["rules/@crs-setup.conf.example"]
	delete(files, "rules/@crs-setup.conf.example")
	write(t, dir, files)
}

const mainText = `# loaded by the log analyzer
Include "/etc/nginx/modsec/modsecurity.conf"
Include	/etc/nginx/modsec/crs-setup.conf
Include /etc/nginx/modsec/rules/*.conf
IncludeOptional /etc/nginx/modsec/custom/*.conf
`

// oldStyle is a configuration of the engine in an old style.
//
//go:embed testdata/modsecurity.conf
var oldStyle string

func config(t *testing.T, settings setting.Map) load.Config {
	t.Helper()
	r := setting.NewReader(settings, Properties())
	c := ReadConfig(r)
	require.NoError(t, r.Err())
	return c
}

func TestDirectoryOfModSecurityLoadsUnchanged(t *testing.T) {
	dir := modSecurityDirectory(t)
	report := Check(config(t, setting.Map{"rules": dir}))
	require.Empty(t, append(report.Refused, report.Broken...))
	require.Equal(t, "OWASP_CRS/4.25.0", report.Name)
	embedded := config(t, nil)
	require.Equal(t, Check(embedded).Rules-len(embedded.Setup)+2, report.Rules, "CRS without settings, and rules 200004 and 200005")
	require.Equal(t, fmt.Sprintf("%d rules loaded, 0 skipped", report.Rules), report.Summary())
	for _, want := range []string{
		"1: SecRuleEngine skipped: the engine always detects and never interrupts",
		"7: SecRequestBodyNoFilesLimit skipped: SecRequestBodyLimit applies to all bodies",
		"9: SecRequestBodyLimitAction skipped: bodies above the limit are inspected up to it",
		"20: SecPcreMatchLimit skipped: expressions run in linear time or have their own limit",
		"28: SecTmpDir skipped: uploaded files are not stored",
		"29: SecDataDir skipped: nothing is kept between transactions",
		"30: SecDebugLog skipped: use the collector's log",
		"33: SecAuditLogRelevantStatus skipped: alerts replace the audit log",
		"39: SecUnicodeMapFile skipped: %u escapes are decoded to their low byte",
		"40: SecStatusEngine skipped: nothing is reported to other hosts",
	} {
		require.Contains(t, report.Warnings, filepath.Join(dir, "modsecurity.conf")+":"+want)
	}
	require.Len(t, report.Warnings, 19)
}

func TestDirectoryOfModSecurityGivesTheVerdictsOfTheEmbeddedCRS(t *testing.T) {
	dir := open(t, setting.Map{"rules": modSecurityDirectory(t)})
	embedded := open(t, nil)
	alerts := 0
	for _, transaction := range judged(t) {
		want, err := embedded.Inspect(transaction)
		require.NoError(t, err)
		got, err := dir.Inspect(transaction)
		require.NoError(t, err)
		require.Equal(t, ids(want), ids(got), transaction.URI)
		require.Equal(t, [3]any{want.Blocked, want.Inbound, want.Outbound}, [3]any{got.Blocked, got.Inbound, got.Outbound}, transaction.URI)
		if got.Blocked {
			alerts++
		}
	}
	require.GreaterOrEqual(t, alerts, len(attacks))
}

var attacks = []string{
	"/?t=../../etc/passwd", "/?id=1%20union%20select%20password%20from%20users--", "/?q=%3Cscript%3Ealert(1)%3C/script%3E", "/?c=;cat%20/etc/shadow",
	"/?u=http://10.0.0.1/a.php%3f", "/?x=%3C%3Fphp%20system($_GET[0])%3B", "/?j=${jndi:ldap://x.example/a}", "/.git/config", "/?s=%0d%0aSet-Cookie:%20a=b",
	"/?n=__proto__[x]=1&y=process.mainModule.require('child_process')",
}

// evaluated returns attacks, a broken multipart body, a response that leaks, and clean transactions.
func judged(t *testing.T) (all []*model.Transaction) {
	for _, target := range attacks {
		attack := sample()
		attack.URI = target
		all = append(all, attack)
	}
	multipart := sample()
	multipart.Method, multipart.URI, multipart.RequestBody = "POST", "/", "--a\r\nContent-Disposition: form-data; name=x\r\n\r\ny"
	multipart.RequestHeaders = append(multipart.RequestHeaders, model.Header{Name: "Content-Type", Value: "multipart/form-data; boundary=b"},
		model.Header{Name: "Content-Length", Value: fmt.Sprint(len(multipart.RequestBody))})
	leak := sample()
	leak.URI, leak.HasResponse, leak.ResponseStatus, leak.ResponseProtocol = "/", true, 200, "HTTP/1.1"
	leak.ResponseHeaders = []model.Header{{Name: "Content-Type", Value: "text/html"}}
	leak.ResponseBody = "<b>Warning</b>: You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version"
	all = append(all, multipart, leak)
	for i := range uint64(100) {
		r := corpus.Clean(i)
		all = append(all, fromCorpus(t, &r))
	}
	return all
}

func fromCorpus(t testing.TB, r *corpus.Record) *model.Transaction {
	t.Helper()
	request, err := http.ReadRequest(bufio.NewReader(strings.NewReader(r.RequestHead)))
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(strings.NewReader(r.ResponseHead)), request)
	require.NoError(t, err)
	response.Body.Close()
	tx := &model.Transaction{
		ClientIP: r.SrcIP, ClientPort: r.SrcPort, ServerIP: r.DstIP, ServerPort: r.DstPort, Method: r.Method, URI: r.Target, Protocol: "HTTP/1.1",
		ServerName: r.Host, RequestHeaders: []model.Header{{Name: "Host", Value: r.Host}}, RequestBody: r.RequestBody, HasResponse: true, ResponseStatus: r.Status,
		ResponseProtocol: "HTTP/1.1", ResponseBody: r.ResponseBody,
	}
	for name, values := range request.Header {
		tx.RequestHeaders = append(tx.RequestHeaders, model.Header{Name: name, Value: values[0]})
	}
	for name, values := range response.Header {
		tx.ResponseHeaders = append(tx.ResponseHeaders, model.Header{Name: name, Value: values[0]})
	}
	return tx
}

func TestSettingsOverruleADirectoryOnlyWhenGiven(t *testing.T) {
	dir := modSecurityDirectory(t)
	setup, err := os.ReadFile(filepath.Join(dir, "crs-setup.conf"))
	require.NoError(t, err)
	write(t, dir, map[string]string{"crs-setup.conf": string(setup) + `
SecAction "id:900000,phase:1,pass,t:none,nolog,setvar:tx.blocking_paranoia_level=3"
SecAction "id:900110,phase:1,pass,t:none,nolog,setvar:tx.inbound_anomaly_score_threshold=7,setvar:tx.outbound_anomaly_score_threshold=9"
`})
	levels := func(settings setting.Map) []string {
		settings["rules"] = dir
		settings["directives"] = `SecAction "id:1,phase:1,log,pass,severity:5,msg:'levels',logdata:'%{tx.blocking_paranoia_level} ` +
			`%{tx.inbound_anomaly_score_threshold} %{tx.outbound_anomaly_score_threshold}'"`
		v, err := open(t, settings).Inspect(sample())
		require.NoError(t, err)
		for _, m := range v.Matches {
			if m.Rule.ID == 1 {
				return strings.Fields(m.Data)
			}
		}
		return nil
	}
	require.Equal(t, []string{"3", "7", "9"}, levels(setting.Map{}))
	require.Equal(t, []string{"2", "20", "9"}, levels(setting.Map{"blocking_paranoia": "2", "anomaly_inbound": "20"}))
}

func TestMainFileOfADirectory(t *testing.T) {
	const rule = `SecRule ARGS "@contains %s" "id:%d,phase:2,deny,severity:2,msg:'%s'"` + "\n"
	one := fmt.Sprintf(rule, "one", 1, "one")
	two := fmt.Sprintf(rule, "two", 2, "two")
	for name, c := range map[string]struct {
		files    map[string]string
		loaded   int
		warnings []string
		problem  string
	}{
		"files that include nothing are all loaded": {files: map[string]string{"a.conf": one, "b.conf": two}, loaded: 2},
		"the file that includes others is the main file": {
			files: map[string]string{"z.conf": "Include a.conf\n" + two, "a.conf": one}, loaded: 2,
		},
		"what the main file does not include is not loaded": {
			files: map[string]string{"entry.conf": "Include sub/a.conf\n", "sub/a.conf": one, "b.conf": two}, loaded: 1,
			warnings: []string{"DIR/b.conf: not loaded: DIR/entry.conf does not include it"},
		},
		"of several main files a usual name decides": {
			files: map[string]string{"x.conf": "Include a.conf\n" + two, "main.conf": "Include a.conf\n", "a.conf": one}, loaded: 1,
			warnings: []string{"DIR/x.conf: not loaded: DIR/main.conf does not include it"},
		},
		"several main files": {
			files:   map[string]string{"x.conf": "Include a.conf\n", "y.conf": "Include a.conf\n", "a.conf": one},
			problem: `directory "DIR": several main files: x.conf, y.conf (name the one to load)`,
		},
		"a circle": {
			files:   map[string]string{"x.conf": "Include y.conf\n", "y.conf": "Include x.conf\n"},
			problem: `directory "DIR": the includes of x.conf, y.confare circular`,
		},
		"CRS and its rules without a main file": {
			files: map[string]string{
				"crs-setup.conf": `SecAction "id:10,phase:1,pass,nolog,setvar:tx.a=1"`, "rules/x.conf": one, "Z.conf": "SecRuleRemoveById 1\n" + two,
			}, loaded: 2,
		},
		"no rules at all": {files: map[string]string{"a.txt": one}, problem: `directory "DIR" has no .conf files`},
		"Apache's main file": {
			files: map[string]string{
				"security2.conf": "<IfModule security2_module>\nIncludeOptional /etc/modsecurity/a/*.conf\n<IfModule mod_lua.c>\n" +
					"SecRuleScript x.lua deny\n</IfModule>\n</IfModule>\n", "a/a.conf": one,
			}, loaded: 1,
			warnings: []string{"DIR/security2.conf:3: section <IfModule mod_lua.c> skipped: only ModSecurity counts as a loaded module"},
		},
		"sections for a part of a server": {
			files:   map[string]string{"a.conf": "<LocationMatch \"^/x\">\nSecRuleEngine Off\n</LocationMatch>\n" + one},
			problem: `DIR/a.conf:1: <LocationMatch "^/x"> applies to a part of a server, which a log record does not identify`, loaded: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, c.files)
			report := Check(config(t, setting.Map{"rules": dir, "rule_packs": "off"}))
			base := 5 // rules of the engine's own configuration
			if c.problem == "" {
				require.Empty(t, append(report.Refused, report.Broken...))
			} else {
				require.Equal(t, []string{strings.ReplaceAll(c.problem, "DIR", dir)}, append(report.Refused, report.Broken...))
			}
			require.Equal(t, c.loaded+base, report.Rules)
			for i, w := range c.warnings {
				require.Equal(t, strings.ReplaceAll(w, "DIR", dir), report.Warnings[i])
			}
			require.Len(t, report.Warnings, len(c.warnings))
		})
	}
}

func TestAbsolutePathsAreFoundInTheDirectory(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"main.conf":        "Include /nowhere/modsec/conf/rules/*.conf\nInclude conf/extra.conf\n",
		"rules/a.conf":     `SecRule ARGS "@pmFromFile /nowhere/modsec/lists/words.data" "id:1,phase:2,deny,severity:2,msg:'list'"`,
		"lists/words.data": "forbidden\n",
		"extra.conf":       `SecRule ARGS "@pmf lists/words.data lists/more.data" "id:2,phase:2,deny,severity:2,msg:'lists'"`,
		"lists/more.data":  "# more\nunwanted\n",
	})
	set := open(t, setting.Map{"rules": dir})
	for uri, want := range map[string][]int{"/?a=forbidden": {1, 2}, "/?a=unwanted": {2}, "/?a=b": nil} {
		transaction := sample()
		transaction.URI = uri
		v, err := set.Inspect(transaction)
		require.NoError(t, err)
		require.Equal(t, want, ids(v), uri)
	}
}

func TestDataIsNotTakenFromAnotherRuleSet(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"a.conf":     `SecRule ARGS "@pmFromFile words.data" "id:1,phase:2,deny,severity:2,msg:'list'"`,
		"words.data": "before\n",
	})
	first := open(t, setting.Map{"rules": dir})
	write(t, dir, map[string]string{"words.data": "after\n"})
	second := open(t, setting.Map{"rules": dir})
	require.NotEqual(t, first.ID(), second.ID())
	transaction := sample()
	transaction.URI = "/?a=after"
	v, err := second.Inspect(transaction)
	require.NoError(t, err)
	require.Equal(t, []int{1}, ids(v))
	v, err = first.Inspect(transaction)
	require.NoError(t, err)
	require.Empty(t, ids(v))
}

func TestOlderRuleSetsAreRecognized(t *testing.T) {
	rule := func(signature string) map[string]string {
		return map[string]string{"rules/REQUEST-901-INITIALIZATION.conf": signature +
			"SecAction \"id:901000,phase:1,pass,nolog\"\n" +
			"SecRule TX:paranoia_level \"@eq 2\" \"id:921000,phase:1,deny,severity:2,msg:'level',ver:'OWASP_CRS/3.3.5'," +
			"setvar:'tx.anomaly_score=+5'\"\n"}
	}
	dir := t.TempDir()
	write(t, dir, rule("SecComponentSignature \"OWASP_CRS/3.3.5\"\n"))
	set := open(t, setting.Map{"rules": dir, "blocking_paranoia": "2", "rule_packs": "off"})
	require.Contains(t, set.Warnings()[0], ":1: OWASP CRS 3.3.5 is no longer maintained")
	v, err := set.Inspect(sample())
	require.NoError(t, err)
	require.Equal(t, []int{921000}, ids(v), "blocking_paranoia sets the variable that CRS 3 reads")
	require.Equal(t, 5, v.Inbound)

	unsigned := t.TempDir()
	write(t, unsigned, rule(""))
	require.Contains(t, open(t, setting.Map{"rules": unsigned}).Warnings()[0], "OWASP CRS 3.3.5 is no longer maintained")

	_, err = library.Open(config(t, setting.Map{"rules": "crs," + dir}))
	require.ErrorContains(t, err, ":1: OWASP CRS 3.3.5 is loaded together with CRS 4.25.0 at @owasp_crs/REQUEST-901-INITIALIZATION.conf:10 (name one of them)")

	ancient := t.TempDir()
	write(t, ancient, rule("SecComponentSignature \"OWASP_CRS/2.2.9\"\n"))
	_, err = library.Open(config(t, setting.Map{"rules": ancient}))
	require.ErrorContains(t, err, ":1: OWASP CRS 2.2.9 is too old (want 3 or newer, or crs for the embedded one)")
}
