//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tinylib/msgp/msgp"
	"go.yaml.in/yaml/v3"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/accesslog"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/loopback"
	"github.com/fluent-bit-waf/fluent-bit-waf/internal/testtool"
)

// configMaps returns the data of the ConfigMaps of a rendered chart by the last part of their names.
func configMaps(t *testing.T, file string) map[string]map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "build", file))
	require.NoError(t, err)
	all := map[string]map[string]string{}
	for documents := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var object struct {
			Kind     string
			Metadata struct{ Name string }
			Data     map[string]string
		}
		err := documents.Decode(&object)
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		if object.Kind == "ConfigMap" {
			all[strings.TrimPrefix(object.Metadata.Name, "fluent-bit-waf-")] = object.Data
		}
	}
}

// mount lays files down as Kubernetes mounts a ConfigMap: behind links, so that they can change together.
func mount(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	version := filepath.Join(dir, "..2026_11_22_16_00_00.1")
	require.NoError(t, os.MkdirAll(version, 0o755))
	require.NoError(t, os.Symlink(filepath.Base(version), filepath.Join(dir, "..data")))
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(version, name), []byte(text), 0o644))
		require.NoError(t, os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)))
	}
}

// deployment is what a pod runs, with free ports and a receiver of this machine.
type deployment struct {
	config map[string]map[string]any
	dir    string
	http   int
	ports  map[int]int // of the pod, and what stands for them
	syslog net.PacketConn
}

// deployed returns the deployment of a rendered chart, or that of the image, with all that it mounts.
func deployed(t *testing.T, file string) *deployment {
	t.Helper()
	d := &deployment{dir: t.TempDir(), http: loopback.Port(t), ports: map[int]int{}}
	text, err := os.ReadFile(filepath.Join(root, "build", file))
	require.NoError(t, err)
	if filepath.Dir(file) != "docker" {
		maps := configMaps(t, file)
		for _, name := range []string{"rules", "field-maps"} {
			if maps[name] != nil {
				mount(t, filepath.Join(d.dir, name), maps[name])
			}
		}
		text = []byte(maps["pipeline"]["pipeline.yaml"])
	}
	text = bytes.ReplaceAll(text, []byte("/etc/fluent-bit-waf"), []byte(d.dir))
	require.NoError(t, yaml.Unmarshal(text, &d.config))
	d.config["service"]["http_port"], d.config["service"]["http_listen"] = d.http, "127.0.0.1"
	d.syslog, err = net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { d.syslog.Close() })
	outputs := d.config["pipeline"]["outputs"].([]any)
	waf := outputs[0].(map[string]any)
	waf["alert_to"] = "syslog+udp://" + d.syslog.LocalAddr().String()
	if waf["metrics_listen"] != nil {
		waf["metrics_listen"] = fmt.Sprintf("127.0.0.1:%d", loopback.Port(t))
	}
	for i, output := range outputs[1:] { // to servers that are not there
		outputs[i+1] = map[string]any{"name": "null", "match": output.(map[string]any)["match"]}
	}
	for _, input := range d.config["pipeline"]["inputs"].([]any) {
		d.listenHere(t, input.(map[string]any))
	}
	return d
}

// listenHere gives an input a free port.
func (d *deployment) listenHere(t *testing.T, input map[string]any) {
	t.Helper()
	free := loopback.Port(t)
	if on, ok := input["listen_on"].(string); ok {
		scheme, place, _ := strings.Cut(on, "://")
		_, port, err := net.SplitHostPort(place)
		require.NoError(t, err)
		number, err := strconv.Atoi(port)
		require.NoError(t, err)
		d.ports[number] = free
		input["listen_on"] = fmt.Sprintf("%s://127.0.0.1:%d", scheme, free)
	} else if port, ok := input["port"].(int); ok {
		d.ports[port] = free
		input["port"], input["listen"] = free, "127.0.0.1"
	}
}

// run starts the deployment with the arguments of its container.
func (d *deployment) run(t *testing.T, f fluentBit) *pipeline {
	t.Helper()
	text, err := yaml.Marshal(d.config)
	require.NoError(t, err)
	p := f.launch(t, d.dir, string(text), "-e", plugin(), "-e", intakeObject())
	p.waitReady(1)
	return p
}

// probe asks what Kubernetes and Prometheus ask.
func (d *deployment) probe(p *pipeline) {
	p.t.Helper()
	for _, path := range []string{"/", "/api/v1/health", "/api/v2/metrics/prometheus"} {
		p.wait(path, func() bool {
			answer, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d%s", d.http, path))
			if err != nil {
				return false // Kubernetes asks again, too
			}
			answer.Body.Close()
			return answer.StatusCode == http.StatusOK
		})
	}
}

// TestChartPipelines runs what the chart makes of values for Nano's records, and what the image runs by itself.
func TestChartPipelines(t *testing.T) {
	for _, file := range []string{"kubernetes/fluent-bit-waf.yaml", "tools/chart/testdata/destinations.yaml", "docker/pipeline.yaml"} {
		t.Run(file, func(t *testing.T) {
			onEach(t, func(t *testing.T, f fluentBit) {
				d := deployed(t, file)
				p := d.run(t, f)
				sendUDP(t, d.ports[15155], clean(t, 1), sample(t))
				assert.Contains(t, receive(t, d.syslog), `"rule_id":"932`)
				d.probe(p)
				p.stop()
			})
		})
	}
}

// TestChartReadsContainerLogs runs mode logs on a log as the container runtime writes it, twice: the second run goes on where the first stopped.
func TestChartReadsContainerLogs(t *testing.T) {
	onEach(t, func(t *testing.T, f fluentBit) {
		d := deployed(t, "tools/chart/testdata/logs.yaml")
		const pod = "web-ingress-7d9c"
		logs := filepath.Join(d.dir, "containers")
		require.NoError(t, os.Mkdir(logs, 0o755))
		file := filepath.Join(logs, pod+"_shop_controller-"+strings.Repeat("0", 64)+".log")
		own := filepath.Join(logs, "fluent-bit-waf-gateway_fluent-bit-waf_fluent-bit-"+strings.Repeat("1", 64)+".log")
		for _, path := range []string{file, own} {
			require.NoError(t, os.WriteFile(path, nil, 0o644)) // tail looks for new files later
		}
		require.NoError(t, os.WriteFile(filepath.Join(d.dir, "shop_"+pod+".meta"),
			[]byte(`{"metadata":{"name":"`+pod+`","namespace":"shop","uid":"u-1"},"spec":{"nodeName":"node-1"}}`), 0o644))

		inputs, filters := d.config["pipeline"]["inputs"].([]any), d.config["pipeline"]["filters"].([]any)
		tail, kubernetes := inputs[0].(map[string]any), filters[0].(map[string]any)
		for _, key := range []string{"path", "exclude_path"} {
			tail[key] = strings.ReplaceAll(tail[key].(string), "/var/log/containers/", logs+"/")
		}
		require.Equal(t, "/var/lib/fluent-bit-waf/positions.db", tail["db"])
		tail["db"] = filepath.Join(d.dir, "positions.db")
		kubernetes["kube_meta_preload_cache_dir"] = d.dir
		kubernetes["kube_tag_prefix"] = "kube." + strings.ReplaceAll(strings.TrimPrefix(logs, "/"), "/", ".") + "."

		for run := range 2 {
			p := d.run(t, f)
			target := fmt.Sprintf("/run%d?q=1%%27%%20UNION%%20SELECT%%20password%%20FROM%%20users--", run)
			line := "2024-05-30T07:16:48.917000000Z stdout F " + accesslog.Lines()[0].Write(accesslog.Browser("GET", target)) + "\n"
			for _, path := range []string{own, file} {
				appendTo(t, path, line)
			}
			alert := receive(t, d.syslog)
			assert.Contains(t, alert, fmt.Sprintf(`"/run%d"`, run), "the first run's line is not read again")
			assert.Contains(t, alert, pod)
			assert.Contains(t, alert, `"class_uid":2004`)
			d.probe(p)
			p.stop()
		}
		require.NoError(t, d.syslog.SetReadDeadline(time.Now().Add(100*time.Millisecond)))
		_, _, err := d.syslog.ReadFrom(make([]byte, 1<<16))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded, "the own log is not read")
	})
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	defer file.Close()
	_, err = file.WriteString(text)
	require.NoError(t, err)
}

// TestChartGateway sends an attack to each input of the gateway, and then runs the script of "helm test" where there is a busybox.
func TestChartGateway(t *testing.T) {
	const file = "tools/chart/testdata/gateway.yaml"
	record := func(target string) string {
		line, err := json.Marshal(map[string]string{"remote_addr": "198.51.100.23", "request_method": "GET", "request_uri": target, "status": "200"})
		require.NoError(t, err)
		return string(line)
	}
	onEach(t, func(t *testing.T, f fluentBit) {
		d := deployed(t, file)
		p := d.run(t, f)
		attack := func(name string) string { return "/" + name + "?t=../../etc/passwd" }
		for name, send := range map[string]func(){
			"forward": func() {
				message := msgp.AppendString(msgp.AppendArrayHeader(nil, 3), "app.web")
				message = msgp.AppendMapHeader(msgp.AppendInt64(message, time.Now().Unix()), 3)
				for _, pair := range [][2]string{{"remote_addr", "198.51.100.23"}, {"request_method", "GET"}, {"request_uri", attack("forward")}} {
					message = msgp.AppendString(msgp.AppendString(message, pair[0]), pair[1])
				}
				sendTCP(t, d.ports[24224], message)
			},
			"otlp": func() {
				post(t, d.ports[4318], "/v1/logs", `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1717053408917000000","body":{"stringValue":`+
					strconv.Quote(record(attack("otlp")))+`}}]}]}]}`)
			},
			"udp":  func() { sendUDP(t, d.ports[15155], []byte(record(attack("udp")))) },
			"tcp":  func() { sendTCP(t, d.ports[15156], []byte(record(attack("tcp"))+"\n")) },
			"http": func() { post(t, d.ports[9880], "/", record(attack("http"))) },
		} {
			send()
			assert.Contains(t, receive(t, d.syslog), attack(name), name)
		}
		d.probe(p)
		helmTest(t, d, file)
		p.stop()
	})
}

func sendTCP(t *testing.T, port int, message []byte) {
	t.Helper()
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	require.NoError(t, err)
	defer c.Close()
	_, err = c.Write(message)
	require.NoError(t, err)
}

func post(t *testing.T, port int, path, body string) {
	t.Helper()
	answer, err := http.Post(fmt.Sprintf("http://127.0.0.1:%d%s", port, path), "application/json", strings.NewReader(body)) //nolint:noctx // bounded by the test
	require.NoError(t, err)
	defer answer.Body.Close()
	require.Less(t, answer.StatusCode, 300)
}

// helmTest runs the script in the pod of "helm test" against a deployment on this machine: it has to succeed, and to fail when a port is closed.
func helmTest(t *testing.T, d *deployment, file string) {
	t.Helper()
	busybox := testtool.Program(t, "busybox", "busybox")
	text, err := os.ReadFile(filepath.Join(root, "build", file))
	require.NoError(t, err)
	script := regexp.MustCompile(`(?s)\n        - sh\n        - -ec\n        - \|\n(.*?)\n  nodeSelector:`).FindSubmatch(text)
	require.NotNil(t, script)
	here := strings.ReplaceAll(string(script[1]), "http://fluent-bit-waf-test.fluent-bit-waf:2020", fmt.Sprintf("http://127.0.0.1:%d", d.http))
	tcp := 0
	for port, free := range d.ports {
		old := fmt.Sprintf("fluent-bit-waf.fluent-bit-waf %d ", port)
		tcp += strings.Count(here, old)
		here = strings.ReplaceAll(here, old, fmt.Sprintf("127.0.0.1 %d ", free))
	}
	require.Equal(t, 4, tcp, here)
	programs := t.TempDir()
	for _, name := range []string{"wget", "nc", "sleep"} {
		require.NoError(t, os.Symlink(busybox, filepath.Join(programs, name)))
	}
	run := func(script string) error {
		sh := exec.CommandContext(t.Context(), busybox, "sh", "-ec", script)
		sh.Env = []string{"PATH=" + programs}
		return sh.Run()
	}
	require.NoError(t, run(here), here)
	closed := strings.ReplaceAll(here, fmt.Sprintf("127.0.0.1 %d ", d.ports[4318]), fmt.Sprintf("127.0.0.1 %d ", loopback.Port(t)))
	require.Error(t, run(closed), closed)
}
