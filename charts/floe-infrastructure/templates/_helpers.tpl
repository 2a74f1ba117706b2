{{/*
Labels of an object. Called with (dict "root" $ "app" "polaris"). `app` is for selection; the others are
https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/.
*/}}
{{- define "floe.labels" -}}
{{ include "floe.podLabels" . }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end -}}

{{/* Labels of a pod. They do not depend on the chart's version, because a change would restart all pods. */}}
{{- define "floe.podLabels" -}}
{{ include "floe.selector" . }}
app.kubernetes.io/name: {{ .app }}
app.kubernetes.io/part-of: floe
{{- end -}}

{{/* Labels for selectors, which never change between versions of the chart. */}}
{{- define "floe.selector" -}}
app: {{ .app }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end -}}

{{/* The quoted reference of an image value. */}}
{{- define "floe.image" -}}
{{- $name := .repository -}}
{{- with .registry }}{{ $name = printf "%s/%s" . $name }}{{ end -}}
{{- $name = printf "%s:%s" $name .tag -}}
{{- with .digest }}{{ $name = printf "%s@%s" $name . }}{{ end -}}
{{ $name | quote }}
{{- end -}}

{{/*
Settings of every pod. No pod uses the API server. Service links would set POLARIS_PORT=tcp://... and similar variables,
which programs mistake for their own settings.
*/}}
{{- define "floe.podDefaults" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Security context of a container that runs as the given numeric user. */}}
{{- define "floe.asUser" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
{{ include "floe.confined" . }}
{{- end -}}

{{/* Security settings of every container, for any user. */}}
{{- define "floe.confined" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: ["ALL"]
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/*
A generated value of a Secret: the existing one in the cluster, else a new one. Called with
(dict "root" $ "secret" "postgresql-polaris" "key" "password"). Without a cluster (helm template), it is always new.
*/}}
{{- define "floe.generated" -}}
{{- $found := lookup "v1" "Secret" .root.Release.Namespace .secret -}}
{{- with dig "data" .key "" (default dict $found) -}}
{{- . | b64dec -}}
{{- else -}}
{{- randAlphaNum 40 -}}
{{- end -}}
{{- end -}}

{{/*
Annotations of the Secrets. PostgreSQL's volume outlives `helm uninstall`, so its passwords must, too. The next install
reuses both.
*/}}
{{- define "floe.secretAnnotations" -}}
{{- if .Values.postgresql.primary.persistence.enabled -}}
annotations:
  helm.sh/resource-policy: keep
{{- end -}}
{{- end -}}

{{/* An environment variable from a Secret: (list "PGPASSWORD" "postgresql-polaris" "password"). */}}
{{- define "floe.secretEnv" -}}
- name: {{ index . 0 }}
  valueFrom:
    secretKeyRef:
      name: {{ index . 1 }}
      key: {{ index . 2 }}
{{- end -}}

{{/* The variables of psql and libpq, from a Secret with a database's address: "postgresql-polaris". */}}
{{- define "floe.postgresqlClient" -}}
{{ include "floe.secretEnv" (list "PGHOST" . "host") }}
{{ include "floe.secretEnv" (list "PGPORT" . "port") }}
{{ include "floe.secretEnv" (list "PGUSER" . "username") }}
{{ include "floe.secretEnv" (list "PGPASSWORD" . "password") }}
{{ include "floe.secretEnv" (list "PGDATABASE" . "database") }}
{{- end -}}

{{/* Spec of a PersistentVolumeClaim for a persistence value. */}}
{{- define "floe.claimSpec" -}}
accessModes: ["ReadWriteOnce"]
{{- with .storageClass }}
storageClassName: {{ . | quote }}
{{- end }}
resources:
  requests:
    storage: {{ .size | quote }}
{{- end -}}
