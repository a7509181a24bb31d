package alert

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/fieldmap"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

func TestAnAlertIsNamedAfterItsWorstFinding(t *testing.T) {
	const emergency, critical, failure, warning, notice, debug = 0, 2, 3, 4, 5, 7 // in ModSecurity's numbers
	found := func(id int, severity rules.Severity, tags ...string) rules.Match {
		return rules.Match{Rule: &rules.RuleInfo{ID: id, Severity: severity, Tags: tags}, Message: fmt.Sprint("message of ", id)}
	}
	for name, c := range map[string]struct {
		matches []rules.Match
		scores  []rules.Score
		want    int
	}{
		"a leak behind an injection": {[]rules.Match{found(942100, critical, "attack-sqli"), found(953110, failure, "attack-disclosure")}, nil, 942100},
		"a notice before":            {[]rules.Match{found(920320, notice, "attack-protocol"), found(942100, critical, "attack-sqli")}, nil, 942100},
		"a warning in the middle":    {[]rules.Match{found(1, failure), found(2, warning), found(3, failure)}, nil, 3},
		"of one category the last":   {[]rules.Match{found(942100, critical, "attack-sqli"), found(942190, critical, "attack-sqli")}, nil, 942190},
		"more points": {[]rules.Match{
			found(942100, critical, "attack-sqli"), found(942190, critical, "attack-sqli"), found(932160, critical, "attack-rce"),
		}, nil, 942190},
		"the rules' sum outweighs points": {[]rules.Match{
			found(942100, critical, "attack-sqli"), found(942190, critical, "attack-sqli"), found(932160, critical, "attack-rce"),
		}, []rules.Score{{Name: "sql_injection", Value: 10}, {Name: "rce", Value: 15}}, 932160},
		"lesser findings count for the category": {[]rules.Match{
			found(1, critical, "attack-ssti"), found(2, warning, "attack-ssti"), found(3, critical, "attack-ldap"),
		}, nil, 1},
		"equal scores":                   {[]rules.Match{found(930120, critical, "attack-lfi"), found(932160, critical, "attack-rce")}, nil, 932160},
		"rules without a category":       {[]rules.Match{found(1, critical), found(2, critical), found(3, critical, "attack-xss")}, nil, 2},
		"an emergency":                   {[]rules.Match{found(1, emergency), found(2, critical, "attack-xss")}, nil, 1},
		"a debug message is named alone": {[]rules.Match{found(1, debug)}, nil, 1},
	} {
		t.Run(name, func(t *testing.T) {
			verdict := &rules.Verdict{Matches: c.matches, Scores: c.scores}
			last := c.matches[len(c.matches)-1].Rule.ID
			for naming, want := range map[Naming]struct{ alert, msa int }{ByFormat: {c.want, last}, Worst: {c.want, c.want}, Last: {last, last}} {
				v := &View{
					Event: &record.Event{}, Transaction: &rules.Transaction{}, Values: &fieldmap.Values{}, Verdict: verdict, Naming: naming,
				}
				a := New(v, nil)
				require.Equal(t, want.alert, v.Rule().Rule.ID, naming)
				require.Equal(t, want.alert, a.Rule().Rule.ID, naming)
				for _, format := range Formats() {
					id, severity := namedIn(t, a, Format(format))
					if Format(format) == MSA {
						require.Equal(t, want.msa, id, "%s in msa", naming)
					} else {
						require.Equal(t, want.alert, id, "%s in %s", naming, format)
					}
					require.Equal(t, a.Severity, severity, "%s in %s", naming, format)
				}
			}
			for i := range c.matches {
				require.LessOrEqual(t, severityOf(verdict), c.matches[i].Severity(), "lower numbers are more severe")
			}
		})
	}
}

// namedIn returns the rule and the severity, in syslog's numbers, that an alert has in a format.
func namedIn(t *testing.T, a *Alert, format Format) (id, severity int) {
	t.Helper()
	var alert struct {
		RuleID         string `json:"rule_id"`
		Severity       any
		SeverityNumber int `json:"severity_number"`
		Rule           struct{ ID string }
		Event          struct{ Severity int }
		FindingInfo    struct{ Analytic struct{ UID string } } `json:"finding_info"`
		SeverityID     int                                     `json:"severity_id"`
		WAF            struct {
			RuleID string `json:"rule_id"`
		}
		Message string
		RuleID2 string `json:"_rule_id"`
		Level   int
	}
	require.NoError(t, json.Unmarshal(JSON(a.Append(nil, format, false)), &alert))
	text := alert.RuleID
	switch format {
	case MSA:
		severity, _ = strconv.Atoi(alert.Severity.(string))
	case Record:
		require.Equal(t, rules.SeverityName(alert.SeverityNumber), alert.Severity)
		severity = alert.SeverityNumber
	case ECS:
		text, severity = alert.Rule.ID, alert.Event.Severity
	case OCSF:
		text = alert.FindingInfo.Analytic.UID
		severity = a.Severity
		require.EqualValues(t, ocsfSeverities[a.Severity].id, alert.SeverityID)
	case ModSecurity: // has severities of rules only
		text, severity = alert.WAF.RuleID, a.Severity
	case CEF:
		head := strings.Split(alert.Message, "|")
		text, severity = head[4], a.Severity
		require.Equal(t, strconv.Itoa(cefSeverities[a.Severity]), head[6])
	case GELF:
		text, severity = alert.RuleID2, alert.Level
	}
	id, err := strconv.Atoi(text)
	require.NoError(t, err)
	return id, severity
}
