{{- /* Fluent Bit's configuration as a map, so that no value can break out of its place. */ -}}
{{- define "waf.pipeline" -}}
{{- $match := include "waf.match" . -}}
{{- $properties := include "waf.properties" . | fromYaml -}}
{{- $filters := list -}}
{{- if eq .Values.mode "logs" -}}
{{- $kubernetes := dict "name" "kubernetes" "match" $match "merge_log" "off" "annotations" "off" -}}
{{- $filters = append $filters (mergeOverwrite $kubernetes (include "waf.texts" .Values.logs.kubernetesProperties | fromYaml)) -}}
{{- end -}}
{{- if .Values.markRecords -}}
{{- $filters = append $filters (mergeOverwrite (dict "name" "waf" "match" $match) $properties (include "waf.texts" .Values.filterProperties | fromYaml)) -}}
{{- end -}}
{{- $waf := mergeOverwrite (dict "name" "waf" "match" $match "alert_to" (include "waf.alertTo" .) "retry_limit" "no_limits") $properties -}}
{{- if include "waf.hasMetrics" . }}{{ $_ := set $waf "metrics_listen" (printf "0.0.0.0:%d" (int .Values.metrics.port)) }}{{ end -}}
{{- $waf = mergeOverwrite $waf (include "waf.incidents" . | fromYaml) (include "waf.texts" .Values.outputProperties | fromYaml) -}}
{{- $service := dict "flush" 1 "grace" (int .Values.grace) "log_level" .Values.logLevel "http_server" "on" "http_listen" "0.0.0.0"
  "http_port" (int .Values.http.port) "health_check" "on" -}}
{{- $inputs := (include "waf.inputs" . | fromYaml).inputs -}}
{{- $pipeline := dict "inputs" $inputs "outputs" (concat (list $waf) .Values.outputs) -}}
{{- with concat $filters .Values.filters }}{{ $_ := set $pipeline "filters" . }}{{ end -}}
{{- toYaml (dict "service" $service "pipeline" $pipeline) -}}
{{- end -}}

{{- /* What filters and outputs match. Senders choose the tags of a gateway. */ -}}
{{- define "waf.match" -}}
{{- get (dict "nano" "nano" "logs" "kube.*" "gateway" "*") .Values.mode -}}
{{- end -}}

{{- /* The inputs, under the key "inputs". */ -}}
{{- define "waf.inputs" -}}
{{- $inputs := list -}}
{{- if eq .Values.mode "gateway" -}}
{{- if .Values.inputProperties }}{{ fail "inputProperties: in mode gateway, properties belong to an input of gateway.inputs" }}{{ end -}}
{{- range .Values.gateway.inputs }}{{ $inputs = append $inputs (include "waf.gatewayInput" . | fromYaml) }}{{ end -}}
{{- else -}}
{{- $input := include (printf "waf.%sInput" .Values.mode) . | fromYaml -}}
{{- $inputs = list (mergeOverwrite $input (include "waf.texts" .Values.inputProperties | fromYaml)) -}}
{{- end -}}
{{- toYaml (dict "inputs" $inputs) -}}
{{- end -}}

{{- define "waf.nanoInput" -}}
{{- $input := dict "name" .Values.input "tag" "nano" "mem_buf_limit" "64M" -}}
{{- if eq .Values.input "nano" -}}
{{- $_ := set $input "listen_on" (printf "udp://0.0.0.0:%d" (int .Values.listen.port)) -}}
{{- else -}}
{{- $input = merge $input (dict "listen" "0.0.0.0" "port" (int .Values.listen.port) "format" "json" "chunk_size" 64) -}}
{{- end -}}
{{- toYaml $input -}}
{{- end -}}

{{- /* The pods' own logs are excluded: an alert written there would be read again. */ -}}
{{- define "waf.logsInput" -}}
{{- $own := printf "/var/log/containers/%s-*_%s_*.log" (include "waf.fullname" .) .Release.Namespace -}}
{{- $input := dict "name" "tail" "tag" "kube.*" "path" .Values.logs.path "exclude_path" (join "," (compact (list $own .Values.logs.exclude)))
  "multiline.parser" .Values.logs.parser "db" (printf "%s/positions.db" (include "waf.positionsDir" .)) "mem_buf_limit" "64M"
  "skip_long_lines" "on" "refresh_interval" 10 -}}
{{- toYaml $input -}}
{{- end -}}

{{- /* One of gateway.inputs. The input forward keeps the tags of its senders. */ -}}
{{- define "waf.gatewayInput" -}}
{{- $input := dict "name" .name "mem_buf_limit" "64M" -}}
{{- if eq .name "nano" -}}
{{- $_ := set $input "listen_on" (printf "%s://0.0.0.0:%d" (lower (default "TCP" .protocol)) (int .port)) -}}
{{- else -}}
{{- $input = merge $input (dict "listen" "0.0.0.0" "port" (int .port)) -}}
{{- end -}}
{{- if ne .name "forward" }}{{ $_ := set $input "tag" .name }}{{ end -}}
{{- toYaml (mergeOverwrite $input (include "waf.texts" .properties | fromYaml)) -}}
{{- end -}}
