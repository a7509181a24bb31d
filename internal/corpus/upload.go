package corpus

import (
	"fmt"
	"net/url"
	"strings"
)

// upload is a person or program that sends a file.
func upload(d *dice) *exchange {
	e := &exchange{method: "POST", host: d.pick(apiHosts), target: "/v1/files?folder=" + url.QueryEscape(d.pick(categories))}
	e.add("User-Agent", d.browser())
	e.add("Accept", "*/*")
	e.add("Cookie", d.cookies())
	switch d.below(4) {
	case 0:
		e.method, e.target = "PUT", "/bucket-"+d.hex(6)+"/"+d.uuid()+"?partNumber="+fmt.Sprint(d.between(1, 90))+"&uploadId="+d.draw(base64URL, 40)
		e.send("application/octet-stream", d.draw(base64URL, d.between(200, 6000)))
		e.status = 200
		e.answerHeaders = []header{{"ETag", `"` + d.hex(32) + `"`}}
	case 1:
		e.method, e.target = "PUT", "/avatars/"+d.digits(7)+".jpg"
		e.send("application/octet-stream", "/9j/4AAQSkZJRg"+d.draw(base64URL[:62], d.between(200, 4000)))
		e.status = 204
	default:
		e.target = "/upload/" + d.pick(categories)
		d.form(e)
		e.respond(201, jsonType, fmt.Sprintf(`{"file":{"id":"%s","size":%s,"sha256":"%s"}}`, d.uuid(), d.digits(5), d.hex(64)))
	}
	return e
}

// form sends a multipart form with a file.
func (d *dice) form(e *exchange) {
	boundary := "----WebKitFormBoundary" + d.draw(base64URL[:62], 16)
	var b strings.Builder
	part := func(disposition, content string) {
		b.WriteString("--" + boundary + "\r\nContent-Disposition: form-data; " + disposition + "\r\n\r\n" + content + "\r\n")
	}
	part(`name="title"`, d.pick(adjectives)+" "+d.pick(products))
	part(`name="description"`, d.pick(sentences))
	name := d.pick(fileNames)
	switch d.below(3) {
	case 0:
		var csv strings.Builder
		csv.WriteString("date;article;quantity;amount\n")
		for range d.between(3, 40) {
			fmt.Fprintf(&csv, "2024-05-%02d;%s;%d;%s\n", d.between(1, 30), d.pick(products), d.between(1, 40), d.price())
		}
		part(`name="file"; filename="`+strings.ReplaceAll(name, ".", "_")+".csv\"\r\nContent-Type: text/csv", csv.String())
	case 1:
		part(`name="file"; filename="`+name+"\"\r\nContent-Type: application/pdf", "%PDF-1.7\n"+d.draw(base64URL, d.between(300, 8000)))
	default:
		part(`name="file"; filename="`+name+"\"\r\nContent-Type: image/png", "\x89PNG\r\n\x1a\n"+d.draw(base64URL, d.between(300, 3000)))
	}
	b.WriteString("--" + boundary + "--\r\n")
	e.send("multipart/form-data; boundary="+boundary, b.String())
}
