package incident

import (
	"fmt"
	"net"
	"net/netip"
	"path"
	"slices"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// Exclusion names findings that open no incident: those to which all of its conditions apply.
type Exclusion struct {
	Source string // a name, an address or a network
	Target string // a name, in which * stands for any characters but a slash
	Route  string // a method and a path as incidents show it, with * as in Target
	Kind   Kind

	network netip.Prefix
}

// ParseExclusions reads exclusions such as "source=192.0.2.7 kind=campaign; target=ops/*", one after each semicolon or in each line.
func ParseExclusions(text string) (all []Exclusion, err error) {
	for one := range strings.FieldsFuncSeq(text, func(c rune) bool { return c == ';' || c == '\n' }) {
		if strings.TrimSpace(one) == "" {
			continue
		}
		e, err := parseExclusion(strings.TrimSpace(one))
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

func parseExclusion(text string) (e Exclusion, err error) {
	last := &e.Source
	for i, word := range strings.Fields(text) {
		key, value, isPair := strings.Cut(word, "=")
		switch {
		case isPair && key == "source":
			last = &e.Source
		case isPair && key == "target":
			last = &e.Target
		case isPair && key == "route":
			last = &e.Route
		case isPair && key == "kind":
			last = (*string)(&e.Kind)
		case i > 0 && last == &e.Route: // a route has a space in it
			value = *last + " " + word
		default:
			return e, fmt.Errorf("exclusion %q: unknown condition %q (expected source=, target=, route= or kind=)", text, word)
		}
		if last == &e.Source || last == &e.Target {
			value = clip(value)
		}
		if *last = value; value == "" {
			return e, fmt.Errorf("exclusion %q: %s has no value", text, key)
		}
	}
	return e, e.check(text)
}

// check refuses conditions that nothing can meet: an exclusion without effect shows only when the incident comes again.
func (e *Exclusion) check(text string) error {
	if e.Kind != "" && !slices.Contains(Kinds(), e.Kind) {
		return fmt.Errorf("exclusion %q: unknown kind %q (expected %s)", text, e.Kind, kindNames())
	}
	for _, pattern := range []string{e.Target, e.Route} {
		if _, err := path.Match(pattern, ""); err != nil {
			return fmt.Errorf("exclusion %q: malformed pattern %q: %w", text, pattern, err)
		}
	}
	for _, check := range []func() error{e.checkSource, e.checkTarget, e.checkRoute} {
		if err := check(); err != nil {
			return fmt.Errorf("exclusion %q: %w", text, err)
		}
	}
	return nil
}

func (e *Exclusion) checkSource() (err error) {
	if e.network, err = setting.ParseNetwork(e.Source); err != nil {
		return fmt.Errorf("source: %w", err)
	}
	if strings.Contains(e.Source, "*") {
		return fmt.Errorf("source: %q matches nothing, * stands for any characters in target and route only (want a name, an address or a network)", e.Source)
	}
	return nil
}

func (e *Exclusion) checkTarget() error {
	host := e.Target
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	network, err := setting.ParseNetwork(host)
	if err != nil {
		return fmt.Errorf("target: %w", err)
	}
	if network.IsValid() && strings.Contains(host, "/") {
		return fmt.Errorf("target: %q matches nothing, networks work for source only (want a name or an address, with * for any characters, such as 10.2.0.*)", e.Target)
	}
	return nil
}

// checkRoute demands that a route can begin with a method and a path behind a space.
func (e *Exclusion) checkRoute() error {
	method, rest, hasPath := strings.Cut(e.Route, "/")
	if e.Route == "" || strings.ContainsAny(method, `*?[\`) || hasPath && strings.TrimRight(method, " ") != "" && strings.HasSuffix(method, " ") {
		return nil
	}
	if !hasPath {
		rest = "login"
	}
	return fmt.Errorf("route: %q matches nothing, a route is a method and a path (want one such as %q)", e.Route, "POST /"+rest)
}

func (e *Exclusion) applies(k Kind, source, target, route string) bool {
	return (e.Kind == "" || e.Kind == k) && (e.Source == "" || e.isSource(source)) && (e.Target == "" || matches(e.Target, target)) &&
		(e.Route == "" || matches(e.Route, route))
}

func (e *Exclusion) isSource(source string) bool {
	if e.Source == source {
		return true
	}
	address, err := netip.ParseAddr(source)
	return err == nil && e.network.IsValid() && e.network.Contains(address.Unmap())
}

func matches(pattern, text string) bool {
	matched, _ := path.Match(pattern, text)
	return matched || pattern == text // brackets also enclose an address
}
