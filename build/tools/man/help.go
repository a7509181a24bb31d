package main

import (
	"regexp"
	"strings"
)

// helpText is the help of wafctl or of one of its commands.
type helpText struct {
	about    string
	sections []section
}

// section is a title without indentation and the indented lines below it.
type section struct{ title, text string }

// item is a flag or a command, and what is said of it.
type item struct{ name, text string }

// parse splits a help text. What comes before the title "Usage" is about the command.
func parse(text string) (h helpText) {
	about, rest, _ := strings.Cut(text, "\nUsage\n")
	h.about = about
	for line := range strings.Lines("Usage\n" + rest) {
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, " ") {
			if n := len(h.sections); n > 0 {
				h.sections[n-1].text += line
			}
			continue
		}
		h.sections = append(h.sections, section{title: strings.TrimSpace(line)})
	}
	return h
}

func (h *helpText) section(title string) *section {
	for i := range h.sections {
		if h.sections[i].title == title {
			return &h.sections[i]
		}
	}
	return &section{}
}

var (
	flagLine    = regexp.MustCompile(`^ {2,6}((?:-\w, )?--[\w-]+(?: \S+)?)\s{2,}(\S.*)$`)
	commandLine = regexp.MustCompile(`^ {2}([a-z]+) {2,}(\S.*)$`)
)

// items returns the flags or commands of a section, none when it has something else. Deeper lines belong to the item before.
func (s *section) items() (all []item) {
	pattern := flagLine
	if s.title == "Commands" {
		pattern = commandLine
	} else if !strings.Contains(s.text, "--") || s.title == "Usage" || s.title == "Examples" {
		return nil
	}
	for line := range strings.Lines(s.text) {
		line = strings.TrimRight(line, "\n")
		if m := pattern.FindStringSubmatch(line); m != nil {
			all = append(all, item{m[1], m[2]})
		} else if n := len(all); n > 0 && strings.HasPrefix(line, strings.Repeat(" ", 12)) {
			all[n-1].text += "\n" + strings.TrimSpace(line)
		}
	}
	return all
}
