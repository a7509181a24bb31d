package metrics

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// page is an address at which the metrics of the process are served, for all that have asked for it.
type page struct {
	address string // as it was asked for
	server  *http.Server
	at      net.Addr
	users   int // guarded by pages.mu
}

var pages = struct {
	mu        sync.Mutex
	byAddress map[string]*page
}{byAddress: map[string]*page{}}

// Page is a share in a page with metrics.
type Page struct{ page *page }

// Bounds of what a page does for those who ask: Prometheus asks four times a minute.
const (
	maxRequests = 4
	readTimeout = 5 * time.Second
)

// Serve serves the metrics of all instances of the process at http://ADDRESS/metrics. Several may ask for the same address;
// the last one that closes its share ends it.
func Serve(address string) (*Page, error) {
	pages.mu.Lock()
	defer pages.mu.Unlock()
	if p := pages.byAddress[address]; p != nil {
		p.users++
		return &Page{p}, nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	handler := promhttp.HandlerFor(everything{}, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: maxRequests,
	})
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", handler)
	p := &page{
		address: address, at: listener.Addr(), users: 1,
		server: &http.Server{Handler: mux, ReadTimeout: readTimeout, MaxHeaderBytes: 16 << 10},
	}
	pages.byAddress[address] = p
	go p.server.Serve(listener) //nolint:errcheck // it always ends with an error, when it is closed
	return &Page{p}, nil
}

// Address returns where the page is, also when any free port was asked for.
func (p *Page) Address() string { return p.page.at.String() }

// Close gives the share up.
func (p *Page) Close() error {
	pages.mu.Lock()
	defer pages.mu.Unlock()
	if p.page.users--; p.page.users > 0 {
		return nil
	}
	delete(pages.byAddress, p.page.address)
	if err := p.page.server.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close metrics page: %w", err)
	}
	return nil
}
