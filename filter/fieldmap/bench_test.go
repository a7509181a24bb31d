package fieldmap

import "testing"

func BenchmarkReadNano(b *testing.B) { benchmarkRead(b, nanoBody(b)) }

func BenchmarkReadCaddy(b *testing.B) {
	benchmarkRead(b, body(b, `{"level":"info","ts":1,"logger":"http.log.access","msg":"handled request","request":{"remote_ip":"192.0.2.7",
		"remote_port":"4711","client_ip":"192.0.2.7","proto":"HTTP/2.0","method":"GET","host":"shop.example","uri":"/cart?id=1",
		"headers":{"User-Agent":["Mozilla/5.0"],"Accept":["*/*"],"Accept-Language":["de","en"]}},"status":200,
		"resp_headers":{"Content-Type":["text/html"]}}`))
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
