package main

import (
	"cmp"
	"fmt"
	"maps"
	"strconv"

	jsoniter "github.com/json-iterator/go"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// errDiffers ends a comparison of rules that found a difference; it has been told by then.
var errDiffers = fmt.Errorf("%w: the rules differ", errAlert)

// diffRules tells what rules of two sources differ when they are loaded with the same settings.
func diffRules(c *console, f *flags, sources []string, asJSON bool) error {
	open := func(source string) (*filter.Filter, error) {
		settings := maps.Clone(f.values)
		settings["rules"] = source
		return filter.New(settings, func(filter.Level, string) {})
	}
	before, err := open(sources[0])
	if err != nil {
		return named(sources[0], err, nil)
	}
	defer before.Close()
	after, err := open(sources[1])
	if err != nil {
		return named(sources[1], err, nil)
	}
	defer after.Close()
	d := before.CompareRules(after)
	if asJSON {
		err = diffJSON(c, &d)
	} else {
		err = diffTable(c, &d)
	}
	if err == nil && !d.Empty() {
		return errDiffers
	}
	return err
}

// jsonDifference is what --output json says of one rule or setting that differs.
type jsonDifference struct {
	Change string `json:"change"` // added, removed, changed or setting
	ID     int    `json:"id,omitempty"`
	Name   string `json:"name,omitempty"` // of a setting
	Data   bool   `json:"data,omitempty"` // a file that the rule reads differs
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

func diffJSON(c *console, d *rules.Difference) error {
	to := lineWriter(c)
	encoder := jsoniter.NewEncoder(to)
	var lines []jsonDifference
	for _, r := range d.Added {
		lines = append(lines, jsonDifference{Change: "added", ID: r.ID, After: r.Text})
	}
	for _, r := range d.Removed {
		lines = append(lines, jsonDifference{Change: "removed", ID: r.ID, Before: r.Text})
	}
	for _, r := range d.Changed {
		lines = append(lines, jsonDifference{Change: "changed", ID: r.After.ID, Data: r.Data, Before: r.Before.Text, After: r.After.Text})
	}
	for _, s := range d.Settings {
		lines = append(lines, jsonDifference{Change: "setting", Name: s.Name, Before: s.Before, After: s.After})
	}
	for i := range lines {
		if err := encoder.Encode(&lines[i]); err != nil {
			return err
		}
	}
	return to.Flush()
}

func diffTable(c *console, d *rules.Difference) error {
	to := lineWriter(c)
	g := newGrid(c, to, column{title: "CHANGE", width: 8}, column{title: "RULE", width: ruleWidth},
		column{title: "FILE:LINE", width: 48, least: 20}, column{title: "MESSAGE"})
	if !d.Empty() {
		g.title()
	}
	row := func(what, color string, r *rules.Loaded, note string) {
		g.row(cell{text: what, color: color}, cell{text: strconv.Itoa(r.ID)}, cell{text: r.File + ":" + strconv.Itoa(r.Line)}, cell{text: note + r.Message})
	}
	for i := range d.Added {
		row("added", green, &d.Added[i], "")
	}
	for i := range d.Removed {
		row("removed", red, &d.Removed[i], "")
	}
	for i := range d.Changed {
		note := ""
		if d.Changed[i].Data {
			note = "(data) "
		}
		row("changed", yellow, &d.Changed[i].After, note)
	}
	for _, s := range d.Settings {
		g.row(cell{text: "setting", color: yellow}, cell{}, cell{text: s.Name},
			cell{text: cmp.Or(s.Before, "none") + " → " + cmp.Or(s.After, "none")})
	}
	fmt.Fprintln(to, printable(d.String()))
	return to.Flush()
}
