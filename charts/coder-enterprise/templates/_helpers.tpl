{{/* Names, labels and the parts that several pods have in common. */}}

{{- define "ce.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 40 characters, so that what is added to it fits, also into the names of Leases. */}}
{{- define "ce.fullname" -}}
{{- $name := include "ce.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "ce.operator" -}}{{ include "ce.fullname" . }}-operator{{- end -}}
{{- define "ce.leaseName" -}}{{ include "ce.operator" . | trunc 40 | trimSuffix "-" }}{{- end -}}
{{- define "ce.server" -}}{{ include "ce.fullname" . }}-server{{- end -}}
{{- define "ce.uninstall" -}}{{ include "ce.fullname" . }}-uninstall{{- end -}}

{{/* A cluster has one namespace for each name, but many namespaces. */}}
{{- define "ce.clusterwide" -}}{{ .Release.Namespace }}:{{ include "ce.fullname" . }}{{- end -}}

{{- define "ce.ownerSecret" -}}
{{- default (printf "%s-owner" (include "ce.server" .)) .Values.server.owner.secretName -}}
{{- end -}}

{{- define "ce.serverURL" -}}
{{- $port := .Values.server.service.port | int -}}
{{- $scheme := include "ce.serverScheme" . -}}
{{- $own := ternary 443 80 (eq $scheme "https") -}}
{{ $scheme }}://{{ include "ce.server" . }}.{{ .Release.Namespace }}.svc{{ if ne $port $own }}:{{ $port }}{{ end }}
{{- end -}}

{{- define "ce.serverScheme" -}}{{ ternary "https" "http" (not (empty .Values.server.tls.secretName)) }}{{- end -}}

{{/* "true" when the server licenses everything for itself. */}}
{{- define "ce.developmentLicense" -}}
{{- if and .Values.server.developmentLicense (not .Values.server.licenseKeys) -}}true{{- end -}}
{{- end -}}

{{- define "ce.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Which pods: called with (list root component). */}}
{{- define "ce.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "ce.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "ce.labels" -}}
{{- $root := index . 0 -}}
{{ include "ce.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: coder-enterprise
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 }}
{{- end -}}

{{/* What all pods have in common. */}}
{{- define "ce.pod" -}}
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
{{- with .Values.runAsUser }}
  runAsUser: {{ int64 . }}
  runAsGroup: {{ int64 . }}
  fsGroup: {{ int64 . }}
  fsGroupChangePolicy: OnRootMismatch
{{- end }}
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "ce.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* On which nodes pods may run: called with the settings of a half. */}}
{{- define "ce.nodes" -}}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Where the pods of a half run: called with (list root component settings). */}}
{{- define "ce.placement" -}}
{{- $settings := index . 2 -}}
affinity:
{{- if $settings.affinity }}
  {{- toYaml $settings.affinity | nindent 2 }}
{{- else }}
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- include "ce.selector" . | nindent 14 }}
{{- end }}
{{- with $settings.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- include "ce.nodes" $settings }}
{{- end -}}

{{/* The rules by their name, as `make generate` writes them from the kinds. */}}
{{- define "ce.rules" -}}
{{- $root := index . 0 -}}
{{- index ($root.Files.Get "files/rules.yaml" | fromYaml) (index . 1) | toYaml -}}
{{- end -}}

{{/* A NetworkPolicy's peers and ports: called with {cidrs, ports}. */}}
{{- define "ce.egress" -}}
- to:
    {{- range .cidrs }}
    - ipBlock:
        cidr: {{ . | quote }}
    {{- end }}
  ports:
    {{- range .ports }}
    - port: {{ . }}
      protocol: TCP
    {{- end }}
{{- end -}}

{{- define "ce.dns" -}}
- ports:
    - port: 53
      protocol: UDP
    - port: 53
      protocol: TCP
{{- end -}}
