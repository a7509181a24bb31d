package fieldmap

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKeyFileRenamesAndKeepsNanosKeys(t *testing.T) {
	m, err := ParseKeyFile("own.key", "# comment: x\n SRC_IP : client \nURL:http.target\nno colon here\r\n\nmethod:verb\r\n")
	require.NoError(t, err)
	tx, v := transaction(t, m, `{"client":"192.0.2.7","SRC_IP":"192.0.2.8","verb":"GET","METHOD":"PUT","http":{"target":"/a"},"AGENT":"curl",
		"RETCODE":200,"host":"probe"}`)
	require.Equal(t, "192.0.2.7", tx.ClientIP)
	require.Equal(t, "GET", tx.Method)
	require.Equal(t, "/a", tx.URI)
	require.Equal(t, 200, tx.ResponseStatus)
	require.Equal(t, "probe", v.Get(Sensor))
	agent, _ := tx.Header("user-agent")
	require.Equal(t, "curl", agent)
}

func TestProblemsOfAKeyFileAreReportedTogether(t *testing.T) {
	_, err := ParseKeyFile("own.key", "uri:u\nmethod:\nsrc_ip:a\nurl:a.b.c.d.e.f.g.h.i")
	require.ErrorContains(t, err, `own.key:1: unknown name "uri" (want one of l7_protocol begin_time src_ip`)
	require.ErrorContains(t, err, `own.key:2: name "method" has no key`)
	require.ErrorContains(t, err, `own.key:4: key "a.b.c.d.e.f.g.h.i" has more than 8 parts`)
}

func FuzzKeyFile(f *testing.F) {
	f.Add("SRC_IP:client\nURL:http.target\n# x\nmethod:")
	f.Add("req_header:a.b.c.d.e.f.g\nurl:.\nmethod:..")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := ParseKeyFile("fuzz.key", text)
		if err == nil {
			var v Values
			require.True(t, m.Read([]byte{0x80}, &v))
		}
	})
}
