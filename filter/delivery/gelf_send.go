package delivery

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"crypto/rand"
	"io"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules/setting"
)

// GELF is small and its Go libraries have had no release for years; they neither time out nor tell a lost connection.

// A chunk is the magic, an id of the message, the chunk's number and the number of chunks, and a part of the message.
const (
	chunkMagic  = "\x1e\x0f"
	chunkHead   = len(chunkMagic) + 8 + 2
	maxChunks   = 128
	maxChunk    = 8192
	maxGELFTCP  = 16 << 20
	gelfUDPSize = "1420"    // a chunk that no network on the way has to split
	gelfTCPSize = "2097152" // what Graylog takes by default
)

var gelfUDPOptions = optionGroup{of: "gelf+udp", options: []setting.Property{
	{Name: "compress", Default: "gzip", Values: []string{"gzip", "zlib", "none"}, Help: "gzip, zlib or none, for messages larger than a datagram"},
	{Name: "chunk", Default: gelfUDPSize, Help: "bytes of a datagram"},
	{Name: "max", Help: "maximum bytes of a document (default: 128 datagrams)"},
}}

var gelfTCPOptions = optionGroup{of: "gelf+tcp and gelf+tls", options: []setting.Property{
	{Name: "max", Default: gelfTCPSize, Help: "maximum bytes of a document; longer ones are shortened"},
}}

func openGELFUDP(a *address, timeout time.Duration) sink {
	chunk := a.Bytes("chunk", 512, maxChunk)
	limit := maxChunks * (chunk - chunkHead)
	if a.Given("max") {
		limit = a.Bytes("max", minGELF, limit)
	}
	f := &gelfFormat{machine: a.opt.Hostname, limit: limit, counters: a.counters}
	compress := a.Word("compress")
	return &datagramSink{host: a.host, dialer: a.opt.dialer, timeout: timeout, datagrams: func(m *Message) [][]byte {
		return chunks(f.document(m), chunk, compress)
	}}
}

// chunks returns the datagrams of a document: as it is when it fits in one, else compressed if that helps, and in chunks if
// that is needed.
func chunks(doc []byte, size int, compress string) [][]byte {
	if len(doc) > size {
		doc = compressed(doc, compress)
	}
	if len(doc) <= size {
		return [][]byte{doc}
	}
	part := size - chunkHead
	count := (len(doc) + part - 1) / part
	head := append([]byte(chunkMagic), make([]byte, chunkHead-len(chunkMagic))...)
	_, _ = rand.Read(head[len(chunkMagic) : chunkHead-2]) // never fails
	head[chunkHead-1] = byte(count)
	datagrams := make([][]byte, count)
	for i := range datagrams {
		head[chunkHead-2] = byte(i)
		datagrams[i] = append(bytes.Clone(head), doc[i*part:min(len(doc), (i+1)*part)]...)
	}
	return datagrams
}

// compressed returns the shorter of the document and its compressed form.
func compressed(doc []byte, method string) []byte {
	var b bytes.Buffer
	var w io.WriteCloser
	switch method {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "zlib":
		w = zlib.NewWriter(&b)
	default:
		return doc
	}
	// Writing to memory cannot fail.
	_, _ = w.Write(doc)
	_ = w.Close()
	if b.Len() >= len(doc) {
		return doc
	}
	return b.Bytes()
}

func openGELFTCP(a *address, timeout time.Duration) sink { return newGELFStream(a, timeout, tcp(a)) }

func openGELFTLS(a *address, timeout time.Duration) sink {
	return newGELFStream(a, timeout, overTLS(a))
}

func newGELFStream(a *address, timeout time.Duration, dial dialFunc) sink {
	f := &gelfFormat{machine: a.opt.Hostname, limit: a.Bytes("max", minGELF, maxGELFTCP), counters: a.counters}
	return &streamSink{stream: stream{dial: dial, timeout: timeout}, frame: func(dst []byte, m *Message) []byte {
		return append(append(dst, f.document(m)...), 0)
	}}
}
