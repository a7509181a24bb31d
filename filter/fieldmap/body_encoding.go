package fieldmap

import (
	"bufio"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"

	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

const (
	// What a body may decode to in bytes, as much as a WAF in the request path inspects: Coraza's SecResponseBodyLimit. The
	// steps of a body with several codings have the same limit each.
	maxDecoded = 512 << 10
	maxCodings = 3
	// The largest window of zstd in bytes that a sender may use in HTTP (RFC 9659).
	maxWindow = 8 << 20
)

var errCoding = errors.New("unknown content coding, or too many")

// decode writes over buf what a body holds under its content codings, as far as it can be decoded and at most maxDecoded
// bytes. An error says that this is not all; it is io.ErrShortBuffer at the limit.
func decode(buf []byte, body string, codings []string) ([]byte, error) {
	if len(codings) > maxCodings {
		return buf[:0], errCoding
	}
	var source io.Reader = strings.NewReader(body)
	for _, name := range slices.Backward(codings) {
		pool, known := decoders[strings.ToLower(name)]
		if !known {
			return buf[:0], errCoding
		}
		d := pool.Get().(decoder)
		defer pool.Put(d)
		if err := d.reset(io.LimitReader(source, maxDecoded)); err != nil {
			return buf[:0], err
		}
		source = d
	}
	return readUpTo(buf[:0], source, maxDecoded)
}

// readUpTo appends what a reader gives. The error is nil when this is all of it.
func readUpTo(buf []byte, source io.Reader, limit int) ([]byte, error) {
	for len(buf) < limit {
		buf = slices.Grow(buf, 512)
		n, err := source.Read(buf[len(buf):min(cap(buf), limit)])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			return buf, nil
		}
		if err != nil {
			return buf, err
		}
	}
	return buf, io.ErrShortBuffer
}

// decoder reads one content coding. After reset it reads another body.
type decoder interface {
	io.Reader
	reset(io.Reader) error
}

var decoders = map[string]*sync.Pool{
	"gzip":    {New: func() any { return &gzipDecoder{} }},
	"x-gzip":  {New: func() any { return &gzipDecoder{} }},
	"deflate": {New: func() any { return &deflateDecoder{} }},
	"br":      {New: func() any { return &brotliDecoder{} }},
	"zstd":    {New: func() any { return &zstdDecoder{} }},
}

type gzipDecoder struct{ gzip.Reader }

func (d *gzipDecoder) reset(source io.Reader) error { return d.Reset(source) }

type brotliDecoder struct{ brotli.Reader }

func (d *brotliDecoder) reset(source io.Reader) error { return d.Reset(source) }

type zstdDecoder struct{ *zstd.Decoder }

func (d *zstdDecoder) reset(source io.Reader) (err error) {
	if d.Decoder != nil {
		return d.Reset(source)
	}
	d.Decoder, err = zstd.NewReader(source, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxWindow))
	return err
}

// deflateDecoder reads zlib data, which deflate means in HTTP, and the bare deflate data that some servers send instead.
type deflateDecoder struct {
	io.Reader
	input *bufio.Reader
	bare  io.ReadCloser
	zlib  io.ReadCloser
}

func (d *deflateDecoder) reset(source io.Reader) error {
	if d.input == nil {
		d.input = bufio.NewReader(source)
		d.bare = flate.NewReader(d.input)
	}
	d.input.Reset(source)
	start, err := d.input.Peek(2)
	if err != nil {
		return err
	}
	const methodDeflate = 8
	if start[0]&0x0f != methodDeflate || (uint(start[0])<<8|uint(start[1]))%31 != 0 {
		d.Reader = d.bare
		return d.bare.(flate.Resetter).Reset(d.input, nil)
	}
	if d.zlib == nil {
		d.zlib, err = zlib.NewReader(d.input)
	} else {
		err = d.zlib.(zlib.Resetter).Reset(d.input, nil)
	}
	d.Reader = d.zlib
	return err
}

// contentCodings returns the codings of a body in the order in which they were applied.
func contentCodings(headers []rules.Header) (codings []string) {
	for i := range headers {
		if !isNamed(&headers[i], "Content-Encoding") {
			continue
		}
		for name := range strings.SplitSeq(headers[i].Value, ",") {
			if name = strings.Trim(name, blanks); name != "" && !strings.EqualFold(name, "identity") {
				codings = append(codings, name)
			}
		}
	}
	return codings
}

// isOpaque reports whether the codings of a body hide what it says: each that is not known, and all where the body is none of text.
func isOpaque(codings []string, body string) bool {
	return len(codings) > 0 && (!isText(body) || slices.ContainsFunc(codings, func(name string) bool { return decoders[strings.ToLower(name)] == nil }))
}

// isText reports whether a body is text and so not compressed: no format of a content coding starts without control
// characters or bytes that are not UTF-8.
func isText(body string) bool {
	const enough = 512
	start := body[:min(len(body), enough)]
	for i := 0; i < len(start); {
		r, size := utf8.DecodeRuneInString(start[i:])
		switch {
		case r < ' ' && r != '\t' && r != '\n' && r != '\r', r == 0x7f:
			return false
		case r == utf8.RuneError && size == 1:
			return i > len(start)-utf8.UTFMax && !utf8.FullRuneInString(start[i:])
		}
		i += size
	}
	return true
}
