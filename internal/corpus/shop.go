package corpus

import (
	"fmt"
	"html"
	"net/url"
	"strings"
)

// shop is a person with a browser in a web shop.
func shop(d *dice) *exchange {
	e := &exchange{method: "GET", host: d.pick(sites)}
	e.add("User-Agent", d.browser())
	e.add("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8")
	e.add("Accept-Language", d.pick(languages))
	e.add("Accept-Encoding", "gzip, deflate, br")
	e.add("Connection", "keep-alive")
	if !d.oneIn(4) {
		e.add("Referer", "https://"+e.host+"/"+d.pick(categories)+"/?page="+fmt.Sprint(d.between(1, 40)))
	}
	if !d.oneIn(5) {
		e.add("Cookie", d.cookies())
	}
	switch d.below(12) {
	case 0, 1, 2:
		d.productPage(e)
	case 3, 4:
		d.searchPage(e)
	case 5, 6:
		d.asset(e)
	case 7:
		d.addToCart(e)
	case 8:
		d.signIn(e)
	case 9:
		d.checkout(e)
	case 10:
		d.review(e)
	default:
		d.landing(e)
	}
	return e
}

func (d *dice) cookies() string {
	parts := []string{"session=" + d.draw(base64URL, 32)}
	if d.oneIn(2) {
		parts = append(parts, fmt.Sprintf("_ga=GA1.2.%s.%s", d.digits(9), d.digits(10)), "cart="+d.uuid())
	}
	if d.oneIn(3) {
		parts = append(parts, "consent="+url.QueryEscape(fmt.Sprintf(`{"ads":%t,"stats":%t}`, d.oneIn(2), d.oneIn(2))), "lang="+strings.ToLower(d.pick(countries)))
	}
	return strings.Join(parts, "; ")
}

func slug(s string) string {
	return strings.Trim(strings.Map(func(c rune) rune {
		if 'a' <= c && c <= 'z' || '0' <= c && c <= '9' {
			return c
		}
		return '-'
	}, strings.ToLower(s)), "-")
}

func (d *dice) productPage(e *exchange) {
	product := d.pick(adjectives) + " " + d.pick(products)
	e.target = fmt.Sprintf("/%s/%s-%s.html", d.pick(categories), slug(product), d.digits(6))
	if d.oneIn(3) {
		e.target += "?variant=" + d.digits(8) + "&utm_source=" + url.QueryEscape(d.pick(campaigns)) + "&utm_medium=email"
	}
	e.respond(200, "text/html; charset=utf-8", d.page(product,
		"<h1>"+html.EscapeString(product)+"</h1><p class=\"price\">"+d.price()+" &euro;</p><p>"+html.EscapeString(d.pick(sentences))+"</p>"+
			"<img src=\"/media/"+d.hex(8)+".webp\" alt=\"\"><form action=\"/cart/add\" method=\"post\"><input type=\"hidden\" name=\"sku\" value=\""+
			d.digits(8)+"\"><button>Add to cart</button></form>"))
}

func (d *dice) page(title, content string) string {
	return "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>" + html.EscapeString(title) +
		"</title><link rel=\"stylesheet\" href=\"/static/app." + d.hex(8) + ".css\"></head>\n<body><nav><a href=\"/\">Home</a> <a href=\"/account\">" +
		"My account</a></nav>\n<main>" + content + "</main>\n<footer>Contact: service@" + d.pick(domains) + ", " + d.phone() +
		" &copy; 2024</footer><script src=\"/static/app." + d.hex(8) + ".js\"></script></body></html>\n"
}

func (d *dice) searchPage(e *exchange) {
	query := url.Values{"q": {d.pick(adjectives) + " " + d.pick(products)}}
	if d.oneIn(2) {
		query.Set("sort", d.pick(sorts))
		query.Set("page", fmt.Sprint(d.between(1, 30)))
	}
	if d.oneIn(3) {
		query.Set("price", fmt.Sprintf("%d-%d", d.between(1, 40), d.between(50, 400)))
		query.Set("brand", d.pick(lastNames))
	}
	e.target = "/search?" + query.Encode()
	var list strings.Builder
	for range d.between(1, 12) {
		product := d.pick(adjectives) + " " + d.pick(products)
		fmt.Fprintf(&list, "<li><a href=\"/p/%s-%s\">%s</a> %s &euro;</li>\n", slug(product), d.digits(6), html.EscapeString(product), d.price())
	}
	e.respond(200, "text/html; charset=utf-8", d.page("Search", "<ul>"+list.String()+"</ul>"))
}

func (d *dice) asset(e *exchange) {
	switch d.below(4) {
	case 0:
		e.target = "/static/app." + d.hex(8) + ".js"
		e.respond(200, "application/javascript", "(()=>{\"use strict\";var e={"+d.digits(3)+":(e,t,n)=>{n.d(t,{Z:()=>r});const r=\""+d.hex(20)+"\"}};})();")
	case 1:
		e.target = "/static/app." + d.hex(8) + ".css?v=" + d.digits(5)
		e.respond(200, "text/css", ".b-"+d.hex(5)+"{margin:0 auto;padding:"+d.digits(2)+"px}@media (min-width:768px){.n{display:flex}}")
	case 2:
		e.target = fmt.Sprintf("/media/cache/%dx%d/%s/%s.webp", d.between(1, 9)*100, d.between(1, 9)*100, d.hex(2), d.hex(32))
		e.respond(200, "image/webp", "RIFF"+d.draw(base64URL, d.between(60, 300)))
	default:
		e.target = "/media/" + d.pick(categories) + "/" + d.hex(10) + ".jpg"
		e.add("If-None-Match", `"`+d.hex(16)+`"`)
		e.status = 304
	}
}

const formType = "application/x-www-form-urlencoded"

func (d *dice) addToCart(e *exchange) {
	e.method, e.target = "POST", "/cart/add"
	e.add("Origin", "https://"+e.host)
	e.send(formType, url.Values{
		"sku": {d.digits(8)}, "qty": {fmt.Sprint(d.between(1, 5))}, "form_key": {d.draw(base64URL, 16)}, "size": {d.pick([]string{"S", "M", "L", "XL", "42 1/2"})},
	}.Encode())
	e.respond(302, "text/html; charset=utf-8", "")
	e.answerHeaders = []header{{"Location", "/cart"}}
}

func (d *dice) signIn(e *exchange) {
	e.method, e.target = "POST", "/account/login?return="+url.QueryEscape("/"+d.pick(categories)+"/")
	e.add("Origin", "https://"+e.host)
	e.send(formType, url.Values{
		"email": {d.email()}, "password": {d.draw(base64URL+"!.,+", d.between(8, 18))}, "remember": {"1"}, "csrf_token": {d.draw(base64URL, 43)},
	}.Encode())
	e.status = 302
	e.answerHeaders = []header{{"Location", "/account"}, {"Set-Cookie", "session=" + d.draw(base64URL, 32) + "; Path=/; HttpOnly; Secure; SameSite=Lax"}}
}

func (d *dice) checkout(e *exchange) {
	e.method, e.target = "POST", "/checkout/"+d.pick([]string{"address", "shipping", "payment", "confirm"})
	e.add("Origin", "https://"+e.host)
	e.send(formType, url.Values{
		"name": {d.person()}, "street": {d.address()}, "zip": {d.digits(5)}, "city": {d.pick(cities)}, "country": {d.pick(countries)}, "phone": {d.phone()},
		"email": {d.email()}, "payment_token": {"tok_" + d.draw(base64URL[:62], 24)}, "note": {d.pick(sentences)},
	}.Encode())
	e.respond(200, "text/html; charset=utf-8", d.page("Order "+d.digits(9), "<p>Thank you, "+html.EscapeString(d.person())+
		"! Your order no. "+d.digits(12)+" will be charged to your card ending in "+d.digits(4)+".</p><p>"+html.EscapeString(d.address())+", "+d.digits(5)+" "+d.pick(cities)+"</p>"))
}

func (d *dice) review(e *exchange) {
	e.method, e.target = "POST", "/product/"+d.digits(6)+"/reviews"
	e.add("X-Requested-With", "XMLHttpRequest")
	e.send(formType, url.Values{
		"rating": {fmt.Sprint(d.between(1, 5))}, "title": {d.pick(adjectives) + " " + d.pick(products)}, "text": {d.pick(sentences) + " " + d.pick(sentences)},
		"nickname": {d.pick(firstNames)},
	}.Encode())
	e.respond(200, "application/json", fmt.Sprintf(`{"ok":true,"review_id":%s,"moderation":"%s"}`, d.digits(7), d.pick(states)))
}

func (d *dice) landing(e *exchange) {
	e.target = "/"
	if d.oneIn(2) {
		e.target = "/?utm_source=" + url.QueryEscape(d.pick(campaigns)) + "&utm_campaign=" + url.QueryEscape(d.pick(campaigns)) + "&gclid=" + d.draw(base64URL, 60)
	}
	e.respond(200, "text/html; charset=utf-8", d.page("Welcome", "<h1>New in "+d.pick(categories)+"</h1><p>"+html.EscapeString(d.pick(sentences))+"</p>"))
}
