{{/* The container and its volumes, for the pod of this chart and for that of a parent. */}}

{{/* (dict "root" . "native" bool) */}}
{{- define "scimshim.container" -}}
{{- $root := .root -}}
{{- with .root.Values -}}
- name: scimshim
  image: {{ include "scimshim.image" $root | quote }}
  imagePullPolicy: {{ .image.pullPolicy }}
  {{- if $.native }}
  restartPolicy: Always
  {{- end }}
  args:
    - serve
    - /etc/scimshim/config.yaml
    {{- with .extraArgs }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with include "scimshim.env" $root }}
  env:
    {{- . | nindent 4 }}
  {{- end }}
  {{- with .envFrom }}
  envFrom:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  ports:
    - name: {{ .portNames.scim }}
      containerPort: {{ include "scimshim.scimPort" $root }}
      protocol: TCP
    - name: {{ .portNames.admin }}
      containerPort: {{ include "scimshim.adminPort" $root }}
      protocol: TCP
  # Never /readyz here: readiness may depend on the app, and the app starts only after this has passed.
  startupProbe:
    httpGet:
      path: /livez
      port: {{ .portNames.admin }}
    {{- toYaml .probes.startup | nindent 4 }}
  livenessProbe:
    httpGet:
      path: /livez
      port: {{ .portNames.admin }}
    {{- toYaml .probes.liveness | nindent 4 }}
  readinessProbe:
    httpGet:
      path: /readyz
      port: {{ .portNames.admin }}
    {{- toYaml .probes.readiness | nindent 4 }}
  lifecycle:
    preStop:
      exec:
        command:
          - /usr/local/bin/scimshim
          - drain
          - /etc/scimshim/config.yaml
          {{- /* The port of this pod: the file may name another, which is in force only after a restart. */}}
          - --admin
          - 127.0.0.1:{{ include "scimshim.adminPort" $root }}
          - --linger
          - {{ printf "%ds" (int .lingerSeconds) }}
  {{- with .resources }}
  resources:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .securityContext }}
  securityContext:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  volumeMounts:
    # A folder, no subPath: a file mounted by subPath is never exchanged.
    - name: scimshim-config
      mountPath: /etc/scimshim
      readOnly: true
    {{- if .state.enabled }}
    - name: scimshim-state
      mountPath: /var/lib/scimshim
    {{- end }}
    {{- with .extraVolumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}
{{- end -}}

{{/* Environment variables as a list; nothing where there are none. */}}
{{- define "scimshim.env" -}}
{{- $env := .Values.env | default list -}}
{{- with .Values.redis -}}
{{- if and .enabled (or .password .existingSecret) -}}
{{- $secret := .existingSecret | default (include "scimshim.suffixed" (list $ "redis")) -}}
{{- $key := .urlKey | default .passwordKey -}}
{{- $ref := dict "name" $secret "key" (ternary $key "password" (not (empty .existingSecret))) -}}
{{- $name := ternary "SCIMSHIM_REDIS_URL" "SCIMSHIM_REDIS_PASSWORD" (not (empty .urlKey)) -}}
{{- $env = prepend $env (dict "name" $name "valueFrom" (dict "secretKeyRef" $ref)) -}}
{{- end -}}
{{- end -}}
{{- with $env -}}
{{- toYaml . -}}
{{- end -}}
{{- end -}}

{{/* The volume with the configuration and all that it names. */}}
{{- define "scimshim.configVolume" -}}
- name: scimshim-config
  projected:
    sources:
      - configMap:
          name: {{ include "scimshim.fullname" . }}
      {{- with .Values.tls }}
      {{- if .enabled }}
      {{- $secret := .existingSecret | default (include "scimshim.suffixed" (list $ "tls")) }}
      - secret:
          name: {{ $secret }}
          items:
            - key: tls.crt
              path: tls/tls.crt
            - key: tls.key
              path: tls/tls.key
      {{- if .clientCa.enabled }}
      - secret:
          name: {{ ternary (include "scimshim.suffixed" (list $ "client-ca")) (.clientCa.existingSecret | default $secret) (not (empty .clientCa.value)) }}
          items:
            - key: {{ ternary "ca.crt" .clientCa.key (not (empty .clientCa.value)) }}
              path: tls/ca.crt
      {{- end }}
      {{- end }}
      {{- end }}
      {{- range $name, $secret := .Values.secrets }}
      - secret:
          name: {{ $secret.existingSecret | default (include "scimshim.suffixed" (list $ "files")) }}
          items:
            - key: {{ ternary ($secret.key | default $name) $name (not (empty $secret.existingSecret)) | quote }}
              path: {{ printf "secrets/%s" $name }}
      {{- end }}
{{- end -}}

{{/* All volumes of the container. */}}
{{- define "scimshim.podVolumes" -}}
{{ include "scimshim.configVolume" . }}
{{- with .Values.state }}
{{- if .enabled }}
- name: scimshim-state
  {{- if .persistence.enabled }}
  persistentVolumeClaim:
    claimName: {{ .persistence.existingClaim | default (include "scimshim.suffixed" (list $ "state")) }}
  {{- else }}
  emptyDir:
    sizeLimit: {{ .sizeLimit }}
  {{- end }}
{{- end }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/*
For the pod of a parent chart, which is not seen from here. A pod has one sidecar, and includes the container once and the
volumes once, so that at any time there is at most one container more than volumes: that of the pod that is being
written. Two more are one pod with two.
*/}}
{{- define "scimshim.count" -}}
{{- $root := first . -}}
{{- $what := last . -}}
{{- $count := dict "sidecar" 0 "volumes" 0 -}}
{{- if hasKey $root "scimshimCount" -}}
{{- $count = get $root "scimshimCount" -}}
{{- end -}}
{{- $_ := set $count $what (add1 (get $count $what)) -}}
{{- $_ := set $root "scimshimCount" $count -}}
{{- if gt (int $count.sidecar) (add1 $count.volumes | int) -}}
{{- fail "\n\nscimshim: the sidecar is included twice in one pod, and one is enough; include it once, and scimshim.volumes once, for each pod" -}}
{{- end -}}
{{- end -}}

{{/* The container as an entry of a list, native or regular. `scimshim.initContainers` and `scimshim.containers` say where it goes. */}}
{{- define "scimshim.sidecar" -}}
{{- include "scimshim.validate" . -}}
{{- if ne .Values.mode "sidecar" -}}
{{- fail "\n\nscimshim: scimshim.sidecar is included while `mode` is gateway, so that a request would go through two of them; write `mode: sidecar`, or include nothing" -}}
{{- end -}}
{{- include "scimshim.count" (list . "sidecar") -}}
{{- $native := include "scimshim.native" . | eq "true" -}}
{{- include "scimshim.container" (dict "root" . "native" $native) -}}
{{- end -}}

{{/* For `initContainers`, after those of the app: the native sidecar, or nothing. */}}
{{- define "scimshim.initContainers" -}}
{{- if include "scimshim.native" . -}}
{{- include "scimshim.sidecar" . -}}
{{- end -}}
{{- end -}}

{{/* For `containers`, after those of the app: the regular sidecar, or nothing. */}}
{{- define "scimshim.containers" -}}
{{- if not (include "scimshim.native" .) -}}
{{- include "scimshim.sidecar" . -}}
{{- end -}}
{{- end -}}

{{- define "scimshim.volumes" -}}
{{- include "scimshim.count" (list . "volumes") -}}
{{- include "scimshim.podVolumes" . -}}
{{- end -}}

{{/* For `targetPort` of a Service. The number: old clusters do not find named ports of init containers. */}}
{{- define "scimshim.targetPort" -}}
{{- include "scimshim.scimPort" . -}}
{{- end -}}

{{/*
A whole pod spec, in and out: (list .Subcharts.scimshim (include "my.podSpec" .)). Adds the container in its place, the
volumes, pull secrets and a grace period that is long enough, and sees what cannot be seen from within a pod: another
sidecar, a port that is taken.
*/}}
{{- define "scimshim.podSpec" -}}
{{- $root := first . -}}
{{- $pod := last . -}}
{{- if kindIs "string" $pod -}}
{{- $pod = fromYaml $pod -}}
{{- if hasKey $pod "Error" -}}
{{- fail (printf "\n\nscimshim: the pod given to scimshim.podSpec is no YAML: %s" $pod.Error) -}}
{{- end -}}
{{- else -}}
{{- $pod = deepCopy $pod -}}
{{- end -}}
{{- $ports := list (include "scimshim.scimPort" $root) (include "scimshim.adminPort" $root) -}}
{{- range concat ($pod.initContainers | default list) ($pod.containers | default list) -}}
{{- if or (eq .name "scimshim") (contains (printf "%s:" $root.Values.image.repository) (.image | default "")) (contains (printf "%s@" $root.Values.image.repository) (.image | default "")) -}}
{{- fail (printf "\n\nscimshim: the pod has a sidecar already, the container %s; one is enough" .name) -}}
{{- end -}}
{{- $container := .name -}}
{{- range .ports -}}
{{- if has (toString .containerPort) $ports -}}
{{- fail (printf "\n\nscimshim: port %v is taken by the container %s; write another into `config.listen.address` or `config.admin.address`" .containerPort $container) -}}
{{- end -}}
{{- if has .name (list $root.Values.portNames.scim $root.Values.portNames.admin) -}}
{{- fail (printf "\n\nscimshim: the port name %s is taken by the container %s; write another into `portNames`" .name $container) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $pod.volumes -}}
{{- if has .name (list "scimshim-config" "scimshim-state") -}}
{{- fail (printf "\n\nscimshim: the pod has a volume %s already; scimshim.podSpec adds it" .name) -}}
{{- end -}}
{{- end -}}
{{- $where := ternary "initContainers" "containers" (include "scimshim.native" $root | eq "true") -}}
{{- $_ := set $pod $where (concat (get $pod $where | default list) (include "scimshim.sidecar" $root | fromYamlArray)) -}}
{{- $_ := set $pod "volumes" (concat ($pod.volumes | default list) (include "scimshim.volumes" $root | fromYamlArray)) -}}
{{- with include "scimshim.imagePullSecrets" $root -}}
{{- $_ := set $pod "imagePullSecrets" (concat ($pod.imagePullSecrets | default list) (fromYamlArray .) | uniq) -}}
{{- end -}}
{{- $grace := include "scimshim.terminationGracePeriodSeconds" $root | int64 -}}
{{- $_ := set $pod "terminationGracePeriodSeconds" (max $grace ($pod.terminationGracePeriodSeconds | default 30 | int64)) -}}
{{- toYaml $pod -}}
{{- end -}}
