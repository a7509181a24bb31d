package fieldmap

import (
	"testing"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter/record"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules"
)

func BenchmarkReadNano(b *testing.B) { benchmarkRead(b, nanoBody(b)) }

func BenchmarkReadCaddy(b *testing.B) {
	benchmarkRead(b, body(b, `{"level":"info","ts":1,"logger":"http.log.access","msg":"handled request","request":{"remote_ip":"192.0.2.7",
		"remote_port":"4711","client_ip":"192.0.2.7","proto":"HTTP/2.0","method":"GET","host":"shop.example","uri":"/cart?id=1",
		"headers":{"User-Agent":["Mozilla/5.0"],"Accept":["*/*"],"Accept-Language":["de","en"]}},"status":200,
		"resp_headers":{"Content-Type":["text/html"]}}`))
}

// BenchmarkTransactionNano makes transactions of what a record says, heads included.
func BenchmarkTransactionNano(b *testing.B) {
	c, err := Open("auto")
	if err != nil {
		b.Fatal(err)
	}
	var v Values
	var tx rules.Transaction
	r := corpus.Clean(3)
	e, _, err := record.Next(r.AppendEvent(nil, corpus.ProbeLimit))
	if err != nil || c.Read(nil, e.Body, &v) == NoMap {
		b.Fatal("not read")
	}
	b.SetBytes(int64(len(r.RequestHead) + len(r.ResponseHead)))
	b.ReportAllocs()
	for b.Loop() {
		if !v.Transaction(&tx) {
			b.Fatal("no transaction")
		}
	}
}

func benchmarkRead(b *testing.B, body []byte) {
	c, err := Open("auto")
	if err != nil {
		b.Fatal(err)
	}
	var v Values
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if c.Read(nil, body, &v) == NoMap {
			b.Fatal("not read")
		}
	}
}
