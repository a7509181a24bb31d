package main

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
)

// moduleDir returns where the module cache has a module, which it fetches if need be.
func moduleDir(m debug.Module) (string, error) {
	out, err := exec.Command("go", "mod", "download", "-json", m.Path+"@"+m.Version).Output()
	if err != nil {
		return "", fmt.Errorf("fetch %s@%s: %w", m.Path, m.Version, err)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(out, &module); err != nil {
		return "", fmt.Errorf("fetch %s@%s: %w", m.Path, m.Version, err)
	}
	return module.Dir, nil
}

var licenseFile = regexp.MustCompile(`(?i)^(un)?(licen[cs]e|copying)([-.].*)?$`)

// licenseOf returns the license file of a module and the SPDX identifier of its text.
func licenseOf(dir string) (file, id string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", "", err
	}
	var problems []error
	for _, e := range entries {
		if !e.Type().IsRegular() || !licenseFile.MatchString(e.Name()) {
			continue
		}
		file := filepath.Join(dir, e.Name())
		text, err := os.ReadFile(file)
		if err != nil {
			return "", "", err
		}
		if id := identify(string(text)); id != "" {
			return file, id, nil
		}
		problems = append(problems, fmt.Errorf("%s is no license that is known to be permissive", e.Name()))
	}
	if len(problems) == 0 {
		return "", "", errors.New("no license file")
	}
	return "", "", errors.Join(problems...)
}

// permissive are the licenses that may be in what is shipped, each with words that its text has and the others do not. MPL-2.0 asks
// for changes to its own files only, and none are made. Texts of copyleft licenses have words of others, so
// they match none.
var permissive = []struct {
	id    string
	words []string
}{
	{"Apache-2.0", []string{"apache license", "version 2.0, january 2004"}},
	{"MPL-2.0", []string{"mozilla public license version 2.0"}},
	{"MPL-2.0", []string{"mozilla public license, version 2.0", "1. definitions"}},
	{"ISC", []string{"permission to use, copy, modify, and/or distribute this software for any purpose"}},
	{"MIT", []string{"permission is hereby granted, free of charge, to any person obtaining a copy", "the above copyright notice and this permission notice"}},
	{"BSD-3-Clause", []string{"redistributions in binary form must reproduce", "neither the name"}},
	{"BSD-2-Clause", []string{"redistributions in binary form must reproduce"}},
	{"Unlicense", []string{"this is free and unencumbered software released into the public domain"}},
}

var copyleft = regexp.MustCompile(`gnu (lesser |affero |library )?general public license`)

// identify returns the SPDX identifier of a license text, "" when it is none of the permissive ones.
func identify(text string) string {
	plain := strings.Join(strings.Fields(strings.ToLower(text)), " ")
	for _, license := range permissive {
		if license.id != "MPL-2.0" && copyleft.MatchString(plain) {
			continue
		}
		if containsAll(plain, license.words) {
			return license.id
		}
	}
	return ""
}

func containsAll(text string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

// keep writes the files that there are of from, one after the other, to a file.
func keep(to string, from ...string) error {
	var all []byte
	for _, file := range from {
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		all = append(all, text...)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, all, 0o644)
}

// keepGo writes the license of Go itself, whose runtime and library are in every program.
func keepGo(dir string) error {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return fmt.Errorf("license of Go: %w", err)
	}
	return keep(filepath.Join(dir, "go.txt"), filepath.Join(strings.TrimSpace(string(root)), "LICENSE"))
}

// sha256Of returns the digest in a module's line of go.sum as hexadecimal digits.
func sha256Of(sum string) (string, error) {
	digits, found := strings.CutPrefix(sum, "h1:")
	if !found {
		return "", fmt.Errorf("unknown checksum %q (want h1:…)", sum)
	}
	raw, err := base64.StdEncoding.DecodeString(digits)
	return hex.EncodeToString(raw), err
}
