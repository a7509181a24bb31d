package evaluation

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/fluent-bit-waf/fluent-bit-waf/cmd/wafctl/internal/cli"
)

// Input is an open file or the standard input, decompressed when it starts with the magic of gzip or zstd.
type Input struct {
	io.Reader
	Name     string
	Modified time.Time // of a file: the time of its records that name none, so that they get the same one each time
	Close    func()
}

const (
	peekSize = 64 << 10
	// The largest window that zstd's own tool uses without being asked for more.
	zstdWindow = 128 << 20
)

var (
	gzipMagic = []byte{0x1f, 0x8b}
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}
)

// StdinName is what messages call the standard input.
const StdinName = "standard input"

// OpenInput opens a file; "-" is stdin. A progress that is not nil counts what is read.
func OpenInput(name string, stdin io.Reader, p *cli.Progress) (*Input, error) {
	if name == "-" {
		return Decompress(&Input{Reader: p.Meter(stdin), Name: StdinName, Close: func() {}})
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read records: %w", err)
	}
	in := &Input{Reader: p.Meter(file), Name: name, Close: func() { file.Close() }}
	if info, err := file.Stat(); err == nil {
		if info.IsDir() {
			file.Close()
			return nil, fmt.Errorf("read records: %s is a directory (want a file, or - for standard input)", name)
		}
		if info.Mode().IsRegular() {
			in.Modified = info.ModTime()
		}
	}
	return Decompress(in)
}

func Decompress(in *Input) (*Input, error) {
	peeked := bufio.NewReaderSize(in.Reader, peekSize)
	in.Reader = peeked
	magic, _ := peeked.Peek(len(zstdMagic)) // an empty or failing source tells at the first read
	switch {
	case bytes.HasPrefix(magic, gzipMagic):
		unzipped, err := gzip.NewReader(peeked)
		if err != nil {
			in.Close()
			return nil, fmt.Errorf("read records: %s: %w", in.Name, err)
		}
		in.Reader = unzipped
	case bytes.HasPrefix(magic, zstdMagic):
		unzipped, err := zstd.NewReader(peeked, zstd.WithDecoderMaxWindow(zstdWindow), zstd.WithDecoderConcurrency(1))
		if err != nil {
			in.Close()
			return nil, fmt.Errorf("read records: %s: %w", in.Name, err)
		}
		closeFile := in.Close
		in.Reader, in.Close = unzipped, func() { unzipped.Close(); closeFile() }
	}
	return in, nil
}
