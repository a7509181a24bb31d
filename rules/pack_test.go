package rules

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/engine"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/packs"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

// packTest is what the file of a test says of one rule.
type packTest struct {
	Rule   int
	Alerts []packCase
	Passes []packCase
}

// packCase is a request, and perhaps its response, as text.
type packCase struct{ Request, Response string }

func (c *packCase) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		return node.Decode(&c.Request)
	}
	type plain packCase
	return node.Decode((*plain)(c))
}

var generated = regexp.MustCompile(`\{\{(A?)(\d+)\}\}`)

// expand writes texts that would look like real keys in a file: {{20}} is 20 letters and digits, {{A16}} 16 capitals.
func expand(text string) string {
	return generated.ReplaceAllStringFunc(text, func(m string) string {
		parts := generated.FindStringSubmatch(m)
		alphabet := "aB3dE6gH9kLmN2pQ5rS8tUv"
		if parts[1] == "A" {
			alphabet = "Q2W3E4R5T6Y7"
		}
		n, _ := strconv.Atoi(parts[2])
		return strings.Repeat(alphabet, n/len(alphabet)+1)[:n]
	})
}

// transaction reads the texts of a case.
func (c *packCase) transaction(t *testing.T) *model.Transaction {
	t.Helper()
	head, body, _ := strings.Cut(expand(c.Request), "\n\n")
	lines := strings.Split(strings.TrimSpace(head), "\n")
	method, target, found := strings.Cut(lines[0], " ")
	require.True(t, found, "%q has no request line", c.Request)
	body = strings.TrimSuffix(body, "\n")
	tx := sample()
	tx.Method, tx.URI, tx.RequestBody = method, target, body
	headers := map[string]string{"Host": "service.internal:8080", "User-Agent": "Java/17.0.9", "Accept": "*/*"}
	if body != "" {
		headers["Content-Length"] = fmt.Sprint(len(body))
	}
	tx.RequestHeaders = nil
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		headers[name] = value
	}
	for name, value := range headers {
		tx.RequestHeaders = append(tx.RequestHeaders, model.Header{Name: name, Value: value})
	}
	if strings.HasPrefix(headers["Content-Type"], "multipart/") {
		tx.RequestBody = strings.ReplaceAll(body, "\n", "\r\n")
	}
	if c.Response != "" {
		head, body, _ := strings.Cut(expand(c.Response), "\n\n")
		status, mediaType, _ := strings.Cut(head, " ")
		code, err := strconv.Atoi(status)
		require.NoError(t, err, "%q has no status line", c.Response)
		tx.HasResponse, tx.ResponseStatus, tx.ResponseProtocol, tx.ResponseBody = true, code, "HTTP/1.1", body
		tx.ResponseHeaders = []model.Header{{Name: "Content-Type", Value: mediaType}}
	}
	return tx
}

// packTests returns the tests of all packs by rule.
func packTests(t *testing.T) map[int]packTest {
	t.Helper()
	tests := map[int]packTest{}
	for _, name := range packs.Names {
		files, err := filepath.Glob(filepath.Join("packs", name, "tests", "*.yaml"))
		require.NoError(t, err)
		require.NotEmpty(t, files, name)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			var list []packTest
			require.NoError(t, yaml.Unmarshal(text, &list), file)
			for _, test := range list {
				require.NotContains(t, tests, test.Rule, file)
				tests[test.Rule] = test
			}
		}
	}
	return tests
}

// isPackRule tells the rules of packs that say something of the traffic.
func isPackRule(l Loaded) bool { return l.ID >= 7_100_000 && l.ID < 7_199_000 && l.Detection }

// ownOnly is a configuration with packs and without CRS.
func ownOnly(t *testing.T) setting.Map {
	t.Helper()
	path := filepath.Join(t.TempDir(), "none.conf")
	require.NoError(t, os.WriteFile(path, []byte("# no rules\n"), 0o600))
	return setting.Map{"rules": path}
}

func TestEveryRuleOfThePacksIsDescribedAndTested(t *testing.T) {
	tests := packTests(t)
	technique := regexp.MustCompile(`^attack\.T\d{4}(?:\.\d{3})?$`)
	rules := 0
	for _, rule := range open(t, ownOnly(t)).List() {
		if !isPackRule(rule) {
			continue
		}
		rules++
		require.NotEmpty(t, rule.Message, rule.ID)
		require.NotEqual(t, model.SeverityUnset, rule.Severity, rule.ID)
		require.NotEmpty(t, rule.Version, rule.ID)
		require.Contains(t, rule.Text, "logdata:", rule.ID)
		require.NotEmpty(t, matching(rule.Tags, technique), "technique of rule %d", rule.ID)
		require.NotEmpty(t, matching(rule.Tags, regexp.MustCompile("^https://")), "reference of rule %d", rule.ID)
		require.NotEmpty(t, tests[rule.ID].Alerts, "tests of rule %d that alert", rule.ID)
		require.NotEmpty(t, tests[rule.ID].Passes, "tests of rule %d that do not alert", rule.ID)
		delete(tests, rule.ID)
	}
	require.Greater(t, rules, 100)
	require.Empty(t, tests, "tests of rules that do not exist")
}

func matching(texts []string, expression *regexp.Regexp) (found []string) {
	for _, text := range texts {
		if expression.MatchString(text) {
			found = append(found, text)
		}
	}
	return found
}

func TestRulesOfThePacksMatchWhatTheirTestsSay(t *testing.T) {
	alone := ownOnly(t)
	for name, settings := range map[string]setting.Map{
		"with CRS":              {},
		"without CRS":           alone,
		"without the prefilter": {"rules": alone["rules"], "prefilter": "off", "cache_size": "0"},
	} {
		t.Run(name, func(t *testing.T) {
			set := open(t, settings)
			for id, test := range packTests(t) {
				for i := range test.Alerts {
					v := inspected(t, set, &test.Alerts[i])
					assert.Contains(t, ids(v), id, "%+v", test.Alerts[i])
					if alone := alertsAlone(v, id); alone {
						assert.True(t, v.Blocked, "rule %d alone reaches the threshold: %+v", id, test.Alerts[i])
					}
				}
				for i := range test.Passes {
					assert.NotContains(t, ids(inspected(t, set, &test.Passes[i])), id, "%+v", test.Passes[i])
				}
			}
		})
	}
}

func inspected(t *testing.T, set *Set, c *packCase) *model.Verdict {
	t.Helper()
	v, err := set.Inspect(c.transaction(t))
	require.NoError(t, err)
	return v
}

// alertsAlone reports whether a rule that matched has the points for an alert by itself.
func alertsAlone(v *model.Verdict, id int) bool {
	for _, m := range v.Matches {
		if m.Rule.ID == id {
			return m.Severity() == 2 || m.Severity() == 3 && m.Rule.Phase >= 3
		}
	}
	return false
}

func TestPacksCanBeSwitchedOff(t *testing.T) {
	alone := ownOnly(t)
	count := func(words string) (lateral, sensitive int) {
		for _, rule := range open(t, setting.Map{"rules": alone["rules"], "rule_packs": words}).List() {
			switch {
			case !isPackRule(rule):
			case rule.ID < 7_110_000:
				lateral++
			default:
				sensitive++
			}
		}
		return lateral, sensitive
	}
	lateral, sensitive := count("")
	require.NotZero(t, lateral)
	require.NotZero(t, sensitive)
	for words, want := range map[string][2]int{
		"lateral-movement": {lateral, 0}, "sensitive-data": {0, sensitive}, "sensitive-data, lateral-movement": {lateral, sensitive},
		"off": {}, "none": {},
	} {
		gotLateral, gotSensitive := count(words)
		require.Equal(t, want, [2]int{gotLateral, gotSensitive}, words)
	}
	for words, want := range map[string]string{
		"everything":           `property rule_packs: unknown pack "everything" (want lateral-movement or sensitive-data, or off)`,
		"off,lateral-movement": `property rule_packs: "off" cannot be combined with others`,
	} {
		r := setting.NewReader(setting.Map{"rule_packs": words}, Properties())
		ReadConfig(r)
		require.ErrorContains(t, r.Err(), want)
	}
}

func TestPacksLeaveTheVerdictsOfCRSAlone(t *testing.T) {
	with, without := open(t, nil), open(t, setting.Map{"rule_packs": "off"})
	transactions := judged(t)
	for _, test := range packTests(t) {
		for i := range test.Alerts {
			transactions = append(transactions, test.Alerts[i].transaction(t))
		}
	}
	// A response in JSON that has what CRS looks for in HTML: CRS does not look at JSON, and must not because the packs do.
	json := judged(t)[len(attacks)+1]
	json.ResponseHeaders = []model.Header{{Name: "Content-Type", Value: "application/json"}}
	for _, transaction := range append(transactions, json) {
		want, err := without.Inspect(transaction)
		require.NoError(t, err)
		got, err := with.Inspect(transaction)
		require.NoError(t, err)
		crs := []int(nil)
		for _, id := range ids(got) {
			if id < 7_000_000 {
				crs = append(crs, id)
			}
		}
		require.Equal(t, ids(want), crs, transaction.URI)
	}
}

func TestWhatRulesFindIsMaskedInTheirMatches(t *testing.T) {
	set := open(t, nil)
	for id, test := range packTests(t) {
		for i := range test.Alerts {
			tx := test.Alerts[i].transaction(t)
			v, err := set.Inspect(tx)
			require.NoError(t, err)
			for _, m := range v.Matches {
				if m.Rule.ID != id || !contains(m.Rule.Tags, engine.TagMasked) {
					continue
				}
				told := m.Data + m.Value + m.Message + m.Wording()
				require.Contains(t, m.Data, "*", "%d", id)
				require.Equal(t, m.Data, m.Value)
				require.LessOrEqual(t, len(m.Data), 40)
				for _, secret := range []string{"4526018159083012", "11010519491231002X", "hunter", "s3cr3t", expand("{{36}}"), "user1@example.com"} {
					require.NotContains(t, told, secret, "%d", id)
				}
			}
		}
	}
	c := packCase{Request: "GET /a", Response: "200 application/json\n\n{\"card\":\"4526018159083012\"," + strings.Repeat(" ", 5000) + "\"x\":1}"}
	v := inspected(t, set, &c)
	last := v.Matches[len(v.Matches)-1]
	require.Equal(t, 7110101, last.Rule.ID)
	require.Equal(t, "RESPONSE_BODY", last.Variable)
	require.Equal(t, "Matched \"Operator `CardNumber' with parameter `labeled' against variable `RESPONSE_BODY' (Value: `4526********3012' )",
		last.Wording())
	require.Contains(t, v.Scores, model.Score{Name: "sensitive_data", Value: 4})
}

func contains(list []string, s string) bool {
	for _, member := range list {
		if member == s {
			return true
		}
	}
	return false
}
