package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/inline"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// service is a proxy with the places where it listens.
type service struct {
	*proxy

	console *cli.Console
	servers []*http.Server
	places  []net.Listener // of the servers
	names   []string       // of the places, for the log
	log     *log.Logger
}

// lines writes the log of net/http, which has a line for each broken handshake, at a limited rate.
type lines struct {
	console *cli.Console
	limiter cli.Limiter
}

// Write implements io.Writer.
func (l *lines) Write(text []byte) (int, error) {
	if _, may := l.limiter.May(time.Now()); may {
		l.console.Say("warning: " + strings.TrimSpace(string(text)))
	}
	return len(text), nil
}

const logEvery = 10 * time.Second

// open opens everything that the settings name, or returns all problems.
func open(get setting.Getter, r *setting.Reader, c *cli.Console) (*service, error) {
	s := readSettings(r)
	engine, err := inline.Open(s.Settings, get, r, c)
	if err != nil {
		return nil, err
	}
	v := &service{console: c, log: log.New(&lines{console: c, limiter: cli.Limiter{Every: logEvery}}, "", 0)}
	if v.proxy, err = newProxy(s, engine, v.log); err == nil {
		err = v.listen(r)
	}
	if err != nil {
		v.closeAll()
		engine.Close()
		return nil, err
	}
	engine.Filter().Measure(&v.counts)
	return v, nil
}

// listen opens the places where requests arrive.
func (v *service) listen(r *setting.Reader) error {
	places := make(chan struct{}, v.maxConnections)
	for _, at := range []struct {
		setting, address, scheme string
		handler                  http.Handler
		tls                      bool
	}{
		{"listen", v.settings.listen, "http", v.proxy, false},
		{"tls_listen", v.tlsListen, "https", v.proxy, true},
		{"health_listen", v.healthListen, "health", http.HandlerFunc(v.onlyHealth), false},
	} {
		if at.address == "" {
			continue
		}
		l, err := net.Listen("tcp", at.address)
		if err != nil {
			r.Problem(at.setting, err)
			continue
		}
		v.names = append(v.names, at.scheme+"://"+l.Addr().String())
		if at.setting != "health_listen" {
			l = v.limit(l, places)
		}
		v.servers = append(v.servers, v.server(at.handler, at.tls))
		if at.tls {
			l = tls.NewListener(l, v.servers[len(v.servers)-1].TLSConfig)
		}
		v.places = append(v.places, l)
	}
	return r.Err()
}

func (v *service) onlyHealth(w http.ResponseWriter, r *http.Request) {
	if !v.serveHealth(w, r) {
		http.NotFound(w, r)
	}
}

// maxStreams bounds the requests at a time of one connection of HTTP/2.
const maxStreams = 128

func (v *service) server(handler http.Handler, withTLS bool) *http.Server {
	s := &http.Server{
		Handler: handler, ErrorLog: v.log, ReadHeaderTimeout: v.headerTimeout, IdleTimeout: v.idleTimeout,
		MaxHeaderBytes: v.maxHead, Protocols: new(http.Protocols),
		DisableGeneralOptionsHandler: true, // "OPTIONS *" is the backend's to answer
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: maxStreams, WriteByteTimeout: v.sendTimeout, SendPingTimeout: v.idleTimeout, PingTimeout: v.headerTimeout,
		},
	}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetHTTP2(v.http2 && withTLS)
	s.Protocols.SetUnencryptedHTTP2(v.http2 && !withTLS)
	if withTLS {
		s.TLSConfig = &tls.Config{GetCertificate: v.certificates.get, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
		if v.http2 {
			s.TLSConfig.NextProtos = []string{"h2", "http/1.1"}
		}
	}
	return s
}

func (v *service) closeAll() {
	for _, l := range v.places {
		l.Close()
	}
}

// Run serves until ctx ends or a signal asks for the end, and every request that was accepted is answered.
func (v *service) Run(ctx context.Context) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT)
	defer stop()
	terminated, hup := make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(terminated)
	defer signal.Stop(hup)

	v.engine.Run(ctx)
	failed := make(chan error, len(v.servers))
	for i, s := range v.servers {
		go recovery.Once(v.engine.Filter().Caught("server"), func() {
			if err := s.Serve(v.places[i]); !errors.Is(err, http.ErrServerClosed) {
				failed <- err
			}
		})
	}
	v.ready.Store(true)
	v.console.Note("listening on " + strings.Join(v.names, ", ") + "; requests go to " + v.backend.String() + "; engine " + string(v.Mode))
	err := v.wait(ctx, terminated, hup, failed)
	stop() // a second SIGINT ends the process at once
	signal.Stop(terminated)
	return errors.Join(err, v.shutDown())
}

// lookEvery is how often certificates are looked after.
const lookEvery = 10 * time.Second

// wait looks after certificates until there is a reason to end.
func (v *service) wait(ctx context.Context, terminated, hup <-chan os.Signal, failed <-chan error) error {
	ticks := time.NewTicker(lookEvery)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
			v.reloadCertificates()
		case <-hup:
			v.reloadCertificates()
			v.engine.Filter().LookForChanges()
		case err := <-failed:
			v.draining.Store(true)
			return err
		case <-ctx.Done():
			v.draining.Store(true)
			return nil
		case <-terminated:
			v.drain(ctx)
			return nil
		}
	}
}

// drain has clients and load balancers go elsewhere while requests are still served.
func (v *service) drain(ctx context.Context) {
	v.draining.Store(true)
	select {
	case <-time.After(v.shutdownDelay):
	case <-ctx.Done():
	}
}

func (v *service) reloadCertificates() {
	if v.certificates == nil {
		return
	}
	switch changed, err := v.certificates.reload(); {
	case err != nil:
		v.log.Printf("%v; the certificate of before stays in use", err)
	case changed:
		v.console.Note("the certificate has changed")
	}
}

// shutDown waits for requests that are under way, and then for their alerts.
func (v *service) shutDown() error {
	ctx, cancel := context.WithTimeout(context.Background(), v.shutdownTimeout)
	defer cancel()
	var problems []error
	for _, s := range v.servers {
		if err := s.Shutdown(ctx); err != nil {
			problems = append(problems, fmt.Errorf("requests did not end within shutdown_timeout (%v)", v.shutdownTimeout), s.Close())
		}
	}
	totals := v.engine.Totals()
	for _, d := range v.engine.Close() {
		v.console.Note(cli.Count(d.Taken, "alert") + " delivered to " + d.Destination)
		if d.Lost > 0 {
			problems = append(problems, fmt.Errorf("%s not delivered to %s", cli.Count(d.Lost, "alert"), d.Destination))
		}
	}
	v.console.Note(fmt.Sprintf("%s passed, %s passed with an alert, %s blocked, %s not inspected", cli.Count(totals.Passed, "request"),
		cli.Grouped(totals.Alerted), cli.Grouped(totals.Blocked), cli.Grouped(totals.Uninspected)))
	return errors.Join(problems...)
}
