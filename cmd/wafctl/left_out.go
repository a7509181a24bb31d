package main

import (
	"fmt"
	"strconv"
	"strings"

	jsoniter "github.com/json-iterator/go"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/fieldmap"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// jsonLeftOut is what --output json says of one rule that is left out for a field map.
type jsonLeftOut struct {
	FieldMap string `json:"field_map"`
	ID       int    `json:"id"`
	Paranoia int    `json:"paranoia,omitempty"`
	Idle     bool   `json:"idle"`            // it runs, and finds nothing to look at
	Needs    string `json:"needs,omitempty"` // of what is not logged
	Why      string `json:"why,omitempty"`
	Message  string `json:"msg,omitempty"`
}

// listLeftOut tells for each field map which rules say nothing of its records, and why.
func listLeftOut(c *console, w *filter.Filter, asJSON, all bool) error {
	to := lineWriter(c)
	for i, m := range w.FieldMaps() {
		left, idle := w.LeftOut(m)
		if asJSON {
			encodeLeftOut(jsoniter.NewEncoder(to), m, left, idle)
			continue
		}
		if i > 0 {
			fmt.Fprintln(to)
		}
		fmt.Fprintln(to, c.paint(bold, printable(fmt.Sprintf("Field map %s: %s", m.Name, m.Title))))
		fmt.Fprintf(to, "Its records never tell: %s\n", orNothing(m.Unknown().String()))
		g := newGrid(c, to, column{title: "RULE", width: ruleWidth}, column{title: "PL", width: 2},
			column{title: "LEFT OUT, FOR IT NEEDS", width: 44, least: 24, spare: 1}, column{title: "IT", width: 56, least: 24}, column{title: "MESSAGE"})
		g.title()
		for _, l := range left {
			g.row(cell{text: strconv.Itoa(l.ID)}, cell{text: level(l.Paranoia())}, cell{text: l.Needs.String()}, cell{text: l.Why},
				cell{text: l.Message})
		}
		fmt.Fprintf(to, "%s left out; %s nothing to look at", count(len(left), "rule"), others(len(idle)))
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
	return grouped(n) + " more have"
}

func orNothing(parts string) string {
	if parts == "" {
		return "nothing, when they have all keys"
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
func encodeLeftOut(to *jsoniter.Encoder, m *fieldmap.Map, left []rules.LeftOut, idle []rules.Loaded) {
	for _, l := range left {
		to.Encode(jsonLeftOut{FieldMap: m.Name, ID: l.ID, Paranoia: l.Paranoia(), Needs: l.Needs.String(), Why: l.Why, Message: l.Message}) //nolint:errcheck // see above
	}
	for _, l := range idle {
		to.Encode(jsonLeftOut{FieldMap: m.Name, ID: l.ID, Paranoia: l.Paranoia(), Idle: true, Message: l.Message}) //nolint:errcheck // see above
	}
}
