package corpus

import (
	"fmt"
	"strings"
)

// controllers are programs that talk to the Kubernetes API all day.
var controllers = []string{
	"kube-controller-manager/v1.29.4 (linux/amd64) kubernetes/55019c8/leader-election", "kube-scheduler/v1.29.4 (linux/amd64) kubernetes/55019c8/scheduler",
	"kubelet/v1.29.4 (linux/arm64) kubernetes/55019c8", "cert-manager-controller/v1.14.5 (linux/amd64) cert-manager/2f9b8e3", "argocd-application-controller/v0.0.0 (linux/amd64) kubernetes/$Format",
	"external-secrets/v0.9.18 (linux/amd64) kubernetes/$Format", "cluster-autoscaler/v1.29.2 (linux/amd64) kubernetes/e0c1d1a", "coredns/1.11.1 (linux/amd64) kubernetes/ae2bbc2",
	"prometheus/2.51.2", "nginx-ingress-controller/v1.10.1 (linux/amd64) ingress-nginx/4fb5aac", "vault-k8s/v1.4.1 (linux/amd64) kubernetes/$Format",
}

// kubernetes is the control traffic of a cluster: probes of the kubelet, watches, and calls of operators.
func kubernetes(d *dice) *exchange {
	switch d.below(8) {
	case 0, 1, 2:
		return d.probe()
	case 3:
		return d.watch()
	case 4:
		return d.lease()
	case 5:
		return d.apply()
	case 6:
		return d.nodeMetrics()
	default:
		return d.read()
	}
}

func (d *dice) pod() string {
	return d.pick(workloads) + "-" + d.draw(podLetter, 10) + "-" + d.draw(podLetter, 5)
}

func (d *dice) probe() *exchange {
	e := &exchange{method: "GET", internal: true, port: 8080, target: d.pick([]string{"/healthz", "/readyz", "/livez", "/health/live", "/health/ready", "/ping"})}
	e.host = fmt.Sprintf("10.%d.%d.%d:%d", d.between(0, 9), d.below(256), d.between(1, 254), d.pickPort())
	e.add("User-Agent", "kube-probe/1."+fmt.Sprint(d.between(26, 31)))
	e.add("Accept", "*/*")
	e.add("Connection", "close")
	e.respond(200, "text/plain; charset=utf-8", "ok")
	return e
}

// apiCall returns a request of a controller to the API server.
func (d *dice) apiCall(method, target string) *exchange {
	e := &exchange{method: method, target: target, internal: true, port: 6443, host: d.pick([]string{"kubernetes.default.svc", "10.96.0.1:443", "api.cluster.local:6443"})}
	e.add("User-Agent", d.pick(controllers))
	e.add("Accept", "application/json, */*")
	e.add("Authorization", "Bearer "+d.jwt())
	return e
}

func (d *dice) watch() *exchange {
	kind := d.pick([]string{"pods", "services", "endpoints", "configmaps", "secrets", "namespaces"})
	e := d.apiCall("GET", "/api/v1/"+kind)
	if d.oneIn(2) {
		e.target = "/api/v1/namespaces/" + d.pick(namespaces) + "/" + kind
	}
	if d.oneIn(4) {
		e.target = "/apis/discovery.k8s.io/v1/endpointslices"
	}
	e.target += fmt.Sprintf("?allowWatchBookmarks=true&resourceVersion=%s&timeout=%dm%ds&timeoutSeconds=%d&watch=true", d.digits(8), d.between(5, 9), d.below(60), d.between(300, 590))
	var b strings.Builder
	for range d.between(1, 6) {
		fmt.Fprintf(&b, `{"type":%q,"object":{"kind":"Pod","apiVersion":"v1","metadata":{"name":%q,"namespace":%q,"uid":%q,"resourceVersion":%q},"status":{"phase":"Running","podIP":"10.%d.%d.%d"}}}`+"\n",
			d.pick([]string{"ADDED", "MODIFIED", "BOOKMARK"}), d.pod(), d.pick(namespaces), d.uuid(), d.digits(8), d.below(9), d.below(250), d.below(250))
	}
	e.respond(200, jsonType, b.String())
	return e
}

func (d *dice) lease() *exchange {
	name := d.pick([]string{"kube-scheduler", "kube-controller-manager", "cert-manager-controller"})
	e := d.apiCall("PUT", "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/"+name+"?timeout=5s")
	lease := fmt.Sprintf(`{"kind":"Lease","apiVersion":"coordination.k8s.io/v1","metadata":{"name":%q,"namespace":"kube-system","uid":%q,"resourceVersion":%q},"spec":{"holderIdentity":"%s_%s","leaseDurationSeconds":15,"renewTime":%q,"leaseTransitions":%d}}`,
		name, d.uuid(), d.digits(8), d.pick(nodes), d.uuid(), d.timestamp(), d.below(9))
	e.send(jsonType, lease)
	e.respond(200, jsonType, lease)
	return e
}

func (d *dice) apply() *exchange {
	name, namespace := d.pick(workloads), d.pick(namespaces)
	switch d.below(3) {
	case 0:
		e := d.apiCall("PATCH", "/api/v1/namespaces/"+namespace+"/pods/"+d.pod()+"/status")
		e.send("application/strategic-merge-patch+json", fmt.Sprintf(`{"status":{"conditions":[{"type":"Ready","status":"True","lastTransitionTime":%q}],"containerStatuses":[{"name":%q,"ready":true,"restartCount":%d}]}}`,
			d.timestamp(), name, d.below(4)))
		e.respond(200, jsonType, `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"`+d.pod()+`"}}`)
		return e
	case 1:
		e := d.apiCall("POST", "/api/v1/namespaces/"+namespace+"/events")
		event := fmt.Sprintf(`{"kind":"Event","apiVersion":"v1","metadata":{"name":"%s.%s","namespace":%q},"reason":%q,"message":%q,"type":"Normal","count":%d}`, d.pod(), d.hex(16), namespace,
			d.pick([]string{"Pulled", "Created", "Started", "Scheduled", "ScalingReplicaSet"}), "Successfully pulled image \"registry.example/"+name+":1."+d.digits(2)+"\"", d.between(1, 9))
		e.send(jsonType, event)
		e.respond(201, jsonType, event)
		return e
	default:
		e := d.apiCall("PATCH", "/apis/apps/v1/namespaces/"+namespace+"/deployments/"+name+"?fieldManager=argocd-controller")
		e.send("application/strategic-merge-patch+json", fmt.Sprintf(`{"spec":{"replicas":%d,"template":{"spec":{"containers":[{"name":%q,`+
			`"image":"registry.example/%s:1.%s","ports":[{"containerPort":8080}],"env":[{"name":"LOG_LEVEL","value":"info"}]}]}}}}`,
			d.between(1, 9), name, name, d.digits(2)))
		e.respond(200, jsonType, `{"kind":"Deployment","apiVersion":"apps/v1","metadata":{"name":"`+name+`","generation":`+d.digits(2)+`}}`)
		return e
	}
}

func (d *dice) nodeMetrics() *exchange {
	e := &exchange{method: "GET", internal: true, port: 10250, host: fmt.Sprintf("10.%d.%d.%d:10250", d.below(9), d.below(250), d.between(1, 250)),
		target: d.pick([]string{"/metrics", "/metrics/cadvisor", "/metrics/probes", "/metrics/resource", "/stats/summary", "/healthz"})}
	e.add("User-Agent", d.pick([]string{"Prometheus/2.51.2", "metrics-server/v0.7.1 (linux/amd64) kubernetes/$Format", "vmagent"}))
	e.add("Authorization", "Bearer "+d.jwt())
	e.add("Accept", "*/*")
	e.respond(200, "text/plain; version=0.0.4", fmt.Sprintf("# TYPE container_cpu_usage_seconds_total counter\ncontainer_cpu_usage_seconds_total{container=%q,pod=%q,namespace=%q} %s.%s\n",
		d.pick(workloads), d.pod(), d.pick(namespaces), d.digits(5), d.digits(6)))
	return e
}

func (d *dice) read() *exchange {
	namespace := d.pick(namespaces)
	switch d.below(5) {
	case 0:
		e := d.apiCall("GET", "/api/v1/namespaces/"+namespace+"/secrets/"+d.pick(workloads)+"-tls")
		e.respond(200, jsonType, fmt.Sprintf(`{"kind":"Secret","apiVersion":"v1","metadata":{"name":"%s-tls","namespace":%q},"data":{"tls.crt":%q,"tls.key":%q},"type":"kubernetes.io/tls"}`,
			d.pick(workloads), namespace, d.draw(base64URL[:62], 400), d.draw(base64URL[:62], 400)))
		return e
	case 1:
		e := d.apiCall("GET", "/api/v1/nodes/"+d.pick(nodes)+"?resourceVersion=0&timeout=10s")
		e.respond(200, jsonType, fmt.Sprintf(`{"kind":"Node","apiVersion":"v1","metadata":{"name":%q,"labels":{"kubernetes.io/arch":"amd64"}},"status":{"capacity":{"cpu":"%d","memory":"%sKi"}}}`, d.pick(nodes), d.between(2, 64), d.digits(8)))
		return e
	case 2:
		e := d.apiCall("POST", "/apis/authentication.k8s.io/v1/tokenreviews")
		e.send(jsonType, `{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1","spec":{"token":"`+d.jwt()+`"}}`)
		e.respond(201, jsonType, fmt.Sprintf(`{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1","status":{"authenticated":true,"user":{"username":"system:serviceaccount:%s:%s"}}}`, namespace, d.pick(workloads)))
		return e
	case 3:
		e := d.apiCall("GET", "/apis/apps/v1/namespaces/"+namespace+"/replicasets?labelSelector=app%3D"+d.pick(workloads)+"&limit=500")
		e.respond(200, jsonType, fmt.Sprintf(`{"kind":"ReplicaSetList","apiVersion":"apps/v1","metadata":{"resourceVersion":%q},"items":[{"metadata":{"name":%q}}]}`, d.digits(8), d.pod()))
		return e
	default:
		e := d.apiCall("GET", "/openapi/v3/apis/apps/v1?hash="+strings.ToUpper(d.hex(64)))
		e.respond(200, jsonType, `{"openapi":"3.0.0","info":{"title":"Kubernetes","version":"v1.29.4"},"paths":{"/apis/apps/v1/":{"get":{"tags":["apps_v1"]}}}}`)
		return e
	}
}
