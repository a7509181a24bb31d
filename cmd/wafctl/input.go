package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"
)

// input is an open file or the standard input, decompressed when it starts with the magic of gzip or zstd.
type input struct {
	io.Reader
	name  string
	close func()
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

// stdinName is what messages call the standard input.
const stdinName = "standard input"

// openInput opens a file; "-" is stdin. The progress is told what is read, unless it is nil.
func openInput(name string, stdin io.Reader, p *progress) (*input, error) {
	if name == "-" {
		return decompress(&input{Reader: p.meter(stdin), name: stdinName, close: func() {}})
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read records: %w", err)
	}
	if info, err := file.Stat(); err == nil && info.IsDir() {
		file.Close()
		return nil, fmt.Errorf("read records: %s is a directory (want a file, or - for standard input)", name)
	}
	return decompress(&input{Reader: p.meter(file), name: name, close: func() { file.Close() }})
}

func decompress(in *input) (*input, error) {
	peeked := bufio.NewReaderSize(in.Reader, peekSize)
	in.Reader = peeked
	magic, _ := peeked.Peek(len(zstdMagic)) // an empty or failing source tells at the first read
	switch {
	case bytes.HasPrefix(magic, gzipMagic):
		unzipped, err := gzip.NewReader(peeked)
		if err != nil {
			in.close()
			return nil, fmt.Errorf("read records: %s: %w", in.name, err)
		}
		in.Reader = unzipped
	case bytes.HasPrefix(magic, zstdMagic):
		unzipped, err := zstd.NewReader(peeked, zstd.WithDecoderMaxWindow(zstdWindow), zstd.WithDecoderConcurrency(1))
		if err != nil {
			in.close()
			return nil, fmt.Errorf("read records: %s: %w", in.name, err)
		}
		closeFile := in.close
		in.Reader, in.close = unzipped, func() { unzipped.Close(); closeFile() }
	}
	return in, nil
}
