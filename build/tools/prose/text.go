package main

import (
	"go/scanner"
	"go/token"
	"path"
	"regexp"
	"strings"
)

// passage is text for people in one line of a file.
type passage struct {
	line int
	text string
	kind kind
}

// kind is who reads a passage.
type kind int

const (
	forUsers        kind = iota // pages, configuration, what programs print
	forContributors             // comments in code
)

// readerOf returns the function that finds the text for people in a file, nil when the file has none that the project writes.
func readerOf(name string) func([]byte) []passage {
	for _, skipped := range []string{"testdata/", "docs/examples/", "build/tools/prose/", "internal/corpus/", "internal/accesslog/"} {
		if strings.Contains("/"+name, "/"+skipped) {
			return nil
		}
	}
	switch path.Ext(name) {
	case ".md":
		return markdown
	case ".go":
		if strings.HasSuffix(name, "_test.go") {
			return nil
		}
		return goCode
	case ".conf", ".sh", ".mk", ".c", ".h":
		return comments
	case ".yaml", ".yml", ".json", ".html", ".tpl":
		if strings.HasPrefix(name, "build/") || strings.HasPrefix(name, "conf/") || strings.HasPrefix(name, "internal/report/") {
			return plain
		}
	}
	if name == "Makefile" || name == "build/Dockerfile" {
		return comments
	}
	return nil
}

func plain(content []byte) (all []passage) {
	for i, line := range strings.Split(string(content), "\n") {
		all = append(all, passage{line: i + 1, text: line})
	}
	return all
}

var code = regexp.MustCompile("`[^`]*`|\\]\\([^)]*\\)|<!--.*?-->")

// markdown returns the lines of a page without blocks of code, code in lines, and targets of links.
func markdown(content []byte) (all []passage) {
	fenced := false
	for i, line := range strings.Split(string(content), "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced
			continue
		}
		if !fenced {
			all = append(all, passage{line: i + 1, text: code.ReplaceAllString(line, "`")})
		}
	}
	return all
}

var comment = regexp.MustCompile(`^\s*(?:#|//|/?\*) ?(.*)|\s(?:#|//|/\*) (.*)`)

// comments returns the comments of a script, a rule file or C.
func comments(content []byte) (all []passage) {
	for i, line := range strings.Split(string(content), "\n") {
		if m := comment.FindStringSubmatch(line); m != nil {
			all = append(all, passage{i + 1, m[1] + m[2], forContributors})
		}
	}
	return all
}

var fieldTag = regexp.MustCompile("^`\\w+:\"")

// goCode returns comments and strings, but for tags of fields, which are names.
func goCode(content []byte) (all []passage) {
	files := token.NewFileSet()
	file := files.AddFile("", -1, len(content))
	var s scanner.Scanner
	s.Init(file, content, nil, scanner.ScanComments)
	for {
		at, tok, text := s.Scan()
		of := forUsers
		switch tok {
		case token.EOF:
			return all
		case token.COMMENT:
			of = forContributors
		case token.STRING:
			if fieldTag.MatchString(text) {
				continue
			}
		default:
			continue
		}
		for i, line := range strings.Split(text, "\n") {
			all = append(all, passage{file.Line(at) + i, line, of})
		}
	}
}
