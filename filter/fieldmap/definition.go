package fieldmap

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/accesslog"
)

const (
	maxDefinition = 1 << 20 // bytes
	maxPathParts  = 8       // a dotted path means 2^(n-1) places
	maxConditions = 64      // of detection
)

// definition reads the YAML text of a field map. Problems are collected, each with its line.
type definition struct {
	path     string
	problems []error
	m        *Map
	empty    []string
	escapes  escapes
	filled   map[string][]string // keys of the targets that the map fills; "header." stands for all with a name
}

// ParseYAML reads a field map. The error joins all problems, each with file and line.
func ParseYAML(path string, text []byte) (*Map, error) {
	d := &definition{path: path, m: newMap(path), empty: []string{"-"}, filled: map[string][]string{}}
	var document yaml.Node
	if len(text) > maxDefinition {
		return nil, fmt.Errorf("%s: larger than %d bytes", path, maxDefinition)
	}
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(document.Content) != 1 || document.Content[0].Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s:1: no map of settings (want name, title, detect, empty, escapes, body_limit, own_query and fields)", path)
	}
	d.read(document.Content[0])
	if len(d.problems) > 0 {
		return nil, errors.Join(d.problems...)
	}
	return d.m, nil
}

func (d *definition) fail(at *yaml.Node, format string, args ...any) {
	d.problems = append(d.problems, fmt.Errorf("%s:%d: %w", d.path, at.Line, fmt.Errorf(format, args...)))
}

// read reads the settings; fields come last because the others change what they mean.
func (d *definition) read(settings *yaml.Node) {
	var fields, detect *yaml.Node
	d.eachPair(settings, func(key, value *yaml.Node) {
		switch key.Value {
		case "name":
			if d.m.Name = d.text(value); !accesslog.IsToken(d.m.Name) {
				d.fail(value, "malformed name %q (want letters, digits, - _ and .)", d.m.Name)
			}
		case "title":
			d.m.Title = d.text(value)
		case "empty":
			d.empty = d.texts(value)
		case "escapes":
			d.escapes = d.readEscapes(value)
		case "body_limit":
			if err := value.Decode(&d.m.bodyLimit); err != nil || d.m.bodyLimit < 0 {
				d.fail(value, "malformed body_limit %q (want a number of bytes)", value.Value)
			}
		case "own_query":
			d.m.ownQuery = d.texts(value)
		case "detect":
			detect = value
		case "fields":
			fields = value
		default:
			d.fail(key, "unknown setting %q (want name, title, detect, empty, escapes, body_limit, own_query or fields)", key.Value)
		}
	})
	if fields == nil {
		d.fail(settings, "no fields (want fields: with a line TARGET: KEY for each logged part)")
		return
	}
	if d.m.Name == "" && len(d.problems) == 0 {
		d.fail(settings, "no name (want name: and a word)")
	}
	d.eachPair(fields, d.field)
	d.pairPorts()
	d.checkMandatory(fields)
	d.detect(detect)
}

// eachPair calls visit for the pairs of a map, and refuses what is no map and keys that come twice.
func (d *definition) eachPair(n *yaml.Node, visit func(key, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		d.fail(n, "not a map (want NAME: VALUE lines)")
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if first, twice := seen[key.Value]; twice {
			d.fail(key, "%q is repeated (first in line %d)", key.Value, first)
			continue
		}
		seen[key.Value] = key.Line
		if value.Kind == yaml.AliasNode {
			value = value.Alias
		}
		visit(key, value)
	}
}

func (d *definition) text(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode {
		d.fail(n, "not a text")
		return ""
	}
	return n.Value
}

// texts reads a text or a list of texts.
func (d *definition) texts(n *yaml.Node) []string {
	if n.Kind != yaml.SequenceNode {
		return []string{d.text(n)}
	}
	var all []string
	for _, item := range n.Content {
		all = append(all, d.text(item))
	}
	return all
}

func (d *definition) flag(n *yaml.Node) bool {
	var on bool
	if err := n.Decode(&on); err != nil {
		d.fail(n, "malformed switch %q (want true or false)", n.Value)
	}
	return on
}

func (d *definition) readEscapes(n *yaml.Node) escapes {
	word := d.text(n)
	e, known := escapesByName[word]
	if !known {
		d.fail(n, "unknown escapes %q (want %s)", word, escapesNames)
	}
	return e
}

// keys reads the keys of a target: a|b, or a list. Spaces around them do not count.
func (d *definition) keys(n *yaml.Node) []string {
	var all []string
	for _, alternatives := range d.texts(n) {
		for key := range strings.SplitSeq(alternatives, "|") {
			key = strings.TrimSpace(key)
			if inMetadata, is := strings.CutPrefix(key, "metadata:"); is {
				key = metadataKey + "." + inMetadata
			}
			switch {
			case key == "":
				d.fail(n, "empty key in %q", alternatives)
			case strings.Count(key, ".") >= maxPathParts:
				d.fail(n, "key %q has more than %d parts", key, maxPathParts)
			default:
				all = append(all, key)
			}
		}
	}
	if len(all) >= lastRank {
		d.fail(n, "more than %d keys", lastRank)
		return nil
	}
	return all
}

// field reads one line of the fields: TARGET: KEY, or TARGET: with a map of options.
func (d *definition) field(key, value *yaml.Node) {
	t, own, err := targetNamed(key.Value)
	if err != nil {
		d.fail(key, "%w", err)
		return
	}
	a := action{target: t, empty: d.empty, escapes: d.escapes}
	name := key.Value
	if own != "" {
		a.slot = d.m.slotFor(t.reading, own)
		name = name[:strings.IndexByte(name, '.')+1]
	}
	var keys []string
	if value.Kind == yaml.MappingNode {
		keys = d.options(key, value, &a)
	} else {
		keys = d.keys(value)
	}
	a.escapes = a.escapes.of(t)
	d.filled[name] = append(d.filled[name], keys...)
	d.checkKeys(value, &a, keys)
	d.m.read(key.Value, a, keys)
}

// options reads the long form of a field and returns its keys.
func (d *definition) options(key, value *yaml.Node, a *action) (keys []string) {
	constantGiven := false
	d.eachPair(value, func(name, option *yaml.Node) {
		switch name.Value {
		case "key":
			keys = d.keys(option)
		case "constant":
			constantGiven = true
			if a.reading != asField {
				d.fail(name, "target %q cannot be constant", key.Value)
			}
			d.m.constants = append(d.m.constants, constant{a.field, d.text(option)})
		case "base64":
			a.base64 = d.flag(option)
		case "unescaped":
			if a.guess = option.Value == "guess"; a.guess {
				a.unescaped = true
			} else {
				a.unescaped = d.flag(option)
			}
			if a.field != URI && a.field != path && a.field != query || a.reading != asField {
				d.fail(name, "unescaped does not apply to %q (want it with uri, path or query)", key.Value)
			}
		case "absolute":
			if a.absolute = d.flag(option); a.reading != asRequestLine && (a.reading != asField || a.field != URI) {
				d.fail(name, "absolute does not apply to %q (want it with request_line or uri)", key.Value)
			}
		case "upper":
			if a.upper = d.flag(option); a.reading != asField || a.field != Method {
				d.fail(name, "upper does not apply to %q (want it with method)", key.Value)
			}
		case "escapes":
			a.escapes = d.readEscapes(option)
		case "empty":
			a.empty = d.texts(option)
		case "all", "dashes", "names":
			d.headersOption(key, name, option, a)
		default:
			d.fail(name, "unknown option %q (want key, constant, base64, unescaped, absolute, upper, escapes, empty, all, dashes or names)", name.Value)
		}
	})
	if keys == nil && !constantGiven {
		d.fail(value, "target %q has no key", key.Value)
	}
	return keys
}

// headersOption reads the options of targets that take many headers.
func (d *definition) headersOption(key, name, option *yaml.Node, a *action) {
	if a.reading != asHeaders && a.reading != asResponseHeaders {
		d.fail(name, "%s does not apply to %q (want it with header.* or response_header.*)", name.Value, key.Value)
		return
	}
	switch name.Value {
	case "all":
		a.all = d.flag(option)
	case "dashes":
		a.dashes = d.flag(option)
	case "names":
		if a.guess = option.Value == "guess"; a.guess {
			return
		}
		a.names = d.texts(option)
		if i := slices.IndexFunc(a.names, func(n string) bool { return !accesslog.IsToken(n) }); i >= 0 {
			d.fail(option, "malformed header name %q", a.names[i])
		}
	}
}

// pairPorts finds out whose ports come in pairs with addresses: those that have as many keys, and more than one.
func (d *definition) pairPorts() {
	for _, end := range [...]struct {
		address, port string
		field         Field
	}{{"client.ip", "client.port", ClientPort}, {"server.ip", "server.port", ServerPort}} {
		if keys := d.filled[end.address]; len(keys) > 1 && len(keys) == len(d.filled[end.port]) {
			d.m.pairedPorts |= 1 << end.field
		}
	}
}

// checkKeys refuses keys that a target cannot have.
func (d *definition) checkKeys(at *yaml.Node, a *action, keys []string) {
	many := a.reading == asHeaders || a.reading == asResponseHeaders || a.reading == asArguments
	for _, key := range keys {
		base, isPrefix := strings.CutSuffix(key, "*")
		if strings.Contains(base, "*") || isPrefix && !many {
			d.fail(at, "malformed key %q (want * only at the end, and only for header.*, response_header.* and args.*)", key)
		}
	}
}

// checkMandatory refuses a map that can never give a transaction.
func (d *definition) checkMandatory(fields *yaml.Node) {
	has := func(target string) bool { _, filled := d.filled[target]; return filled }
	target := has("uri") || has("path") || has("url")
	switch {
	case has("args.*") || has("args."), has("request_head"), has("request_line"):
	case !has("method") && !target:
		d.fail(fields, "missing targets: method with uri, path or url; or request_line; or request_head; or args.NAME")
	case !has("method"):
		d.fail(fields, "missing target method (or request_line, which has it)")
	case !target:
		d.fail(fields, "missing target uri (or path, url or request_line)")
	}
}

// detect reads the keys by which records of this source are known. Without them, those are the keys that the map cannot do
// without.
func (d *definition) detect(n *yaml.Node) {
	var conditions [][]string
	switch {
	case n == nil && len(d.problems) > 0:
		return
	case n == nil:
		conditions = d.mandatoryKeys()
	case n.Kind != yaml.SequenceNode:
		d.fail(n, "detect wants a list of keys that a record must have")
		return
	default:
		for _, item := range n.Content {
			conditions = append(conditions, d.keys(item))
		}
	}
	if len(conditions) > maxConditions {
		d.fail(n, "detect has more than %d keys", maxConditions)
		return
	}
	for i, keys := range conditions {
		for _, key := range keys {
			if strings.Contains(key, "*") {
				d.fail(n, "malformed key %q in detect (want it without *)", key)
				continue
			}
			d.m.root.places(key, func(at *node) { at.detects |= 1 << i })
		}
		d.m.detects |= 1 << i
	}
}

// mandatoryKeys returns the keys of the targets that make a transaction.
func (d *definition) mandatoryKeys() (conditions [][]string) {
	for _, whole := range []string{"request_line", "request_head"} {
		if keys := d.filled[whole]; keys != nil {
			return [][]string{keys}
		}
	}
	if keys := d.filled["method"]; keys != nil {
		conditions = append(conditions, keys)
	}
	if keys := slices.Concat(d.filled["uri"], d.filled["path"], d.filled["url"]); keys != nil {
		conditions = append(conditions, keys)
	}
	return conditions
}
