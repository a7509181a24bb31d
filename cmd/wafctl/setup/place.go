package setup

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/sample"
	"github.com/fluent-bit-waf/fluent-bit-waf/filter/receive"
)

// Place is where Fluent Bit gets the records.
type Place struct {
	Kind PlaceKind
	Text string // as the user wrote it
	Path string // of a file, or a pattern of files
	host string
	port string
}

// PlaceKind says which input of Fluent Bit reads a place.
type PlaceKind int

// The kinds of places.
const (
	Files     PlaceKind = iota // tail
	Sockets                    // nano: JSON, GELF and plain lines over UDP and TCP, with or without a header of syslog
	OTLP                       // opentelemetry
	Forward                    // forward
	SyslogTCP                  // syslog
)

// PlaceForms is how places are written.
const PlaceForms = "a path, udp://HOST:PORT, tcp://HOST:PORT, syslog+tcp://HOST:PORT, otlp://HOST:PORT or forward://HOST:PORT"

var network = map[string]PlaceKind{"udp": Sockets, "tcp": Sockets, "otlp": OTLP, "forward": Forward, "syslog+tcp": SyslogTCP}

// ReadPlace reads a place as a user writes it.
func ReadPlace(text string) (Place, error) {
	scheme, _, isURL := strings.Cut(text, "://")
	if !isURL {
		path, err := filepath.Abs(text)
		return Place{Kind: Files, Text: text, Path: path}, err
	}
	kind, known := network[scheme]
	if !known {
		return Place{}, fmt.Errorf("unknown address %q (want %s)", text, PlaceForms)
	}
	u, err := url.Parse(text)
	if err != nil || u.Port() == "" || strings.Trim(u.Path, "/")+u.RawQuery+u.Fragment != "" || u.User != nil {
		return Place{}, fmt.Errorf("malformed address %q (want %s://HOST:PORT)", text, scheme)
	}
	host := u.Hostname()
	if host == "" {
		host = "0.0.0.0"
	}
	return Place{Kind: kind, Text: text, host: host, port: u.Port()}, nil
}

// Listen returns the place as the receiver of the input nano takes it.
func (p *Place) Listen() receive.Place {
	scheme, _, _ := strings.Cut(p.Text, "://")
	return receive.Place{Network: scheme, Address: net.JoinHostPort(p.host, p.port)}
}

// kubeletDir is where the kubelet keeps the logs of containers, whatever a pattern of them looks like.
const kubeletDir = "/var/log/containers"

// containerFile is how the kubelet names the log of a container.
var containerFile = regexp.MustCompile(`^([^_/]+)_([^_/]+)_(.+)-[0-9a-f]{64}\.log$`)

// inPods reports whether the files are logs of containers, named by the kubelet.
func (p *Place) inPods() bool {
	return p.Kind == Files && (filepath.Dir(p.Path) == kubeletDir || containerFile.MatchString(filepath.Base(p.Path)))
}

// pattern returns the files to read. The log of one container stands for those of all pods with this container: their names change
// with every restart.
func (p *Place) pattern() (pattern, comment string) {
	m := containerFile.FindStringSubmatch(filepath.Base(p.Path))
	if m == nil {
		return p.Path, ""
	}
	return filepath.Join(filepath.Dir(p.Path), "*_"+m[2]+"_"+m[3]+"-*.log"), "every pod with this container"
}

// tag is what records of the place are called in the pipeline.
func (p *Place) tag() string {
	switch p.Kind {
	case Files:
		if p.inPods() {
			return "kube.*"
		}
		return "access"
	case OTLP:
		return "otlp"
	case Forward:
		return "forwarded"
	case SyslogTCP:
		return "syslog"
	default:
		return "nano"
	}
}

// input writes the input that reads the place, and a filter where metadata can be added.
func (p *Place) input(y *yamlText, s *sample.Sample, dir string) {
	y.item("name", map[PlaceKind]string{Files: "tail", Sockets: "nano", OTLP: "opentelemetry", Forward: "forward", SyslogTCP: "syslog"}[p.Kind])
	switch p.Kind {
	case Files:
		p.tail(y, s, dir)
	case Sockets:
		y.set("tag", p.tag())
		scheme, _, _ := strings.Cut(p.Text, "://")
		y.note("listen_on", scheme+"://"+net.JoinHostPort(p.host, p.port), "0.0.0.0 accepts other machines")
	case OTLP:
		y.set("tag", p.tag())
		y.set("listen", p.host)
		y.set("port", p.port)
	case Forward:
		// Records keep the tags that they are sent with.
		y.set("listen", p.host)
		y.set("port", p.port)
	case SyslogTCP:
		y.set("tag", p.tag())
		y.set("mode", "tcp")
		y.set("listen", p.host)
		y.set("port", p.port)
		y.set("parser", lineParser)
		y.set("buffer_chunk_size", "64K")
		y.note("buffer_max_size", "1M", "longest message")
	}
}

// lineParser is a parser in the pipeline itself: the input syslog needs one, and the plugin reads the header itself.
const lineParser = "waf-line"

func (p *Place) tail(y *yamlText, s *sample.Sample, dir string) {
	y.set("tag", p.tag())
	if path, comment := p.pattern(); comment != "" {
		y.note("path", path, comment)
	} else {
		y.set("path", path)
	}
	switch {
	case s.Wrapper != sample.Bare:
		y.set("multiline.parser", string(s.Wrapper))
	case p.inPods(): // a sample of "kubectl logs" has the line alone
		y.set("multiline.parser", string(sample.CRI))
	}
	y.note("db", filepath.Join(dir, "waf-tail.db"), "stores read positions")
	if s.Columns {
		y.note("read_from_head", "on", "the line with the column names is at the start")
	} else {
		y.note("read_from_head", "off", "on also evaluates existing lines")
	}
	y.note("buffer_max_size", "1M", "with the default of 32K, a long URL ends reading of the file")
	y.set("skip_long_lines", "on")
}

// kubernetes writes the filter that adds namespace, pod and node.
func (p *Place) kubernetes(y *yamlText) {
	y.item("name", "kubernetes")
	y.set("match", "kube.*")
	if dir := filepath.Dir(p.Path); dir != kubeletDir {
		y.set("kube_tag_prefix", "kube."+strings.ReplaceAll(strings.Trim(dir, "/"), "/", ".")+".")
	}
	y.note("merge_log", "off", "the plugin reads the line itself")
}
