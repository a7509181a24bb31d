package incident

import (
	_ "embed"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

//go:embed rules.yaml
var defaultRules []byte

// DefaultThresholds returns the thresholds that are built in.
func DefaultThresholds() *Thresholds {
	t := &Thresholds{}
	if problems := t.read("rules.yaml", defaultRules); len(problems) > 0 {
		panic(errors.Join(problems...)) // a test reads them
	}
	return t
}

// ReadThresholds returns the default thresholds with those replaced that a YAML file sets, or what is wrong with it: each problem once, with
// file and line.
func ReadThresholds(file string, text []byte) (t *Thresholds, problems []error) {
	t = DefaultThresholds()
	return t, t.read(file, text)
}

// digestSlack is how much longer than DigestEvery an aggregator has to wait: digests are of windows of ten seconds, and on their way for a while.
const digestSlack = 12 * time.Second

// CheckWait returns an error when an aggregator would not wait for digests of nodes with the same thresholds.
func (t *Thresholds) CheckWait() error {
	if t.DigestWait >= t.DigestEvery+digestSlack {
		return nil
	}
	return fmt.Errorf("digest_wait %s is too short for digest_every %s (want %s or more)", setting.Time(t.DigestWait), setting.Time(t.DigestEvery),
		setting.Time(t.DigestEvery+digestSlack))
}

func (t *Thresholds) read(file string, text []byte) []error {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return []error{fmt.Errorf("%s: %w", file, err)}
	}
	if len(document.Content) == 0 {
		return nil
	}
	r := thresholdReader{file: file, given: map[string]int{}}
	r.section(document.Content[0], reflect.ValueOf(t).Elem(), "")
	wait, every := r.given["digest_wait"], r.given["digest_every"]
	if err := t.CheckWait(); err != nil && wait > 0 && every > 0 { // what a file lacks may differ on other nodes
		r.problem(max(wait, every), "%w", err)
	}
	return r.problems
}

// thresholdReader reads a file of thresholds.
type thresholdReader struct {
	file     string
	given    map[string]int // line by threshold
	problems []error
}

func (r *thresholdReader) problem(line int, format string, arguments ...any) {
	r.problems = append(r.problems, fmt.Errorf("%s:%d: %w", r.file, line, fmt.Errorf(format, arguments...)))
}

// section reads the thresholds below a path.
func (r *thresholdReader) section(node *yaml.Node, to reflect.Value, path string) {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	switch {
	case node.Tag == "!!null": // all of its thresholds are comments
		return
	case node.Kind != yaml.MappingNode:
		r.problem(node.Line, "%s: want names of thresholds with values, such as window: 60s", orFile(path))
		return
	}
	fields, names := fieldsOf(to)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		place := key.Value
		if path != "" {
			place = path + "." + key.Value
		}
		field, known := fields[key.Value]
		switch {
		case key.Tag == "!!merge":
			merged := &thresholdReader{file: r.file, given: map[string]int{}} // what stands beside it is no repetition
			merged.section(value, to, path)
			r.problems = append(r.problems, merged.problems...)
		case !known:
			r.unknown(key.Line, place, setting.Nearest(key.Value, names))
		case r.given[place] > 0:
			r.problem(key.Line, "%s: set twice, also in line %d", place, r.given[place])
		case field.Kind() == reflect.Struct:
			r.given[place] = key.Line
			r.section(value, field, place)
		default:
			r.given[place] = key.Line
			if err := readThreshold(value, field); err != nil {
				r.problem(key.Line, "%s: %w", place, err)
			}
		}
	}
}

func (r *thresholdReader) unknown(line int, place, near string) {
	if near != "" {
		r.problem(line, "unknown threshold %s (did you mean %s?)", place, near)
		return
	}
	r.problem(line, "unknown threshold %s", place)
}

func orFile(path string) string {
	if path == "" {
		return "incident rules"
	}
	return path
}

// fieldsOf returns the fields of a struct by their names in YAML.
func fieldsOf(v reflect.Value) (fields map[string]reflect.Value, names []string) {
	fields = map[string]reflect.Value{}
	for i := range v.NumField() {
		name := strings.ToLower(v.Type().Field(i).Name)
		if tag, has := v.Type().Field(i).Tag.Lookup("yaml"); has {
			name = tag
		}
		fields[name] = v.Field(i)
		names = append(names, name)
	}
	return fields, names
}

const longestTime = 30 * 24 * time.Hour

// readThreshold reads a value. A number must be positive: zero would open an incident with every record, or never.
func readThreshold(node *yaml.Node, to reflect.Value) error {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if node.Tag == "!!null" { // the default stays
		return nil
	}
	switch to.Interface().(type) {
	case time.Duration:
		d, err := time.ParseDuration(node.Value)
		if err != nil {
			return fmt.Errorf("malformed time %q (want one with a unit, such as 60s, 10m or 24h)", node.Value)
		}
		if d < time.Second || d > longestTime {
			return setting.OutOfRange(node.Value, "1s to 720h")
		}
		to.SetInt(int64(d))
	case int:
		var n float64
		if node.Decode(&n) != nil || n != math.Trunc(n) || n > math.MaxInt32 {
			return fmt.Errorf("malformed number %q (want a whole number)", node.Value)
		}
		if n <= 0 {
			return setting.OutOfRange(node.Value, "expected more than 0")
		}
		to.SetInt(int64(n))
	case float64:
		var f float64
		if node.Decode(&f) != nil {
			return fmt.Errorf("malformed number %q (want one such as 0.5)", node.Value)
		}
		if !(f > 0) { // also what is no number
			return setting.OutOfRange(node.Value, "expected more than 0")
		}
		to.SetFloat(f)
	default:
		if node.Decode(to.Addr().Interface()) != nil {
			return fmt.Errorf("malformed (want %s)", textForms[to.Kind()])
		}
	}
	return nil
}

var textForms = map[reflect.Kind]string{reflect.String: "a text", reflect.Slice: "a list of texts, such as [/a, /b]"}
