package docs

import (
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/filter"
)

func TestEveryVariableHasAPropertyOrAReason(t *testing.T) {
	properties := map[string]bool{}
	for _, p := range filter.Properties() {
		properties[p.Name] = true
	}
	row := regexp.MustCompile("(?m)^\\| ((?:`[A-Z0-9_]+` ?)+)\\| (.*) \\|$")
	var listed []string
	for _, m := range row.FindAllStringSubmatch(read(t, "migrate-from-crs-docker.md"), -1) {
		counterpart := m[2]
		for _, variable := range strings.Fields(strings.ReplaceAll(m[1], "`", "")) {
			listed = append(listed, variable)
			if strings.HasPrefix(counterpart, "none") {
				assert.False(t, properties[strings.ToLower(variable)], "%s has a property", variable)
				continue
			}
			assert.Equal(t, "same name", counterpart, variable)
			assert.True(t, properties[strings.ToLower(variable)], "%s: no property", variable)
		}
	}
	image, err := os.ReadFile("../testdata/modsecurity-crs-docker.txt") // its variables that set the Core Rule Set or the engine up
	require.NoError(t, err)
	assert.ElementsMatch(t, strings.Fields(string(image)), listed)
}

// TestEveryFlagOfModSecurityForAnylogHasACounterpart looks at the page's table: all flags are there, and what stands beside them are flags.
func TestEveryFlagOfModSecurityForAnylogHasACounterpart(t *testing.T) {
	bin, err := tools()
	require.NoError(t, err)
	help, err := exec.Command(bin+"/wafctl", "run", "--help", "--all").Output()
	require.NoError(t, err)
	page := read(t, "migrate-from-msa.md")
	for _, flag := range strings.Split("alcrtspku", "") {
		assert.Regexp(t, "(?m)^\\| `-"+flag+"( [^`]*)?`", page)
	}
	for _, flag := range regexp.MustCompile("`(--[a-z-]+)").FindAllStringSubmatch(page, -1) {
		if flag[1] != "--file" {
			assert.Contains(t, string(help), flag[1]+" ")
		}
	}
	assert.Contains(t, string(help), "json+udp://HOST[:12202]")
}

// TestTheAlertIsThatOfModSecurityForAnylog compares with what MSA has been seen to send for the sample: the same names in the same order,
// and the same values but for the wording of the rule's message.
func TestTheAlertIsThatOfModSecurityForAnylog(t *testing.T) {
	receiver, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer receiver.Close()
	bin, err := tools()
	require.NoError(t, err)
	run := exec.Command(bin+"/wafctl", "run", "--listen", "-", "--rule-packs", "off", "--alert-on", "match", "--alert-to",
		"json+udp://"+receiver.LocalAddr().String())
	run.Stdin = strings.NewReader(read(t, "../testdata/nano-sample.json"))
	out, err := run.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.NoError(t, receiver.SetReadDeadline(time.Now().Add(10*time.Second)))
	buffer := make([]byte, 64<<10)
	n, _, err := receiver.ReadFrom(buffer)
	require.NoError(t, err)
	got, want := members(t, buffer[:n]), members(t, []byte(msaAlert))
	for i := range want {
		if want[i][0] == "msg" {
			want[i][1] = got[i][1]
		}
	}
	assert.Equal(t, want, got)
}

const msaAlert = `{"rule_id":"932160","alert_engine":"modsecurity","time":"2024-05-30 07:16:48","message":"jxit","forward":"0.0.0.0",` +
	`"retcode":"403","source":"","src_ip":"192.168.1.105","dst_ip":"192.168.1.55","geoip":"","src_port":"46152","dst_port":"80",` +
	`"host":"10.64.1.254","domain":"192.168.1.55","url":"/?t=../../etc/passwd","method":"GET",` +
	`"msg":"Remote command execution: Discover Unix Shell code","matched":"Matched \"Operator ` + "`PmFromFile' with parameter `unix-shell.data' " +
	"against variable `ARGS:t' (Value: `../../etc/passwd' )" + `","severity":"2",` +
	`"req_header":"GET /?t=../../etc/passwd HTTP/1.1\r\nHost: 192.168.1.55\r\nUser-Agent: curl/7.81.0\r\nAccept: */*\r\n\r\n","req_body":"",` +
	`"rsp_header":"HTTP/1.1 403 Forbidden\r\nDate: Thu, 30 May 2024 07:16:49 GMT\r\nContent-Type: text/html; charset=UTF-8\r\n` +
	`Transfer-Encoding: chunked\r\nConnection: keep-alive\r\nserver: ZhongKui WAF\r\n\r\n","rsp_body":"223sdfalkjsflkajf"}`

// members returns names and values of a flat object in their order.
func members(t *testing.T, object []byte) (all [][2]string) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(string(object)))
	_, err := decoder.Token()
	require.NoError(t, err)
	for decoder.More() {
		var pair [2]string
		for i := range pair {
			token, err := decoder.Token()
			require.NoError(t, err)
			pair[i] = token.(string)
		}
		all = append(all, pair)
	}
	return all
}
