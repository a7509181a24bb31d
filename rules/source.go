package rules

import (
	"crypto/sha256"
	_ "embed" // the engine's base configuration
	"encoding/hex"
	"fmt"
	"hash"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	coreruleset "github.com/corazawaf/coraza-coreruleset/v4"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

// embeddedCRS is the word that stands for the embedded OWASP Core Rule Set in a list of sources.
const embeddedCRS = "crs"

// engineFile is the file name of the base configuration, which no user's file has.
const engineFile = "engine.conf"

// setupFile is the file name of the embedded crs-setup.conf.
const setupFile = "@crs-setup.conf.example"

//go:embed engine.conf
var engineText string

// program is the text of a rule set in load order, with all files that its operators read.
type program struct {
	directives []seclang.Directive
	data       map[string][]byte   // content of data files by the name under which Coraza asks for them
	read       map[string]readFile // by file name
	files      files
	plugins    pluginParts // until they are placed

	warnings []string    // what was left out and does no harm
	problems []error     // what refuses the rule set
	rejected []rejection // rules that cannot be used: they refuse the rule set or, without rules_strict, are left out
	skipped  int         // rules that are in the text and not in the program

	vocabulary Vocabulary
	crs3       bool // the rules are those of CRS 3, which has other names for some variables
}

// readFile is what is known of a file of rules that was read.
type readFile struct {
	root  string // directory of the source to which it belongs
	order int    // counts the files in the order of their reading
}

// readProgram reads everything that a configuration names, in words that the engine knows. All problems are collected in the program.
func readProgram(c Config, v Vocabulary) *program {
	p := &program{vocabulary: v, data: map[string][]byte{}, read: map[string]readFile{}, files: files{seen: traces{}}}
	p.addText(engineFile, engineText)
	for _, source := range c.Sources {
		p.addSource(source)
	}
	p.placePlugins()
	p.addSetup(p.settleCRS(c.Setup))
	p.addPacks(c.Packs)
	p.insertBefore(901000, 901999, "@presets/api.conf", c.Preset)
	p.addText("properties", strings.Join(c.Engine, "\n"))
	p.addText("exclude_rules", strings.Join(c.Exclusions, "\n"))
	p.addText("directives", c.Directives)
	p.settle()
	p.readDataFiles()
	return p
}

func (p *program) fail(err error) { p.problems = append(p.problems, err) }

func (p *program) addText(name, text string) {
	directives, err := seclang.Split(name, text)
	if err != nil {
		p.fail(err)
	}
	p.directives = append(p.directives, directives...)
}

func (p *program) addSource(source string) {
	switch {
	case source == embeddedCRS:
		p.addEmbeddedCRS()
	case strings.ContainsAny(source, "*?["):
		p.addGlob(source)
	default:
		p.addPath(source)
	}
}

func (p *program) addEmbeddedCRS() {
	files, err := fs.Glob(coreruleset.FS, "@owasp_crs/*.conf")
	if err != nil || len(files) == 0 {
		p.fail(fmt.Errorf("embedded rule set: no files found (%w)", err))
	}
	slices.Sort(files)
	for _, file := range append([]string{setupFile}, files...) {
		text, err := fs.ReadFile(coreruleset.FS, file)
		if err != nil {
			p.fail(fmt.Errorf("embedded rule set: %w", err))
			continue
		}
		p.addText(file, string(text))
	}
}

// identity returns a hash over all that makes the rule set: the text in order and the data files.
func (p *program) identity() string {
	h := sha256.New()
	for i := range p.directives {
		fmt.Fprintf(h, "%q\n", p.directives[i].Rows()) //nolint:errcheck // a hash takes everything
	}
	p.hashData(h)
	return hex.EncodeToString(h.Sum(nil))
}

// dataHash returns a hash over the data files.
func (p *program) dataHash() string {
	h := sha256.New()
	p.hashData(h)
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// hashData writes the names and contents of the data files to a hash.
func (p *program) hashData(h hash.Hash) {
	for _, name := range slices.Sorted(maps.Keys(p.data)) {
		fmt.Fprintf(h, "%s %d\n", path.Base(name), len(p.data[name])) //nolint:errcheck // a hash takes everything
		h.Write(p.data[name])
	}
}

// name returns the signatures of the rules' components, or the start of the identity when there are none.
func (p *program) name() string {
	var signatures []string
	for _, d := range p.directives {
		if d.Is("SecComponentSignature") {
			signatures = append(signatures, strings.Trim(d.Args, `"`))
		}
	}
	if len(signatures) == 0 {
		return "sha256:" + p.identity()[:12]
	}
	return strings.Join(signatures, " ")
}

// without returns the program with rules removed from it; it shares everything else.
func (p *program) without(ids []int) *program {
	reduced := *p
	reduced.directives = slices.Clone(p.directives)
	for _, id := range ids {
		reduced.addText("field map", fmt.Sprintf("SecRuleRemoveById %d", id))
	}
	return &reduced
}

// settings returns the arguments of the directives that are no rules, by name in the order in which the rules have them.
// What is removed shows as rules that are not there.
func (p *program) settings() map[string][]string {
	all := map[string][]string{}
	for i := range p.directives {
		d := &p.directives[i]
		if !d.IsRule() && !d.Is("SecMarker") && !strings.HasPrefix(strings.ToLower(d.Name), "secruleremoveby") {
			all[d.Name] = append(all[d.Name], d.Args)
		}
	}
	return all
}
