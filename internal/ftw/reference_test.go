package ftw_test

import (
	"fmt"
	"io"
	"net/http/httputil"
	"strconv"
	"strings"
	"testing"

	coreruleset "github.com/corazawaf/coraza-coreruleset/v4"
	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
	"github.com/corazawaf/coraza/v3/types"
	"github.com/stretchr/testify/require"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/ftw"
)

// newReference returns Coraza with its own recommended configuration and the Core Rule Set, as a WAF in the request path has
// them. Nothing of this project takes part in it.
func newReference(t testing.TB, paranoia int) coraza.WAF {
	t.Helper()
	waf, err := coraza.NewWAF(coraza.NewWAFConfig().WithRootFS(coreruleset.FS).WithDirectives(fmt.Sprintf(`
Include @coraza.conf-recommended
SecAuditEngine Off
Include @crs-setup.conf.example
SecAction "id:900000,phase:1,pass,t:none,nolog,setvar:tx.blocking_paranoia_level=%d,setvar:tx.crs_validate_utf8_encoding=1,\
setvar:tx.arg_name_length=100,setvar:tx.arg_length=400,setvar:tx.total_arg_length=64000,setvar:tx.max_num_args=255,\
setvar:tx.max_file_size=64100,setvar:tx.combined_file_sizes=65535"
Include @owasp_crs/*.conf`, paranoia)))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, waf.(io.Closer).Close()) })
	return waf
}

// inspectAsConnector feeds an exchange to Coraza as a server does that has it on the wire.
func inspectAsConnector(waf coraza.WAF, s *ftw.Stage) (ruling, error) {
	tx := waf.NewTransaction()
	defer tx.Close()
	r := &s.Request
	tx.ProcessConnection(clientIP, clientPort, serverIP, serverPort)
	tx.ProcessURI(r.URI, r.Method, r.Version)
	for _, h := range r.Headers {
		tx.AddRequestHeader(h.Name, strings.Trim(h.Value, " \t"))
	}
	tx.SetServerName(r.Header("Host"))
	tx.ProcessRequestHeaders()
	if _, _, err := tx.WriteRequestBody([]byte(unframed(r))); err != nil {
		return ruling{}, err
	}
	if _, err := tx.ProcessRequestBody(); err != nil {
		return ruling{}, err
	}
	for _, h := range s.Response.Headers {
		tx.AddResponseHeader(h.Name, h.Value)
	}
	tx.ProcessResponseHeaders(s.Response.Status, ftw.Version)
	if tx.IsResponseBodyProcessable() {
		if _, _, err := tx.WriteResponseBody([]byte(s.Response.Body)); err != nil {
			return ruling{}, err
		}
	}
	if _, err := tx.ProcessResponseBody(); err != nil {
		return ruling{}, err
	}
	tx.ProcessLogging()
	return rulingOf(tx), nil
}

// unframed returns the body without chunked framing, which servers remove before a WAF sees it.
func unframed(r *ftw.Request) string {
	if !strings.EqualFold(r.Header("Transfer-Encoding"), "chunked") {
		return r.Body
	}
	body, err := io.ReadAll(httputil.NewChunkedReader(strings.NewReader(r.Body)))
	if err != nil {
		return r.Body
	}
	return string(body)
}

func rulingOf(tx types.Transaction) ruling {
	var o ruling
	var text strings.Builder
	for _, m := range tx.MatchedRules() {
		id := m.Rule().ID()
		writeMatch(&text, id, m.Message(), m.Data())
		if isDetection(id, m.Rule().Severity()) {
			o.ids = append(o.ids, id)
		} else {
			o.evaluations = append(o.evaluations, id)
		}
	}
	variables := tx.(plugintypes.TransactionState).Variables().TX()
	score := func(name string) int {
		n, _ := strconv.Atoi(strings.Join(variables.Get(name), ""))
		return n
	}
	o.inbound, o.outbound = score("blocking_inbound_anomaly_score"), score("blocking_outbound_anomaly_score")
	o.text = text.String()
	return o
}

// isDetection tells the rules that say something of the traffic from those that set up or sum up. Rule 200003 says
// something, but has no severity in Coraza's recommended configuration.
func isDetection(id int, severity types.RuleSeverity) bool {
	switch id / 1000 {
	case 901, 949, 959, 980:
		return false
	}
	return severity != types.RuleSeverityUnset || id == 200003
}
