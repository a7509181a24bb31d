package main

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
)

// usualSize is the size in bytes of the smaller ones of large bodies.
const usualSize = 10_000

var words = strings.Fields("account address amount article balance blue bottle branch business calendar carton chair city color " +
	"comment company contact contract copper country customer delivery department discount engine evening factory family " +
	"flower garden glass green harbor history invoice island kitchen label language letter library machine market meeting " +
	"message morning mountain museum number office orange paper payment pencil person picture planet pocket product project " +
	"quality quarter question reason receipt region report river season service shelf silver station street student summer " +
	"supplier ticket tomorrow tractor traffic village warehouse weather window winter yellow")

// phrase returns some words and numbers.
func phrase(d *rand.Rand, n int) string {
	picked := make([]string, n)
	for i := range picked {
		if picked[i] = words[d.IntN(len(words))]; d.IntN(6) == 0 {
			picked[i] = fmt.Sprint(d.IntN(10_000))
		}
	}
	return strings.Join(picked, " ")
}

// Each of these returns a transaction of a number with a large body of a size in bytes. Larger ones have longer values, not more of them.

func form(size int) func(i uint64) corpus.Record {
	return func(i uint64) corpus.Record {
		d := rand.New(rand.NewPCG(3, i))
		var b strings.Builder
		for n := 0; b.Len() < size; n++ {
			if n > 0 {
				b.WriteByte('&')
			}
			fmt.Fprintf(&b, "%s_%d=%s", words[d.IntN(len(words))], n, url.QueryEscape(phrase(d, size/usualSize*(1+d.IntN(12)))))
		}
		return posted(i, "application/x-www-form-urlencoded", b.String())
	}
}

func document(size int) func(i uint64) corpus.Record {
	return func(i uint64) corpus.Record {
		d := rand.New(rand.NewPCG(4, i))
		var b strings.Builder
		b.WriteString(`{"items":[`)
		for n := 0; b.Len() < size; n++ {
			if n > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"id":%d,"name":%q,"count":%d,"note":%q}`, d.IntN(1_000_000), phrase(d, 2), d.IntN(50), phrase(d, size/usualSize*(1+d.IntN(12))))
		}
		b.WriteString("]}")
		return posted(i, "application/json", b.String())
	}
}

func multipart(size int) func(i uint64) corpus.Record {
	return func(i uint64) corpus.Record {
		d := rand.New(rand.NewPCG(5, i))
		var b strings.Builder
		for n := 0; b.Len() < size; n++ {
			fmt.Fprintf(&b, "--b0undary\r\nContent-Disposition: form-data; name=\"%s_%d\"\r\n\r\n%s\r\n", words[d.IntN(len(words))], n, phrase(d, size/usualSize*(1+d.IntN(24))))
		}
		return posted(i, "multipart/form-data; boundary=b0undary", b.String()+"--b0undary--\r\n")
	}
}

func markup(size int) func(i uint64) corpus.Record {
	return func(i uint64) corpus.Record {
		d := rand.New(rand.NewPCG(6, i))
		var b strings.Builder
		b.WriteString("<?xml version=\"1.0\"?><orders>")
		for b.Len() < size {
			fmt.Fprintf(&b, "<order number=\"%d\"><item>%s</item><note>%s</note></order>", d.IntN(1_000_000), phrase(d, 2), phrase(d, size/usualSize*(1+d.IntN(12))))
		}
		return posted(i, "text/xml", b.String()+"</orders>")
	}
}

func response(size int) func(i uint64) corpus.Record {
	return func(i uint64) corpus.Record {
		d := rand.New(rand.NewPCG(7, i))
		var b strings.Builder
		b.WriteString("<!DOCTYPE html><html><head><title>Orders</title></head><body>")
		for b.Len() < size {
			fmt.Fprintf(&b, "<h2 class=\"title\">%s</h2><p>%s.</p>\n", phrase(d, 3), phrase(d, 1+d.IntN(60)))
		}
		r := posted(i, "application/json", `{"page":1}`)
		r.ResponseBody = b.String() + "</body></html>\n"
		r.ResponseHead = fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n", len(r.ResponseBody))
		return r
	}
}

// posted returns a transaction that sends a body.
func posted(i uint64, mediaType, body string) corpus.Record {
	r := corpus.Record{
		Begin: "2024-05-30 07:16:48.000", Method: "POST", Target: fmt.Sprintf("/orders/%d", i), Host: "api.example.com", Status: 200,
		SrcIP: "203.0.113.7", DstIP: "10.0.0.5", SrcPort: 40_000, DstPort: 80, RequestBody: body,
		Agent: "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", ResponseBody: `{"ok":true}`,
		ResponseHead: "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n",
	}
	r.RequestHead = fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\nAccept: */*\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n",
		r.Target, r.Host, r.Agent, mediaType, len(body))
	return r
}
