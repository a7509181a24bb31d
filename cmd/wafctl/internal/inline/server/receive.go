package server

import (
	"errors"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/inline/requestlog"
)

// Receive reads the body of a request as far as it is inspected, up to a limit. It answers and reports false where it cannot go on.
func (s *Server) Receive(w http.ResponseWriter, r *http.Request, limit int64) (b *Body, ok bool) {
	if r.ContentLength > limit && !s.PartialBodies {
		s.Reject(w, r, http.StatusRequestEntityTooLarge, BodyTooLong)
		return nil, false
	}
	control := http.NewResponseController(w)
	control.SetReadDeadline(time.Now().Add(s.bodyTimeout)) //nolint:errcheck // every server connection has one
	b, err := s.Bodies.Read(r.Body, r.ContentLength, limit)
	switch {
	case err == nil && b.Cut && !s.PartialBodies:
		b.Close()
		s.Reject(w, r, http.StatusRequestEntityTooLarge, BodyTooLong)
	case err == nil:
		control.SetReadDeadline(time.Time{}) //nolint:errcheck // as above
		return b, true
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.Reject(w, r, http.StatusRequestTimeout, BodyTooSlow)
	case isOurs(err):
		s.Log.Printf("a request body cannot be kept: %v", err)
		s.Reject(w, r, http.StatusServiceUnavailable, NoRoom)
	default:
		s.Reject(w, r, http.StatusBadRequest, BadBody)
	}
	return nil, false
}

// isOurs reports whether an error is one of a file of the server.
func isOurs(err error) bool {
	var path *os.PathError
	var call *os.SyscallError
	return errors.As(err, &path) || errors.As(err, &call) && !errors.As(err, new(*net.OpError))
}

// Reject answers a request that is not inspected. The connection is closed: there may be more of the request in it.
func (s *Server) Reject(w http.ResponseWriter, r *http.Request, status int, why Rejection) {
	s.counts.rejected[why].Add(1)
	if line := requestlog.Of(w); line != nil {
		line.Decision, line.Reason = "rejected", string(why)
	}
	if r.ProtoMajor == 1 {
		w.Header().Set("Connection", "close")
	}
	Page{Status: status}.Write(w, r)
}
