package rules

import (
	"cmp"
	"crypto/sha256"
	_ "embed" // the engine's base configuration
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	coreruleset "github.com/corazawaf/coraza-coreruleset/v4"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

// embeddedCRS is the word that stands for the embedded OWASP Core Rule Set in a list of sources.
const embeddedCRS = "crs"

const (
	maxRuleFile     = 32 << 20 // bytes; the largest CRS file has 0.1 MB, data files of threat feeds some MB
	maxIncludeDepth = 16
)

//go:embed engine.conf
var engineText string

// program is the text of a rule set in load order, with all files that its operators read.
type program struct {
	directives []seclang.Directive
	data       map[string][]byte // content of data files by path
	warnings   []string
	problems   []error
}

// readProgram reads everything that a configuration names. All problems are collected in the program.
func readProgram(c Config) *program {
	p := &program{data: map[string][]byte{}}
	p.addText("engine.conf", engineText)
	for _, source := range c.Sources {
		p.addSource(source)
	}
	p.insertBefore(901000, 901999, "settings", c.Setup)
	p.addText("exclude_rules", strings.Join(c.Exclusions, "\n"))
	p.addText("directives", c.Directives)
	p.settle()
	p.removeByID()
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
	if source == embeddedCRS {
		p.addEmbeddedCRS()
		return
	}
	files, err := sourceFiles(source)
	if err != nil {
		p.fail(err)
	}
	for _, file := range files {
		p.addFile(file, nil)
	}
}

func (p *program) addEmbeddedCRS() {
	files, err := fs.Glob(coreruleset.FS, "@owasp_crs/*.conf")
	if err != nil || len(files) == 0 {
		p.fail(fmt.Errorf("embedded rule set: no files found (%w)", err))
	}
	slices.Sort(files)
	for _, file := range append([]string{"@crs-setup.conf.example"}, files...) {
		text, err := fs.ReadFile(coreruleset.FS, file)
		if err != nil {
			p.fail(fmt.Errorf("embedded rule set: %w", err))
			continue
		}
		p.addText(file, string(text))
	}
}

// sourceFiles lists the files that a source names: a file, the .conf files of a directory, or the matches of a glob.
func sourceFiles(source string) ([]string, error) {
	if strings.ContainsAny(source, "*?[") {
		files, err := filepath.Glob(source)
		if err != nil {
			return nil, fmt.Errorf("malformed glob %q: %w", source, err)
		}
		if len(files) == 0 {
			return nil, fmt.Errorf("glob %q matches no file", source)
		}
		return files, nil
	}
	info, err := os.Stat(source)
	if err != nil {
		return nil, fmt.Errorf("unknown source %q (want crs, a file, a glob or a directory): %w", source, errors.Unwrap(err))
	}
	if !info.IsDir() {
		return []string{source}, nil
	}
	files, err := filepath.Glob(filepath.Join(source, "*.conf"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("directory %q has no .conf files", source)
	}
	return files, nil
}

// addFile adds a file and what it includes. The stack holds the files that are being read, outermost first.
func (p *program) addFile(file string, stack []string) {
	text, err := readRegular(file)
	if err != nil {
		p.fail(fmt.Errorf("rule file: %w", err))
		return
	}
	directives, err := seclang.Split(file, string(text))
	if err != nil {
		p.fail(err)
	}
	for _, d := range directives {
		if d.Is("Include") || d.Is("IncludeOptional") {
			p.include(d, append(stack, file))
			continue
		}
		p.directives = append(p.directives, d)
	}
}

func (p *program) include(d seclang.Directive, stack []string) {
	pattern := strings.Trim(d.Args, `"'`)
	if !filepath.IsAbs(pattern) {
		pattern = filepath.Join(filepath.Dir(d.File), pattern)
	}
	if len(stack) > maxIncludeDepth {
		p.fail(fmt.Errorf("%s: includes are nested more than %d deep", d.Place(), maxIncludeDepth))
		return
	}
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 && d.Is("Include") {
		p.fail(fmt.Errorf("%s: include %q matches no file", d.Place(), pattern))
		return
	}
	for _, file := range files {
		if slices.Contains(stack, file) {
			p.fail(fmt.Errorf("%s: include %q includes itself", d.Place(), file))
			continue
		}
		p.addFile(file, stack)
	}
}

// readRegular reads a file that is no device, pipe or directory and of reasonable size.
func readRegular(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", name)
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxRuleFile+1))
	if err == nil && len(content) > maxRuleFile {
		err = fmt.Errorf("%s: larger than %d MB", name, maxRuleFile>>20)
	}
	return content, err
}

// insertBefore puts directives in front of the first rule whose id lies in a range, at the end when there is none.
func (p *program) insertBefore(low, high int, name string, rows []string) {
	if len(rows) == 0 {
		return
	}
	added, err := seclang.Split(name, strings.Join(rows, "\n"))
	if err != nil {
		p.fail(err)
	}
	at := slices.IndexFunc(p.directives, func(d seclang.Directive) bool {
		if !d.Is("SecRule") && !d.Is("SecAction") {
			return false
		}
		r, err := seclang.ParseRule(d)
		return err == nil && r.ID() >= low && r.ID() <= high
	})
	if at < 0 {
		at = len(p.directives)
	}
	p.directives = slices.Insert(p.directives, at, added...)
}

// readDataFiles reads what operators such as @pmFromFile name, so that the content takes part in the identity of the rule set.
func (p *program) readDataFiles() {
	for _, d := range p.directives {
		if !d.Is("SecRule") {
			continue
		}
		r, err := seclang.ParseRule(d)
		if err != nil || !readsFile(r.Operator.Name) {
			continue
		}
		name := dataPath(d.File, r.Operator.Argument)
		if _, known := p.data[name]; known {
			continue
		}
		content, err := readData(name)
		if err != nil {
			p.fail(fmt.Errorf("%s: @%s: %w", d.Place(), r.Operator.Name, err))
			continue
		}
		p.data[name] = content
	}
}

func readsFile(operator string) bool {
	switch strings.ToLower(operator) {
	case "pmfromfile", "pmf", "ipmatchfromfile", "ipmatchf":
		return true
	}
	return false
}

// dataPath returns where Coraza looks for a data file that a rule in file names.
func dataPath(file, argument string) string {
	if path.IsAbs(argument) {
		return argument
	}
	return path.Join(path.Dir(file), argument)
}

func readData(name string) ([]byte, error) {
	if strings.HasPrefix(name, "@") {
		return fs.ReadFile(coreruleset.FS, name)
	}
	return readRegular(name)
}

// identity returns a hash over all that makes the rule set: the text in order and the data files.
func (p *program) identity() string {
	h := sha256.New()
	for i := range p.directives {
		fmt.Fprintf(h, "%q\n", p.directives[i].Rows())
	}
	names := make([]string, 0, len(p.data))
	for name := range p.data {
		names = append(names, name)
	}
	slices.SortFunc(names, cmp.Compare)
	for _, name := range names {
		fmt.Fprintf(h, "%s %d\n", path.Base(name), len(p.data[name]))
		h.Write(p.data[name])
	}
	return hex.EncodeToString(h.Sum(nil))
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
