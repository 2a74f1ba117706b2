{{/*
Labels of an object. Called with (dict "root" $ "app" "polaris"). `app` is what people select by; the rest is
https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/.
*/}}
{{- define "floe.labels" -}}
{{ include "floe.podLabels" . }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end -}}

{{/* Labels of a pod: nothing in them changes with the chart's version, or each upgrade would restart everything. */}}
{{- define "floe.podLabels" -}}
{{ include "floe.selector" . }}
app.kubernetes.io/name: {{ .app }}
app.kubernetes.io/part-of: floe
{{- end -}}

{{/* What selectors match on: these never change between versions of the chart. */}}
{{- define "floe.selector" -}}
app: {{ .app }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end -}}

{{/* The reference of an image value, quoted. */}}
{{- define "floe.image" -}}
{{- $name := .repository -}}
{{- with .registry }}{{ $name = printf "%s/%s" . $name }}{{ end -}}
{{- $name = printf "%s:%s" $name .tag -}}
{{- with .digest }}{{ $name = printf "%s@%s" $name . }}{{ end -}}
{{ $name | quote }}
{{- end -}}

{{/*
What every pod here has in common. No pod talks to the API server. Service links would put POLARIS_PORT=tcp://... and the
like into every container, which programs take for their own settings.
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

{{/* What holds for every container, whoever it runs as. */}}
{{- define "floe.confined" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: ["ALL"]
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/*
A generated value of a Secret: the one in the cluster if there is one, else a new one. Called with
(dict "root" $ "secret" "postgresql-polaris" "key" "password"). Without a cluster (helm template) it is new every time.
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
Annotations of the Secrets. PostgreSQL's volume outlives `helm uninstall`, so the passwords of what it holds must too: the
next install finds both.
*/}}
{{- define "floe.secretAnnotations" -}}
{{- if .Values.postgresql.primary.persistence.enabled -}}
annotations:
  helm.sh/resource-policy: keep
{{- end -}}
{{- end -}}

{{/* An environment variable out of a Secret: (list "PGPASSWORD" "postgresql-polaris" "password"). */}}
{{- define "floe.secretEnv" -}}
- name: {{ index . 0 }}
  valueFrom:
    secretKeyRef:
      name: {{ index . 1 }}
      key: {{ index . 2 }}
{{- end -}}

{{/* The variables of psql and libpq, out of a Secret with a database's address: "postgresql-polaris". */}}
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
