{{/*
The rules of that name, granted to a service account where the operator watches: as a ClusterRole, or as a Role in each
namespace. Called with {root, rules, account, labels, suffix, annotations}.
*/}}
{{- define "ce.grant" -}}
{{- $root := .root -}}
{{- $rules := include "ce.rules" (list $root .rules) -}}
{{- $grants := list -}}
{{- range $root.Values.watchNamespaces -}}
  {{- $grants = append $grants (dict "prefix" "" "name" $.account "namespace" .) -}}
{{- else -}}
  {{- $grants = append $grants (dict "prefix" "Cluster" "name" (printf "%s%s" (include "ce.clusterwide" $root) $.suffix)) -}}
{{- end -}}
{{- range $grants }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .prefix }}Role
metadata:
  name: {{ .name }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- $.labels | nindent 4 }}
  {{- with $.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
rules:
  {{- $rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .prefix }}RoleBinding
metadata:
  name: {{ .name }}
  {{- with .namespace }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- $.labels | nindent 4 }}
  {{- with $.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ .prefix }}Role
  name: {{ .name }}
subjects:
  - kind: ServiceAccount
    name: {{ $.account }}
    namespace: {{ $root.Release.Namespace }}
{{- end }}
{{- end -}}
