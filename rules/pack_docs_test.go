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
		table, n := packTable(t, open(t, settings), evidence(t, name))
		total += n
		fmt.Fprintf(&tables, "\n## %s: %d rules\n\n%s", name, n, table)
	}
	want := fmt.Sprintf(strings.ReplaceAll(docsHead, "~", "`"), total) + tables.String()
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

// packRow is a row of a pack's table: a rule, or a pair of rules that look for the same in requests and in responses.
type packRow struct {
	ids, finds, evidence, severity, references string
}

// packTable lists the rules of a pack.
func packTable(t *testing.T, set *Set, evidence map[int]string) (string, int) {
	t.Helper()
	var rows []packRow
	n := 0
	for _, rule := range set.List() {
		if !isPackRule(rule) {
			continue
		}
		n++
		row := packRow{
			ids: strconv.Itoa(rule.ID), finds: rule.Message, evidence: evidence[rule.ID], severity: rule.Severity.String(),
			references: strings.Join(append(techniques(rule.Tags), referenceLinks(rule.Tags)...), " "),
		}
		if rule.Phase >= 3 {
			require.Contains(t, row.finds+row.evidence, "in a response", "the page has no other sign of it")
		}
		rows = append(rows, row)
	}
	var b strings.Builder
	b.WriteString("| rule | finds | evidence | severity | references |\n|---|---|---|---|---|\n")
	for i := 0; i < len(rows); i++ {
		row := rows[i]
		if finds, is := strings.CutSuffix(row.finds, " in a request"); is && i+1 < len(rows) && rows[i+1].isPairOf(&row, finds) {
			i++
			row = packRow{row.ids + ", " + rows[i].ids, finds, row.evidence, row.severity, row.references}
			if rows[i].severity != row.severity {
				row.severity += ", " + rows[i].severity
			}
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", row.ids, row.finds, row.evidence, row.severity, row.references)
	}
	return b.String(), n
}

// isPairOf says whether a row looks in responses for what another finds in requests.
func (r *packRow) isPairOf(request *packRow, finds string) bool {
	return r.finds == finds+" in a response" && r.evidence == request.evidence && r.references == request.references
}

func techniques(tags []string) (links []string) {
	for _, tag := range tags {
		if m := techniqueTag.FindStringSubmatch(tag); m != nil {
			path := strings.TrimSuffix(m[1]+"/"+m[2], "/")
			links = append(links, fmt.Sprintf("[%s](https://attack.mitre.org/techniques/%s/)", strings.TrimPrefix(tag, "attack."), path))
		}
	}
	return links
}

func referenceLinks(tags []string) (links []string) {
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
	return links
}

const docsHead = `# Rule packs

%d rules for what the Core Rule Set does not cover: **lateral-movement** between services inside a cloud, and **sensitive-data** that should not appear in
clear text. Both are enabled by default.

| property | meaning |
|---|---|
| ~rule_packs~ | ~lateral-movement,sensitive-data~ (default), one of them, or ~off~ |
| ~exclude_rules~ | rules to exclude: ~7110210~, ~7110200-7110399~, ~tag:national-id~ |

**Scores.** Rules add to the Core Rule Set's anomaly scores at paranoia level 1: critical 5, error 4, warning 3, notice 2. With the default thresholds, a
critical rule alerts alone, as does an error in a response; others add up. Without the Core Rule Set, the packs bring the same scores and thresholds. Alerts
list the sums as ~lateral_movement~ and ~sensitive_data~.

**Bodies** of every media type except images, audio and video are inspected; matches are reported as REQUEST_BODY or RESPONSE_BODY. The Core Rule Set still sees
only its own media types, so its verdicts do not change.

**Redaction.** Rules tagged ~masked~ report masked values (~4111********1111~); rules tagged ~excerpt~ report the match without the surrounding body. Whole
bodies appear only with ~include_payload~.

**Evidence.** Rules avoid text that documentation, a translation or an operator could also write:

- *Client*: operators' tools that identify themselves and use a private address (helm, Argo CD, GitLab runners, Docker clients, rabbitmqadmin and others) do not
  match, nor do browsers on a page of the same product. Agents can be forged, so taking over a host, starting a shell and decrypting secrets always alert.
- *Credentials*: consoles match if used without credentials or with default ones.
- *Result*: command output and dumps match in responses other than static pages (HTML, CSS or JavaScript requested without arguments).
- *Value*: test card numbers, placeholders such as EXAMPLE or changeme, anonymous tokens and public keys do not match.
- *Quantity*: one person's record is not a dump. Contacts match as rows of a table, in records with private data, or from about a hundred.

Card numbers match in groups, after a word such as card, or in a list; ids that consist of digits need a word before them.

**False positives.** ~make recorded RECORDED=10000~ records browsers, HTTP clients, operators' tools and webhooks, and fails at one alert per 2,000 records. On
12,180 records the packs raise none. Tests add 20,000 generated records of common services and [legitimate traffic](../rules/packs/legitimate.yaml) that
provokes single rules.

The rules are in [rules/packs](../rules/packs), each with positive and negative tests. Of two ids in a row, the first inspects requests, the second responses;
single rules inspect requests unless name or evidence says otherwise.
`
