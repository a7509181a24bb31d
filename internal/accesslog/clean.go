package accesslog

import "strconv"

// Clean returns requests of browsers and apps without any attack, by what they do.
func Clean() map[string]*Request {
	first := Browser("GET", "/")
	first.Headers = without(first.Headers, "Referer", "Cookie")
	second := Browser("GET", "/catalog/shoes?color=dark+blue&size=42&sort=price%3Aasc")
	second.Protocol = "HTTP/2.0"
	missing := Browser("GET", "/favicon-32x32.png")
	missing.Status = 404
	phone := Browser("GET", "/cart").With("User-Agent",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Mobile/15E148 Safari/604.1")
	redirect := Browser("GET", "/login?next=%2Faccount%2Forders")
	redirect.Status = 302
	return map[string]*Request{
		"first visit":       first,
		"page":              Browser("GET", "/catalog?page=3"),
		"page over HTTP/2":  second,
		"words of a search": Browser("GET", "/search?q=men%27s+running+shoes+%26+socks"),
		"other alphabet":    Browser("GET", "/produkte/stra%C3%9Fenschuhe?q=gr%C3%B6%C3%9Fe"),
		"static file":       Browser("GET", "/static/js/app.3f2a9c1b.js").With("Accept", "*/*"),
		"missing file":      missing,
		"phone":             phone,
		"redirect":          redirect,
		"head":              Browser("HEAD", "/"),
		"login form":        post("/account/login", "application/x-www-form-urlencoded", "user=anna.meyer%40example.com&password=Spring-Leaf-27&remember=on"),
		"call of an app":    post("/api/v1/cart/items", "application/json", `{"sku":"A-1047","quantity":2,"options":{"size":"42"}}`),
		"upload of a picture": post("/account/picture", "multipart/form-data; boundary=----WebKitFormBoundaryx7Qa2Lk9",
			"------WebKitFormBoundaryx7Qa2Lk9\r\nContent-Disposition: form-data; name=\"picture\"; filename=\"me.png\"\r\n"+
				"Content-Type: image/png\r\n\r\nPNG data\r\n------WebKitFormBoundaryx7Qa2Lk9--\r\n"),
	}
}

func post(target, mediaType, body string) *Request {
	r := Browser("POST", target)
	r.Body = body
	return r.With("Content-Type", mediaType).With("Content-Length", strconv.Itoa(len(body))).With("Origin", "https://shop.example.com")
}

func without(headers []Header, names ...string) (kept []Header) {
	for _, h := range headers {
		drop := false
		for _, name := range names {
			drop = drop || h.Name == name
		}
		if !drop {
			kept = append(kept, h)
		}
	}
	return kept
}
