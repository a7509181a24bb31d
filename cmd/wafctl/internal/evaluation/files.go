package evaluation

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
)

// Files returns the files that arguments stand for, in a fixed order: of a directory all regular files in it and below it, of a
// pattern that no shell has expanded what it matches. Names that start with a dot are skipped in directories. It returns an error
// when an argument stands for nothing.
func Files(names []string) (all []string, err error) {
	problems := []error{cli.WantFiles(names)}
	for _, name := range names {
		expanded, err := expand(name)
		problems = append(problems, err)
		all = append(all, expanded...)
	}
	if first := slices.Index(all, "-"); first >= 0 && slices.Contains(all[first+1:], "-") {
		problems = append(problems, errors.New("- is given more than once (want the standard input once)"))
	}
	return all, errors.Join(problems...)
}

func expand(name string) (all []string, err error) {
	matches := []string{name}
	if _, missing := os.Stat(name); missing != nil && name != "-" && strings.ContainsAny(name, "*?[") {
		if matches, err = filepath.Glob(name); err != nil {
			return nil, fmt.Errorf("malformed pattern %q: %w", name, err)
		}
		if len(matches) == 0 {
			return nil, fmt.Errorf("no file matches %q", name)
		}
	}
	var problems []error
	for _, match := range matches {
		if info, err := os.Stat(match); match == "-" || err != nil || !info.IsDir() {
			all = append(all, match) // opening it shows what is wrong
			continue
		}
		below, err := walk(match)
		problems = append(problems, err)
		all = append(all, below...)
	}
	return all, errors.Join(problems...)
}

func walk(dir string) (all []string, err error) {
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path != dir && strings.HasPrefix(entry.Name(), ".") {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			all = append(all, path)
		}
		return nil
	})
	if err == nil && len(all) == 0 {
		err = fmt.Errorf("no files in %s", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("read directory: %w", err)
	}
	return all, nil
}
