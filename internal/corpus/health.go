package corpus

import (
	"fmt"
	"strings"
)

// health is a load balancer or a service mesh that asks whether a service lives.
func health(d *dice) *exchange {
	e := &exchange{method: "GET", internal: true, port: d.pickPort()}
	e.host = fmt.Sprintf("%s.%s.svc:%d", d.pick(workloads), d.pick(namespaces), e.port)
	e.target = d.pick([]string{"/health", "/healthz", "/ready", "/readyz?verbose", "/livez", "/ping", "/status", "/actuator/health", "/actuator/health/readiness",
		"/_status/healthz", "/api/health", "/-/healthy", "/v1/health?node=" + d.pick(nodes)})
	if d.oneIn(4) && !strings.Contains(e.target, "?") {
		e.target += "?t=" + d.digits(13)
	}
	e.add("User-Agent", d.pick([]string{"ELB-HealthChecker/2.0", "GoogleHC/1.0", "Envoy/HC", "HAProxy", "Consul Health Check", "curl/8.5.0", "Blackbox Exporter/0.25.0",
		"Mozilla/5.0 (compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)"}))
	e.add("Accept", "*/*")
	if d.oneIn(3) {
		e.add("X-Request-Id", d.uuid())
	}
	switch d.below(3) {
	case 0:
		e.respond(200, "text/plain; charset=utf-8", "ok")
	case 1:
		e.respond(200, jsonType, fmt.Sprintf(`{"status":"UP","components":{"db":{"status":"UP","details":{"database":"PostgreSQL","latency_ms":%d}},"diskSpace":{"status":"UP","details":{"total":%s,"free":%s}}}}`,
			d.below(40), d.digits(12), d.digits(11)))
	default:
		e.respond(200, "text/plain", fmt.Sprintf("[+]ping ok\n[+]log ok\n[+]database ok (%d ms)\nhealthz check passed\n", d.below(30)))
	}
	return e
}

func (d *dice) pickPort() int { return []int{80, 8080, 8081, 9090, 3000, 5000}[d.below(6)] }

// metrics is a Prometheus server that scrapes.
func metrics(d *dice) *exchange {
	e := &exchange{method: "GET", internal: true, port: 9100, target: "/metrics"}
	e.host = fmt.Sprintf("%s.%s.svc:%d", d.pick(workloads), d.pick(namespaces), d.between(9090, 9300))
	switch d.below(5) {
	case 0:
		e.target = "/actuator/prometheus"
	case 1:
		e.target = "/probe?module=http_2xx&target=" + d.pick(workloads) + "." + d.pick(namespaces) + ".svc%3A8080%2Fhealthz"
	case 2:
		e.target = "/federate?match%5B%5D=%7Bjob%3D%22" + d.pick(services) + "%22%7D"
	}
	e.add("User-Agent", fmt.Sprintf("Prometheus/2.%d.%d", d.between(30, 53), d.below(4)))
	e.add("Accept", "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2")
	e.add("Accept-Encoding", "gzip")
	e.add("X-Prometheus-Scrape-Timeout-Seconds", "10")
	var b strings.Builder
	for range d.between(2, 14) {
		name := strings.ReplaceAll(d.pick(services), "-", "_") + "_" + d.pick([]string{"requests_total", "duration_seconds_sum", "errors_total", "in_flight", "queue_depth", "bytes"})
		fmt.Fprintf(&b, "# HELP %s Of the %s service.\n# TYPE %s counter\n%s{pod=\"%s-%s\",code=\"%d\",path=\"/v1/%s\"} %s\n", name, d.pick(services), name, name,
			d.pick(workloads), d.draw(podLetter, 5), []int{200, 404, 500}[d.below(3)], d.pick(services), d.digits(d.between(1, 12)))
	}
	e.respond(200, "text/plain; version=0.0.4; charset=utf-8", b.String())
	return e
}
