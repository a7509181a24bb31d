package delivery

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// address is one destination as a user wrote it, with what its scheme needs to open it.
type address struct {
	*setting.Reader
	scheme   *Scheme
	host     string // host:port, the port filled in
	path     string
	opt      *Options
	counters *counters
}

// parseList opens the sinks of a comma separated list of destinations, or returns all problems.
func parseList(list string, opt *Options) ([]*destination, error) {
	var destinations []*destination
	var problems []error
	noDigests := slices.ContainsFunc(strings.Split(list, ","), OnlyDigests)
	for text := range strings.SplitSeq(list, ",") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		d, errs := parseDestination(text, opt)
		for _, err := range errs {
			problems = append(problems, fmt.Errorf("destination %q: %w", nameOf(text), err))
		}
		if d != nil {
			d.takes = takesOf(text, noDigests)
		}
		destinations = append(destinations, d)
	}
	if len(destinations) == 0 {
		problems = append(problems, fmt.Errorf("no destination (want %s)", setting.Choice(forms())))
	}
	return destinations, errors.Join(problems...)
}

// nameOf is a destination without its options and without what stands before an @: both may be secret.
func nameOf(text string) string {
	name, _, _ := strings.Cut(text, "?")
	if at := strings.LastIndexByte(name, '@'); at >= 0 {
		scheme, _, _ := strings.Cut(name, ":")
		name = scheme + "://***" + name[at:]
	}
	return name
}

func parseDestination(text string, opt *Options) (*destination, []error) {
	place, query, _ := strings.Cut(text, "?")
	name, _, _ := strings.Cut(place, ":")
	scheme := schemeNamed(strings.ToLower(name))
	if scheme == nil {
		return nil, []error{fmt.Errorf("unknown scheme %q (want %s)", name, setting.Choice(forms()))}
	}
	a := &address{scheme: scheme, opt: opt, counters: &counters{}}
	var problems []error
	if err := a.locate(place); err != nil {
		problems = append(problems, fmt.Errorf("%w (want %s)", err, scheme.Form))
	}
	a.Reader = ReadOptions(query, scheme.Options)
	timeout := a.Duration("timeout", 10*time.Millisecond, 10*time.Minute)
	sink := scheme.open(a, timeout)
	return &destination{
		name: nameOf(text), timeout: timeout, turn: make(chan struct{}, 1), sink: sink, counters: a.counters, caught: opt.Caught,
	}, append(problems, a.Problems()...)
}

// locate reads what stands before the options, as far as the scheme has it, and refuses the rest.
func (a *address) locate(place string) error {
	u, err := url.Parse(place)
	if inURL := (*url.Error)(nil); errors.As(err, &inURL) {
		return fmt.Errorf("malformed: %w", inURL.Err) // without the URL, which may hold secrets
	}
	if u.User != nil || strings.Contains(place, "#") {
		return errors.New("malformed: a user name or # is not supported")
	}
	switch a.scheme.place {
	case onNetwork:
		return a.locateHost(u)
	case inFiles:
		return a.locateFile(u)
	default:
		if !strings.EqualFold(place, a.scheme.Name) {
			return errors.New("malformed: only options may follow the name")
		}
		return nil
	}
}

func (a *address) locateFile(u *url.URL) error {
	if u.Host != "" {
		return fmt.Errorf("malformed: the path must start with a third slash, unlike %q", u.Host)
	}
	a.path = u.Path + u.Opaque
	if a.path == "" || strings.HasSuffix(a.path, "/") {
		return errors.New("malformed: the path is missing")
	}
	if !isClean([]byte(a.path)) {
		return errors.New("malformed: control characters in the path")
	}
	if info, err := os.Stat(a.path); err == nil && info.IsDir() {
		return fmt.Errorf("malformed: %s is a directory", a.path)
	}
	return nil
}

func (a *address) locateHost(u *url.URL) error {
	host, port := u.Hostname(), u.Port()
	if host == "" {
		return errors.New("malformed: the host is missing")
	}
	if u.Path != "" && u.Path != "/" || u.Opaque != "" {
		return fmt.Errorf("malformed: unexpected path %q", u.Path)
	}
	if port == "" {
		port = a.scheme.port
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("port %q is not between 1 and 65535", port)
	}
	a.host = net.JoinHostPort(host, port)
	return nil
}

// ReadOptions splits name=value&name=value for a Reader of options. A plus sign is itself, as keys in base64 have them. A name may be
// written with underscores for dashes.
func ReadOptions(query string, known []setting.Property) *setting.Reader {
	options := setting.Map{}
	r := setting.NewReader(options, known)
	r.Noun = "option"
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name = strings.ReplaceAll(strings.ToLower(name), "_", "-")
		value, err := url.PathUnescape(value)
		switch {
		case !slices.ContainsFunc(known, func(p setting.Property) bool { return p.Name == name }):
			name, err = strconv.Quote(name), fmt.Errorf("unknown (want %s)", setting.Choice(namesOf(known)))
		case err != nil:
			// It tells the malformed escape.
		case strings.TrimSpace(value) == "":
			err = errors.New("empty (remove it, or set a value)")
		case !isClean([]byte(value)):
			err = errors.New("malformed value (want text without control characters)")
		case options[name] != "":
			err = errors.New("given twice (want one value)")
		}
		if err != nil {
			r.Problem(name, err)
			continue
		}
		options[name] = value
	}
	return r
}

func namesOf(options []setting.Property) (names []string) {
	for _, p := range options {
		names = append(names, p.Name)
	}
	return names
}

// Duration returns a time such as 5s or 250ms, from low to high.
func (a *address) Duration(name string, low, high time.Duration) time.Duration {
	v := a.Text(name)
	d, err := time.ParseDuration(v)
	limits := setting.Time(low) + " to " + setting.Time(high)
	switch {
	case err != nil:
		a.Problem(name, fmt.Errorf("malformed time %q (want %s)", v, limits))
	case d < low, d > high:
		a.Problem(name, setting.OutOfRange(v, limits))
	default:
		return d
	}
	return high
}

// Bytes returns a size from low to high.
func (a *address) Bytes(name string, low, high int) int {
	known := len(a.Problems())
	n := a.Size(name)
	if len(a.Problems()) > known {
		return high
	}
	if n < int64(low) || n > int64(high) {
		a.Problem(name, setting.OutOfRange(a.Text(name), fmt.Sprintf("%d to %d bytes", low, high)))
		return high
	}
	return int(n)
}
