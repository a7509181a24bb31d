package metrics

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
)

// page is an address at which the metrics of the process are served, for all that have asked for it.
type page struct {
	address string // as it was asked for
	server  *http.Server
	at      net.Addr
	users   int // guarded by the process
	ended   chan struct{}
}

// Page is a share in a page with metrics.
type Page struct {
	process *Process
	page    *page
}

// Bounds of what a page does for those who ask: Prometheus asks four times a minute.
const (
	maxRequests = 4
	readTimeout = 5 * time.Second
)

// Serve serves the metrics of all instances of the process at http://ADDRESS/metrics. Several may ask for the same address;
// the last one that closes its share ends it. Panics outside of requests go to the caught of the first.
func (p *Process) Serve(address string, caught recovery.Caught) (*Page, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if known := p.pages[address]; known != nil {
		known.users++
		return &Page{p, known}, nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	handler := promhttp.HandlerFor(p, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: maxRequests,
	})
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", handler)
	opened := &page{
		address: address, at: listener.Addr(), users: 1, ended: make(chan struct{}),
		server: &http.Server{Handler: mux, ReadTimeout: readTimeout, MaxHeaderBytes: 16 << 10},
	}
	p.pages[address] = opened
	go recovery.Loop(opened.ended, caught, func() { opened.serve(&listener) })
	return &Page{p, opened}, nil
}

// serve serves until the page is closed. A panic costs the listener, so that the next call opens another.
func (p *page) serve(listener *net.Listener) {
	l := *listener
	*listener = nil
	if l == nil {
		var err error
		if l, err = net.Listen("tcp", p.at.String()); err != nil {
			return // the address is taken
		}
	}
	p.server.Serve(l) //nolint:errcheck // it always ends with an error, when it is closed
}

// Address returns where the page is, also when any free port was asked for.
func (p *Page) Address() string { return p.page.at.String() }

// Close gives the share up.
func (p *Page) Close() error {
	p.process.mu.Lock()
	defer p.process.mu.Unlock()
	if p.page.users--; p.page.users > 0 {
		return nil
	}
	delete(p.process.pages, p.page.address)
	close(p.page.ended)
	if err := p.page.server.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close metrics page: %w", err)
	}
	return nil
}
