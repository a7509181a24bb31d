package server

import (
	"net/http"
	"time"
)

// pacedWriter cuts off clients of HTTP/2 that open no window for a response, each stream on its own. For HTTP/1 the connection has such a limit.
type pacedWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	limit   time.Duration // in which a client must take what is written
}

func (s *Server) pace(w http.ResponseWriter) *pacedWriter {
	return &pacedWriter{ResponseWriter: w, control: http.NewResponseController(w), limit: s.SendTimeout}
}

// Write implements http.ResponseWriter.
func (w *pacedWriter) Write(body []byte) (int, error) {
	w.begin()
	defer w.end()
	return w.ResponseWriter.Write(body)
}

// FlushError is what http.ResponseController flushes with.
func (w *pacedWriter) FlushError() error {
	w.begin()
	defer w.end()
	return w.control.Flush()
}

// Flush implements http.Flusher, which gRPC asks for.
func (w *pacedWriter) Flush() { w.FlushError() } //nolint:errcheck // a client that is gone shows with the next write

// Unwrap lets http.ResponseController do what this writer does not.
func (w *pacedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// begin starts the time for what is written from here on. It goes on after the end of a handler, for what is buffered then.
func (w *pacedWriter) begin() {
	w.control.SetWriteDeadline(time.Now().Add(w.limit)) //nolint:errcheck // streams of HTTP/2 have one
}

// end stops the time: a backend may have nothing to say for longer.
func (w *pacedWriter) end() {
	w.control.SetWriteDeadline(time.Time{}) //nolint:errcheck // as above
}
