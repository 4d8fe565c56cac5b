{{/* "true" when the page has a Service. */}}
{{- define "ce.pageService" -}}
{{- if and .Values.page.enabled .Values.page.service.enabled -}}true{{- end -}}
{{- end -}}

{{/* Secrets that the page reads, by the name of their volume. */}}
{{- define "ce.pageSecrets" -}}
{{- $page := .Values.page -}}
{{- if $page.enabled -}}
{{- with $page.tls.secretName }}
page-tls: {{ . | quote }}
{{- end }}
{{- with $page.trustedProxy.caSecretName }}
page-proxy-ca: {{ . | quote }}
{{- end }}
{{- end -}}
{{- end -}}

{{/* What the operator is told of its page: nothing where it is as the operator has it by itself. */}}
{{- define "ce.pageArguments" -}}
{{- $page := .Values.page -}}
{{- if not $page.enabled -}}
- --page-address=
{{- else -}}
- --page-address={{ if $page.service.enabled }}[::]{{ else }}127.0.0.1{{ end }}:8082
{{- if ne $page.mode "local" }}
- --page-mode={{ $page.mode }}
{{- end }}
{{- if $page.actions }}
- --page-actions
{{- end }}
{{- with $page.grafanaUrl }}
- {{ printf "--page-grafana-url=%s" . | quote }}
{{- end }}
{{- range $page.trustedProxy.addresses }}
- {{ printf "--page-trusted-proxy=%s" . | quote }}
{{- end }}
{{- if $page.trustedProxy.caSecretName }}
- --page-trusted-proxy-ca=/etc/coder-enterprise/page-proxy-ca/ca.crt
{{- end }}
{{- if $page.tls.secretName }}
- --page-tls-cert=/etc/coder-enterprise/page-tls/tls.crt
- --page-tls-key=/etc/coder-enterprise/page-tls/tls.key
{{- end }}
{{- end -}}
{{- end -}}

{{/* Mistakes, each with the way out; the operator itself would refuse to start. */}}
{{- define "ce.validatePage" -}}
{{- $page := .Values.page -}}
{{- $proxied := or $page.trustedProxy.addresses $page.trustedProxy.caSecretName -}}
{{- if $page.enabled -}}
  {{- if eq $page.mode "local" -}}
    {{- if $page.service.enabled -}}
      {{- fail "page.service is enabled, but in the mode local nobody is asked who they are: set page.mode to kubernetes or proxy, or open the page with `coder-enterprise page`" -}}
    {{- end -}}
    {{- if $page.actions -}}
      {{- fail "page.actions is true, but in the mode local nobody is known whose rights could be used: set page.mode to kubernetes or proxy" -}}
    {{- end -}}
  {{- end -}}
  {{- if and (eq $page.mode "kubernetes") $page.service.enabled (not $page.tls.secretName) -}}
    {{- fail "page.tls.secretName is missing: the page takes tokens of people, which must not travel in plain text; name a Secret of type kubernetes.io/tls" -}}
  {{- end -}}
  {{- if eq $page.mode "proxy" -}}
    {{- if not $page.service.enabled -}}
      {{- fail "page.service.enabled is false, so that no proxy can reach the page: set it to true" -}}
    {{- end -}}
    {{- if not $proxied -}}
      {{- fail "page.trustedProxy is empty: say in addresses where the proxy is, such as 10.0.0.0/8, or name in caSecretName who signs its certificate" -}}
    {{- end -}}
    {{- if and (or $page.trustedProxy.caSecretName $page.actions) (not $page.tls.secretName) -}}
      {{- fail "page.tls.secretName is missing: a proxy shows its certificate, and passes on tokens of people, under TLS alone" -}}
    {{- end -}}
  {{- else if $proxied -}}
    {{- fail (printf "page.trustedProxy is set, but page.mode is %s: set it to proxy" $page.mode) -}}
  {{- end -}}
  {{- with $page.tls.secretName -}}
    {{- include "ce.requireSecret" (list $ . (list "tls.crt" "tls.key") "page.tls.secretName" (printf "kubectl create secret tls %s -n %s --cert=tls.crt --key=tls.key" . $.Release.Namespace)) -}}
  {{- end -}}
  {{- with $page.trustedProxy.caSecretName -}}
    {{- include "ce.requireSecret" (list $ . (list "ca.crt") "page.trustedProxy.caSecretName" (printf "kubectl create secret generic %s -n %s --from-file=ca.crt" . $.Release.Namespace)) -}}
  {{- end -}}
{{- end -}}
{{- end -}}
