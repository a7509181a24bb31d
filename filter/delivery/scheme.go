package delivery

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

// Scheme describes one kind of destination to users.
type Scheme struct {
	Name    string             // what a destination starts with
	Form    string             // how one is written, without options
	Help    string             // one sentence without a full stop
	Options []setting.Property // what may follow behind a question mark

	groups []optionGroup
	place  place
	port   string // for onNetwork
	open   func(a *address, timeout time.Duration) sink
}

// optionGroup are options that several schemes have.
type optionGroup struct {
	of      string // which schemes, for users
	options []setting.Property
}

// place is what stands behind a scheme's name.
type place int

const (
	nowhere place = iota
	onNetwork
	inFiles
)

// Schemes returns all kinds of destinations in the order in which help lists them.
func Schemes() []Scheme { return slices.Clone(schemes) }

var schemes = []Scheme{
	network("syslog+udp", "514", "RFC 5424, one datagram per alert", openSyslogUDP, syslogOptions, syslogUDPBound),
	network("syslog+tcp", "514", "RFC 5424 with octet counting", openSyslogTCP, syslogOptions, syslogTCPBound),
	network("syslog+tls", "6514", "RFC 5424 over TLS (RFC 5425)", openSyslogTLS, syslogOptions, syslogTCPBound, tlsOptions),
	network("gelf+udp", "12201", "Graylog, compressed and chunked when large", openGELFUDP, gelfUDPOptions),
	network("gelf+tcp", "12201", "Graylog, framed by NUL bytes", openGELFTCP, gelfTCPOptions),
	network("gelf+tls", "12201", "Graylog, framed by NUL bytes, over TLS", openGELFTLS, gelfTCPOptions, tlsOptions),
	network("json+udp", "12202", "the alert unchanged, one datagram each", openJSONUDP, jsonUDPOptions),
	network("json+tcp", "12202", "the alert unchanged, one line each", openJSONTCP, jsonTCPOptions),
	network("json+tls", "12202", "the same over TLS", openJSONTLS, jsonTCPOptions, tlsOptions),
	network("forward", "24224", "Fluent forward protocol with acknowledgment", openForwardTCP, forwardOptions),
	network("forward+tls", "24224", "the same over TLS", openForwardTLS, forwardOptions, tlsOptions),
	scheme("forward+unix", inFiles, "the same over a local socket", openForwardUnix, forwardOptions),
	scheme("file", inFiles, "one line per alert, appended; follows rotation", openFile, fileOptions),
	scheme("stdout", nowhere, "one line per alert", openStdout),
}

var commonOptions = optionGroup{of: "all", options: []setting.Property{
	{Name: "timeout", Default: "5s", Help: "time limit for connecting, writing and acknowledgment, each"},
}}

func network(name, port, help string, open func(*address, time.Duration) sink, groups ...optionGroup) Scheme {
	s := scheme(name, onNetwork, help, open, groups...)
	s.port = port
	s.Form = name + "://HOST[:" + port + "]"
	return s
}

func scheme(name string, place place, help string, open func(*address, time.Duration) sink, groups ...optionGroup) Scheme {
	s := Scheme{Name: name, Form: name, Help: help, groups: append(groups, commonOptions), place: place, open: open}
	if place == inFiles {
		s.Form = name + ":///PATH"
	}
	for _, g := range s.groups {
		s.Options = append(s.Options, g.options...)
	}
	return s
}

func schemeNamed(name string) *Scheme {
	for i := range schemes {
		if schemes[i].Name == name {
			return &schemes[i]
		}
	}
	return nil
}

func forms() []string {
	var all []string
	for i := range schemes {
		all = append(all, schemes[i].Form)
	}
	return all
}

func (s *Scheme) optionNames() []string {
	var names []string
	for _, p := range s.Options {
		names = append(names, p.Name)
	}
	return names
}

// Help explains how destinations are written, as plain text of at most 100 columns.
func Help() string {
	var b strings.Builder
	b.WriteString("Destinations, comma separated:\n\n")
	for i := range schemes {
		fmt.Fprintf(&b, "  %-28s %s\n", schemes[i].Form, schemes[i].Help)
	}
	b.WriteString("\nOptions follow as ?name=value&name=value; a comma, & or % in a value is %2C, %26 or %25.\n")
	for _, g := range optionGroups() {
		fmt.Fprintf(&b, "\n  Of %s:\n", g.of)
		for _, p := range g.options {
			fmt.Fprintf(&b, "    %-24s %s\n", strings.TrimSuffix(p.Name+"="+p.Default, "="), p.Help)
		}
	}
	return b.String()
}

// optionGroups returns each group of options once, those of all schemes first.
func optionGroups() []optionGroup {
	groups := []optionGroup{commonOptions}
	for i := range schemes {
		for _, g := range schemes[i].groups {
			if !slices.ContainsFunc(groups, func(known optionGroup) bool { return known.of == g.of }) {
				groups = append(groups, g)
			}
		}
	}
	return groups
}
