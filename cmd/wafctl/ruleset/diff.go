package ruleset

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

// errDiffers ends a comparison of rules that found a difference; it has been printed by then.
var errDiffers = fmt.Errorf("%w: the rules differ", cli.ErrAlert)

// diffRules tells what rules of two sources differ when they are loaded with the same settings.
func diffRules(c *cli.Console, f *cli.Flags, sources []string, asJSON bool) error {
	open := func(source string) (*filter.Filter, error) {
		settings := maps.Clone(f.Values)
		settings["rules"] = source
		return filter.New(c.Host, settings, func(filter.Level, string) {})
	}
	before, err := open(sources[0])
	if err != nil {
		return cli.Named(sources[0], err, nil)
	}
	defer before.Close()
	after, err := open(sources[1])
	if err != nil {
		return cli.Named(sources[1], err, nil)
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

func diffJSON(c *cli.Console, d *rules.Difference) error {
	to := cli.LineWriter(c)
	encoder := json.NewEncoder(to)
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

func diffTable(c *cli.Console, d *rules.Difference) error {
	to := cli.LineWriter(c)
	g := cli.NewGrid(c, to, cli.Column{Title: "CHANGE", Width: 8}, cli.Column{Title: "RULE", Width: cli.RuleWidth},
		cli.Column{Title: "FILE:LINE", Width: 48, Least: 20}, cli.Column{Title: "MESSAGE"})
	if !d.Empty() {
		g.Title()
	}
	row := func(what, color string, r *rules.Loaded, note string) {
		g.Row(cli.Cell{Text: what, Color: color}, cli.Cell{Text: strconv.Itoa(r.ID)}, cli.Cell{Text: r.File + ":" + strconv.Itoa(r.Line)}, cli.Cell{Text: note + r.Message})
	}
	for i := range d.Added {
		row("added", cli.Green, &d.Added[i], "")
	}
	for i := range d.Removed {
		row("removed", cli.Red, &d.Removed[i], "")
	}
	for i := range d.Changed {
		note := ""
		if d.Changed[i].Data {
			note = "(data) "
		}
		row("changed", cli.Yellow, &d.Changed[i].After, note)
	}
	for _, s := range d.Settings {
		g.Row(cli.Cell{Text: "setting", Color: cli.Yellow}, cli.Cell{}, cli.Cell{Text: s.Name},
			cli.Cell{Text: cmp.Or(s.Before, "none") + " → " + cmp.Or(s.After, "none")})
	}
	fmt.Fprintln(to, cli.Printable(d.String()))
	return to.Flush()
}
