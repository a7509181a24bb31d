{{- /* Arguments of wafctl: the command, flags that follow from other values, and above them the settings of the mode. */ -}}
{{- define "waf.inlineArgs" -}}
{{- $values := index .Values .Values.mode -}}
{{- $flags := dict "listen" (printf ":%d" (int $values.port)) "health_listen" (printf ":%d" (int .Values.http.port)) "alert_to" (include "waf.alertTo" .)
  "trusted_proxies" $values.trustedProxies "shutdown_timeout" (printf "%ds" (int .Values.grace)) -}}
{{- if include "waf.hasMetrics" . }}{{ $_ := set $flags "metrics_listen" (printf "0.0.0.0:%d" (int .Values.metrics.port)) }}{{ end -}}
{{- if eq .Values.mode "proxy" -}}
{{- $_ := set $flags "backend" (required "proxy.backend: missing (want http://SERVICE.NAMESPACE:PORT)" $values.backend) -}}
{{- with $values.tlsPort -}}
{{- if not $.Values.tls.secret }}{{ fail "proxy.tlsPort needs tls.secret" }}{{ end -}}
{{- $_ := set $flags "tls_listen" (printf ":%d" (int .)) -}}
{{- $_ := set $flags "tls_cert" (printf "%s/tls.crt" (include "waf.tlsDir" $)) -}}
{{- $_ := set $flags "tls_key" (printf "%s/tls.key" (include "waf.tlsDir" $)) -}}
{{- end -}}
{{- end -}}
{{- $flags = mergeOverwrite $flags (include "waf.properties" . | fromYaml) (include "waf.texts" $values.settings | fromYaml) -}}
- {{ .Values.mode }}
{{- range $name, $value := $flags }}
- {{ printf "--%s=%s" ($name | replace "_" "-") $value | quote }}
{{- end }}
{{- end -}}

{{- /* The port of the backend of a proxy. */ -}}
{{- define "waf.backendPort" -}}
{{- $url := urlParse .Values.proxy.backend -}}
{{- $port := regexFind "[0-9]+$" (regexFind ":[0-9]+$" $url.host) -}}
{{- default (ternary "443" "80" (eq $url.scheme "https")) $port -}}
{{- end -}}
