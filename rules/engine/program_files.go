package engine

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/debuglog"
	"github.com/corazawaf/coraza/v3/experimental"
	"github.com/corazawaf/coraza/v3/types"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/prefilter/regex"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

// Coraza's parser reads rows of less than 64 KiB and stops silently at a longer one.
const maxRow = 60 << 10

// programFiles serves a program to Coraza's parser as files, so that nothing but the program is ever read. Folders stand
// below one whose name is made from the content of all data files: Coraza caches the data of @pmFromFile by path alone,
// and must not take another content for it after a reload.
type programFiles struct {
	operators   *Operators
	expressions *regex.Budget // of the lazy DFAs of operators, or nil
	top         string
	data        map[string][]byte // by the names under which Coraza asks
	texts       map[string][]byte // the program's directives; only the parser reads them, and operators keep what is here
}

func newProgramFiles(p *compiler) programFiles {
	f := programFiles{
		operators: p.operators, expressions: p.expressions, top: "@" + p.DataHash(), data: map[string][]byte{}, texts: map[string][]byte{},
	}
	for name, content := range p.Data {
		f.data[name] = content
		f.data[path.Join(f.top, name)] = content
	}
	return f
}

// makes returns who makes the lazy operators of the program and their lazy DFAs: Coraza hands an operator the files of its rule, and nothing
// else of who compiles it.
func (f programFiles) makes() (*Operators, *regex.Budget) { return f.operators, f.expressions }

// compile builds a WAF from text that stands in a folder.
func (f programFiles) compile(text, folder string) (coraza.WAF, error) {
	name := path.Join(f.top, folder, "rules.conf")
	return newWAF(coraza.NewWAFConfig().WithRootFS(oneFile{f, name, text}).WithDirectivesFromFile(name))
}

// newWAF compiles rules with Coraza. A panic of its compiler becomes an error: Coraza 3.8 panics on @pm and @restPath with the same argument.
func newWAF(config coraza.WAFConfig) (waf coraza.WAF, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			waf, err = nil, fmt.Errorf("coraza panics: %v", cause)
		}
	}()
	return coraza.NewWAF(config)
}

// config returns what compiles the whole program: the directives of one folder that follow each other form one file in that
// folder, so that names of data files resolve. parsed lets go of them, when the parser has read them.
func (p *compiler) config(log debuglog.Logger) (config coraza.WAFConfig, parsed func()) {
	f := newProgramFiles(p)
	config = experimental.WAFConfigWithRuleObserver(coraza.NewWAFConfig(), func(types.RuleMetadata) { p.yield() })
	if log != nil {
		config = config.WithDebugLogger(log)
	}
	var text strings.Builder
	parts := 0
	for i := range p.Directives {
		d := &p.Directives[i]
		folder := path.Dir(d.File)
		text.WriteString(parserRows(d))
		if i+1 == len(p.Directives) || path.Dir(p.Directives[i+1].File) != folder {
			name := path.Join(f.top, folder, fmt.Sprintf("part-%d.conf", parts))
			f.texts[name] = []byte(text.String())
			config = config.WithDirectivesFromFile(name)
			parts++
			text.Reset()
		}
	}
	return config.WithRootFS(f), func() { clear(f.texts) }
}

// parserRows returns the text of a directive for the parser, with lazy operators, and long rows cut where the parser joins them again.
func parserRows(d *seclang.Directive) string {
	var b strings.Builder
	lazy := withLazyOperator(d)
	d = &lazy
	for _, row := range d.Rows() {
		for len(row) > maxRow {
			at := maxRow
			for at > 1 && strings.ContainsRune(" \t\\#`", rune(row[at])) || strings.ContainsRune(" \t\\", rune(row[at-1])) {
				at--
			}
			b.WriteString(row[:at] + "\\\n")
			row = row[at:]
		}
		b.WriteString(row + "\n")
	}
	return b.String()
}

// ReadFile implements fs.ReadFileFS. The parser may keep and change what it is given.
func (f programFiles) ReadFile(name string) ([]byte, error) {
	for _, files := range []map[string][]byte{f.data, f.texts} {
		if content, found := files[name]; found {
			return slices.Clone(content), nil
		}
	}
	return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrNotExist}
}

// Open implements fs.FS; Coraza reads whole files only.
func (f programFiles) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
}

// oneFile serves one text besides the data of a program.
type oneFile struct {
	programFiles
	name, text string
}

// ReadFile implements fs.ReadFileFS.
func (f oneFile) ReadFile(name string) ([]byte, error) {
	if name == f.name {
		return []byte(f.text), nil
	}
	return f.programFiles.ReadFile(name)
}
