package recorded

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
)

var (
	//go:embed clients.py
	python string
	//go:embed clients.js
	node string
)

// debianPython is the interpreter that sees the modules of Debian's packages.
const debianPython = "/usr/bin/python3"

// client is a program with what it sends. The server's address stands for {address}, its host in records has 15 bytes.
type client struct {
	kind, host string
	commands   [][]string
	stdin      string
}

func pythonClient(name, host string) client {
	short, sort, _ := strings.Cut(name, "_")
	if sort == "" {
		sort = "tool"
	}
	return client{kind: sort + " " + short, host: host, commands: [][]string{{debianPython, "-c", python, name, "{address}"}}}
}

var clients = []client{
	pythonClient("urllib_client", site), pythonClient("requests_client", site), pythonClient("httpx_client", site), pythonClient("aiohttp_client", site),
	pythonClient("stripe_tool", site),
	{kind: "client node", host: site, commands: [][]string{{"node", "-", "{address}"}}, stdin: node},
	{kind: "client curl", host: site, commands: [][]string{
		{"curl", "-s", "http://{address}/api/items?limit=10"},
		{"curl", "-s", "-X", "PUT", "-H", "Content-Type: application/json", "-d", `{"state":"paid"}`, "http://{address}/api/orders/17"},
		{"curl", "-s", "-X", "DELETE", "-H", "Authorization: Bearer 9f8e7d6c5b4a39281706f5e4d3c2b1a0", "http://{address}/api/orders/17"},
		{"curl", "-s", "-F", "title=May report", "-F", "file=@-;filename=report.txt;type=text/plain", "http://{address}/upload"},
		{"curl", "-s", "-u", "ana:k2Lm9Qx4", "http://{address}/private/"},
		{"curl", "-s", "-H", "Content-Type: application/grpc-web+proto", "--data-binary", "\x01\x02", "http://{address}/shop.v1.Cart/Get"},
		{"curl", "-s", "-I", "http://{address}/downloads/setup-1.2.3.tar.gz"},
	}, stdin: "id total\n1 9.90\n"},
	{kind: "client wget", host: site, commands: [][]string{{"wget", "-q", "-O", "/dev/null", "http://{address}/files/a%20b.pdf"}}},
	{kind: "client httpie", host: site, commands: [][]string{
		{"http", "--ignore-stdin", "POST", "http://{address}/api/items", "name=desk", "price:=129.9", "tags:=[\"a\",\"b\"]"},
		{"http", "--ignore-stdin", "PATCH", "http://{address}/api/items/7", "note=it's here"},
	}},
	{kind: "client perl", host: site, commands: [][]string{{"perl", "-MLWP::UserAgent", "-e", `my $u=LWP::UserAgent->new; $u->get("http://$ARGV[0]/perl?a=1"); $u->post("http://$ARGV[0]/form",{name=>"A & B",text=>"x=1; y=2"})`, "{address}"}}},
	{kind: "client git", host: site, commands: [][]string{{"git", "ls-remote", "http://{address}/shop/app.git"}, {"git", "clone", "-q", "http://{address}/shop/app.git", "clone"}}},
	{kind: "client npm", host: site, commands: [][]string{{"npm", "view", "left-pad", "--registry=http://{address}/", "--fetch-retries=0"}}},
	{kind: "client pip", host: site, commands: [][]string{{"pip", "download", "--no-deps", "-q", "--retries=0", "--index-url=http://{address}/simple/", "left-pad"}}},
	{kind: "client go", host: site, commands: [][]string{{"go", "list", "-m", "-versions", "example.org/mod"}}},
	{kind: "tool skopeo", host: "registry.dc:500", commands: [][]string{{"skopeo", "inspect", "--tls-verify=false", "docker://{address}/shop/app:1.2"},
		{"skopeo", "list-tags", "--tls-verify=false", "docker://{address}/shop/app"}}},
	{kind: "tool docker", host: "docker.lan:2375", commands: docker("ps", "images", "info", "version", "create --name web -p 80:80 nginx:1.27", "start 3f2a", "exec -d 3f2a nginx -t",
		"logs 3f2a", "rm -f 3f2a", "network ls", "volume ls", "create --privileged docker:dind", "create -v /:/host:ro,rslave prom/node-exporter", "create -v /var/run/docker.sock:/var/run/docker.sock traefik")},
	{kind: "tool kubectl", host: "kube.intra:6443", commands: kubectl("get pods -n shop", "get nodes -o wide", "get secret web-tls -n shop -o yaml", "get deploy -A", "describe pod web-1 -n shop",
		"logs web-1 -n shop", "exec web-1 -n shop -- nginx -t", "port-forward -n shop pod/web-1 8080:80", "create token dashboard -n shop", "delete pod web-1 -n shop --wait=false",
		"create configmap web -n shop --from-literal=a=b", "create secret generic web -n shop --from-literal=user=ana", "scale deploy web -n shop --replicas=3", "auth can-i get pods", "api-resources")},
	pythonClient("docker_tool", "docker.lan:2375"), pythonClient("kubernetes_tool", "kube.intra:6443"), pythonClient("jenkins_tool", "jenkins.ci:8080"),
	pythonClient("elasticsearch_tool", "search.dc1:9200"), pythonClient("gitlab_tool", "gitlab.lan:8929"), pythonClient("github_tool", "github.corp:443"),
	pythonClient("etcd_tool", "etcd-0.dc1:2379"), pythonClient("consul_tool", "consul.dc1:8500"), pythonClient("vault_tool", "vault0.dc1:8200"),
	pythonClient("rabbitmqadmin", "rabbit-01:15672"), pythonClient("spark_tool", "spark-0001:6066"),
}

func docker(lines ...string) (commands [][]string) {
	for _, line := range lines {
		commands = append(commands, append([]string{"docker", "-H", "tcp://{address}"}, strings.Fields(line)...))
	}
	return commands
}

func kubectl(lines ...string) (commands [][]string) {
	for _, line := range lines {
		commands = append(commands, append([]string{"kubectl", "--server=http://{address}", "--request-timeout=2s", "--cache-dir=cache"}, strings.Fields(line)...))
	}
	return commands
}

// Clients runs what is installed of the clients and tools.
func Clients(ctx context.Context) (records []corpus.Record, err error) {
	home, err := os.MkdirTemp("", "recorded")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(home) //nolint:errcheck // a folder of temporary files
	for i := range clients {
		c := &clients[i]
		server, err := Serve(c.kind, c.host, http.HandlerFunc(answer))
		if err != nil {
			return nil, err
		}
		for _, command := range c.commands {
			c.run(ctx, home, server.Address, command)
		}
		records = append(records, server.Stop()...)
	}
	return records, nil
}

// run runs a command to its end. What it thinks of the answers does not matter.
func (c *client) run(ctx context.Context, home, address string, command []string) {
	program, err := exec.LookPath(command[0])
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var args []string
	for _, arg := range command[1:] {
		args = append(args, strings.ReplaceAll(arg, "{address}", address))
	}
	run := exec.CommandContext(ctx, program, args...)
	run.Dir, run.Stdin, run.WaitDelay = home, strings.NewReader(c.stdin), time.Second
	run.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "NO_PROXY=*", "GOPROXY=http://" + address, "GONOSUMDB=*", "GONOSUMCHECK=1", "GOFLAGS=-mod=mod",
		"GOTOOLCHAIN=local", "GOCACHE=" + filepath.Join(home, "go"), "GOPATH=" + filepath.Join(home, "gopath"), "GIT_TERMINAL_PROMPT=0", "LANG=C.UTF-8"}
	_ = run.Run() // see above
}

// answer answers like the products that the tools are for, as far as they need it to go on.
func answer(w http.ResponseWriter, r *http.Request) {
	reply := func(status int, mediaType, body string) {
		w.Header().Set("Content-Type", mediaType)
		w.Header().Set("Api-Version", "1.45") // Docker
		w.Header().Set("X-Jenkins", "2.462.1")
		w.Header().Set("X-Elastic-Product", "Elasticsearch")
		w.WriteHeader(status)
		if r.Method != http.MethodHead {
			_, _ = io.WriteString(w, body) // who went away wants no answer
		}
	}
	path := r.URL.Path
	const object = `{"metadata":{"name":"web-1","namespace":"shop","uid":"5b0b0a2e"},"spec":{"containers":[{"name":"web","image":"nginx:1.27"}]},"status":{"phase":"Running"}}`
	for _, a := range []struct{ suffix, body string }{
		{"/_ping", "OK"},
		{"/version", `{"Version":"27.1","ApiVersion":"1.45","MinAPIVersion":"1.24","Os":"linux","Arch":"amd64","major":"1","minor":"32","gitVersion":"v1.32.0"}`},
		{"/containers/create", `{"Id":"3f2a","Warnings":[]}`}, {"/exec", `{"Id":"9b1c"}`}, {"/containers/json", "[]"}, {"/images/json", "[]"},
		{"/crumbIssuer/api/json", `{"crumbRequestField":"Jenkins-Crumb","crumb":"0a1b2c3d4e5f60718293"}`},
		{"/api", `{"kind":"APIVersions","versions":["v1"]}`},
		{"/apis", `{"kind":"APIGroupList","apiVersion":"v1","groups":[{"name":"apps","versions":[{"groupVersion":"apps/v1","version":"v1"}],"preferredVersion":{"groupVersion":"apps/v1","version":"v1"}}]}`},
		{"/api/v1", resources("v1", "pods", "Pod", "nodes", "Node", "secrets", "Secret", "configmaps", "ConfigMap", "serviceaccounts", "ServiceAccount")},
		{"/apis/apps/v1", resources("apps/v1", "deployments", "Deployment")},
		{"/secrets/web-tls", `{"kind":"Secret","apiVersion":"v1","metadata":{"name":"web-tls","namespace":"shop"},"type":"kubernetes.io/tls","data":{}}`},
		{"/deployments/web", `{"kind":"Deployment","apiVersion":"apps/v1","metadata":{"name":"web","namespace":"shop"},"spec":{"replicas":2}}`},
		{"/pods/web-1", `{"kind":"Pod","apiVersion":"v1",` + object[1:]},
		{"/pods", `{"kind":"PodList","apiVersion":"v1","items":[` + object + `]}`},
		{"/info/refs", "001e# service=git-upload-pack\n0000004895dcfa3633004da0049d3d0fa03f80589cbcaf31 refs/heads/main\x00multi_ack\n0000"},
		{"/log", "GET / 200\nGET /health 200\n"},
	} {
		if strings.HasSuffix(path, a.suffix) {
			mediaType := "application/json"
			switch {
			case a.suffix == "/info/refs":
				mediaType = "application/x-git-upload-pack-advertisement"
			case !json.Valid([]byte(a.body)):
				mediaType = "text/plain"
			}
			reply(http.StatusOK, mediaType, a.body)
			return
		}
	}
	switch r.Method {
	case http.MethodPost:
		reply(http.StatusCreated, "application/json", `{"id":17,"ok":true,"data":{"id":"c-17","created_at":"2026-05-30T07:16:48Z"}}`)
	case http.MethodDelete:
		reply(http.StatusNoContent, "application/json", "")
	default:
		reply(http.StatusOK, "application/json", `{"id":17,"name":"desk","items":[{"id":1,"title":"Walnut desk","price":129.9}],"total":1,"next":null}`)
	}
}

func resources(group string, named ...string) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"kind":"APIResourceList","apiVersion":"v1","groupVersion":%q,"resources":[`, group)
	for i := 0; i < len(named); i += 2 {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, `{"name":%q,"singularName":"","namespaced":%t,"kind":%q,"verbs":["create","delete","get","list","patch","update","watch"]}`,
			named[i], named[i] != "nodes", named[i+1])
	}
	return b.String() + "]}"
}
