package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/inline"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/recovery"
)

// errBlocked is about a response that is not sent, because of what the rules have found in it.
var errBlocked = errors.New("blocked")

// inspectResponse has the rules look at a response before anything of it is sent.
func (p *proxy) inspectResponse(r *http.Response) error {
	x := exchangeOf(r.Request)
	if r.StatusCode < 100 {
		return fmt.Errorf("malformed status %d", r.StatusCode)
	}
	if len(r.Header["Content-Type"]) == 0 {
		x.writer.Header()["Content-Type"] = nil // net/http would guess one
	}
	x.status = r.StatusCode
	p.counts.response(r.StatusCode)
	if p.Mode == inline.Off || r.StatusCode == http.StatusSwitchingProtocols {
		return nil
	}
	withBody := p.inspectsBody(r)
	if !withBody && !p.engine.NeedsHead(r.StatusCode) {
		return nil
	}
	head := inline.AppendResponseHead(make([]byte, 0, 512), "HTTP/1.1", r.StatusCode, plainType(r.Header))
	reply := &inline.Response{Status: r.StatusCode, Head: head}
	if withBody {
		var err error
		if reply.Body, err = p.hold(r); err != nil {
			return err
		}
	}
	if x.Respond(r.Request.Context(), reply); x.Block {
		return errBlocked
	}
	return nil
}

// inspectsBody reports whether the body of a response is one that rules look at.
func (p *proxy) inspectsBody(r *http.Response) bool {
	if !p.ResponseBody || r.Body == http.NoBody || r.ContentLength == 0 || r.Request.Method == http.MethodHead {
		return false
	}
	kind, _ := mediaType(r.Header)
	return slices.ContainsFunc(p.ResponseTypes, func(want string) bool {
		for one := range strings.FieldsSeq(want) {
			if strings.EqualFold(one, kind) {
				return true
			}
		}
		return false
	})
}

// mediaType returns the type of a response, and its parameters with the semicolon.
func mediaType(h http.Header) (kind, parameters string) {
	text := h.Get("Content-Type")
	if at := strings.IndexByte(text, ';'); at >= 0 {
		text, parameters = text[:at], text[at:]
	}
	return strings.TrimSpace(text), parameters
}

// plainType returns a header with the type in lower case and without spaces behind it: the engine compares it letter by letter with the types
// that it inspects.
func plainType(h http.Header) http.Header {
	kind, parameters := mediaType(h)
	plain := strings.ToLower(kind) + parameters
	if plain == h.Get("Content-Type") {
		return h
	}
	h = maps.Clone(h)
	h["Content-Type"] = []string{plain}
	return h
}

// hold reads the body of a response as far as it is inspected, and puts a body in its place that begins with that.
func (p *proxy) hold(r *http.Response) ([]byte, error) {
	limit := p.ResponseLimit + 1 // with one byte more it shows that there is more
	if r.ContentLength > 0 {
		held := make([]byte, min(r.ContentLength, int64(limit)))
		n, err := io.ReadFull(r.Body, held)
		if err != nil {
			return nil, err
		}
		r.Body = &rest{Reader: io.MultiReader(bytes.NewReader(held[:n]), r.Body), Closer: r.Body}
		return held[:n], nil
	}
	q := newPump(r.Body, limit, p.engine.Filter().Caught("response"))
	held := q.first(limit, p.responseWait)
	r.Body = q
	return held, nil
}

// pump reads a body of unknown length ahead, so that one can wait for its start with a time limit. It is an io.ReadCloser of all of it.
type pump struct {
	from   io.ReadCloser
	caught recovery.Caught

	mu      sync.Mutex
	changed sync.Cond
	ahead   []byte // read, and not taken
	most    int    // of these
	err     error  // of reading, once it has ended
	closed  bool
}

func newPump(from io.ReadCloser, most int, caught recovery.Caught) *pump {
	p := &pump{from: from, most: most, caught: caught}
	p.changed.L = &p.mu
	go recovery.Once(caught, func() {
		defer p.end(io.ErrUnexpectedEOF) // unless it has ended otherwise
		p.run()
	})
	return p
}

// run reads until the body ends, or nobody wants more.
func (p *pump) run() {
	buffer := make([]byte, 8<<10)
	for {
		n, err := p.from.Read(buffer)
		if !p.put(buffer[:n]) {
			return
		}
		if err != nil {
			p.end(err)
			return
		}
	}
}

// put adds what was read when there is room. It reports false once the pump is closed.
func (p *pump) put(data []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.ahead) >= p.most && !p.closed {
		p.changed.Wait()
	}
	p.ahead = append(p.ahead, data...)
	p.changed.Broadcast()
	return !p.closed
}

// end notes why nothing more is read; only the first reason counts.
func (p *pump) end(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
	}
	p.changed.Broadcast()
}

// first waits until so many bytes are there, or the body ends, or time is up, and returns a copy of what is there.
func (p *pump) first(limit int, wait time.Duration) []byte {
	over := false
	timer := time.AfterFunc(wait, func() {
		recovery.Once(p.caught, func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			over = true
			p.changed.Broadcast()
		})
	})
	defer timer.Stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.ahead) < limit && p.err == nil && !over {
		p.changed.Wait()
	}
	return append([]byte(nil), p.ahead[:min(limit, len(p.ahead))]...)
}

// Read implements io.Reader.
func (p *pump) Read(to []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.ahead) == 0 && p.err == nil && !p.closed {
		p.changed.Wait()
	}
	if len(p.ahead) == 0 {
		if p.err == nil {
			return 0, http.ErrBodyReadAfterClose
		}
		return 0, p.err
	}
	n := copy(to, p.ahead)
	p.ahead = p.ahead[n:]
	p.changed.Broadcast()
	return n, nil
}

// Close implements io.Closer.
func (p *pump) Close() error {
	p.mu.Lock()
	p.closed = true
	p.changed.Broadcast()
	p.mu.Unlock()
	return p.from.Close()
}
