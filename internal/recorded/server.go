// Package recorded makes records of HTTP that no generator has written. They are of what browsers, clients and tools
// of operators send to servers on this machine, and get from them. Programs that are not installed are skipped.
package recorded

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
)

// Server serves on the loopback address and records each transaction as it was on the wire.
type Server struct {
	Address string // 127.0.0.1 and a port

	http     http.Server
	done     sync.WaitGroup
	mutex    sync.Mutex
	finished sync.Cond
	open     int
	records  []corpus.Record
	kind     string
	host     string
}

// Serve starts a server. Its records have a kind, and a host with as many bytes as the server's address, which stands in its place
// everywhere: who visits a site on the own machine is a special case for rules.
func Serve(kind, host string, handler http.Handler) (*Server, error) {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{Address: listener.Addr().String(), kind: kind, host: host}
	s.finished.L = &s.mutex
	s.http = http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	s.http.SetKeepAlivesEnabled(false) // one transaction a connection, so that its bytes are those of the connection
	s.done.Add(1)
	go func() {
		defer s.done.Done()
		_ = s.http.Serve(&tee{listener, s}) // ends with Stop
	}()
	return s, nil
}

// Stop ends the server and returns its records, in the order in which they ended.
func (s *Server) Stop() []corpus.Record {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close()
	}
	s.done.Wait()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for s.open > 0 {
		s.finished.Wait()
	}
	return s.records
}

// tee is a listener whose connections keep what goes through them.
type tee struct {
	net.Listener
	server *Server
}

func (t *tee) Accept() (net.Conn, error) {
	conn, err := t.Listener.Accept()
	if err != nil {
		return nil, err
	}
	t.server.mutex.Lock()
	t.server.open++
	t.server.mutex.Unlock()
	return &tap{Conn: conn, server: t.server}, nil
}

// maxKept bounds the bytes that are kept of each direction of a connection.
const maxKept = 1 << 20

// tap keeps what goes through a connection.
type tap struct {
	net.Conn
	server   *Server
	mutex    sync.Mutex
	request  bytes.Buffer
	response bytes.Buffer
	once     sync.Once
}

func (t *tap) Read(b []byte) (int, error) {
	n, err := t.Conn.Read(b)
	t.keep(&t.request, b[:n])
	return n, err
}

func (t *tap) Write(b []byte) (int, error) {
	n, err := t.Conn.Write(b)
	t.keep(&t.response, b[:n])
	return n, err
}

func (t *tap) keep(to *bytes.Buffer, b []byte) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	to.Write(b[:min(len(b), maxKept-to.Len())])
}

func (t *tap) Close() error {
	err := t.Conn.Close()
	t.once.Do(func() {
		t.mutex.Lock()
		r, recordErr := record(t.server.kind, t.request.Bytes(), t.response.Bytes())
		t.mutex.Unlock()
		t.server.mutex.Lock()
		defer t.server.mutex.Unlock()
		if recordErr == nil {
			t.server.records = append(t.server.records, t.server.elsewhere(r))
		}
		t.server.open--
		t.server.finished.Broadcast()
	})
	return err
}

// elsewhere puts a record into a network of a company.
func (s *Server) elsewhere(r corpus.Record) corpus.Record {
	for _, text := range []*string{&r.Target, &r.Host, &r.Referer, &r.RequestHead, &r.RequestBody, &r.ResponseHead, &r.ResponseBody} {
		*text = strings.ReplaceAll(*text, s.Address, s.host)
	}
	r.SrcIP, r.DstIP, r.DstPort = "10.1.4.17", "10.1.8.5", 80
	r.SrcPort = 40000 + len(s.records)%20000
	if _, port, err := net.SplitHostPort(s.host); err == nil {
		r.DstPort, _ = strconv.Atoi(port)
	}
	return r
}

var errNoRequest = errors.New("no request")

// record makes a record of the bytes of a connection.
func record(kind string, request, response []byte) (r corpus.Record, err error) {
	head, body, found := bytes.Cut(request, []byte("\r\n\r\n"))
	if !found {
		return r, errNoRequest
	}
	parsed, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(request)))
	if err != nil {
		return r, err
	}
	r = corpus.Record{
		Kind: kind, Begin: time.Now().UTC().Format("2006-01-02 15:04:05.000"), Method: parsed.Method, Target: parsed.RequestURI, Host: parsed.Host,
		Agent: parsed.UserAgent(), Referer: parsed.Referer(), Cookie: parsed.Header.Get("Cookie"),
		RequestHead: string(head) + "\r\n\r\n", RequestBody: string(content(body, parsed.TransferEncoding)),
	}
	for {
		head, body, found = bytes.Cut(response, []byte("\r\n\r\n"))
		if !found {
			return r, nil
		}
		if !bytes.HasPrefix(head, []byte("HTTP/1.1 1")) { // an interim response
			break
		}
		response = body
	}
	answer, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(response)), parsed)
	if err != nil {
		return r, err
	}
	_ = answer.Body.Close()
	r.Status, r.ResponseHead, r.ResponseBody = answer.StatusCode, string(head)+"\r\n\r\n", string(content(body, answer.TransferEncoding))
	return r, nil
}

// content returns a body without its chunks.
func content(body []byte, encoding []string) []byte {
	if strings.Join(encoding, "") != "chunked" {
		return body
	}
	plain, _ := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(body))) // what came of it before it broke
	return plain
}
