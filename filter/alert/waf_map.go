package alert

import (
	"strconv"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// AppendMap appends the map that the filter adds to a record.
func (a *Alert) AppendMap(dst []byte) []byte {
	m := a.Rule()
	d := newDocument(dst)
	d.flag("alert", true)
	d.always("rule_id", strconv.Itoa(m.Rule.ID))
	d.alwaysTexts("rule_ids", a.ruleIDs())
	d.always("msg", m.Message)
	d.always("severity", rules.SeverityName(a.Severity))
	d.number("severity_number", int64(a.Severity))
	d.texts("categories", a.Categories())
	d.always("outcome", string(a.Outcome))
	d.always("reason", a.Reason)
	d.number("score", int64(a.Score))
	a.scores(d)
	d.always("matched", m.Wording())
	d.always("data", m.Data)
	d.alwaysTexts("tags", m.Rule.Tags)
	d.number("phase", int64(m.Rule.Phase))
	d.always("inspected", strings.Join(a.Inspected, ","))
	d.flag("truncated", a.Truncated)
	d.texts("partial", a.Partial)
	d.texts("redacted", a.Redacted)
	a.repeats(d)
	d.object("incident", func() { d.text("id", a.Incident) })
	d.always("engine", Engine)
	d.always("rule_set", a.RuleSet)
	return d.end()
}

// scores writes the sums by category and paranoia level.
func (a *Alert) scores(d *document) {
	d.object("scores", func() {
		for _, s := range a.Scores {
			d.number(s.Name, int64(s.Value))
		}
	})
}

// repeats writes how many transactions the alert stands for, when they are several.
func (a *Alert) repeats(d *document) {
	if a.Repeats != nil {
		d.number("count", int64(a.Repeats.Count))
		d.always("first_seen", timestamp(a.Repeats.First))
		d.always("last_seen", timestamp(a.Repeats.Last))
	}
}
