package intake

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
)

// Unpacker finds the text in what a datagram holds: as it is, compressed with gzip or zlib, or written in base64. It keeps
// memory from call to call and serves one goroutine at a time.
type Unpacker struct {
	Limit  int  // bytes that a text may have; 0 allows DefaultTextLimit
	Base64 bool // what does not begin as JSON or compressed data does is taken for base64

	from  bytes.Reader
	gzip  gzip.Reader
	zlib  io.ReadCloser
	text  []byte
	plain []byte
}

// DefaultTextLimit is the size in bytes up to which compressed data is decompressed.
const DefaultTextLimit = 4 << 20

var errTooLong = errors.New("text is too long")

// Text returns what the datagram holds. It is valid until the next call, and as long as the datagram.
func (u *Unpacker) Text(datagram []byte) ([]byte, error) {
	if text, packed, err := u.decompress(datagram); packed {
		return text, err
	}
	if !u.Base64 {
		return datagram, nil
	}
	coded := bytes.TrimSpace(datagram)
	if len(coded) == 0 || coded[0] == '{' {
		return datagram, nil
	}
	plain, err := decodeBase64(u.plain[:0], coded)
	u.plain = plain[:0]
	if err != nil {
		return nil, fmt.Errorf("neither JSON nor base64: %w", err)
	}
	if text, packed, err := u.decompress(plain); packed {
		return text, err
	}
	return plain, nil
}

func (u *Unpacker) decompress(data []byte) (text []byte, packed bool, err error) {
	switch {
	case isGzip(data):
		u.from.Reset(data)
		if err = u.gzip.Reset(&u.from); err == nil {
			text, err = u.read(&u.gzip)
		}
	case isZlib(data):
		u.from.Reset(data)
		if err = u.openZlib(); err == nil {
			text, err = u.read(u.zlib)
		}
	default:
		return nil, false, nil
	}
	if err != nil {
		return nil, true, fmt.Errorf("decompress a message: %w", err)
	}
	return text, true, nil
}

func (u *Unpacker) openZlib() (err error) {
	if u.zlib == nil {
		u.zlib, err = zlib.NewReader(&u.from)
		return err
	}
	return u.zlib.(zlib.Resetter).Reset(&u.from, nil)
}

func (u *Unpacker) read(from io.Reader) ([]byte, error) {
	limit := u.Limit
	if limit == 0 {
		limit = DefaultTextLimit
	}
	if cap(u.text) > largeScratch {
		u.text = nil
	}
	to := bytes.NewBuffer(u.text[:0])
	n, err := to.ReadFrom(io.LimitReader(from, int64(limit)+1))
	u.text = to.Bytes()
	switch {
	case err != nil:
		return nil, err
	case n > int64(limit):
		return nil, fmt.Errorf("%w (want at most %d bytes)", errTooLong, limit)
	}
	return u.text, nil
}

func isGzip(data []byte) bool { return len(data) > 2 && data[0] == 0x1f && data[1] == 0x8b }

// isZlib knows zlib's header by its method and its check bits.
func isZlib(data []byte) bool {
	return len(data) > 2 && data[0]&0x0f == 8 && data[0]>>4 <= 7 && (uint(data[0])<<8|uint(data[1]))%31 == 0
}
