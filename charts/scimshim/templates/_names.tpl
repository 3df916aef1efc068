{{/* Names and labels. Each takes the context of this chart: `.` here, `.Subcharts.scimshim` in a parent. */}}

{{- define "scimshim.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "scimshim.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "scimshim.name" . -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- if gt (len $full) 63 -}}
{{- /* What is cut off is what may tell two releases apart, so a hash of it stays. */ -}}
{{- $full = printf "%s-%s" ($full | trunc 54 | trimSuffix "-") ($full | sha256sum | trunc 8) -}}
{{- end -}}
{{- $full -}}
{{- end -}}
{{- end -}}

{{/* The full name and a suffix, in 63 characters: (list . "admin") */}}
{{- define "scimshim.suffixed" -}}
{{- $name := include "scimshim.fullname" (first .) -}}
{{- $full := printf "%s-%s" $name (last .) -}}
{{- if gt (len $full) 63 -}}
{{- $rest := sub 54 (len (last .)) | int -}}
{{- $full = printf "%s-%s-%s" ($name | trunc (sub $rest 1 | int) | trimSuffix "-") ($name | sha256sum | trunc 8) (last .) -}}
{{- end -}}
{{- $full -}}
{{- end -}}

{{- define "scimshim.selectorLabels" -}}
app.kubernetes.io/name: {{ include "scimshim.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: gateway
{{- end -}}

{{/*
Labels of an object: (list . component). Made as a mapping, so that no key stands twice; what tells this release from others
wins over `commonLabels`.
*/}}
{{- define "scimshim.labels" -}}
{{- $root := first . -}}
{{- $labels := dict
  "app.kubernetes.io/part-of" "scimshim"
  "app.kubernetes.io/version" (toString $root.Chart.AppVersion)
-}}
{{- $own := dict
  "app.kubernetes.io/name" (include "scimshim.name" $root)
  "app.kubernetes.io/instance" $root.Release.Name
  "app.kubernetes.io/component" (last .)
  "app.kubernetes.io/managed-by" $root.Release.Service
  "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-")
-}}
{{- mergeOverwrite $labels (deepCopy ($root.Values.commonLabels | default dict)) $own | toYaml -}}
{{- end -}}

{{/* `metadata`, whole: (dict "root" . "name" ...), and "namespace", "component", "labels", "annotations" if they differ. */}}
{{- define "scimshim.metadata" -}}
{{- $root := .root -}}
name: {{ .name }}
namespace: {{ .namespace | default $root.Release.Namespace }}
labels:
  {{- mergeOverwrite (deepCopy (.labels | default dict)) (include "scimshim.labels" (list $root (.component | default $root.Values.mode)) | fromYaml) | toYaml | nindent 2 }}
{{- with mergeOverwrite (deepCopy ($root.Values.commonAnnotations | default dict)) (deepCopy (.annotations | default dict)) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "scimshim.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "scimshim.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "scimshim.image" -}}
{{- $global := .Values.global | default dict -}}
{{- $registry := default .Values.image.registry $global.imageRegistry -}}
{{- $name := ternary (printf "%s/%s" $registry .Values.image.repository) .Values.image.repository (not (empty $registry)) -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $name .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* Pull secrets as a list; nothing where there are none. */}}
{{- define "scimshim.imagePullSecrets" -}}
{{- $global := .Values.global | default dict -}}
{{- $names := list -}}
{{- range concat ($global.imagePullSecrets | default list) (.Values.imagePullSecrets | default list) -}}
{{- $names = append $names (ternary (dict "name" .) . (kindIs "string" .)) -}}
{{- end -}}
{{- with $names | uniq -}}
{{- toYaml . -}}
{{- end -}}
{{- end -}}

{{/* Whether the sidecar is a native one: "true" or nothing. */}}
{{- define "scimshim.native" -}}
{{- $wanted := toString .Values.nativeSidecar -}}
{{- if or (eq $wanted "true") (and (eq $wanted "auto") (semverCompare ">=1.29.0-0" .Capabilities.KubeVersion.Version)) -}}
true
{{- end -}}
{{- end -}}

{{/* Whether the cluster knows the objects of the Prometheus operator: "true" or nothing. The argument is (list . kind). */}}
{{- define "scimshim.operator" -}}
{{- $root := first . -}}
{{- $api := "monitoring.coreos.com/v1" -}}
{{- if or $root.Values.monitoring.skipApiCheck
  ($root.Capabilities.APIVersions.Has $api)
  ($root.Capabilities.APIVersions.Has (printf "%s/%s" $api (last .))) -}}
true
{{- end -}}
{{- end -}}
