{{- /* The template of the pods, the same for DaemonSet and Deployment. */ -}}
{{- define "waf.pod" -}}
metadata:
  labels:
    {{- include "waf.labels" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # Pods are replaced when pipeline, rules or field maps change.
    checksum/config: {{ include (print $.Template.BasePath "/configmap.yaml") . | sha256sum }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "waf.serviceAccount" . }}
  automountServiceAccountToken: {{ eq .Values.mode "logs" }}
  enableServiceLinks: false
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if .Values.hostNetwork }}
  hostNetwork: true
  dnsPolicy: ClusterFirstWithHostNet
  {{- end }}
  {{- with .Values.dnsConfig }}
  dnsConfig:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
  securityContext:
    {{- toYaml (ternary .Values.logs.podSecurityContext .Values.podSecurityContext (eq .Values.mode "logs")) | nindent 4 }}
  {{- with .Values.initContainers }}
  initContainers:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    {{- include "waf.container" . | nindent 4 }}
    {{- with .Values.extraContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
    {{- include "waf.volumes" . | nindent 4 }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- $selector := dict "labelSelector" (dict "matchLabels" (include "waf.selector" $ | fromYaml)) }}
    {{- range . }}
    - {{- toYaml (hasKey . "labelSelector" | ternary . (merge (deepCopy .) $selector)) | nindent 6 }}
    {{- end }}
  {{- end }}
{{- end -}}

{{- define "waf.container" -}}
- name: {{ ternary "wafctl" "fluent-bit" (eq (include "waf.isInline" .) "true") }}
  image: {{ include "waf.image" . }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  {{- if include "waf.isMember" . }}
  command: [/usr/bin/wafctl, run]
  args:
    - --listen={{ include "waf.listen" . }}
    - --alert-to={{ include "waf.alertTo" . }}
    - --metrics-listen=0.0.0.0:{{ .Values.http.port }}
    {{- range $name, $value := mergeOverwrite (include "waf.incidents" . | fromYaml) (include "waf.properties" . | fromYaml) }}
    - {{ printf "--%s=%s" ($name | replace "_" "-") $value | toJson }}
    {{- end }}
  {{- else if include "waf.isInline" . }}
  command: [/usr/bin/wafctl]
  args:
    {{- include "waf.inlineArgs" . | nindent 4 }}
  {{- else }}
  args:
    - -e
    - /usr/lib/fluent-bit-waf/out_waf.so
    {{- if ne .Values.mode "logs" }}
    - -e
    - /usr/lib/fluent-bit-waf/in_nano.so
    {{- end }}
    - -c
    - /etc/fluent-bit-waf/pipeline/pipeline.yaml
  {{- end }}
  securityContext:
    {{- toYaml .Values.securityContext | nindent 4 }}
  env:
    - name: GOMEMLIMIT
      value: {{ .Values.goMemoryLimit | quote }}
    {{- with .Values.env }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with .Values.envFrom }}
  envFrom:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  ports:
    {{- range (include "waf.ports" . | fromYaml).ports }}
    - name: {{ .name }}
      containerPort: {{ .containerPort }}
      protocol: {{ default "TCP" .protocol }}
      {{- if $.Values.hostNetwork }}
      hostPort: {{ .containerPort }}
      {{- else if .hostPort }}
      hostPort: {{ .hostPort }}
      {{- end }}
    {{- end }}
  {{- range $name := list "startupProbe" "livenessProbe" "readinessProbe" }}
  {{ $name }}:
    {{- include "waf.probe" (list $ $name) | nindent 4 }}
  {{- end }}
  {{- with .Values.lifecycle }}
  lifecycle:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  resources:
    {{- toYaml .Values.resources | nindent 4 }}
  volumeMounts:
    {{- if include "waf.isInline" . }}
    - name: bodies
      mountPath: /tmp
    {{- else if not (include "waf.isMember" .) }}
    - name: pipeline
      mountPath: /etc/fluent-bit-waf/pipeline
      readOnly: true
    {{- end }}
    {{- if .Values.rules }}
    - name: rules
      mountPath: {{ include "waf.rulesDir" . }}
      readOnly: true
    {{- end }}
    {{- if .Values.fieldMaps }}
    - name: field-maps
      mountPath: {{ include "waf.fieldMapsDir" . }}
      readOnly: true
    {{- end }}
    {{- if .Values.tls.secret }}
    - name: tls
      mountPath: {{ include "waf.tlsDir" . }}
      readOnly: true
    {{- end }}
    {{- if eq .Values.mode "logs" }}
    - name: logs
      mountPath: /var/log
      readOnly: true
    - name: positions
      mountPath: {{ include "waf.positionsDir" . }}
    {{- end }}
    {{- with .Values.extraVolumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

{{- /* A probe of the values, list . and its name. A member of a consumer group has one page for all; an endpoint that an ingress asks has two. */ -}}
{{- define "waf.probe" -}}
{{- $ := index . 0 -}}
{{- $name := index . 1 -}}
{{- $probe := deepCopy (index $.Values $name) -}}
{{- if include "waf.isMember" $ }}{{ $_ := set $probe "httpGet" (dict "path" "/metrics" "port" "http") }}
{{- else if and (include "waf.isInline" $) $probe.httpGet }}{{ $_ := set $probe.httpGet "path" (ternary "/healthz" "/readyz" (eq $name "livenessProbe")) }}{{ end -}}
{{- toYaml $probe -}}
{{- end -}}

{{- define "waf.volumes" -}}
{{- if include "waf.isInline" . -}}
- name: bodies
  emptyDir: {}
{{- else if not (include "waf.isMember" .) -}}
- name: pipeline
  configMap:
    name: {{ include "waf.configMap" . }}
{{- end }}
{{- if .Values.rules }}
- name: rules
  configMap:
    name: {{ include "waf.fullname" . }}-rules
{{- end }}
{{- if .Values.fieldMaps }}
- name: field-maps
  configMap:
    name: {{ include "waf.fullname" . }}-field-maps
{{- end }}
{{- with .Values.tls.secret }}
- name: tls
  secret:
    secretName: {{ . }}
    defaultMode: 0440
{{- end }}
{{- if eq .Values.mode "logs" }}
- name: logs
  hostPath:
    path: /var/log
- name: positions
  hostPath:
    path: {{ .Values.logs.positions }}
    type: DirectoryOrCreate
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}
