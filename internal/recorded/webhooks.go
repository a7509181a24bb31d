package recorded

import (
	"bytes"
	"context"
	"net/http"

	"github.com/fluent-bit-waf/fluent-bit-waf/internal/corpus"
)

// webhook is what a service on the web sends to a server of its users. The bodies are ours, in the services' form.
type webhook struct{ path, agent, header, mediaType, body string }

const inJSON, inForm = "application/json", "application/x-www-form-urlencoded"

var webhooks = []webhook{
	{"/hooks/github", "GitHub-Hookshot/044aadd", "X-GitHub-Event: push", inJSON, `{"ref":"refs/heads/main","before":"6113728f27ae82c7b1a177c8d03f9e96e0adf246","after":"0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c","compare":"https://github.com/acme/shop/compare/6113728f27ae...0d1a26e67d8f","commits":[{"id":"0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c","message":"Fix the update of carts; select rows from the right table\n\nCloses #17","author":{"name":"Ana Bauer","email":"ana@example.com"},"added":["db/migrations/0042_insert_into.sql"],"modified":["web/src/cart.tsx","../README.md"]}],"pusher":{"name":"ana","email":"ana@example.com"}}`},
	{"/hooks/github", "GitHub-Hookshot/044aadd", "X-GitHub-Event: pull_request", inJSON, `{"action":"opened","number":18,"pull_request":{"title":"Escape <script> in titles","body":"### What\r\nWe now escape ` + "`<script>alert(1)</script>`" + ` and ` + "`' OR 1=1 --`" + `.\r\n\r\n- [x] tests\r\n","head":{"ref":"escape"},"diff_url":"https://github.com/acme/shop/pull/18.diff","additions":12,"deletions":3},"repository":{"full_name":"acme/shop","ssh_url":"git@github.com:acme/shop.git"}}`},
	{"/hooks/github", "GitHub-Hookshot/044aadd", "X-GitHub-Event: issues", inForm, `payload=%7B%22action%22%3A%22opened%22%2C%22issue%22%3A%7B%22title%22%3A%22Cart+is+empty%22%2C%22body%22%3A%22Since+today%3A+%60curl+http%3A%2F%2Flocalhost%3A8080%2Fcart%60+gives+%7B%7D%22%7D%7D`},
	{"/hooks/gitlab", "GitLab/17.4.0", "X-Gitlab-Event: Pipeline Hook", inJSON, `{"object_kind":"pipeline","object_attributes":{"id":31,"ref":"main","status":"success","duration":63,"variables":[{"key":"NESTOR_PROD_ENVIRONMENT","value":"us-west-1"}]},"builds":[{"id":380,"stage":"deploy","name":"helm upgrade","status":"success","runner":{"id":380987,"description":"shared-runners-manager-6.gitlab.com"}}],"project":{"git_ssh_url":"git@gitlab.com:acme/shop.git"}}`},
	{"/hooks/gitlab", "GitLab/17.4.0", "X-Gitlab-Event: Note Hook", inJSON, `{"object_kind":"note","object_attributes":{"note":"Could you run ` + "`cat /etc/hosts | grep db; echo $?`" + ` on the node?","system":false}}`},
	{"/hooks/stripe", "Stripe/1.0 (+https://stripe.com/docs/webhooks)", "Stripe-Signature: t=1717053408,v1=5257a869e7ecebeda32affa62cdca3fa51cad7e77a0e56ff536d0ce8e108d8bd", inJSON, `{"id":"evt_1NG8Du2eZvKYlo2CUI79vXWy","object":"event","api_version":"2024-04-10","type":"payment_intent.succeeded","data":{"object":{"id":"pi_3MtwBwLkdIwHu7ix28a3tqPa","amount":2000,"currency":"usd","payment_method_details":{"card":{"brand":"visa","last4":"4242","exp_month":8,"exp_year":2027,"fingerprint":"mToisGZ01V71BCos"}},"receipt_email":"jenny@example.com"}}}`},
	{"/hooks/slack/events", "Slackbot 1.0 (+https://api.slack.com/robots)", "X-Slack-Request-Timestamp: 1717053408", inJSON, `{"token":"Jhj5dZrVaK7ZwHHjRyZWjbDl","team_id":"T061EG9R6","api_app_id":"A0MDYCDME","event":{"type":"message","channel":"C2147483705","user":"U2147483697","text":"deploy is done :tada: see <https://ci.example.com/job/17|#17> &amp; the log: ${jndi} is not logged any more","ts":"1355517523.000005"},"type":"event_callback"}`},
	{"/hooks/slack/command", "Slackbot 1.0 (+https://api.slack.com/robots)", "X-Slack-Request-Timestamp: 1717053408", inForm, `token=gIkuvaNzQIHg97ATvDxqgjtO&team_id=T0001&team_domain=acme&channel_name=ops&user_name=ana&command=%2Fdeploy&text=shop+to+staging+%28after+%2317%29&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2F1234%2F5678&trigger_id=13345224609.738474920.8088930838d88f008e0`},
	{"/hooks/alertmanager", "Alertmanager/0.27.0", "X-Tenant: ops", inJSON, `{"version":"4","status":"firing","receiver":"hook","groupLabels":{"alertname":"HighErrorRate"},"alerts":[{"status":"firing","labels":{"alertname":"HighErrorRate","instance":"10.1.8.5:8080"},"annotations":{"summary":"5xx > 1% for 10m","description":"sum(rate(http_requests_total{status=~\"5..\"}[5m])) / sum(rate(http_requests_total[5m])) > 0.01"},"startsAt":"2026-05-30T07:16:48.123Z","generatorURL":"http://prometheus:9090/graph?g0.expr=up+%3D%3D+0&g0.tab=1"}],"externalURL":"http://alertmanager:9093"}`},
	{"/hooks/grafana", "Grafana/11.1.0", "X-Grafana-Org: 1", inJSON, `{"receiver":"ops","status":"resolved","alerts":[{"labels":{"alertname":"Disk"},"annotations":{},"valueString":"[ var='A' labels={host=db-1} value=91.2 ]","dashboardURL":"http://grafana:3000/d/abc?orgId=1"}],"title":"[RESOLVED] Disk"}`},
	{"/hooks/sentry", "sentry/24.5", "Sentry-Hook-Resource: event_alert", inJSON, `{"action":"triggered","data":{"event":{"culprit":"app/cart.py in total","title":"TypeError: unsupported operand type(s) for +: 'int' and 'NoneType'","request":{"url":"http://localhost:8000/cart?step=2","headers":[["User-Agent","Mozilla/5.0"]]},"exception":{"values":[{"stacktrace":{"frames":[{"filename":"/usr/lib/python3.11/runpy.py","function":"<module>","context_line":"    return sum(line.price for line in lines)"}]}}]}}}}`},
	{"/hooks/mail", "mailgun/treq-24.1", "X-Mailgun-Event: delivered", inForm, `recipient=ana%40example.com&sender=shop%40example.com&subject=Re%3A+Your+order+%2317&from=Shop+%3Cshop%40example.com%3E&body-plain=Thank+you%21%0D%0A--%0D%0AThe+shop&stripped-html=%3Chtml%3E%3Cbody%3E%3Cp%3EThank+you%21%3C%2Fp%3E%3C%2Fbody%3E%3C%2Fhtml%3E&timestamp=1717053408`},
	{"/hooks/twilio", "TwilioProxy/1.1", "I-Twilio-Idempotency-Token: 0a1b2c3d", inForm, `ToCountry=US&SmsMessageSid=SM1234567890abcdef1234567890abcdef&Body=Yes%2C+please+deliver+at+5+%26+call+me&From=%2B14155550100&To=%2B14155550199&NumMedia=0`},
	{"/hooks/sns", "Amazon Simple Notification Service Agent", "X-Amz-Sns-Message-Type: Notification", "text/plain; charset=UTF-8", `{"Type":"Notification","MessageId":"22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324","TopicArn":"arn:aws:sns:us-west-2:123456789012:Alarms","Message":"{\"AlarmName\":\"cpu\",\"NewStateValue\":\"ALARM\",\"NewStateReason\":\"Threshold Crossed: 1 datapoint [91.2] was >= 90\"}","SignatureVersion":"1","Signature":"EXAMPLEw6JRN...","SigningCertURL":"https://sns.us-west-2.amazonaws.com/SimpleNotificationService.pem"}`},
	{"/hooks/registry", "Go-http-client/1.1", "Authorization: Bearer 9f8e7d6c5b4a39281706f5e4d3c2b1a0", "application/vnd.docker.distribution.events.v1+json", `{"events":[{"id":"320678d8-ca14-430f-8bb6-4ca139cd83f7","action":"pull","target":{"mediaType":"application/vnd.docker.distribution.manifest.v2+json","digest":"sha256:fea8895f450959fa676bcc1df0611ea93823a735a01205fd8622846041d0c7cf","repository":"shop/app","url":"http://registry:5000/v2/shop/app/manifests/sha256:fea8"},"request":{"addr":"10.1.4.17:64955","method":"HEAD","useragent":"docker/27.1 go/go1.22"}}]}`},
	{"/hooks/jira", "Atlassian HttpClient unknown / JIRA-10.0", "X-Atlassian-Webhook-Identifier: 17", inJSON, `{"webhookEvent":"jira:issue_updated","issue":{"key":"SHOP-17","fields":{"summary":"Login: password field isn't trimmed","description":"h2. Steps\n# open /login\n# type ' secret '\n{code:sql}\nselect * from users where name = 'ana' and 1=1;\n{code}"}},"changelog":{"items":[{"field":"status","fromString":"Open","toString":"Done"}]}}`},
	{"/hooks/events", "Knative-Eventing", "Ce-Specversion: 1.0", "application/cloudevents+json", `{"specversion":"1.0","type":"com.example.order.created","source":"/shop/orders","id":"A234-1234-1234","time":"2026-05-30T07:16:48Z","datacontenttype":"application/json","data":{"order":17,"lines":[{"sku":"A-1","n":2}]}}`},
	{"/v1/traces", "OTel-OTLP-Exporter-Python/1.25.0", "X-Scope-OrgID: 1", inJSON, `{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"cart"}}]},"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"SELECT shop.carts","kind":3,"attributes":[{"key":"db.statement","value":{"stringValue":"SELECT id, total FROM carts WHERE user_id = ? AND state IN (?, ?) ORDER BY created_at DESC LIMIT 20"}},{"key":"http.url","value":{"stringValue":"http://10.1.8.7:9200/_search"}}]}]}]}]}`},
	{"/loki/api/v1/push", "promtail/3.1.0", "X-Scope-OrgID: 1", inJSON, `{"streams":[{"stream":{"app":"cart","level":"error"},"values":[["1717053408000000000","open /etc/cart/config.yaml: no such file or directory"],["1717053409000000000","GET /search?q=%27+OR+1%3D1 400 12ms"]]}]}`},
	{"/csp-report", "Mozilla/5.0 (X11; Linux x86_64; rv:126.0) Gecko/20100101 Firefox/126.0", "Sec-Fetch-Dest: report", "application/csp-report", `{"csp-report":{"document-uri":"http://localhost:3000/cart","referrer":"","violated-directive":"script-src-elem","original-policy":"default-src 'self'; script-src 'self' 'unsafe-inline'","blocked-uri":"inline","script-sample":"<script>window.x"}}`},
}

// Webhooks sends the webhooks.
func Webhooks(ctx context.Context) ([]corpus.Record, error) {
	server, err := Serve("webhook", site, http.HandlerFunc(answer))
	if err != nil {
		return nil, err
	}
	for _, hook := range webhooks {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+server.Address+hook.path, bytes.NewReader([]byte(hook.body)))
		if err != nil {
			return nil, err
		}
		name, value, _ := bytes.Cut([]byte(hook.header), []byte(": "))
		request.Header.Set(string(name), string(value))
		request.Header.Set("User-Agent", hook.agent)
		request.Header.Set("Content-Type", hook.mediaType)
		request.Header.Set("Accept", "*/*")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return nil, err
		}
		if err := response.Body.Close(); err != nil {
			return nil, err
		}
	}
	return server.Stop(), nil
}
