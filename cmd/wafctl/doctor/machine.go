package doctor

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/receive"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/fluentbit"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

// readInput reads the properties of an input nano.
func readInput(s *fluentbit.Section) error {
	r := setting.NewReader(s, receive.InputProperties())
	receive.ReadInput(r)
	return r.Err()
}

// tails checks inputs that read files.
func (d *Doctor) tails() {
	for i := range d.Config.Inputs {
		s := &d.Config.Inputs[i]
		if s.Name() != "tail" {
			continue
		}
		before := len(d.findings)
		files := d.files(s)
		if len(files) == 0 {
			d.find("input", Warn, "correct path, unless the file is created later", "%s: no file matches %s", s.Place, s.Get("path"))
		}
		for _, path := range files {
			if err := unix.Access(path, unix.R_OK); err != nil {
				d.find("input", Fail, "make it readable for the service's user", "%s: %v", path, err)
			}
		}
		if s.Find("skip_long_lines") == nil {
			d.find("input", Warn, "set skip_long_lines: on, and buffer_max_size: 1M",
				"%s: a line longer than buffer_max_size (%s) ends reading of the file, so one long URL blinds the pipeline", s.Place, orText(s.Get("buffer_max_size"), "32K"))
		}
		if s.Find("db") == nil {
			d.find("input", Warn, "set db: FILE", "%s: without db, a restart misses lines written meanwhile", s.Place)
		}
		if len(d.findings) == before {
			d.find("input", OK, "", "%s %s", s.Get("path"), present(len(files)))
		}
	}
}

func orText(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func present(n int) string {
	if n == 1 {
		return "exists"
	}
	return "matches " + strconv.Itoa(n) + " files"
}

// files returns the files that an input reads, the one written last at the front.
func (d *Doctor) files(s *fluentbit.Section) (all []string) {
	for pattern := range strings.SplitSeq(s.Get("path"), ",") {
		found, err := filepath.Glob(strings.TrimSpace(pattern))
		if err != nil {
			continue
		}
		for _, path := range found {
			info, err := os.Stat(path)
			if err != nil || !info.Mode().IsRegular() {
				continue
			}
			all = append(all, path)
			if first, err := os.Stat(all[0]); err == nil && info.ModTime().After(first.ModTime()) {
				all[0], all[len(all)-1] = all[len(all)-1], all[0]
			}
		}
	}
	return all
}

const rmemFile = "/proc/sys/net/core/rmem_max"

// listeners checks inputs that receive from the network.
func (d *Doctor) listeners() {
	for i := range d.Config.Inputs {
		s := &d.Config.Inputs[i]
		switch s.Name() {
		case "udp":
			d.find("input", Warn, "use the input nano, which has configurable buffers and counts losses",
				"%s: the input udp drops datagrams longer than chunk_size (%s KiB) and uses the kernel's default buffer", s.Place, orText(s.Get("chunk_size"), "32"))
		case "nano":
			d.nano(s)
		}
	}
}

func (d *Doctor) nano(s *fluentbit.Section) {
	r := setting.NewReader(s, receive.InputProperties())
	settings := receive.ReadInput(r)
	if r.Err() != nil {
		return // properties reports it
	}
	udp := false
	for _, place := range settings.Places {
		udp = udp || place.Network == "udp"
		d.listen(s, place)
	}
	text, err := os.ReadFile(rmemFile)
	most, _ := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	switch {
	case !udp || err != nil:
	case settings.ReceiveBuffer > most:
		d.find("kernel buffer", Warn, "sysctl -w net.core.rmem_max="+strconv.FormatInt(settings.ReceiveBuffer, 10)+", or give the service the capability NET_ADMIN",
			"receive_buffer is %d bytes, but net.core.rmem_max is %d: without NET_ADMIN, bursts are lost earlier", settings.ReceiveBuffer, most)
	default:
		d.find("kernel buffer", OK, "", "receive_buffer (%d bytes) is within net.core.rmem_max (%d)", settings.ReceiveBuffer, most)
	}
}

// listen tries whether a place can be listened to.
func (d *Doctor) listen(s *fluentbit.Section, place receive.Place) {
	var err error
	if place.Network == "udp" {
		var c net.PacketConn
		if c, err = net.ListenPacket("udp", place.Address); err == nil {
			c.Close()
		}
	} else {
		var l net.Listener
		if l, err = net.Listen("tcp", place.Address); err == nil {
			l.Close()
		}
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		d.find("input", Warn, "fine if that is the running pipeline", "%s: something listens on %s", s.Place, place)
	case err != nil:
		d.find("input", Fail, "", "%s: %v", s.Place, err)
	default:
		d.find("input", OK, "", "%s is free", place)
	}
}

// spareDescriptors is what Fluent Bit needs of descriptors besides connections and files.
const spareDescriptors = 256

// descriptors compares the limit of open files with what the inputs may need.
func (d *Doctor) descriptors() {
	needs := spareDescriptors
	for i := range d.Config.Inputs {
		s := &d.Config.Inputs[i]
		switch s.Name() {
		case "nano":
			r := setting.NewReader(s, receive.InputProperties())
			needs += receive.ReadInput(r).Connections
		case "tail":
			needs += len(d.files(s))
		}
	}
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return
	}
	if limit.Cur < uint64(needs) {
		d.find("open files", Warn, "ulimit -n "+strconv.Itoa(needs)+", for a service LimitNOFILE=", "the limit here is %d, but the inputs may need %d", limit.Cur, needs)
		return
	}
	d.find("open files", OK, "", "the limit here is %d; a service has its own (LimitNOFILE)", limit.Cur)
}

// dialTime is how long a destination may take to answer.
const dialTime = 2 * time.Second

// destinations checks where alerts go.
func (d *Doctor) destinations(ctx context.Context) {
	for i := range d.Config.Outputs {
		s := &d.Config.Outputs[i]
		if s.Name() == "waf" {
			for text := range strings.SplitSeq(s.Get("alert_to"), ",") {
				d.destination(ctx, s, strings.TrimSpace(text))
			}
			continue
		}
		d.hostOutput(ctx, s)
	}
}

// hostOutput checks an output of Fluent Bit that has a host.
func (d *Doctor) hostOutput(ctx context.Context, s *fluentbit.Section) {
	ports := map[string]string{
		"syslog": "514", "gelf": "12201", "forward": "24224", "es": "9200", "opensearch": "9200", "loki": "3100", "http": "80", "tcp": "5170", "udp": "5170",
		"splunk": "8088",
	}
	port, known := ports[s.Name()]
	if !known || s.Get("unix_path") != "" {
		return
	}
	network := "tcp"
	if mode := strings.ToLower(s.Get("mode")); s.Name() == "udp" || mode == "udp" || mode == "" && (s.Name() == "syslog" || s.Name() == "gelf") {
		network = "udp"
	}
	address := net.JoinHostPort(orText(s.Get("host"), "127.0.0.1"), orText(s.Get("port"), port))
	d.reach(ctx, s.Title(), network, address)
}

// destination checks one of alert_to.
func (d *Doctor) destination(ctx context.Context, s *fluentbit.Section, text string) {
	place, _, _ := strings.Cut(text, "?")
	scheme, rest, _ := strings.Cut(place, "://")
	kind, transport, _ := strings.Cut(strings.ToLower(scheme), "+")
	switch {
	case text == "", kind == "stdout":
	case kind == "file":
		d.writable(rest)
	case transport == "unix":
		d.reach(ctx, place, "unix", rest)
	default:
		ports := map[string]string{"syslog": "514", "gelf": "12201", "json": "12202", "forward": "24224"}
		port := ports[kind]
		if port == "" {
			return // properties reports it
		}
		if kind == "syslog" && transport == "tls" {
			port = "6514"
		}
		network := "tcp"
		if transport == "udp" {
			network = "udp"
		}
		address := strings.TrimSuffix(rest, "/")
		if _, _, err := net.SplitHostPort(address); err != nil {
			address = net.JoinHostPort(strings.Trim(address, "[]"), port)
		}
		d.reach(ctx, place, network, address)
	}
}

func (d *Doctor) writable(path string) {
	of := path
	if _, err := os.Stat(path); err != nil {
		of = filepath.Dir(path)
	}
	if err := unix.Access(of, unix.W_OK); err != nil {
		d.find("destination", Fail, "create it, or make it writable for the service's user", "file://%s: %s: %v", path, of, err)
		return
	}
	d.find("destination", OK, "", "file://%s is writable for this user", path)
}

// reach dials a destination. A datagram that nobody takes is not noticed, so for UDP only the name can be checked.
func (d *Doctor) reach(ctx context.Context, name, network, address string) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	if network == "udp" {
		host, _, _ := net.SplitHostPort(address)
		addresses, err := net.DefaultResolver.LookupHost(ctx, host)
		if err != nil {
			d.find("destination", Fail, "correct the name or the resolver", "%s: %v", name, err)
			return
		}
		d.find("destination", OK, "", "%s resolves to %s; delivery over UDP cannot be checked", name, addresses[0])
		return
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		d.find("destination", Fail, "start it, or correct the address or firewall", "%s: %v", name, err)
		return
	}
	conn.Close()
	d.find("destination", OK, "", "%s accepts connections", name)
}
