{{/* What a schema cannot say in words: each mistake with the way out. */}}
{{- define "ce.validate" -}}
{{- $server := .Values.server -}}
{{- $postgresql := $server.postgresql.secretName -}}
{{- if $server.enabled -}}
  {{- if and $postgresql (or $server.sqlite.size $server.sqlite.storageClassName $server.sqlite.existingClaim) -}}
    {{- fail "server.sqlite and server.postgresql are both set: one database is enough; leave the values of server.sqlite empty to use PostgreSQL, or server.postgresql.secretName to use SQLite" -}}
  {{- end -}}
  {{- if and (not $postgresql) (gt (int $server.replicas) 1) -}}
    {{- fail (printf "server.replicas is %d, but SQLite serves exactly one: set it to 1, or name a PostgreSQL database in server.postgresql.secretName" (int $server.replicas)) -}}
  {{- end -}}
  {{- range $server.env -}}
    {{- $own := include "ce.serverEnvNames" $ | fromYamlArray -}}
    {{- if $server.trustedProxies.headers -}}
      {{- $own = concat $own (list "CODER_PROXY_TRUSTED_HEADERS" "CODER_PROXY_TRUSTED_ORIGINS") -}}
    {{- end -}}
    {{- if $server.encryptionKeys.secretName -}}
      {{- $own = append $own "CODER_EXTERNAL_TOKEN_ENCRYPTION_KEYS" -}}
    {{- end -}}
    {{- if has .name $own -}}
      {{- fail (printf "server.env: %s is set by the chart; use the values of the chart for it" .name) -}}
    {{- end -}}
  {{- end -}}
  {{- if $postgresql -}}
    {{- include "ce.requireSecret" (list . $postgresql (list $server.postgresql.key) "server.postgresql.secretName" (printf "kubectl create secret generic %s -n %s --from-literal=%s=postgres://USER:PASSWORD@HOST/DATABASE" $postgresql .Release.Namespace $server.postgresql.key)) -}}
  {{- end -}}
  {{- with $server.tls.secretName -}}
    {{- include "ce.requireSecret" (list $ . (list "tls.crt" "tls.key") "server.tls.secretName" (printf "kubectl create secret tls %s -n %s --cert=tls.crt --key=tls.key" . $.Release.Namespace)) -}}
  {{- end -}}
  {{- with $server.encryptionKeys -}}
    {{- if .secretName -}}
      {{- include "ce.requireSecret" (list $ .secretName (list .key) "server.encryptionKeys.secretName" (printf "kubectl create secret generic %s -n %s --from-literal=%s=$(openssl rand -base64 32)" .secretName $.Release.Namespace .key)) -}}
    {{- end -}}
  {{- end -}}
  {{- if ne (empty $server.trustedProxies.headers) (empty $server.trustedProxies.origins) -}}
    {{- fail "server.trustedProxies.headers and server.trustedProxies.origins need each other: set both, such as X-Forwarded-For and 10.0.0.0/8" -}}
  {{- end -}}
  {{- with $server.owner.secretName -}}
    {{- include "ce.requireSecret" (list $ . (list "password" "token") "server.owner.secretName" (printf "kubectl create secret generic %s -n %s --from-file=password --from-file=token" . $.Release.Namespace)) -}}
  {{- end -}}
{{- end -}}
{{- if .Values.deployment.create -}}
  {{- if and $server.enabled (or .Values.deployment.url .Values.deployment.tokenSecretRef.name) -}}
    {{- fail "deployment.url and deployment.tokenSecretRef are for a Coder that is there already, but server.enabled is true: leave them empty, or set deployment.create to false and write a CoderDeployment of your own" -}}
  {{- end -}}
  {{- if and .Values.deployment.url (not .Values.deployment.tokenSecretRef.name) -}}
    {{- fail "deployment.tokenSecretRef.name is missing: name a Secret with the session token of an owner of deployment.url" -}}
  {{- end -}}
  {{- if and .Values.deployment.tokenSecretRef.name (not .Values.deployment.url) -}}
    {{- fail "deployment.url is missing: say which Coder the token of deployment.tokenSecretRef is for" -}}
  {{- end -}}
  {{- if and (include "ce.hasDeployment" .) .Values.watchNamespaces (not (has .Release.Namespace .Values.watchNamespaces)) -}}
    {{- fail (printf "watchNamespaces lacks %s, where the CoderDeployment is made: add it, or set deployment.create to false" .Release.Namespace) -}}
  {{- end -}}
{{- end -}}
{{- end -}}

{{/*
Fails when a Secret, or one of its keys, is not there: called with (list root name keys value advice). Only where Helm
can see the namespace; otherwise the pods wait for the Secret, and `kubectl describe pod` says so.
*/}}
{{- define "ce.requireSecret" -}}
{{- $root := index . 0 -}}
{{- $name := index . 1 -}}
{{- if lookup "v1" "ConfigMap" $root.Release.Namespace "kube-root-ca.crt" -}}
  {{- $secret := lookup "v1" "Secret" $root.Release.Namespace $name -}}
  {{- if not $secret -}}
    {{- fail (printf "%s: there is no Secret %s in the namespace %s; make it first: %s" (index . 3) $name $root.Release.Namespace (index . 4)) -}}
  {{- end -}}
  {{- $data := default dict $secret.data -}}
  {{- range $key := index . 2 -}}
    {{- if not (hasKey $data $key) -}}
      {{- fail (printf "%s: the Secret %s has no key %s; it has %s" (index $ 3) $name $key (keys $data | sortAlpha | join ", " | default "none")) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- end -}}

{{/* "true" when a CoderDeployment is made. */}}
{{- define "ce.hasDeployment" -}}
{{- if and .Values.deployment.create (or .Values.server.enabled .Values.deployment.url) -}}true{{- end -}}
{{- end -}}

{{/* What the chart itself sets. */}}
{{- define "ce.serverEnvNames" -}}
- CODER_HTTP_ADDRESS
- CODER_ACCESS_URL
- CODER_PROMETHEUS_ENABLE
- CODER_PROMETHEUS_ADDRESS
- CODER_SQLITE_PATH
- CODER_PG_CONNECTION_URL
- CODER_DERP_SERVER_RELAY_URL
- CODER_FIRST_USER_USERNAME
- CODER_FIRST_USER_EMAIL
- CODER_FIRST_USER_PASSWORD
- CODER_BOOTSTRAP_TOKEN_FILE
- CODER_LICENSE_KEYS_FILE
- CODER_DEVELOPMENT_LICENSE
- CODER_SHUTDOWN_DELAY
- CODER_TLS_ENABLE
- CODER_TLS_CERT_FILE
- CODER_TLS_KEY_FILE
- POD_IP
{{- end -}}
