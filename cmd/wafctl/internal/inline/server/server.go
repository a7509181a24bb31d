// Package server serves HTTP for commands in the request path. It bounds connections, times and sizes, keeps bodies in memory or files,
// reads certificates again when they change, and answers what is asked of the process itself. When it ends, every request that was
// accepted is answered first.
package server

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
	"sync/atomic"
	"syscall"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/inline"
	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/inline/requestlog"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
)

// Server serves requests that an engine inspects. It is a prometheus.Collector.
type Server struct {
	Settings

	Bodies   Bodies
	Log      *log.Logger     // at a limited rate
	Requests *requestlog.Log // nil without an access log

	console *cli.Console
	engine  *inline.Engine
	handler http.Handler
	counts  counts

	watched []*Certificates // whose files may change
	servers []*http.Server
	places  []net.Listener // of the servers
	names   []string       // of the places, for the log

	draining atomic.Bool // the process is about to end
	ready    atomic.Bool // requests can be inspected
}

// lines writes the log of net/http, which has a line for each broken handshake, at a limited rate and without what was sent.
type lines struct {
	console *cli.Console
	limiter cli.Limiter
}

// Write implements io.Writer.
func (l *lines) Write(text []byte) (int, error) {
	if _, may := l.limiter.May(time.Now()); may {
		line, _, _ := strings.Cut(string(text), " starting with ") // the bytes that a backend has sent unasked
		l.console.Say("warning: " + strings.TrimSpace(line))
	}
	return len(text), nil
}

const logEvery = 10 * time.Second

// New returns a server for a command, which names its metrics, with the reasons that the command has for rejections.
func New(command string, s Settings, e *inline.Engine, c *cli.Console, reasons ...Rejection) *Server {
	v := &Server{Settings: s, console: c, engine: e, Log: log.New(&lines{console: c, limiter: cli.Limiter{Every: logEvery}}, "", 0)}
	v.Bodies.Limit, v.Bodies.Dir = s.bodyMemory, s.tempDir
	v.counts.start(command, reasons)
	e.Filter().Measure(v)
	v.Watch(s.certificates)
	return v
}

// Watch has changed files of certificates read again. It may be called of nil ones, and before Run.
func (s *Server) Watch(c *Certificates) {
	if c != nil {
		s.watched = append(s.watched, c)
	}
}

// Listen opens the places where requests arrive for a handler. Problems stay in the reader, and nothing is open where there are any.
func (s *Server) Listen(handler http.Handler, r *setting.Reader) error {
	s.handler = handler
	places := make(chan struct{}, s.maxConnections)
	for _, at := range []struct {
		setting, address, scheme string
		handler                  http.Handler
		tls                      bool
	}{
		{"listen", s.listen, "http", http.HandlerFunc(s.serve), false},
		{"tls_listen", s.TLSListen, "https", http.HandlerFunc(s.serve), true},
		{"health_listen", s.healthListen, "health", http.HandlerFunc(s.onlyHealth), false},
	} {
		if at.address == "" {
			continue
		}
		l, err := net.Listen("tcp", at.address)
		if err != nil {
			r.Problem(at.setting, err)
			continue
		}
		s.names = append(s.names, at.scheme+"://"+l.Addr().String())
		if at.setting != "health_listen" {
			l = s.limit(l, places)
		}
		s.servers = append(s.servers, s.server(at.handler, at.tls))
		if at.tls {
			l = tls.NewListener(l, s.servers[len(s.servers)-1].TLSConfig)
		}
		s.places = append(s.places, l)
	}
	if r.Err() != nil {
		for _, l := range s.places {
			l.Close()
		}
	}
	return r.Err()
}

// Addresses returns where the server listens, in the order of Places.
func (s *Server) Addresses() (all []net.Addr) {
	for _, l := range s.places {
		all = append(all, l.Addr())
	}
	return all
}

// Ready reports whether requests can be inspected.
func (s *Server) Ready() bool { return s.ready.Load() }

// Draining reports whether the process is about to end.
func (s *Server) Draining() bool { return s.draining.Load() }

// Connections returns how many connections of clients are open.
func (s *Server) Connections() int64 { return s.counts.connections.Load() }

// InFlight returns how many requests are not answered yet.
func (s *Server) InFlight() int64 { return s.counts.inFlight.Load() }

// maxStreams bounds the requests at a time of one connection of HTTP/2.
const maxStreams = 128

func (s *Server) server(handler http.Handler, withTLS bool) *http.Server {
	v := &http.Server{
		Handler: handler, ErrorLog: s.Log, ReadHeaderTimeout: s.headerTimeout, IdleTimeout: s.idleTimeout,
		MaxHeaderBytes: s.maxHead, Protocols: new(http.Protocols),
		DisableGeneralOptionsHandler: true, // "OPTIONS *" is the handler's to answer
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: maxStreams, WriteByteTimeout: s.SendTimeout, SendPingTimeout: s.idleTimeout, PingTimeout: s.headerTimeout,
		},
	}
	v.Protocols.SetHTTP1(true)
	v.Protocols.SetHTTP2(s.HTTP2 && withTLS)
	v.Protocols.SetUnencryptedHTTP2(s.HTTP2 && !withTLS)
	if withTLS {
		v.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
		if s.HTTP2 {
			v.TLSConfig.NextProtos = []string{"h2", "http/1.1"}
		}
		s.certificates.serve(v.TLSConfig)
	}
	return v
}

// serve answers what is asked of the server itself, and has the handler answer the rest.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor == 2 {
		paced := s.pace(w)
		defer paced.begin()
		w = paced
	}
	if s.draining.Load() && r.ProtoMajor == 1 {
		w.Header().Set("Connection", "close")
	}
	if s.healthListen == "" && s.serveHealth(w, r) {
		return
	}
	s.counts.inFlight.Add(1)
	defer s.counts.inFlight.Add(-1) // after the entry's end: a request whose line is not written is not answered yet
	if s.Requests != nil {
		entry := s.Requests.Start(w, r)
		defer entry.End()
		w = entry
	}
	if countLines(r.Header) > s.maxHeaders {
		s.Reject(w, r, http.StatusRequestHeaderFieldsTooLarge, TooManyHeaders)
		return
	}
	s.handler.ServeHTTP(w, r)
}

func countLines(h http.Header) (n int) {
	for _, values := range h {
		n += len(values)
	}
	return n
}

// Run serves until ctx ends or a signal asks for the end, and every request that was accepted is answered. The greeting goes to the log.
func (s *Server) Run(ctx context.Context, greeting string) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT)
	defer stop()
	terminated, hup := make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(terminated)
	defer signal.Stop(hup)

	log.SetOutput(s.Log.Writer()) // net/http has no other log for connections to the backend
	log.SetFlags(0)
	defer log.SetOutput(os.Stderr)

	s.engine.Run(ctx)
	if s.Requests != nil {
		go s.Requests.Run(s.engine.Filter().Caught("access log"))
	}
	failed := make(chan error, len(s.servers))
	for i, v := range s.servers {
		go recovery.Once(s.engine.Filter().Caught("server"), func() {
			if err := v.Serve(s.places[i]); !errors.Is(err, http.ErrServerClosed) {
				failed <- err
			}
		})
	}
	s.ready.Store(true)
	s.console.Note("listening on " + strings.Join(s.names, ", ") + greeting)
	err := s.wait(ctx, terminated, hup, failed)
	stop() // a second SIGINT ends the process at once
	signal.Stop(terminated)
	return errors.Join(err, s.shutDown())
}

// lookEvery is how often certificates are looked after.
const lookEvery = 10 * time.Second

// wait looks after certificates until there is a reason to end.
func (s *Server) wait(ctx context.Context, terminated, hup <-chan os.Signal, failed <-chan error) error {
	ticks := time.NewTicker(lookEvery)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
			s.reloadCertificates()
		case <-hup:
			s.reloadCertificates()
			s.Requests.Reopen()
			s.engine.Filter().LookForChanges()
		case err := <-failed:
			s.draining.Store(true)
			return err
		case <-ctx.Done():
			s.draining.Store(true)
			return nil
		case <-terminated:
			s.Drain(ctx)
			return nil
		}
	}
}

// Drain has clients and load balancers go elsewhere while requests are still served, for shutdown_delay or until ctx ends.
func (s *Server) Drain(ctx context.Context) {
	s.draining.Store(true)
	select {
	case <-time.After(s.shutdownDelay):
	case <-ctx.Done():
	}
}

func (s *Server) reloadCertificates() {
	for _, c := range s.watched {
		switch changed, err := c.reload(); {
		case err != nil:
			s.Log.Printf("%v; the certificate of before stays in use", err)
		case changed:
			s.console.Note("the certificate in " + c.certificate + " has changed")
		}
	}
}

// shutDown waits for requests that are under way, and then for their alerts.
func (s *Server) shutDown() error {
	ctx, cancel := context.WithTimeout(context.Background(), s.shutdownTimeout)
	defer cancel()
	var problems []error
	for _, v := range s.servers {
		if err := v.Shutdown(ctx); err != nil {
			problems = append(problems, fmt.Errorf("requests did not end within shutdown_timeout (%v)", s.shutdownTimeout), v.Close())
		}
	}
	s.Requests.Close()
	totals := s.engine.Totals()
	for _, d := range s.engine.Close() {
		s.console.Note(cli.Count(d.Taken, "alert") + " delivered to " + d.Destination)
		if d.Lost > 0 {
			problems = append(problems, fmt.Errorf("%s not delivered to %s", cli.Count(d.Lost, "alert"), d.Destination))
		}
	}
	s.console.Note(fmt.Sprintf("%s passed, %s passed with an alert, %s blocked, %s not inspected", cli.Count(totals.Passed, "request"),
		cli.Grouped(totals.Alerted), cli.Grouped(totals.Blocked), cli.Grouped(totals.Uninspected)))
	return errors.Join(problems...)
}
