package images

import (
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tags are those of the Makefile, so that what it has built is not built again.
const tags = "no_fs_access,coraza.disabled_operators.rbl,coraza.disabled_operators.inspectFile"

// compose reads the Compose file as docker compose does, with an environment.
func compose(t *testing.T, env ...string) types.ServiceConfig {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{"../../docker-compose.yml"}, cli.WithEnv(env), cli.WithName("test"))
	require.NoError(t, err)
	project, err := options.LoadProject(t.Context())
	require.NoError(t, err)
	service, err := project.GetService("uniwaf")
	require.NoError(t, err)
	return service
}

func TestComposeHasTheDefaultsOfModSecurityForAnylog(t *testing.T) {
	service := compose(t)
	command := strings.Join(service.Command, " ")
	assert.Contains(t, command, "--listen=udp://0.0.0.0:15155 ")
	assert.Contains(t, command, "--alert-to=json+udp://127.0.0.1:12201 ")
	assert.Contains(t, command, "--rules=/usr/local/openresty/nginx/conf/modsecurity/modsecurity.conf ")
	require.Len(t, service.Volumes, 1)
	assert.Equal(t, "/usr/local/openresty/nginx/conf/modsecurity", service.Volumes[0].Target)
	assert.Equal(t, "modsecurity", filepath.Base(service.Volumes[0].Source))
}

func TestComposeGivesNoRights(t *testing.T) {
	service := compose(t)
	assert.True(t, service.ReadOnly)
	assert.Equal(t, []string{"ALL"}, service.CapDrop)
	assert.Contains(t, service.SecurityOpt, "no-new-privileges:true")
	assert.NotRegexp(t, `^(0|root|)(:|$)`, service.User)
	assert.NotZero(t, service.MemLimit)
	assert.False(t, service.Privileged)
	for _, v := range service.Volumes {
		assert.True(t, v.ReadOnly, v.Target)
	}
}

// TestComposeDetects runs the command of the Compose file outside of a container, between a probe and a receiver.
func TestComposeDetects(t *testing.T) {
	wafctl := filepath.Join(t.TempDir(), "wafctl")
	build := exec.Command("go", "build", "-tags", tags, "-o", wafctl, "./cmd/wafctl")
	build.Dir = "../../.."
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)

	receiver, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer receiver.Close()
	port := freePort(t)
	rules, err := filepath.Abs("testdata/modsecurity/modsecurity.conf")
	require.NoError(t, err)
	service := compose(t, "LISTEN_PORT="+port, "OUTPUT="+receiver.LocalAddr().String(), "RULEPATH="+rules)
	cmd := exec.Command(wafctl, service.Command...)
	var log strings.Builder
	cmd.Stderr = &log
	require.NoError(t, cmd.Start())
	defer cmd.Wait()                          //nolint:errcheck // a signal ends it
	defer cmd.Process.Signal(syscall.SIGTERM) //nolint:errcheck // or it has ended by itself

	probe, err := net.Dial("udp", "127.0.0.1:"+port)
	require.NoError(t, err)
	defer probe.Close()
	record := `{"BEGIN_TIME":"2024-05-30 07:16:48.917","SRC_IP":"192.168.1.105","DST_IP":"192.168.1.55","SRC_PORT":"46152",` +
		`"DST_PORT":"80","FORWARD":"0.0.0.0","RETCODE":"403","METHOD":"GET","URL":"/?t=../../etc/passwd","DOMAIN":"192.168.1.55",` +
		`"REQ_HEADER":"GET /?t=../../etc/passwd HTTP/1.1\r\nHost: 192.168.1.55\r\n\r\n","L7_PROTOCOL":"http"}`
	buffer := make([]byte, 64<<10)
	for range 100 { // until it listens
		_, _ = probe.Write([]byte(record))
		require.NoError(t, receiver.SetReadDeadline(time.Now().Add(200*time.Millisecond)))
		n, _, err := receiver.ReadFrom(buffer)
		if err != nil {
			continue
		}
		alert := string(buffer[:n])
		assert.True(t, strings.HasPrefix(alert, `{"rule_id":"1001","alert_engine":"modsecurity","time":"2024-05-30 07:16:48",`), alert)
		assert.Contains(t, alert, `"req_header":"GET /?t=../../etc/passwd HTTP/1.1\r\n`, "as with -a")
		return
	}
	t.Fatalf("no alert; wafctl said %s", log.String())
}

func freePort(t *testing.T) string {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer c.Close()
	return strconv.Itoa(c.LocalAddr().(*net.UDPAddr).Port)
}
