package corpus

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
)

const jsonType = "application/json"

// rest is a program that uses a REST service.
func rest(d *dice) *exchange {
	e := &exchange{method: "GET", host: d.pick(apiHosts), internal: true, port: 8080}
	e.add("User-Agent", d.library())
	e.add("Accept", "application/json")
	d.authorize(e)
	if d.oneIn(2) {
		e.add("X-Request-Id", d.uuid())
		e.add("traceparent", "00-"+d.hex(32)+"-"+d.hex(16)+"-01")
	}
	service := d.pick(services)
	base := fmt.Sprintf("/v%d/%s", d.between(1, 3), service)
	switch d.below(11) {
	case 0, 1:
		e.target = base + "/" + d.id()
		e.respond(200, jsonType, d.object(service))
	case 2, 3:
		d.list(e, base, service)
	case 4, 5:
		e.method, e.target = "POST", base
		e.send(jsonType, d.object(service))
		e.respond(201, jsonType, `{"id":"`+d.id()+`","created_at":"`+d.timestamp()+`"}`)
	case 6:
		e.method, e.target = "PUT", base+"/"+d.id()
		e.send(jsonType+"; charset=utf-8", d.object(service))
		e.respond(200, jsonType, d.object(service))
	case 7:
		e.method, e.target = "PATCH", base+"/"+d.id()
		e.send("application/merge-patch+json", fmt.Sprintf(`{"status":%q,"comment":%s}`, d.pick(states), quote(d.pick(sentences))))
		e.respond(200, jsonType, d.object(service))
	case 8:
		e.method, e.target = "DELETE", base+"/"+d.id()
		e.status = 204
	case 9:
		d.token(e)
	default:
		e.target = base + "/" + d.id()
		e.respond(404, jsonType, fmt.Sprintf(`{"error":{"code":"not_found","message":"%s not found","request_id":"%s"}}`, service, d.uuid()))
	}
	return e
}

func (d *dice) authorize(e *exchange) {
	switch d.below(4) {
	case 0:
		e.add("X-Api-Key", d.hex(40))
	case 1:
		e.add("Authorization", "Basic "+d.draw(base64URL[:62], 24))
	default:
		e.add("Authorization", "Bearer "+d.jwt())
	}
}

// id returns an identifier as different services make them.
func (d *dice) id() string {
	switch d.below(4) {
	case 0:
		return d.uuid()
	case 1:
		return d.hex(24)
	case 2:
		return strings.ToUpper(d.draw(podLetter, 3)) + "-" + d.digits(6)
	default:
		return d.digits(d.between(1, 12))
	}
}

func quote(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // a Go string always has a JSON form
	}
	return string(text)
}

// object returns a JSON object as a service keeps it.
func (d *dice) object(service string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"id":%s,"type":%q,"status":%q,"updated_at":%q`, quote(d.id()), strings.TrimSuffix(service, "s"), d.pick(states), d.timestamp())
	for range d.between(1, 6) {
		switch d.below(9) {
		case 0:
			fmt.Fprintf(&b, `,"customer":{"name":%s,"email":%q,"phone":%q}`, quote(d.person()), d.email(), d.phone())
		case 1:
			fmt.Fprintf(&b, `,"address":{"street":%s,"city":%s,"zip":%q,"country":%q}`, quote(d.address()), quote(d.pick(cities)), d.digits(5), d.pick(countries))
		case 2:
			fmt.Fprintf(&b, `,"total":{"amount":%s,"currency":"EUR","tax":%s}`, d.price(), d.price())
		case 3:
			fmt.Fprintf(&b, `,"items":[{"sku":%q,"name":%s,"qty":%d,"ean":%q}]`, d.digits(8), quote(d.pick(products)), d.between(1, 9), d.digits(13))
		case 4:
			fmt.Fprintf(&b, `,"note":%s`, quote(d.pick(sentences)))
		case 5:
			fmt.Fprintf(&b, `,"tags":[%q,%s]`, d.pick(categories), quote(d.pick(adjectives)))
		case 6:
			fmt.Fprintf(&b, `,"tracking":%q,"etag":%q`, d.digits(16), d.hex(40))
		case 7:
			fmt.Fprintf(&b, `,"position":{"lat":%d.%s,"lon":-%d.%s},"ip":"10.%d.%d.%d"`, d.below(80), d.digits(6), d.below(170), d.digits(6), d.below(9), d.below(250), d.below(250))
		default:
			fmt.Fprintf(&b, `,"payment":{"method":"card","brand":"visa","last4":%q,"token":"tok_%s"}`, d.digits(4), d.draw(base64URL[:62], 24))
		}
	}
	b.WriteString("}")
	return b.String()
}

func (d *dice) list(e *exchange, base, service string) {
	query := url.Values{"limit": {fmt.Sprint(d.between(1, 10) * 10)}}
	switch d.below(3) {
	case 0:
		query.Set("cursor", d.draw(base64URL, 48))
	case 1:
		query.Set("filter[status]", d.pick(states))
		query.Set("created_after", d.timestamp())
	default:
		query.Set("offset", fmt.Sprint(d.below(5000)))
		query.Set("fields", "id,status,updated_at")
		query.Set("order", d.pick(sorts))
	}
	e.target = base + "?" + query.Encode()
	objects := make([]string, d.between(0, 6))
	for i := range objects {
		objects[i] = d.object(service)
	}
	e.respond(200, jsonType, `{"data":[`+strings.Join(objects, ",")+`],"next":"`+d.draw(base64URL, 32)+`"}`)
}

func (d *dice) token(e *exchange) {
	e.method, e.target = "POST", "/oauth2/token"
	if d.oneIn(2) {
		e.send(formType, url.Values{"grant_type": {"client_credentials"}, "client_id": {d.pick(services)}, "client_secret": {d.hex(40)}, "scope": {"read write"}}.Encode())
	} else {
		e.send(formType, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {d.jwt()}}.Encode())
	}
	e.respond(200, jsonType, `{"access_token":"`+d.jwt()+`","token_type":"Bearer","expires_in":3600,"refresh_token":"`+d.draw(base64URL, 43)+`"}`)
	e.answerHeaders = []header{{"Cache-Control", "no-store"}}
}
