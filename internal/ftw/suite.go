// Package ftw reads the regression suite of the OWASP Core Rule Set as it ships with Coraza's copy of the rules. It
// gives each test as the HTTP transaction that go-ftw and its backend would exchange. It knows nothing of records and
// rule engines.
package ftw

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"text/template"

	"github.com/corazawaf/coraza-coreruleset/v4/tests"
	"go.yaml.in/yaml/v3"
)

// Test is one test of the suite.
type Test struct {
	ID     string // rule id and test id, for instance 942100-3
	Stages []Stage
}

// Stage is one exchange of a test and what rules must say of it. A test passes when all of its stages do.
type Stage struct {
	Request    Request
	Response   Response
	Expect     []int  // rules that must match
	NoExpect   []int  // rules that must not match
	Pattern    string // regular expression that the log must match, "" when none is stated
	NotPattern string // regular expression that the log must not match
}

// StatesIDs reports whether the test names rules that must or must not match.
func (t *Test) StatesIDs() bool {
	for _, s := range t.Stages {
		if len(s.Expect)+len(s.NoExpect) > 0 {
			return true
		}
	}
	return false
}

// StatesRules reports whether the test says anything of rules: their ids, or patterns for the log.
func (t *Test) StatesRules() bool {
	for _, s := range t.Stages {
		if s.Pattern+s.NotPattern != "" {
			return true
		}
	}
	return t.StatesIDs()
}

// Read returns all tests of the suite in a fixed order.
func Read() ([]Test, error) {
	files, err := fs.Glob(tests.FS, "*/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("regression suite: %w", err)
	}
	var all []Test
	for _, file := range files {
		text, err := fs.ReadFile(tests.FS, file)
		if err != nil {
			return nil, fmt.Errorf("regression suite: %w", err)
		}
		found, err := Parse(file, text)
		if err != nil {
			return nil, fmt.Errorf("regression suite: %s: %w", file, err)
		}
		all = append(all, found...)
	}
	return all, nil
}

// document is a file of the suite; pointers tell what is missing from what is empty.
type document struct {
	RuleID string `yaml:"rule_id"`
	Tests  []struct {
		TestID string `yaml:"test_id"`
		Stages []struct {
			Input  input
			Output output
		}
	}
}

type input struct {
	Headers  yaml.Node                      // a map; its order is that of the header lines
	Ordered  []struct{ Name, Value string } `yaml:"ordered_headers"`
	Method   *string
	URI      *string
	Version  *string
	Data     *string
	Encoded  string `yaml:"encoded_request"`
	Complete *bool  `yaml:"autocomplete_headers"`
	Magic    *bool  `yaml:"stop_magic"` // its older name, with the opposite meaning
}

type output struct {
	Log struct {
		Expect     []int  `yaml:"expect_ids"`
		NoExpect   []int  `yaml:"no_expect_ids"`
		Pattern    string `yaml:"match_regex"`
		NotPattern string `yaml:"no_match_regex"`
	}
	Contains    string `yaml:"log_contains"`    // older name of match_regex
	NotContains string `yaml:"no_log_contains"` // older name of no_match_regex
}

// pattern returns the expression that the log must match. As for go-ftw, its older name counts where nothing else is stated.
func (out *output) pattern() string {
	if out.Log.Expect == nil && out.Log.Pattern == "" {
		return out.Contains
	}
	return out.Log.Pattern
}

func (out *output) notPattern() string {
	if out.Log.NoExpect == nil && out.Log.NotPattern == "" {
		return out.NotContains
	}
	return out.Log.NotPattern
}

var number = regexp.MustCompile(`\d+`)

// Parse reads the tests of one file in FTW YAML. As for go-ftw, a file without the id of its rule has it in its name, and tests without an id
// are counted.
func Parse(name string, text []byte) ([]Test, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return nil, err
	}
	if root.IsZero() {
		return nil, nil // nothing but comments
	}
	var d document
	if err := root.Decode(&d); err != nil {
		return nil, err
	}
	if d.RuleID == "" && len(d.Tests) == 0 {
		return nil, errors.New("no tests in it (want FTW YAML)")
	}
	if d.RuleID == "" {
		if d.RuleID = number.FindString(path.Base(filepath.ToSlash(name))); d.RuleID == "" {
			return nil, errors.New("no rule_id in it, and no number in its name (want FTW YAML)")
		}
	}
	found := make([]Test, len(d.Tests))
	for i, t := range d.Tests {
		if t.TestID == "" || t.TestID == "0" {
			t.TestID = strconv.Itoa(i + 1)
		}
		found[i].ID = d.RuleID + "-" + t.TestID
		for _, s := range t.Stages {
			request, err := s.Input.request()
			if err != nil {
				return nil, fmt.Errorf("test %s: %w", t.TestID, err)
			}
			found[i].Stages = append(found[i].Stages, Stage{
				Request: request, Response: request.Reflect(),
				Expect: s.Output.Log.Expect, NoExpect: s.Output.Log.NoExpect,
				Pattern: s.Output.pattern(), NotPattern: s.Output.notPattern(),
			})
		}
	}
	return found, nil
}

// request builds what go-ftw sends for an input.
func (in *input) request() (Request, error) {
	if in.Encoded != "" {
		wire, err := base64.StdEncoding.DecodeString(in.Encoded)
		if err != nil {
			return Request{}, fmt.Errorf("encoded request: %w", err)
		}
		r, err := parseWire(string(wire))
		if err != nil {
			return Request{}, fmt.Errorf("encoded request: %w", err)
		}
		return r, nil
	}
	r := Request{Method: or(in.Method, "GET"), URI: or(in.URI, "/"), Version: or(in.Version, "HTTP/1.1")}
	for _, h := range in.Ordered {
		r.Headers = append(r.Headers, Header{h.Name, h.Value})
	}
	for i := 0; in.Ordered == nil && i+1 < len(in.Headers.Content); i += 2 {
		r.Headers = append(r.Headers, Header{in.Headers.Content[i].Value, in.Headers.Content[i+1].Value})
	}
	var err error
	if r.Body, err = expand(or(in.Data, "")); err != nil {
		return Request{}, err
	}
	switch {
	case in.Complete != nil:
		r.complete(*in.Complete)
	case in.Magic != nil:
		r.complete(!*in.Magic)
	default:
		r.complete(true)
	}
	return r, nil
}

func or(given *string, missing string) string {
	if given == nil {
		return missing
	}
	return *given
}

// expand evaluates the template actions in data; the suite uses one function.
func expand(data string) (string, error) {
	if !strings.Contains(data, "{{") {
		return data, nil
	}
	t, err := template.New("data").Funcs(template.FuncMap{
		"repeat": func(n int, s string) string { return strings.Repeat(s, n) },
	}).Parse(data)
	if err != nil {
		return "", fmt.Errorf("data %s: %w", strconv.Quote(data), err)
	}
	var b strings.Builder
	if err := t.Execute(&b, nil); err != nil {
		return "", fmt.Errorf("data %s: %w", strconv.Quote(data), err)
	}
	return b.String(), nil
}
