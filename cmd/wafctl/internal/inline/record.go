package inline

import (
	"encoding/binary"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tinylib/msgp/msgp"
)

// Request is an HTTP request that waits for a decision. Its memory is borrowed for the calls of the Engine, and for those of its
// Transaction.
type Request struct {
	// Head is the request line and the header lines, each with CRLF, and the empty line: what the backend is to get. AppendRequestHead
	// writes one.
	Head []byte

	// Body is the body without chunked framing, as much of it as is to be inspected.
	Body []byte

	Unseen  bool // the request may have a body that nobody has read: rules about bodies are not run
	Chunked bool // the head has Transfer-Encoding: chunked
	Cut     bool // the body goes on behind Body

	Client netip.AddrPort // whom rules take for the client, see Engine.Client; the port may be 0
	Server netip.AddrPort // where the request arrived; zero when that is not known
	Time   time.Time
}

// Response is what a backend has answered. Its memory is borrowed for the call.
type Response struct {
	Status int
	Head   []byte // status line and header lines, each with CRLF, and the empty line; AppendResponseHead writes one
	Body   []byte // as much of it as is to be inspected
}

// AppendRequestHead appends a head with the parts of a request. The header must not have Host. Names are in order, so that equal requests
// make equal heads.
func AppendRequestHead(dst []byte, method, target, protocol, host string, header map[string][]string) []byte {
	dst = append(append(append(dst, method...), ' '), target...)
	dst = append(append(append(dst, ' '), protocol...), "\r\n"...)
	if host != "" {
		dst = appendLine(dst, "Host", host)
	}
	return append(appendHeader(dst, header), "\r\n"...)
}

// AppendResponseHead appends a head with the parts of a response.
func AppendResponseHead(dst []byte, protocol string, status int, header map[string][]string) []byte {
	dst = append(append(dst, protocol...), ' ')
	dst = append(strconv.AppendInt(dst, int64(status), 10), "\r\n"...)
	return append(appendHeader(dst, header), "\r\n"...)
}

// namesPool keeps the memory in which names are sorted.
var namesPool = sync.Pool{New: func() any { return new([]string) }}

func appendHeader(dst []byte, header map[string][]string) []byte {
	sorted := namesPool.Get().(*[]string)
	defer namesPool.Put(sorted)
	names := (*sorted)[:0]
	for name := range header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range header[name] {
			dst = appendLine(dst, name, value)
		}
	}
	clear(names)
	*sorted = names
	return dst
}

func appendLine(dst []byte, name, value string) []byte {
	return append(append(append(append(dst, name...), ": "...), value...), "\r\n"...)
}

// ending is what became of a transaction.
type ending struct {
	status   int    // 0 when there is no response
	action   string // what was done about the request, "" when it took its course
	response *Response
}

// blockedAction is the action of a blocked request. It is read as a refusal, see the field map of Nano's records.
const blockedAction = "blocked by wafctl"

var sensor = sync.OnceValue(func() string {
	name, _ := os.Hostname() // an alert without a sensor is one all the same
	return name
})

// appendEvent appends the record of a transaction, like one of a Nano probe: addresses, raw heads, bodies. Keys that are missing are
// parts that nobody has seen.
func appendEvent(dst []byte, r *Request, e *ending) []byte {
	dst = append(dst, 0x92, 0x92, 0xd7, 0x00)
	dst = binary.BigEndian.AppendUint32(dst, uint32(r.Time.Unix()))
	dst = binary.BigEndian.AppendUint32(dst, uint32(r.Time.Nanosecond()))
	dst = append(dst, 0x80)
	at := len(dst)
	dst = append(dst, 0x80) // a map of fewer than 16 keys, whose number is written at the end
	keys := byte(0)
	key := func(name string) {
		dst = msgp.AppendString(dst, name)
		keys++
	}
	text := func(name, value string) {
		if value != "" {
			key(name)
			dst = msgp.AppendString(dst, value)
		}
	}
	text("host", sensor())
	if r.Client.Addr().IsValid() {
		text("SRC_IP", r.Client.Addr().String())
	}
	if r.Client.Port() != 0 {
		text("SRC_PORT", strconv.Itoa(int(r.Client.Port())))
	}
	if r.Server.IsValid() {
		text("DST_IP", r.Server.Addr().String())
		text("DST_PORT", strconv.Itoa(int(r.Server.Port())))
	}
	key("REQ_HEADER")
	dst = msgp.AppendStringFromBytes(dst, r.Head)
	if !r.Unseen {
		key("REQ_BODY")
		dst = appendBody(dst, r)
	}
	text("WAF_ACTION", e.action)
	if e.status != 0 {
		text("RETCODE", strconv.Itoa(e.status))
	}
	if response := e.response; response != nil {
		key("RSP_HEADER")
		dst = msgp.AppendStringFromBytes(dst, response.Head)
		key("RSP_BODY")
		dst = msgp.AppendStringFromBytes(dst, response.Body)
	}
	dst[at] |= keys
	return dst
}

// appendBody appends the body, with the framing that the head announces: without it a body that looks like frames would be taken for them.
// A body that goes on has no last frame.
func appendBody(dst []byte, r *Request) []byte {
	if !r.Chunked {
		return msgp.AppendStringFromBytes(dst, r.Body)
	}
	var framed strings.Builder
	framed.Grow(len(r.Body) + 32)
	if len(r.Body) > 0 {
		framed.WriteString(strconv.FormatInt(int64(len(r.Body)), 16))
		framed.WriteString("\r\n")
		framed.Write(r.Body)
		framed.WriteString("\r\n")
	}
	if !r.Cut {
		framed.WriteString("0\r\n\r\n")
	}
	return msgp.AppendString(dst, framed.String())
}
