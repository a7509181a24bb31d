package server

import (
	"io"
	"net/http"
)

// serveHealth answers /healthz and /readyz, and reports whether that was asked.
func (s *Server) serveHealth(w http.ResponseWriter, r *http.Request) bool {
	status := http.StatusOK
	switch r.URL.Path {
	case "/healthz":
	case "/readyz":
		if s.draining.Load() || !s.ready.Load() {
			status = http.StatusServiceUnavailable
		}
	default:
		return false
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	io.WriteString(w, http.StatusText(status)+"\n") //nolint:errcheck // the client may be gone
	return true
}

func (s *Server) onlyHealth(w http.ResponseWriter, r *http.Request) {
	if !s.serveHealth(w, r) {
		http.NotFound(w, r)
	}
}
