package rules

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/debuglog"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

const (
	// Coraza's parser reads rows of less than 64 KiB and stops silently at a longer one.
	maxRow = 60 << 10
	// How many rules that do not compile are reported before the rest is taken for granted.
	maxReported = 50
)

// compile builds the WAF of a program. Without strict, directives that do not compile are left out and become warnings.
func (p *program) compile(strict bool) (coraza.WAF, error) {
	for {
		waf, err := coraza.NewWAF(p.config(nil))
		if err == nil {
			return waf, errors.Join(p.problems...)
		}
		culprit := p.culprit()
		if culprit < 0 {
			return nil, errors.Join(append(p.problems, fmt.Errorf("rule set: %w", err))...)
		}
		last := p.remove(culprit, err, strict)
		if len(p.problems) >= maxReported {
			p.fail(fmt.Errorf("%s: and perhaps more behind this place", last.Place()))
			return nil, errors.Join(p.problems...)
		}
	}
}

// remove takes a directive that does not compile, and the rest of its chain, out of the program and says so.
func (p *program) remove(at int, cause error, strict bool) seclang.Directive {
	first, end := chainAround(p.directives, at)
	d := p.directives[at]
	what := d.Name
	if r, err := seclang.ParseRule(p.directives[first]); err == nil && r.ID() != 0 {
		what = fmt.Sprintf("rule %d", r.ID())
	}
	message := fmt.Errorf("%s: %s: %w", d.Place(), what, innermost(cause))
	if strict {
		p.fail(message)
	} else {
		p.warnings = append(p.warnings, message.Error()+"; left out")
	}
	p.directives = append(p.directives[:first:first], p.directives[end:]...)
	return d
}

// chainAround returns the range of directives that form one rule with the directive at an index.
func chainAround(ds []seclang.Directive, at int) (first, end int) {
	first, end = at, at+1
	if !ds[at].Is("SecRule") && !ds[at].Is("SecAction") {
		return first, end
	}
	for first > 0 && chained(ds[first-1]) {
		first--
	}
	for end < len(ds) && chained(ds[end-1]) {
		end++
	}
	return first, end
}

func chained(d seclang.Directive) bool {
	if !d.Is("SecRule") && !d.Is("SecAction") {
		return false
	}
	r, err := seclang.ParseRule(d)
	return err == nil && r.Chained()
}

// innermost returns the part of Coraza's error that says what is wrong.
func innermost(err error) error {
	text := err.Error()
	for _, wrapping := range []string{"invalid WAF config from file: ", "failed to parse string: "} {
		text = strings.TrimPrefix(text, wrapping)
	}
	if strings.HasPrefix(text, "failed to compile the directive") {
		_, text, _ = strings.Cut(text, ": ")
	}
	return errors.New(text)
}

// culprit returns the index of the directive at which the parser stops.
func (p *program) culprit() int {
	parsed := 0
	log := debuglog.DefaultWithPrinterFactory(func(io.Writer) debuglog.Printer {
		return func(_ debuglog.Level, message, _ string) {
			if message == "Parsing directive" {
				parsed++
			}
		}
	}).WithLevel(debuglog.LevelDebug)
	if _, err := coraza.NewWAF(p.config(log)); err == nil || parsed > len(p.directives) {
		return -1
	}
	return parsed - 1
}

func (p *program) config(log debuglog.Logger) coraza.WAFConfig {
	files, names := p.files()
	config := coraza.NewWAFConfig().WithRootFS(files)
	if log != nil {
		config = config.WithDebugLogger(log)
	}
	for _, name := range names {
		config = config.WithDirectivesFromFile(name)
	}
	return config
}

// programFS serves a program as files: the directives of one folder that follow each other form one file in that folder,
// so that names of data files resolve, and nothing but the program is ever read.
type programFS map[string][]byte

func (p *program) files() (programFS, []string) {
	files := programFS{}
	var (
		names []string
		text  strings.Builder
	)
	for i := range p.directives {
		d := &p.directives[i]
		dir := path.Dir(d.File)
		text.WriteString(parserRows(d))
		if i+1 == len(p.directives) || path.Dir(p.directives[i+1].File) != dir {
			name := path.Join(dir, fmt.Sprintf("part-%d.conf", len(names)))
			files[name] = []byte(text.String())
			names = append(names, name)
			text.Reset()
		}
	}
	for name, content := range p.data {
		files[name] = content
	}
	return files, names
}

// parserRows returns the text of a directive for the parser, long rows cut where the parser joins them again.
func parserRows(d *seclang.Directive) string {
	var b strings.Builder
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

// ReadFile implements fs.ReadFileFS.
func (f programFS) ReadFile(name string) ([]byte, error) {
	if content, found := f[name]; found {
		return content, nil
	}
	return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrNotExist}
}

// Open implements fs.FS; Coraza reads whole files only.
func (f programFS) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
}
