package corpus

import (
	"fmt"
	"net/url"
)

// platform is the normal use of the services that an application is built on: search, registries, queues, build servers.
func platform(d *dice) *exchange {
	e := &exchange{method: "GET", internal: true}
	e.add("User-Agent", d.library())
	e.add("Accept", "*/*")
	switch d.below(9) {
	case 0:
		e.host, e.port, e.method, e.target = "elasticsearch:9200", 9200, "POST", "/"+d.pick(services)+"-2024.05/_search?timeout=5s"
		e.send(jsonType, fmt.Sprintf(`{"size":%d,"query":{"bool":{"must":[{"match":{"title":%s}}],"filter":[{"term":{"status":%q}}]}},"sort":[{"created_at":"desc"}]}`, d.between(1, 100), quote(d.pick(products)), d.pick(states)))
		e.respond(200, jsonType, fmt.Sprintf(`{"took":%d,"timed_out":false,"hits":{"total":{"value":%d},"hits":[{"_id":%q,"_score":%d.%s,"_source":{"title":%s}}]}}`, d.below(90), d.below(900), d.hex(20), d.below(9), d.digits(5), quote(d.pick(products))))
	case 1:
		e.host, e.port, e.target = "consul:8500", 8500, "/v1/health/service/"+d.pick(services)+"?index="+d.digits(7)+"&passing=1&stale=&wait=60000ms"
		e.respond(200, jsonType, fmt.Sprintf(`[{"Node":{"Node":%q,"Address":"10.1.2.%d"},"Service":{"ID":%q,"Service":%q,"Port":8080}}]`, d.pick(nodes), d.below(250), d.pod(), d.pick(services)))
	case 2:
		e.host, e.port, e.method = "consul:8500", 8500, "PUT"
		e.target = "/v1/agent/check/pass/service:" + d.pick(services) + "-" + d.draw(podLetter, 5)
		e.status = 200
	case 3:
		e.host, e.port, e.method, e.target = "nacos:8848", 8848, "PUT", "/nacos/v1/ns/instance/beat?"+url.Values{"serviceName": {"DEFAULT_GROUP@@" + d.pick(services)},
			"ip": {fmt.Sprintf("10.3.%d.%d", d.below(250), d.below(250))}, "port": {"8080"}, "namespaceId": {"public"}}.Encode()
		e.respond(200, jsonType, `{"clientBeatInterval":5000,"code":10200,"lightBeatEnabled":true}`)
	case 4:
		e.host, e.port, e.target = "rabbitmq:15672", 15672, "/api/queues/%2F/"+d.pick(services)+"?columns=name,messages,consumers"
		e.respond(200, jsonType, fmt.Sprintf(`{"name":%q,"messages":%d,"consumers":%d}`, d.pick(services), d.below(9000), d.between(1, 12)))
	case 5:
		e.host, e.port, e.target = "registry:5000", 5000, "/v2/shop/"+d.pick(workloads)+"/manifests/sha256:"+d.hex(64)
		e.respond(200, "application/vnd.oci.image.manifest.v1+json", fmt.Sprintf(`{"schemaVersion":2,"config":{"digest":"sha256:%s","size":%s}}`, d.hex(64), d.digits(4)))
	case 6:
		e.host, e.port, e.method, e.target = "jenkins:8080", 8080, "POST", "/job/"+d.pick(workloads)+"/build?delay=0sec"
		e.send(formType, url.Values{"json": {`{"parameter":[{"name":"BRANCH","value":"release/` + d.digits(2) + `"}]}`}}.Encode())
		e.status = 201
	case 7:
		e.host, e.port, e.method, e.target = "eureka:8761", 8761, "PUT", "/eureka/apps/"+d.pick(services)+"/"+d.pod()+":8080?status=UP&lastDirtyTimestamp="+d.digits(13)
		e.status = 200
	default:
		e.host, e.port, e.target = "solr:8983", 8983, "/solr/"+d.pick(services)+"/select?"+url.Values{"q": {"name:" + d.pick(categories)}, "rows": {fmt.Sprint(d.between(5, 50))}, "wt": {"json"}}.Encode()
		e.respond(200, jsonType, fmt.Sprintf(`{"responseHeader":{"status":0,"QTime":%d},"response":{"numFound":%d,"start":0,"docs":[]}}`, d.below(40), d.below(500)))
	}
	return e
}
