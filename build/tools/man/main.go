// Command man writes wafctl's manual page from its help texts: man WAFCTL VERSION YYYY-MM-DD > wafctl.1
package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: man WAFCTL VERSION YYYY-MM-DD")
		os.Exit(2)
	}
	page, err := manual(os.Args[2], os.Args[3], func(args ...string) (string, error) {
		out, err := exec.Command(os.Args[1], args...).Output()
		return string(out), err
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "man:", err)
		os.Exit(1)
	}
	fmt.Print(page)
}

// manual returns the page. Help runs wafctl and returns what it prints.
func manual(version, date string, help func(args ...string) (string, error)) (string, error) {
	text, err := help("--help")
	if err != nil {
		return "", fmt.Errorf("help: %w", err)
	}
	root := parse(text)
	commands := root.section("Commands").items()
	if len(commands) == 0 {
		return "", fmt.Errorf("no commands in the help of wafctl: %q", text)
	}
	var p page
	p.line(`.TH WAFCTL 1 "%s" "fluent-bit-waf %s" "User Commands"`, date, escape(version))
	p.line(".SH NAME")
	p.line(`wafctl \- detect web attacks in logged HTTP traffic`)
	p.line(".SH SYNOPSIS")
	p.line(`\fBwafctl\fR \fICOMMAND\fR [\fIFLAG\fR]...`)
	p.line(".SH DESCRIPTION")
	p.text(root.about)
	p.line(".SH COMMANDS")
	for _, c := range commands {
		text, err := help(c.name, "--help", "--all")
		if err != nil {
			return "", fmt.Errorf("help of %s: %w", c.name, err)
		}
		p.command(c.name, parse(text))
	}
	p.line(".SH EXIT STATUS")
	for _, status := range []item{
		{"0", "nothing alerts"}, {"1", "something alerts, or a test fails"}, {"2", "the command could not do what it was asked"},
	} {
		p.item(status)
	}
	p.line(".SH FILES")
	p.item(item{"/etc/fluent-bit-waf", "pipelines for Fluent Bit that run as they are"})
	p.item(item{"/usr/lib/fluent-bit-waf/out_waf.so", "the filter and output for Fluent Bit"})
	p.line(".SH SEE ALSO")
	p.line("The documentation in /usr/share/doc/fluent\\-bit\\-waf/docs.")
	return p.String(), nil
}

// page is a page in the language of man.
type page struct{ strings.Builder }

func (p *page) line(format string, args ...any) { p.WriteString(fmt.Sprintf(format, args...) + "\n") }

// text writes paragraphs, with a break between them.
func (p *page) text(text string) {
	for i, paragraph := range strings.Split(strings.TrimSpace(text), "\n\n") {
		if i > 0 {
			p.line(".PP")
		}
		p.line("%s", escape(paragraph))
	}
}

func (p *page) command(name string, h helpText) {
	p.line(".SS wafctl %s", escape(name))
	p.text(h.about)
	for _, s := range h.sections {
		p.line(".PP")
		p.line(`\fI%s\fR`, escape(s.title))
		if items := s.items(); len(items) > 0 {
			for _, i := range items {
				p.item(i)
			}
			continue
		}
		p.line(".PP")
		p.line(".nf")
		p.line("%s", escape(strings.TrimRight(s.text, "\n")))
		p.line(".fi")
	}
}

func (p *page) item(i item) {
	p.line(".TP")
	p.line(`\fB%s\fR`, escape(i.name))
	p.line("%s", escape(i.text))
}

// escape keeps the text from being read as commands of man.
func escape(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
