package engine

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/setting"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/load"
	"github.com/fluent-bit-waf/fluent-bit-waf/rules/model"
)

func config(t *testing.T, settings setting.Map) load.Config {
	t.Helper()
	r := setting.NewReader(settings, load.Properties())
	c := load.ReadConfig(r, NewVocabulary())
	require.NoError(t, r.Err())
	return c
}

func ids(v *model.Verdict) []int {
	var found []int
	for _, m := range v.Matches {
		found = append(found, m.Rule.ID)
	}
	return found
}

func sample() *model.Transaction {
	return &model.Transaction{
		ClientIP: "192.168.1.105", ClientPort: 46152, ServerIP: "192.168.1.55", ServerPort: 80,
		Method: "GET", URI: "/?t=../../etc/passwd", Protocol: "HTTP/1.1", ServerName: "192.168.1.55",
		RequestHeaders: []model.Header{{Name: "Host", Value: "192.168.1.55"}, {Name: "User-Agent", Value: "curl/7.81.0"}, {Name: "Accept", Value: "*/*"}},
	}
}
