package rules

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/packs"
)

const docsPath = "../docs/rule-packs.md"

func TestDocumentationListsTheRulesOfThePacks(t *testing.T) {
	var tables strings.Builder
	total := 0
	for _, name := range packs.Names {
		settings := ownOnly(t)
		settings["rule_packs"] = name
		table, n := packTable(open(t, settings), evidence(t, name))
		total += n
		fmt.Fprintf(&tables, "\n## %s: %d rules\n\n%s", name, n, table)
	}
	want := fmt.Sprintf(docsHead, total) + tables.String()
	if os.Getenv("UPDATE_GOLDEN") != "" {
		require.NoError(t, os.MkdirAll("../docs", 0o755))
		require.NoError(t, os.WriteFile(docsPath, []byte(want), 0o644))
	}
	got, err := os.ReadFile(docsPath)
	require.NoError(t, err)
	require.Equal(t, want, string(got), "UPDATE_GOLDEN=1 go test ./rules -run Documentation writes it anew")
}

var techniqueTag = regexp.MustCompile(`^attack\.(T\d{4})(?:\.(\d{3}))?$`)

var packRuleID = regexp.MustCompile(`"id:(\d+),`)

// evidence returns the comment above each rule of a pack, which says what the rule needs to match. A rule without one shares that of the
// rule before.
func evidence(t *testing.T, pack string) map[int]string {
	t.Helper()
	text, err := packs.Text(pack)
	require.NoError(t, err)
	comments, comment, open := map[int]string{}, "", false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if words, is := strings.CutPrefix(line, "# "); is && !strings.HasPrefix(words, "---") {
			if !open {
				comment = ""
			}
			comment, open = strings.TrimSpace(comment+" "+words), true
			continue
		}
		open = false
		if m := packRuleID.FindStringSubmatch(line); m != nil {
			id, err := strconv.Atoi(m[1])
			require.NoError(t, err)
			comments[id] = comment
		}
	}
	return comments
}

// packTable lists the rules of a pack.
func packTable(set *Set, evidence map[int]string) (string, int) {
	var b strings.Builder
	b.WriteString("| rule | what it finds | evidence it needs | where | severity | alerts alone | technique | more |\n|---|---|---|---|---|---|---|---|\n")
	n := 0
	for _, rule := range set.List() {
		if !isPackRule(rule) {
			continue
		}
		n++
		where, alone := "request", int(rule.Severity) == 2
		if rule.Phase >= 3 {
			where, alone = "response", int(rule.Severity) <= 3
		}
		fmt.Fprintf(&b, "| %d | %s | %s | %s | %s | %s | %s | %s |\n", rule.ID, rule.Message, evidence[rule.ID], where, rule.Severity, yes(alone),
			techniques(rule.Tags), referenceLinks(rule.Tags))
	}
	return b.String(), n
}

func yes(is bool) string {
	if is {
		return "yes"
	}
	return ""
}

func techniques(tags []string) string {
	var links []string
	for _, tag := range tags {
		if m := techniqueTag.FindStringSubmatch(tag); m != nil {
			path := strings.TrimSuffix(m[1]+"/"+m[2], "/")
			links = append(links, fmt.Sprintf("[%s](https://attack.mitre.org/techniques/%s/)", strings.TrimPrefix(tag, "attack."), path))
		}
	}
	return strings.Join(links, ", ")
}

func referenceLinks(tags []string) string {
	var links []string
	for _, tag := range tags {
		host, isURL := strings.CutPrefix(tag, "https://")
		if !isURL || strings.HasPrefix(host, "attack.mitre.org/techniques") {
			continue
		}
		name, _, _ := strings.Cut(host, "/")
		if at := strings.Index(tag, "CVE-"); at >= 0 {
			name = tag[at:]
		}
		links = append(links, fmt.Sprintf("[%s](%s)", name, tag))
	}
	return strings.Join(links, ", ")
}

const docsHead = `# Rule packs

%d rules of our own, for what the Core Rule Set does not know: **lateral-movement**, what moves between the services inside a
cloud, and **sensitive-data**, what should not be seen in clear text between them. Both are on by default.

| property | meaning |
|---|---|
| ` + "`rule_packs`" + ` | ` + "`lateral-movement,sensitive-data`" + ` (default), one of them, or ` + "`off`" + ` |
| ` + "`exclude_rules`" + ` | single rules: ` + "`7110210`, `7110200-7110399`, `tag:national-id`" + ` |

` + "`wafctl rules`" + ` lists what is loaded.

**How they count.** Rules add to the anomaly scores of CRS at paranoia level 1, before CRS compares them with the thresholds
` + "`anomaly_inbound`" + ` (5) and ` + "`anomaly_outbound`" + ` (4): a critical rule adds 5, an error 4, a warning 3, a notice 2. So a critical rule alerts
alone, and an error in a response; the others are listed in an alert, and add up. Without CRS (` + "`rules`" + ` names only your own
files) the packs bring the same points and thresholds with them. The sums are in the alert as ` + "`lateral_movement`" + ` and
` + "`sensitive_data`" + `.

**What they look at.** Bodies as they were logged, whatever their media type, images, sound and video apart. CRS keeps looking at
the media types of its recommended configuration only, so its verdicts do not change. What the rules find in a body is shown as
REQUEST_BODY or RESPONSE_BODY.

**What leaves with an alert.** What a rule with the tag ` + "`masked`" + ` finds is masked: ` + "`4111********1111`" + `. Of rules with the tag
` + "`excerpt`" + ` the alert has what was found, not the body around it. Bodies themselves are in an alert only with ` + "`include_payload`" + `.

**What counts as evidence.** No rule rests on a text that documentation, a translation or an operator could write as well. Each needs
more, named in the tables below:

- *who asks, and from where*: the tools of operators count as such when they name themselves and come from a private address
  (helm, Argo CD, GitLab runners, clients of Docker, python-jenkins, rabbitmqadmin, Spring Boot Admin and others), and so does a browser
  on a page of the same product. Anyone can write an agent as they like: what takes over a host, starts a shell or decrypts secrets
  therefore alerts whoever asks;
- *credentials*: consoles that are open to everyone are asked without any, or with those that come with the product;
- *with what result*: output of commands and dumps count in responses that are no static page, a page being HTML, CSS or JavaScript
  that was asked for without arguments;
- *what value*: card numbers that providers publish for tests, keys with EXAMPLE in them, passwords such as changeme, tokens for
  anonymous visitors, public keys, and whatever stands in a field or behind a word for examples, are none;
- *how many*: one record of a person is not a dump. Contacts count as rows of a table, in records with private data, or by the hundred.

**What they do not say.** Card numbers count when they are written in groups, when a word such as card stands in front of them, or when
a list has several; a bare number of 16 digits can be anything. Ids that are digits only need a word for them in front.

**How quiet they are.** ` + "`make recorded RECORDED=10000`" + ` records what no generator wrote, and fails from one alert in 2,000 records on:
headless Chromium and GNU Wget over the pages of Debian's documentation packages that are installed, clients of the web (curl, Python,
Node.js, Perl, Git, npm, pip), tools of operators (docker, kubectl, skopeo, python-jenkins, and libraries for Docker, Kubernetes, GitLab,
GitHub, Elasticsearch, etcd, Consul, Vault and Stripe), and webhooks. On 12,180 such records, with 25 packages of documentation, the
packs raise no alert. With bodies cut as probes cut them or not, another test runs them over 20,000 generated records of a web shop, REST
and GraphQL services, health checks, uploads, Prometheus and the control traffic of Kubernetes. A third holds
[legitimate traffic](../rules/packs/legitimate.yaml) that provokes single rules.

The files are [rules/packs](../rules/packs), each rule with tests that alert and tests that do not. This page is written by a test.
`
