package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/fluent-bit-waf/fluent-bit-waf/bench/fluentbit"
)

// format is how records are written, one a line.
type format struct {
	name, title string
	line        func(i uint64) []byte
}

var formats = []format{
	{"access", "access log, combined format", combined},
	{"nano", "Nano JSON with heads and bodies", func(i uint64) []byte { return fluentbit.JSON(fluentbit.Mixed(i)) }},
}

// combined writes a record as nginx does. Records are a tenth of a second apart.
func combined(i uint64) []byte {
	r := fluentbit.Mixed(i)
	at := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(i) * 100 * time.Millisecond)
	return fmt.Appendf(nil, `%s - - [%s] "%s %s HTTP/1.1" %d %d "%s" "%s"`, r.SrcIP, at.Format("02/Jan/2006:15:04:05 -0700"), r.Method, r.Target, r.Status,
		len(r.ResponseBody), dash(r.Referer), dash(r.Agent))
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// packing is how files are compressed.
type packing struct {
	name, unpack string
	pack         func(io.Writer) (io.WriteCloser, error)
}

var packings = []packing{
	{"gzip", "zcat", func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriterLevel(w, 6) }},
	{"zstd", "zstdcat", func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) }},
}

// write writes an archive of so many bytes of text, and returns how many it has and takes.
func write(dir string, f format, packing packing, size int64, files int) (text, packed int64, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return 0, 0, err
	}
	number := uint64(0)
	for i := range files {
		path := filepath.Join(dir, fmt.Sprintf("%04d.%s", i, packing.name))
		n, err := writeFile(path, f, packing, size/int64(files), &number)
		if err != nil {
			return 0, 0, err
		}
		info, err := os.Stat(path)
		if err != nil {
			return 0, 0, err
		}
		text, packed = text+n, packed+info.Size()
	}
	return text, packed, nil
}

func writeFile(path string, f format, packing packing, size int64, number *uint64) (text int64, err error) {
	file, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	packer, err := packing.pack(file)
	if err != nil {
		return 0, err
	}
	to := bufio.NewWriterSize(packer, 1<<20)
	for ; text < size; *number++ {
		n, _ := to.Write(append(f.line(*number), '\n')) // Flush returns the error
		text += int64(n)
	}
	if err := to.Flush(); err != nil {
		return 0, err
	}
	return text, packer.Close()
}
