package evaluation

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/fieldmap"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// JSONLeftOut is one rule that is skipped for a field map, in --output json.
type JSONLeftOut struct {
	FieldMap string `json:"field_map"`
	ID       int    `json:"id"`
	Paranoia int    `json:"paranoia,omitempty"`
	Idle     bool   `json:"idle"`            // it runs, and finds nothing to inspect
	Needs    string `json:"needs,omitempty"` // of what is not logged
	Why      string `json:"why,omitempty"`
	Message  string `json:"msg,omitempty"`
}

// ListLeftOut tells for each field map which rules say nothing of its records, and why.
func ListLeftOut(c *cli.Console, w *filter.Filter, asJSON, all bool) error {
	to := cli.LineWriter(c)
	for i, m := range w.FieldMaps() {
		left, idle := w.LeftOut(m)
		if asJSON {
			encodeLeftOut(json.NewEncoder(to), m, left, idle)
			continue
		}
		if i > 0 {
			fmt.Fprintln(to)
		}
		fmt.Fprintln(to, c.Paint(cli.Bold, cli.Printable(fmt.Sprintf("Field map %s: %s", m.Name, m.Title))))
		fmt.Fprintf(to, "Never known from its records: %s\n", orNothing(m.Unknown().String()))
		g := cli.NewGrid(c, to, cli.Column{Title: "RULE", Width: cli.RuleWidth}, cli.Column{Title: "PL", Width: 2},
			cli.Column{Title: "SKIPPED, NEEDS", Width: 44, Least: 24, Spare: 1}, cli.Column{Title: "IT", Width: 56, Least: 24}, cli.Column{Title: "MESSAGE"})
		g.Title()
		for _, l := range left {
			g.Row(cli.Cell{Text: strconv.Itoa(l.ID)}, cli.Cell{Text: cli.Level(l.Paranoia())}, cli.Cell{Text: l.Needs.String()}, cli.Cell{Text: l.Why},
				cli.Cell{Text: l.Message})
		}
		fmt.Fprintf(to, "%s skipped; %s nothing to inspect", cli.Count(len(left), "rule"), others(len(idle)))
		if all && len(idle) > 0 {
			fmt.Fprintf(to, ": %s", ids(idle))
		}
		fmt.Fprintln(to)
	}
	return to.Flush()
}

func others(n int) string {
	if n == 1 {
		return "1 more has"
	}
	return cli.Grouped(n) + " more have"
}

func orNothing(parts string) string {
	if parts == "" {
		return "nothing, if they have all keys"
	}
	return parts
}

func ids(idle []rules.Loaded) string {
	words := make([]string, len(idle))
	for i := range idle {
		words[i] = strconv.Itoa(idle[i].ID)
	}
	return strings.Join(words, " ")
}

// encodeLeftOut writes JSON; the encoder's writer keeps its error until it is flushed.
func encodeLeftOut(to *json.Encoder, m *fieldmap.Map, left []rules.LeftOut, idle []rules.Loaded) {
	for _, l := range left {
		to.Encode(JSONLeftOut{FieldMap: m.Name, ID: l.ID, Paranoia: l.Paranoia(), Needs: l.Needs.String(), Why: l.Why, Message: l.Message}) //nolint:errcheck // see above
	}
	for _, l := range idle {
		to.Encode(JSONLeftOut{FieldMap: m.Name, ID: l.ID, Paranoia: l.Paranoia(), Idle: true, Message: l.Message}) //nolint:errcheck // see above
	}
}
