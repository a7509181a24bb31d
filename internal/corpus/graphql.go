package corpus

import (
	"fmt"
	"net/url"
)

// graphQL is a front end that talks to a GraphQL service.
func graphQL(d *dice) *exchange {
	e := &exchange{method: "POST", target: "/graphql", host: d.pick(apiHosts), port: 4000}
	e.add("User-Agent", d.browser())
	e.add("Accept", "application/json, multipart/mixed")
	e.add("Authorization", "Bearer "+d.jwt())
	var operation, query, variables, answer string
	switch d.below(5) {
	case 0:
		operation = "GetProduct"
		query = "query GetProduct($id: ID!, $first: Int = 10) {\n  product(id: $id) {\n    id\n    name\n    price { amount currency }\n    reviews(first: $first) { edges { node { rating text } } }\n  }\n}"
		variables = fmt.Sprintf(`{"id":"%s","first":%d}`, d.digits(6), d.between(1, 50))
		answer = fmt.Sprintf(`{"data":{"product":{"id":"%s","name":%s,"price":{"amount":%s,"currency":"EUR"},"reviews":{"edges":[{"node":{"rating":%d,"text":%s}}]}}}}`,
			d.digits(6), quote(d.pick(products)), d.price(), d.between(1, 5), quote(d.pick(sentences)))
	case 1:
		operation = "Search"
		query = "query Search($text: String!, $after: String) { search(query: $text, after: $after) { nodes { __typename ... on Product { id name } } pageInfo { endCursor hasNextPage } } }"
		variables = fmt.Sprintf(`{"text":%s,"after":"%s"}`, quote(d.pick(adjectives)+" "+d.pick(products)), d.draw(base64URL, 20))
		answer = fmt.Sprintf(`{"data":{"search":{"nodes":[{"__typename":"Product","id":"%s","name":%s}],"pageInfo":{"endCursor":"%s","hasNextPage":true}}}}`, d.digits(6), quote(d.pick(products)), d.draw(base64URL, 20))
	case 2:
		operation = "UpdateProfile"
		query = "mutation UpdateProfile($input: ProfileInput!) { updateProfile(input: $input) { ok profile { name city } } }"
		variables = fmt.Sprintf(`{"input":{"name":%s,"city":%s,"phone":"%s"}}`, quote(d.person()), quote(d.pick(cities)), d.phone())
		answer = fmt.Sprintf(`{"data":{"updateProfile":{"ok":true,"profile":{"name":%s,"city":%s}}}}`, quote(d.person()), quote(d.pick(cities)))
	case 3:
		operation = "Orders"
		query = "query Orders($status: [OrderStatus!], $since: DateTime) { me { orders(status: $status, since: $since) { total items { id placedAt } } } }"
		variables = fmt.Sprintf(`{"status":["%s"],"since":"%s"}`, d.pick(states), d.timestamp())
		answer = fmt.Sprintf(`{"data":{"me":{"orders":{"total":%d,"items":[{"id":"%s","placedAt":"%s"}]}}}}`, d.below(40), d.uuid(), d.timestamp())
	default:
		hash := d.hex(64)
		e.method = "GET"
		e.target = "/graphql?operationName=Cart&variables=" + url.QueryEscape(`{"id":"`+d.uuid()+`"}`) + "&extensions=" +
			url.QueryEscape(`{"persistedQuery":{"version":1,"sha256Hash":"`+hash+`"}}`)
		e.respond(200, jsonType, `{"data":{"cart":{"count":`+fmt.Sprint(d.below(9))+`,"total":`+d.price()+`}}}`)
		return e
	}
	e.send(jsonType, fmt.Sprintf(`{"operationName":%q,"variables":%s,"query":%s}`, operation, variables, quote(query)))
	e.respond(200, jsonType+"; charset=utf-8", answer)
	return e
}
