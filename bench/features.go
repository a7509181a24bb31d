package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// feature is a mechanism that only saves work: without it every verdict is the same. It is disabled by a setting or, where there is none, by
// edits of the source for one build, so that nothing in the program has to ask whether it is on.
type feature struct {
	name     string
	settings setting.Map
	edits    []edit
}

// edit replaces a text that a file has once.
type edit struct{ file, old, new string }

const (
	prefilterDir = "rules/prefilter/"
	transformDir = prefilterDir + "transform/"
	matcherFile  = prefilterDir + "literalset/matcher.go"
)

// never edits a condition so that it never holds.
func never(file, condition string) edit {
	return edit{prefilterDir + file, condition, "false && (" + condition + ")"}
}

// ever edits a condition so that it always holds.
func ever(file, condition string) edit {
	return edit{prefilterDir + file, condition, "true || (" + condition + ")"}
}

// noUnions has no test belong to a union.
var noUnions = never("union.go", "t.rx != nil && !t.multi")

var features = []feature{
	{name: "nothing", settings: setting.Map{}},
	{name: "verdict cache", settings: setting.Map{"cache_size": "0"}},
	{name: "learned combinations", edits: []edit{never("counting.go", "len(c.known) < maxCombinations")}},
	{name: "idle rules", edits: []edit{ever("ask.go", "!s.scannedAll || s.diverted || !s.prefilter.canSkipRules")}},

	{name: "value cache, scanned values", edits: []edit{never("ask.go", "len(value) <= maxCached")}},
	{name: "value cache, first tests", edits: []edit{never("ask.go", "c.first.repeats")}},
	{name: "value cache, whole chains", edits: []edit{ever("ask.go", "!c.whole.repeats || len(c.tests) == 1")}},

	{name: "duplicate variables", edits: []edit{never("buffer.go", "used[t.a] && used[t.b]")}},
	{name: "matcher shared by large buffers", edits: []edit{never("buffer.go", "at.literals()*most >= total")}},
	{name: "matcher shared by equal buffers", edits: []edit{{prefilterDir + "buffer.go", "if known[key] == nil", "if true"}}},
	{name: "buffers of header names", edits: []edit{
		never("buffer.go", `byKey(c) && l.keyedBuffer(c, g.key) == nil`),
		{prefilterDir + "buffer.go", `case g.key != "" && byKey(c)`, "case false"},
	}},
	{name: "digit counts", edits: []edit{{prefilterDir + "compile.go", "t.digits = required.Digits", "t.digits = 0 * required.Digits"}}},

	{name: "forms that cannot change", edits: []edit{never("ask.go", "traits&d.below == 0")}},
	{name: "forms that did not change", edits: []edit{{prefilterDir + "ask.go", "traits&d.step.Changing == 0 || !s.scanned.Changed(d.step)", "!s.scanned.Changed(d.step) && false"}}},

	{name: "prose, literals and tests", edits: []edit{{prefilterDir + "compile.go", "t.needsSign = !t.canMatchProse(pattern)", "t.needsSign = false && !t.canMatchProse(pattern)"}}},
	{name: "prose, forms", edits: []edit{never("ask.go", "!d.prose && traits.IsProse()")}},
	{name: "matchers behind transformations", edits: []edit{never("buffer.go", "m != nil && m.size < all.size")}},

	{name: "lazy DFA", edits: []edit{never("evaluate.go", "t.rx != nil"), noUnions}},
	{name: "unions of expressions", edits: []edit{noUnions}},
	{name: "phrase matcher", edits: []edit{never("evaluate.go", "t.phrases != nil")}},
	{name: "words of SQL", edits: []edit{{prefilterDir + "injection.go", "canBeSQLi(value) && o", "o"}}},
	{name: "literals of XSS", edits: []edit{{prefilterDir + "compile.go", "t.literals = xssLiterals", "t.literals = nil"}}},
	{name: "literals of byte ranges", edits: []edit{{prefilterDir + "compile.go", "t.literals = bytesOutside(o.Implementation, p.state)", "t.literals = nil"}}},

	{name: "transformations that cannot change", edits: []edit{{transformDir + "transform.go", "mark&(s.Changing|s.recase) != 0", "true || mark == 0"}}},
	{name: "own transformations", edits: []edit{
		{transformDir + "transform.go", "transformation.Apply, rewrites[transformation.Name]", "transformation.Apply, nil"},
		{transformDir + "transform.go", "}, reportedRewrites[transformation.Name]", "}, nil"},
	}},
	ownTransformation("lowercase", "lowercase"),
	ownTransformation("removewhitespace", "removeWhitespace"),
	ownTransformation("cmdline", "commandLine"),
	ownTransformation("urldecodeuni", "urlDecodeUni"),
	ownTransformation("base64decode", "base64Decode"),
	ownTransformation("normalisepath", "cleanPath"),
	{name: "own removewhitespace, reported", edits: []edit{{transformDir + "transform.go", "}, reportedRewrites[transformation.Name]", "}, nil"}}},

	{name: "matcher: byte beside the gram", edits: []edit{{matcherFile, "uint(beside) >= uint(len(value)) ||", "false && uint(beside) >= uint(len(value)) ||"},
		{matcherFile, "|| ascii.Fold[value[beside]] != t.beside", "|| false && ascii.Fold[value[beside]] != t.beside"}}},
	{name: "matcher: rarest gram", edits: []edit{{matcherFile, "if others < fewest ||", "if at == 0 && others < fewest || false &&"}}},
	{name: "matcher: ends of short grams", edits: []edit{{matcherFile, "if short[uint16(last)/64]&(1<<(last%64)) != 0", "if true || short[uint16(last)/64]&(1<<(last%64)) != 0"}}},
	{name: "matcher: loop for long grams", edits: []edit{{matcherFile, "if s.short == &noPairs {\n\t\t\ti, last", "if false {\n\t\t\ti, last"}}},
	{name: "matcher: second hash", edits: []edit{{matcherFile, "&& x.has(hashAgain(gram))", "&& (true || x.has(hashAgain(gram)))"}}},

	{name: "targets in plain characters", edits: []edit{{prefilterDir + "variables/variables.go", "if isPlainURI(path, query)", "if false && isPlainURI(path, query)"}}},
	{name: "own JSON reader", edits: []edit{{prefilterDir + "variables/body.go", "return v.json(body, l)", "return v.process(body, l, name, b)"}}},
	{name: "rules that never run", edits: []edit{never("reads.go", "holds && c.dead && f.isDeadForCandidates(c)")}},
}

func ownTransformation(name, function string) feature {
	line := fmt.Sprintf("%-20s%s,\n", `"`+name+`":`, function)
	return feature{name: "own " + name, edits: []edit{{transformDir + "rewrite.go", "\t" + line, ""}}}
}

// edited returns the files of a feature as they are without it, by their paths.
func (f *feature) edited(root string) (files map[string]string, err error) {
	files = map[string]string{}
	for _, e := range f.edits {
		name := filepath.Join(root, e.file)
		text, known := files[name]
		if !known {
			read, err := os.ReadFile(name)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", f.name, err)
			}
			text = string(read)
		}
		if n := strings.Count(text, e.old); n != 1 {
			return nil, fmt.Errorf("%s: %s has %q %d times (want once)", f.name, e.file, e.old, n)
		}
		files[name] = strings.Replace(text, e.old, e.new, 1)
	}
	return files, nil
}

// writeOverlay writes the edited files into a directory and returns the file that has go build compile them instead.
func (f *feature) writeOverlay(root, dir string) (file string, err error) {
	files, err := f.edited(root)
	if err != nil {
		return "", err
	}
	replace := map[string]string{}
	for name, text := range files {
		copied := filepath.Join(dir, fmt.Sprintf("%d.go", len(replace)))
		if err := os.WriteFile(copied, []byte(text), 0o600); err != nil {
			return "", err
		}
		replace[name] = copied
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	file = filepath.Join(dir, "overlay.json")
	return file, os.WriteFile(file, overlay, 0o600)
}
