{{- define "waf.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "waf.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains (include "waf.name" .) .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "waf.name" .) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "waf.selector" -}}
app.kubernetes.io/name: {{ include "waf.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- /* Labels of the test's pod, which no selector of the chart's other objects matches. */ -}}
{{- define "waf.testSelector" -}}
app.kubernetes.io/name: {{ include "waf.name" . | trunc 58 | trimSuffix "-" }}-test
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "waf.labels" -}}
{{ include "waf.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "waf.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "waf.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "waf.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- /* "true" when the pods are members of a consumer group: wafctl run in place of Fluent Bit. */ -}}
{{- define "waf.isMember" -}}
{{- if and (eq .Values.mode "gateway") .Values.gateway.kafka.brokers }}true{{ end -}}
{{- end -}}

{{- /* "true" when KEDA decides on the number of pods. */ -}}
{{- define "waf.scalesByLag" -}}
{{- if and (include "waf.isMember" .) .Values.gateway.kafka.keda.enabled }}true{{ end -}}
{{- end -}}

{{- /* The topic of records as wafctl run takes it. */ -}}
{{- define "waf.listen" -}}
{{- $kafka := .Values.gateway.kafka -}}
{{- $options := list (printf "group=%s" $kafka.group) -}}
{{- range $name, $value := include "waf.texts" $kafka.options | fromYaml -}}
{{- $options = append $options (printf "%s=%s" $name ($value | replace "%" "%25" | replace "&" "%26" | replace "," "%2C")) -}}
{{- end -}}
{{- printf "kafka%s://%s/%s?%s" (ternary "+tls" "" $kafka.tls) (join "," $kafka.brokers) $kafka.topic (join "&" $options) -}}
{{- end -}}

{{- /* "true" when the plugin serves its own metrics. Members have them on the port for HTTP. */ -}}
{{- define "waf.hasMetrics" -}}
{{- if include "waf.isMember" . }}{{ else if or .Values.metrics.enabled .Values.podMonitor.enabled }}true{{ end -}}
{{- end -}}

{{- /* "true" when wafctl runs in the pods, in the path of requests, and not Fluent Bit. */ -}}
{{- define "waf.isInline" -}}
{{- if has .Values.mode (list "auth" "proxy") }}true{{ end -}}
{{- end -}}

{{- /* Folders in the container. */ -}}
{{- define "waf.rulesDir" -}}/etc/fluent-bit-waf/rules{{- end -}}
{{- define "waf.fieldMapsDir" -}}/etc/fluent-bit-waf/field-maps{{- end -}}
{{- define "waf.tlsDir" -}}/etc/fluent-bit-waf/tls{{- end -}}
{{- define "waf.positionsDir" -}}/var/lib/fluent-bit-waf{{- end -}}

{{- /* Port of a syslog or GELF destination: dict "kind" and "to". */ -}}
{{- define "waf.port" -}}
{{- $syslog := ternary 6514 514 (eq (default "udp" .to.protocol) "tls") -}}
{{- default (ternary $syslog 12201 (eq .kind "syslog")) .to.port | int -}}
{{- end -}}

{{- /* One destination as alert_to takes it: dict "kind" and "to". Commas, & and % in options are escaped. */ -}}
{{- define "waf.destination" -}}
{{- $options := list -}}
{{- range $name := list "ca" "cert" "key" -}}
{{- with index $.to $name -}}
{{- $options = append $options (printf "%s=%s/%s" $name (include "waf.tlsDir" $) .) -}}
{{- end -}}
{{- end -}}
{{- range $name, $value := include "waf.texts" .to.options | fromYaml -}}
{{- $options = append $options (printf "%s=%s" $name ($value | replace "%" "%25" | replace "&" "%26" | replace "," "%2C")) -}}
{{- end -}}
{{- printf "%s+%s://%s:%s" .kind (default "udp" .to.protocol) (required (printf "destinations.%s needs a host" .kind) .to.host) (include "waf.port" .) -}}
{{- with $options }}?{{ join "&" . }}{{ end -}}
{{- end -}}

{{- define "waf.alertTo" -}}
{{- $all := list -}}
{{- range $kind := list "syslog" "gelf" -}}
{{- range index $.Values.destinations $kind -}}
{{- range $name, $_ := pick . "ca" "cert" "key" -}}
{{- if not $.Values.tls.secret }}{{ fail (printf "destinations.%s: %s needs tls.secret" $kind $name) }}{{ end -}}
{{- end -}}
{{- $all = append $all (include "waf.destination" (dict "kind" $kind "to" .)) -}}
{{- end -}}
{{- end -}}
{{- $all = default (list "stdout") (concat $all .Values.destinations.others) -}}
{{- with .Values.incidents.aggregator -}}
{{- if contains "://" . -}}
{{- if not (include "waf.isMember" $) }}{{ fail "incidents.aggregator: only members of a consumer group send digests to a topic (set gateway.kafka)" }}{{ end -}}
{{- $all = append $all (printf "%s%sonly=digests" . (ternary "&" "?" (contains "?" .))) -}}
{{- else -}}
{{- $all = append $all (printf "forward://%s?tag=digest&only=digests" .) -}}
{{- end -}}
{{- end -}}
{{- join "," $all -}}
{{- end -}}

{{- /* Properties that find incidents, or send digests to where they are found. One pod finds the incidents of a gateway. */ -}}
{{- define "waf.incidents" -}}
{{- $properties := dict -}}
{{- if .Values.incidents.aggregator -}}
{{- $properties = dict "incidents" "on" "incident_digest_tag" "digest" -}}
{{- else if .Values.incidents.enabled -}}
{{- if and (eq .Values.mode "gateway") (or .Values.gateway.autoscaling.enabled (include "waf.scalesByLag" .) (gt (int .Values.gateway.replicas) 1)) -}}
{{- fail "incidents.enabled: in mode gateway, one pod finds the incidents of all records (set gateway.replicas to 1, without autoscaling and KEDA)" -}}
{{- end -}}
{{- $properties = dict "incidents" "on" -}}
{{- end -}}
{{- toYaml $properties -}}
{{- end -}}

{{- /* Properties as text: Helm reads the words on and off as booleans, and numbers as floating point. */ -}}
{{- define "waf.texts" -}}
{{- $texts := dict -}}
{{- range $name, $value := . -}}
{{- if kindIs "bool" $value -}}
{{- $value = ternary "on" "off" $value -}}
{{- else if not (kindIs "string" $value) -}}
{{- $value = toJson $value -}}
{{- end -}}
{{- $_ := set $texts $name $value -}}
{{- end -}}
{{- toYaml $texts -}}
{{- end -}}

{{- /* Properties of the plugin as a map: those that follow from other values, and above them .Values.properties. */ -}}
{{- define "waf.properties" -}}
{{- $properties := dict -}}
{{- if eq .Values.mode "logs" }}{{ $_ := set $properties "emit_format" "ecs" }}{{ end -}}
{{- if .Values.rules -}}
{{- $_ := set $properties "rules" (printf "%s%s" (ternary "crs," "" .Values.coreRuleSet) (include "waf.rulesDir" .)) -}}
{{- end -}}
{{- if .Values.fieldMaps -}}
{{- $maps := list -}}
{{- range $name, $_ := .Values.fieldMaps }}{{ $maps = append $maps (printf "%s/%s" (include "waf.fieldMapsDir" $) $name) }}{{ end -}}
{{- $_ := set $properties "field_map" (printf "%s,auto" (join "," $maps)) -}}
{{- end -}}
{{- toYaml (mergeOverwrite $properties (include "waf.texts" .Values.properties | fromYaml)) -}}
{{- end -}}

{{- /* What of the node the pods use, which Pod Security does not let everybody: "ports", "folders" or nothing. */ -}}
{{- define "waf.ofNode" -}}
{{- if eq .Values.mode "logs" }}folders
{{- else if or .Values.hostNetwork (and (eq .Values.mode "nano") (gt (int .Values.listen.hostPort) 0)) }}ports
{{- end -}}
{{- end -}}

{{- define "waf.configMap" -}}
{{- default (printf "%s-pipeline" (include "waf.fullname" .)) .Values.existingConfigMap -}}
{{- end -}}

{{- /* Ports at which records arrive, as ports of a container, under the key "ports". A name that is taken gets a number. */ -}}
{{- define "waf.recordPorts" -}}
{{- $ports := list -}}
{{- if eq .Values.mode "nano" -}}
{{- $ports = append $ports (dict "name" "records" "containerPort" .Values.listen.port "protocol" "UDP" "hostPort" .Values.listen.hostPort) -}}
{{- else if and (eq .Values.mode "gateway") (not (include "waf.isMember" .)) -}}
{{- $names := dict "http" true "metrics" true -}}
{{- range $i, $input := .Values.gateway.inputs -}}
{{- $name := $input.name | replace "_" "-" | trunc 15 | trimSuffix "-" -}}
{{- if hasKey $names $name }}{{ $name = printf "%s-%d" ($name | trunc 12 | trimSuffix "-") $i }}{{ end -}}
{{- $_ := set $names $name true -}}
{{- $ports = append $ports (dict "name" $name "containerPort" $input.port "protocol" (default "TCP" $input.protocol)) -}}
{{- end -}}
{{- end -}}
{{- if eq .Values.mode "auth" }}{{ $ports = append $ports (dict "name" "requests" "containerPort" .Values.auth.port) }}{{ end -}}
{{- if eq .Values.mode "proxy" -}}
{{- $ports = append $ports (dict "name" "requests" "containerPort" .Values.proxy.port "servicePort" .Values.proxy.service.port) -}}
{{- with .Values.proxy.tlsPort }}{{ $ports = append $ports (dict "name" "tls" "containerPort" . "servicePort" $.Values.proxy.service.tlsPort) }}{{ end -}}
{{- end -}}
{{- range .Values.extraPorts }}{{ $ports = append $ports . }}{{ end -}}
{{- with $ports }}{{ toYaml (dict "ports" .) }}{{ end -}}
{{- end -}}

{{- /* All ports of the container, in the same form. */ -}}
{{- define "waf.ports" -}}
{{- $ports := list -}}
{{- range (include "waf.recordPorts" . | fromYaml).ports }}{{ $ports = append $ports . }}{{ end -}}
{{- $ports = append $ports (dict "name" "http" "containerPort" .Values.http.port) -}}
{{- if include "waf.hasMetrics" . }}{{ $ports = append $ports (dict "name" "metrics" "containerPort" .Values.metrics.port) }}{{ end -}}
{{- toYaml (dict "ports" $ports) -}}
{{- end -}}
