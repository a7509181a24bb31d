package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	coreruleset "github.com/corazawaf/coraza-coreruleset/v4"
	"github.com/corazawaf/coraza/v3"
	corazahttp "github.com/corazawaf/coraza/v3/http"
	"github.com/corazawaf/coraza/v3/types"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/ftw"
)

// marker logs the header by which go-ftw finds the place of a test in the log.
const marker = `SecRule REQUEST_HEADERS:X-CRS-Test "@rx ^.*$" "id:999999,phase:1,pass,t:none,log,severity:'NOTICE',msg:'X-CRS-Test %{MATCHED_VAR}',ctl:ruleRemoveById=1-999998"`

// contestant is a proxy whose log go-ftw reads.
type contestant struct {
	name, address, log string
	stop               func()
}

// suiteSettings are what the suite's authors run it with.
var suiteSettings = map[string]string{
	"validate-utf8-encoding": "1", "arg-name-length": "100", "arg-length": "400", "total-arg-length": "64000", "max-num-args": "255",
	"max-file-size": "64100", "combined-file-sizes": "65535",
}

// startWafctl writes the alerts of a proxy as lines that go-ftw reads.
func startWafctl(program, level, backend string) (*contestant, error) {
	file, err := os.CreateTemp("", "ftw-*.log")
	if err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	args := []string{
		"proxy", "--quiet", "--listen", address, "--backend", "http://" + backend, "--engine", "detect", "--alert-on", "match", "--blocking-paranoia", level,
		"--directives", marker, "--max-headers", "1000", "--redact", "off", "--shutdown-delay", "100ms",
	}
	for name, value := range suiteSettings {
		args = append(args, "--"+name, value)
	}
	command := exec.Command(program, args...)
	command.Stderr = os.Stderr
	alerts, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	copied := make(chan error, 1)
	go func() { copied <- writeLines(file, alerts) }()
	return &contestant{name: "wafctl proxy", address: address, log: file.Name(), stop: func() {
		if command.Process.Signal(syscall.SIGTERM) == nil {
			err := errors.Join(<-copied, command.Wait(), os.Remove(file.Name()))
			if err != nil {
				fmt.Fprintln(os.Stderr, "ftw:", err)
			}
		}
	}}, waitFor(address)
}

// writeLines writes a line for each match of each alert, as error logs have them.
func writeLines(to io.Writer, alerts io.Reader) error {
	decoder := json.NewDecoder(alerts)
	for {
		var alert struct {
			Transaction struct {
				Messages []struct {
					Message string
					Details struct{ RuleID, Data, Match string }
				}
			}
		}
		if err := decoder.Decode(&alert); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		var lines strings.Builder
		for _, m := range alert.Transaction.Messages {
			fmt.Fprintf(&lines, "[id \"%s\"] [msg %q] [data %q] %q\n", m.Details.RuleID, m.Message, m.Details.Data, m.Details.Match)
		}
		if _, err := io.WriteString(to, lines.String()); err != nil {
			return err
		}
	}
}

// startCoraza is Coraza's handler before the standard library's reverse proxy.
func startCoraza(level, backend string) (*contestant, error) {
	file, err := os.CreateTemp("", "ftw-*.log")
	if err != nil {
		return nil, err
	}
	waf, err := newCoraza(level, file)
	if err != nil {
		return nil, err
	}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: backend})
	proxy.ErrorLog = log.New(io.Discard, "", 0)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: corazahttp.WrapHandler(waf, proxy), ReadHeaderTimeout: 10 * time.Second, ErrorLog: proxy.ErrorLog}
	go server.Serve(l) //nolint:errcheck // it ends with the listener
	return &contestant{name: "Coraza's handler", address: l.Addr().String(), log: file.Name(), stop: func() {
		if err := errors.Join(server.Close(), os.Remove(file.Name())); err != nil {
			fmt.Fprintln(os.Stderr, "ftw:", err)
		}
	}}, nil
}

func newCoraza(level string, to io.Writer) (coraza.WAF, error) {
	lines := log.New(to, "", 0)
	var setup strings.Builder
	for name, value := range suiteSettings {
		variable := strings.ReplaceAll(name, "-", "_")
		if variable == "validate_utf8_encoding" {
			variable = "crs_" + variable
		}
		fmt.Fprintf(&setup, ",setvar:'tx.%s=%s'", variable, value)
	}
	directives := []string{
		"Include @coraza.conf-recommended", "SecAuditEngine Off", "Include @crs-setup.conf.example",
		fmt.Sprintf(`SecAction "id:990001,phase:1,pass,t:none,nolog,setvar:tx.blocking_paranoia_level=%s%s"`, level, setup.String()),
		marker, "Include @owasp_crs/*.conf",
	}
	return coraza.NewWAF(coraza.NewWAFConfig().WithRootFS(coreruleset.FS).WithDirectives(strings.Join(directives, "\n")).
		WithErrorCallback(func(m types.MatchedRule) { lines.Print(m.ErrorLog()) }))
}

// startBackend answers as the suite's backend does.
func startBackend() (net.Listener, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(bufio.NewReader(r.Body))
		if err != nil {
			return
		}
		answer := (&ftw.Request{Method: r.Method, URI: r.URL.RequestURI(), Body: string(body)}).Reflect()
		for _, h := range answer.Headers {
			w.Header().Add(h.Name, h.Value)
		}
		w.WriteHeader(answer.Status)
		io.WriteString(w, answer.Body) //nolint:errcheck // the proxy may be gone
	})}
	go server.Serve(l) //nolint:errcheck // it ends with the listener
	return l, nil
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// waitFor waits until something listens.
func waitFor(address string) error {
	for range 600 {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			return conn.Close()
		}
		time.Sleep(100 * time.Millisecond)
	}
	return errors.New("the proxy does not listen within a minute")
}
