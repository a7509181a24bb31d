package load

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

// baseFile is the file name of the base configuration, which no user's file has.
const baseFile = "engine.conf"

// setupFile is the file name of the embedded crs-setup.conf.
const setupFile = "@crs-setup.conf.example"

//go:embed engine.conf
var engineText string

// Program is the text of a rule set in load order, with all files that its operators read.
type Program struct {
	Directives []seclang.Directive
	Data       map[string][]byte   // content of data files by the name under which Coraza asks for them
	read       map[string]readFile // by file name
	files      files
	plugins    pluginParts // until they are placed

	Warnings []string    // what was omitted and does no harm
	Problems []error     // what prevents startup
	Rejected []rejection // rules that cannot be used: they prevent startup or, without rules_strict, are omitted
	Skipped  int         // rules that are in the text and not in the program

	vocabulary Vocabulary
	crs3       bool // the rules are those of CRS 3, which has other names for some variables
}

// readFile is what is known of a file of rules that was read.
type readFile struct {
	root  string // directory of the source to which it belongs
	order int    // counts the files in the order of their reading
}

// Read reads everything that a configuration names, in words that the engine knows. All problems are collected in the program.
func Read(c Config, v Vocabulary) *Program {
	p := &Program{vocabulary: v, Data: map[string][]byte{}, read: map[string]readFile{}, files: files{seen: Traces{}}}
	p.addText(baseFile, engineText)
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

func (p *Program) fail(err error) { p.Problems = append(p.Problems, err) }

func (p *Program) addText(name, text string) {
	directives, err := seclang.Split(name, text)
	if err != nil {
		p.fail(err)
	}
	p.Directives = append(p.Directives, directives...)
}

func (p *Program) addSource(source string) {
	switch {
	case source == embeddedCRS:
		p.addEmbeddedCRS()
	case strings.ContainsAny(source, "*?["):
		p.addGlob(source)
	default:
		p.addPath(source)
	}
}

func (p *Program) addEmbeddedCRS() {
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

// Identity returns a hash over all that makes the rule set: the text in order and the data files.
func (p *Program) Identity() string {
	h := sha256.New()
	for i := range p.Directives {
		fmt.Fprintf(h, "%q\n", p.Directives[i].Rows()) //nolint:errcheck // a hash takes everything
	}
	p.hashData(h)
	return hex.EncodeToString(h.Sum(nil))
}

// DataHash returns a hash over the data files.
func (p *Program) DataHash() string {
	h := sha256.New()
	p.hashData(h)
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// hashData writes the names and contents of the data files to a hash.
func (p *Program) hashData(h hash.Hash) {
	for _, name := range slices.Sorted(maps.Keys(p.Data)) {
		fmt.Fprintf(h, "%s %d\n", path.Base(name), len(p.Data[name])) //nolint:errcheck // a hash takes everything
		h.Write(p.Data[name])
	}
}

// Name returns the signatures of the rules' components, or the start of the identity when there are none.
func (p *Program) Name() string {
	var signatures []string
	for _, d := range p.Directives {
		if d.Is("SecComponentSignature") {
			signatures = append(signatures, strings.Trim(d.Args, `"`))
		}
	}
	if len(signatures) == 0 {
		return "sha256:" + p.Identity()[:12]
	}
	return strings.Join(signatures, " ")
}

// Without returns the program with rules removed from it; it shares everything else.
func (p *Program) Without(ids []int) *Program {
	reduced := *p
	reduced.Directives = slices.Clone(p.Directives)
	for _, id := range ids {
		reduced.addText("field map", fmt.Sprintf("SecRuleRemoveById %d", id))
	}
	return &reduced
}

// Settings returns the arguments of the directives that are no rules, by name in the order in which the rules have them.
// What is removed shows as rules that are not there.
func (p *Program) Settings() map[string][]string {
	all := map[string][]string{}
	for i := range p.Directives {
		d := &p.Directives[i]
		if !d.IsRule() && !d.Is("SecMarker") && !strings.HasPrefix(strings.ToLower(d.Name), "secruleremoveby") {
			all[d.Name] = append(all[d.Name], d.Args)
		}
	}
	return all
}
