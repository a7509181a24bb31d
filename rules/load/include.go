package load

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

const maxIncludeDepth = 16

// reading is the reading of one source: a file, or a directory with a main file.
type reading struct {
	root   string          // directory in which includes of absolute paths are looked for that do not exist
	loaded map[string]bool // files, by their real path
}

// place is where a file is included: the files that are being read, outermost first, and the directive.
type place struct {
	stack []string // real paths
	by    *seclang.Directive
}

// addGlob adds the files that match a pattern, in the order of their names.
func (p *Program) addGlob(pattern string) {
	p.files.note(filepath.Dir(pattern))
	files, err := filepath.Glob(pattern)
	if err != nil {
		p.fail(fmt.Errorf("malformed glob %q: %w", pattern, err))
		return
	}
	if len(files) == 0 {
		p.fail(fmt.Errorf("glob %q matches no file", pattern))
	}
	for _, file := range files {
		p.addSourceFile(file, &reading{root: filepath.Dir(file), loaded: map[string]bool{}})
	}
}

// addPath adds a file or a directory.
func (p *Program) addPath(name string) {
	p.files.note(name)
	info, err := os.Stat(name)
	switch {
	case err != nil:
		p.fail(fmt.Errorf("unknown source %q (want crs, a file, a glob or a directory): %w", name, errors.Unwrap(err)))
	case info.IsDir():
		p.addDirectory(name)
	default:
		p.addSourceFile(name, &reading{root: filepath.Dir(name), loaded: map[string]bool{}})
	}
}

// addSourceFile adds a file that a source names, with what it includes. That of a plugin is set aside.
func (p *Program) addSourceFile(file string, r *reading) {
	from := len(p.Directives)
	p.addFile(file, r, place{})
	p.setAside(file, from)
}

// addFile adds a file and what it includes.
func (p *Program) addFile(file string, r *reading, at place) {
	directives, ok := p.load(file, r, at)
	if !ok {
		return
	}
	stack := append(slices.Clone(at.stack), realPath(file))
	for i := range directives {
		d := directives[i]
		switch {
		case len(p.Directives) >= maxDirectives:
			p.fail(fmt.Errorf("%s: more than %d directives", d.Place(), maxDirectives))
			return
		case isInclude(&d):
			p.include(&d, r, stack)
		default:
			p.Directives = append(p.Directives, d)
		}
	}
}

// load returns the directives of a file without those in containers that do not hold for log records.
func (p *Program) load(file string, r *reading, at place) (directives []seclang.Directive, ok bool) {
	text, err := p.files.read(file)
	if err != nil {
		p.failAt(at.by, err)
		return nil, false
	}
	r.loaded[realPath(file)] = true
	p.read[file] = readFile{root: r.root, order: len(p.read)}
	directives, err = seclang.Split(file, string(text))
	if err != nil {
		p.fail(err)
	}
	return p.unwrap(directives), true
}

// failAt reports what is wrong with a file, with the place of the directive that names it.
func (p *Program) failAt(by *seclang.Directive, err error) {
	what := "rule file"
	if by != nil {
		what = by.Place() + ": " + strings.ToLower(by.Name)
	}
	p.fail(fmt.Errorf("%s: %w", what, err))
}

// include adds the files that an Include names.
func (p *Program) include(d *seclang.Directive, r *reading, stack []string) {
	if len(stack) > maxIncludeDepth {
		p.fail(fmt.Errorf("%s: includes are nested more than %d deep", d.Place(), maxIncludeDepth))
		return
	}
	for _, candidate := range r.candidates(filepath.Dir(d.File), unquoted(d.Args)) {
		p.files.note(filepath.Dir(candidate))
	}
	files, err := r.find(d)
	if err != nil {
		p.fail(err)
		return
	}
	for _, file := range files {
		if slices.Contains(stack, realPath(file)) {
			p.fail(fmt.Errorf("%s: include of %qis circular", d.Place(), file))
			continue
		}
		p.addFile(file, r, place{stack, d})
	}
}

// find returns the files that an Include names: where the path says, from the including file or from the root of the
// source; or else where the longest suffix of the path exists below the root, so that a directory works wherever it is
// moved to.
func (r *reading) find(d *seclang.Directive) ([]string, error) {
	pattern := unquoted(d.Args)
	if strings.Contains(pattern, "://") {
		return nil, fmt.Errorf("%s: %s %q is not allowed: rules are never fetched from the network", d.Place(), d.Name, pattern)
	}
	for _, candidate := range r.candidates(filepath.Dir(d.File), pattern) {
		files, err := filepath.Glob(candidate)
		if err != nil {
			return nil, fmt.Errorf("%s: malformed glob %q: %w", d.Place(), pattern, err)
		}
		if len(files) == 0 && !hasMeta(candidate) && exists(candidate) {
			files = []string{candidate} // what only exists as a broken link is reported when it is read
		}
		if filepath.Dir(candidate) == filepath.Clean(r.root) && hasMeta(candidate) {
			files = slices.DeleteFunc(files, func(file string) bool { return realPath(file) == realPath(d.File) })
		}
		if len(files) > 0 {
			return files, nil
		}
	}
	if d.Is("IncludeOptional") {
		return nil, nil
	}
	return nil, fmt.Errorf("%s: include %q matches no file, here and below %s", d.Place(), pattern, r.root)
}

// candidates lists the places of a path in the order in which they are tried.
func (r *reading) candidates(from, path string) []string {
	var list []string
	if filepath.IsAbs(path) {
		list = []string{path}
	} else {
		list = []string{filepath.Join(from, path), filepath.Join(r.root, path)}
	}
	parts := strings.Split(strings.Trim(filepath.Clean(path), "/"), "/")
	for i := range parts {
		if parts[i] == ".." {
			continue
		}
		if i > 0 && i == len(parts)-1 && hasMeta(parts[i]) && parts[i-1] != filepath.Base(r.root) {
			continue // a bare *.conf matches anything, so it must be meant for a directory of this name
		}
		list = append(list, filepath.Join(append([]string{r.root}, parts[i:]...)...))
	}
	return list
}

func isInclude(d *seclang.Directive) bool { return d.Is("Include") || d.Is("IncludeOptional") }

func unquoted(s string) string { return strings.Trim(s, `"'`) }

func hasMeta(path string) bool { return strings.ContainsAny(path, "*?[") }

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// realPath returns the path without symbolic links, so that a file has one name only.
func realPath(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	return path
}
