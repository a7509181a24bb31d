package setup

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/delivery"
)

// Destination is where alerts go.
type Destination struct {
	Text   string
	scheme string
	host   string
	port   string
	path   string
	native bool // the output waf delivers there itself
}

// ofHost are the destinations that Fluent Bit's own outputs reach, with their ports.
var ofHost = map[string]string{
	"es": "9200", "es+tls": "9200", "opensearch": "9200", "opensearch+tls": "9200", "loki": "3100", "loki+tls": "3100",
	"http": "80", "https": "443", "kafka": "9092",
}

// HostForms is how the destinations are written that Fluent Bit's own outputs reach.
const HostForms = "es://HOST/INDEX, opensearch://HOST/INDEX, loki://HOST, http://HOST/PATH, https://HOST/PATH, kafka://HOST/TOPIC"

// ReadDestinations reads a list with commas.
func ReadDestinations(list string) (all []Destination, err error) {
	var problems []error
	for text := range strings.SplitSeq(list, ",") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		d, err := readDestination(text)
		if err != nil {
			problems = append(problems, err)
		}
		all = append(all, d)
	}
	if len(all) == 0 {
		problems = append(problems, errors.New("no destination (want stdout, file:///PATH, syslog+udp://HOST, gelf+udp://HOST …)"))
	}
	return all, errors.Join(problems...)
}

func readDestination(text string) (Destination, error) {
	d := Destination{Text: text}
	d.scheme, _, _ = strings.Cut(strings.ToLower(text), ":")
	d.scheme, _, _ = strings.Cut(d.scheme, "?")
	place, _, _ := strings.Cut(text, "?")
	port, known := ofHost[d.scheme]
	if !known {
		schemes := delivery.Schemes()
		at := slices.IndexFunc(schemes, func(s delivery.Scheme) bool { return s.Name == d.scheme })
		if at < 0 {
			var forms []string
			for _, s := range schemes {
				forms = append(forms, s.Form)
			}
			return d, fmt.Errorf("destination %q: unknown scheme %q (want %s, %s)", place, d.scheme, strings.Join(forms, ", "), HostForms)
		}
		opened, err := delivery.Open(text, delivery.Options{})
		if err != nil {
			return d, err
		}
		opened.Close() //nolint:errcheck // it has connected to nothing
		d.native, port = true, defaultPort(schemes[at].Form)
	}
	u, err := url.Parse(place)
	if err != nil || u.User != nil {
		return d, fmt.Errorf("malformed destination %q (want SCHEME://HOST)", d.scheme+"://…")
	}
	d.host, d.port, d.path = u.Hostname(), u.Port(), u.Path
	if d.port == "" {
		d.port = port
	}
	if !d.native && d.host == "" {
		return d, fmt.Errorf("malformed destination %q: the host is missing", text)
	}
	return d, nil
}

// defaultPort takes the port out of a form such as gelf+udp://HOST[:12201].
func defaultPort(form string) string {
	_, port, _ := strings.Cut(form, "[:")
	return strings.TrimSuffix(port, "]")
}

// isFlat reports whether the receivers of a destination read flat fields best.
func (d *Destination) isFlat() bool {
	return strings.HasPrefix(d.scheme, "syslog") || strings.HasPrefix(d.scheme, "gelf")
}

// formatFor returns the value of emit_format with which alerts fit their destinations: flat fields only where all want them.
func formatFor(all []Destination) string {
	flat := !slices.ContainsFunc(all, func(d Destination) bool { return !d.isFlat() })
	gelf := !slices.ContainsFunc(all, func(d Destination) bool { return !strings.HasPrefix(d.scheme, "gelf") })
	switch {
	case gelf:
		return "gelf"
	case flat:
		return "msa"
	}
	return "ecs"
}

// output writes the output of Fluent Bit that delivers alerts in a format.
func (d *Destination) output(y *yamlText, match, format string) {
	kind, transport, _ := strings.Cut(d.scheme, "+")
	secure := transport == "tls" || kind == "https"
	name := map[string]string{"https": "http", "json": "tcp"}[kind]
	switch {
	case name == "":
		name = kind
	case kind == "json" && transport == "udp":
		name = "udp"
	}
	y.item("name", name)
	y.set("match", match)
	switch kind {
	case "stdout":
		y.set("format", "json_lines")
		return
	case "file":
		y.set("path", filepath.Dir(d.path))
		y.set("file", filepath.Base(d.path))
		y.set("format", "plain")
		y.set("mkdir", "on")
		return
	case "kafka":
		y.set("brokers", d.host+":"+d.port)
		y.set("topics", pathOr(d.path, "waf-alerts"))
		y.set("format", "json")
		return
	case "forward":
		if transport == "unix" {
			y.set("unix_path", d.path)
			return
		}
	}
	y.set("host", d.host)
	y.set("port", d.port)
	if secure && kind != "syslog" && kind != "gelf" {
		y.set("tls", "on")
	}
	for _, pair := range d.details(kind, transport, format) {
		y.set(pair[0], pair[1])
	}
	y.note("retry_limit", "no_limits", "alerts wait while a destination is down")
}

// details returns the properties that an output has besides those of all.
func (d *Destination) details(kind, transport, format string) [][2]string {
	message := "message"
	if format == "msa" {
		message = "msg"
	}
	switch kind {
	case "syslog":
		pairs := [][2]string{
			{"mode", transport}, {"syslog_format", "rfc5424"}, {"syslog_maxsize", "8192"}, {"syslog_facility_preset", "20"},
			{"syslog_severity_key", "severity"}, {"syslog_hostname_key", "host"}, {"syslog_appname_preset", "fluent-bit-waf"}, {"syslog_message_key", message},
		}
		if format == "msa" {
			pairs = append(pairs, [2]string{"syslog_sd_key", structured})
		}
		return pairs
	case "gelf":
		if format == "gelf" {
			message = "short_message"
		}
		return [][2]string{{"mode", transport}, {"gelf_short_message_key", message}, {"gelf_level_key", "level"}}
	case "es", "opensearch":
		return [][2]string{{"index", pathOr(d.path, "waf-alerts")}, {"suppress_type_name", "on"}}
	case "loki":
		return [][2]string{{"labels", "job=fluent-bit-waf"}, {"line_format", "json"}}
	case "http", "https":
		return [][2]string{{"uri", "/" + pathOr(d.path, "")}, {"format", "json"}}
	case "json":
		return [][2]string{{"format", "json_lines"}}
	}
	return nil
}

// structured is the key under which fields of an alert become structured data of a syslog message.
const structured = "waf"

func pathOr(path, otherwise string) string {
	if path = strings.Trim(path, "/"); path == "" {
		return otherwise
	}
	return path
}

// AllNative reports whether the output waf delivers to all destinations itself.
func AllNative(all []Destination) bool {
	return !slices.ContainsFunc(all, func(d Destination) bool { return !d.native })
}
