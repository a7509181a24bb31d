package load

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/seclang"
)

// mainNames are the names that a main file usually has; they decide between several.
var mainNames = []string{"main.conf", "modsecurity.conf", "modsec.conf", "security2.conf", "mod_security.conf"}

// addDirectory adds the rules of a directory as ModSecurity would load them: from its main file, or all its files when none
// of them includes others.
func (p *Program) addDirectory(dir string) {
	for _, pattern := range layout {
		p.files.note(filepath.Join(dir, filepath.Dir(pattern)))
	}
	files, err := filepath.Glob(filepath.Join(escapeMeta(dir), "*.conf"))
	if err != nil || len(files) == 0 {
		files = ordered(dir)
	}
	if len(files) == 0 {
		p.fail(fmt.Errorf("directory %q has no .conf files", dir))
		return
	}
	r := &reading{root: dir, loaded: map[string]bool{}}
	main, err := p.mainFile(files, r)
	switch {
	case err != nil:
		p.fail(fmt.Errorf("directory %q: %w", dir, err))
	case main == "":
		for _, file := range ordered(dir) {
			p.addSourceFile(file, r)
		}
	default:
		p.addSourceFile(main, r)
		for _, file := range files {
			if !r.loaded[realPath(file)] {
				p.Warnings = append(p.Warnings, fmt.Sprintf("%s: not loaded: %s does not include it", file, main))
			}
		}
	}
}

// mainFile returns the file that includes others and is included by none, "" when none includes others.
func (p *Program) mainFile(files []string, r *reading) (string, error) {
	var candidates []string
	included := map[string]bool{}
	for _, file := range files {
		names := p.includes(file, r)
		if names != nil {
			candidates = append(candidates, file)
		}
		for _, name := range names {
			included[realPath(name)] = included[realPath(name)] || realPath(name) != realPath(file)
		}
	}
	mains := slices.DeleteFunc(slices.Clone(candidates), func(file string) bool { return included[realPath(file)] })
	switch {
	case len(candidates) == 0:
		return "", nil
	case len(mains) == 1:
		return mains[0], nil
	case len(mains) == 0:
		return "", fmt.Errorf("the includes of %sare circular", strings.Join(baseNames(candidates), ", "))
	}
	for _, name := range mainNames {
		for _, file := range mains {
			if strings.EqualFold(filepath.Base(file), name) {
				return file, nil
			}
		}
	}
	return "", fmt.Errorf("several main files: %s (name the one to load)", strings.Join(baseNames(mains), ", "))
}

// includes returns the files that a file's Include directives name; it is not nil when there is such a directive.
func (p *Program) includes(file string, r *reading) (names []string) {
	text, err := p.files.read(file)
	if err != nil {
		return nil // reported when the file is loaded
	}
	directives, err := seclang.Split(file, string(text))
	if err != nil {
		return nil
	}
	for i := range directives {
		if !isInclude(&directives[i]) {
			continue
		}
		if found, err := r.find(&directives[i]); err == nil {
			names = append(names, found...)
		}
		if names == nil {
			names = []string{}
		}
	}
	return names
}

func baseNames(files []string) []string {
	names := make([]string, len(files))
	for i, file := range files {
		names[i] = filepath.Base(file)
	}
	return names
}

// layout is the order in which the files of a directory without a main file are loaded: that of the instructions of CRS.
var layout = []string{
	"modsecurity*.conf", "crs-setup.conf", "plugins/*-config.conf", "plugins/*-before.conf", "rules/*.conf", "plugins/*-after.conf",
	"*.conf",
}

// ordered lists the files of a directory in load order.
func ordered(dir string) (files []string) {
	for _, pattern := range layout {
		found, err := filepath.Glob(filepath.Join(escapeMeta(dir), pattern))
		if err != nil {
			continue // the patterns are well-formed, so only the directory can be at fault, and then nothing is found
		}
		for _, file := range found {
			if !slices.Contains(files, file) {
				files = append(files, file)
			}
		}
	}
	return files
}

// escapeMeta returns a path as a glob that matches this path only.
func escapeMeta(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}
