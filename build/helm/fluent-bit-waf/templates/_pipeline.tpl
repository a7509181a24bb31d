{{- /* Fluent Bit's configuration as a map, so that no value can break out of its place. */ -}}
{{- define "waf.pipeline" -}}
{{- $properties := include "waf.properties" . | fromYaml -}}
{{- $input := dict "name" .Values.input "tag" "nano" "mem_buf_limit" "64M" -}}
{{- if eq .Values.input "nano" -}}
{{- $_ := set $input "listen_on" (printf "udp://0.0.0.0:%d" (int .Values.listen.port)) -}}
{{- else -}}
{{- $input = merge $input (dict "listen" "0.0.0.0" "port" (int .Values.listen.port) "format" "json" "chunk_size" 64) -}}
{{- end -}}
{{- $input = mergeOverwrite $input .Values.inputProperties -}}
{{- $filters := list -}}
{{- if .Values.markRecords -}}
{{- $filters = append $filters (mergeOverwrite (dict "name" "waf" "match" "nano") $properties .Values.filterProperties) -}}
{{- end -}}
{{- $waf := merge (dict "name" "waf" "match" "nano" "alert_to" (include "waf.alertTo" .) "retry_limit" "no_limits") $properties -}}
{{- if include "waf.hasMetrics" . }}{{ $_ := set $waf "metrics_listen" (printf "0.0.0.0:%d" (int .Values.metrics.port)) }}{{ end -}}
{{- $service := dict "flush" 1 "grace" (int .Values.grace) "log_level" .Values.logLevel "http_server" "on" "http_listen" "0.0.0.0"
  "http_port" (int .Values.http.port) "health_check" "on" -}}
{{- $pipeline := dict "inputs" (list $input) "outputs" (concat (list $waf) .Values.outputs) -}}
{{- with concat $filters .Values.filters }}{{ $_ := set $pipeline "filters" . }}{{ end -}}
{{- toYaml (dict "service" $service "pipeline" $pipeline) -}}
{{- end -}}
