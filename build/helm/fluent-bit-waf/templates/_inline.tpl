{{- /* Arguments of wafctl: the command, flags that follow from other values, and above them the settings of the mode. */ -}}
{{- define "waf.inlineArgs" -}}
{{- $values := index .Values .Values.mode -}}
{{- $flags := dict "listen" (printf ":%d" (int $values.port)) "health_listen" (printf ":%d" (int .Values.http.port)) "alert_to" (include "waf.alertTo" .)
  "trusted_proxies" $values.trustedProxies "shutdown_timeout" (printf "%ds" (int .Values.grace)) -}}
{{- if include "waf.hasMetrics" . }}{{ $_ := set $flags "metrics_listen" (printf "0.0.0.0:%d" (int .Values.metrics.port)) }}{{ end -}}
{{- $flags = mergeOverwrite $flags (include "waf.properties" . | fromYaml) (include "waf.texts" $values.settings | fromYaml) -}}
- {{ .Values.mode }}
{{- range $name, $value := $flags }}
- {{ printf "--%s=%s" ($name | replace "_" "-") $value | quote }}
{{- end }}
{{- end -}}
