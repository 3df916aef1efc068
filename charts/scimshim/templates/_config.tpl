{{/* The configuration: what the values say, and what this chart fills in. */}}

{{/*
YAML 1.1, which Helm reads, takes a bare `off` for false; the binary's YAML does not, and has no use for false there.
Changes the mapping in place: (dict "in" mapping "keys" (list ...)).
*/}}
{{- define "scimshim.off" -}}
{{- $in := .in -}}
{{- range .keys -}}
{{- if and (hasKey $in .) (kindIs "bool" (get $in .)) (not (get $in .)) -}}
{{- $_ := set $in . "off" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The same for a mapping that holds `allow` and `normalize`. */}}
{{- define "scimshim.off.tenant" -}}
{{- with .allow -}}
{{- include "scimshim.off" (dict "in" . "keys" (list "mode")) -}}
{{- end -}}
{{- with .normalize -}}
{{- include "scimshim.off" (dict "in" . "keys" (list "mode")) -}}
{{- with .quirks -}}
{{- include "scimshim.off" (dict "in" . "keys" (keys .)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* config.yaml, the text. */}}
{{- define "scimshim.config" -}}
{{- $config := deepCopy (.Values.config | default dict) -}}
{{- include "scimshim.off.tenant" $config -}}
{{- with $config.tenants -}}
{{- with .defaults -}}
{{- include "scimshim.off.tenant" . -}}
{{- end -}}
{{- range .list -}}
{{- if . -}}
{{- include "scimshim.off.tenant" . -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if .Values.tls.enabled -}}
{{- $tls := dict "certificate" "/etc/scimshim/tls/tls.crt" "private_key" "/etc/scimshim/tls/tls.key" -}}
{{- with .Values.tls.minVersion -}}
{{- $_ := set $tls "min_version" . -}}
{{- end -}}
{{- if .Values.tls.clientCa.enabled -}}
{{- $_ := set $tls "client_ca" "/etc/scimshim/tls/ca.crt" -}}
{{- end -}}
{{- $_ := set $config "listen" (mergeOverwrite ($config.listen | default dict) (dict "tls" $tls)) -}}
{{- end -}}
{{- if .Values.redis.enabled -}}
{{- $store := dict "kind" "redis" -}}
{{- with .Values.redis -}}
{{- if .urlKey -}}
{{- $_ := set $store "url" "${SCIMSHIM_REDIS_URL}" -}}
{{- else -}}
{{- $user := .username | default "" | urlquery | replace "+" "%20" -}}
{{- if or .password .existingSecret -}}
{{- $user = printf "%s:${SCIMSHIM_REDIS_PASSWORD}@" $user -}}
{{- else if $user -}}
{{- $user = printf "%s@" $user -}}
{{- end -}}
{{- $host := ternary (printf "[%s]" .host) .host (and (contains ":" .host) (not (hasPrefix "[" .host))) -}}
{{- $_ := set $store "url" (printf "%s://%s%s:%d/%d" (ternary "rediss" "redis" .tls) $user $host (int .port) (int .database)) -}}
{{- end -}}
{{- with .keyPrefix -}}
{{- $_ := set $store "key_prefix" . -}}
{{- end -}}
{{- end -}}
{{- $_ := set $config "rate_limit_store" $store -}}
{{- end -}}
{{- if .Values.state.enabled -}}
{{- $feeds := $config.feeds | default dict -}}
{{- if not (hasKey $feeds "cache_dir") -}}
{{- $_ := set $feeds "cache_dir" "/var/lib/scimshim" -}}
{{- end -}}
{{- $_ := set $config "feeds" $feeds -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* Port of an address of `config`: (list . "listen" 7643). Nothing where it cannot be known here (`${NAME}`). */}}
{{- define "scimshim.port" -}}
{{- $config := (first .).Values.config | default dict -}}
{{- $section := get $config (index . 1) | default dict -}}
{{- with $section.address -}}
{{- regexFind "[0-9]+$" . -}}
{{- else -}}
{{- last . -}}
{{- end -}}
{{- end -}}
{{- define "scimshim.scimPort" -}}{{ include "scimshim.port" (list . "listen" 7643) }}{{- end -}}
{{- define "scimshim.adminPort" -}}{{ include "scimshim.port" (list . "admin" 7644) }}{{- end -}}

{{/* Port of the Service, by what is spoken there. */}}
{{- define "scimshim.tls" -}}
{{- if or .Values.tls.enabled ((.Values.config | default dict).listen | default dict).tls -}}
true
{{- end -}}
{{- end -}}
{{- define "scimshim.servicePort" -}}
{{- .Values.service.port | default (ternary 443 80 (include "scimshim.tls" . | eq "true")) -}}
{{- end -}}

{{/* Host and port of a URL as a mapping; no port where it cannot be known here. */}}
{{- define "scimshim.authority" -}}
{{- $url := . | default "" -}}
{{- $authority := regexReplaceAll "^[a-z]+://([^/?#]*).*$" $url "${1}" | splitList "@" | last -}}
{{- $port := regexFind ":[0-9]+$" $authority | trimPrefix ":" -}}
host: {{ regexReplaceAll ":[0-9]*$" $authority "" | trimPrefix "[" | trimSuffix "]" | lower | quote }}
port: {{ $port | default (ternary "443" (ternary "6379" "80" (hasPrefix "redis" $url)) (hasPrefix "https:" $url)) | int }}
userinfo: {{ contains "@" (regexReplaceAll "^[a-z]+://([^/?#]*).*$" $url "${1}") }}
{{- end -}}

{{/* Whole seconds of a duration, rounded up; nothing where it cannot be known here. */}}
{{- define "scimshim.seconds" -}}
{{- if regexMatch "^([0-9]+(ms|s|m|h|d)|0)$" . -}}
{{- $unit := regexFind "[a-z]+$" . | default "s" -}}
{{- $number := regexFind "^[0-9]+" . | int64 -}}
{{- if eq $unit "ms" -}}
{{- div (add $number 999) 1000 -}}
{{- else -}}
{{- mul $number (get (dict "s" 1 "m" 60 "h" 3600 "d" 86400) $unit) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* How long SIGTERM waits for requests in flight, in seconds; nothing where it cannot be known here. */}}
{{- define "scimshim.drainSeconds" -}}
{{- $listen := (.Values.config | default dict).listen | default dict -}}
{{- $limits := $listen.limits | default dict -}}
{{- include "scimshim.seconds" ($limits.drain | default "50s" | toString) -}}
{{- end -}}

{{/* What a pod needs to end without losing a request, at the least. */}}
{{- define "scimshim.leastGrace" -}}
{{- add (int .Values.lingerSeconds) (include "scimshim.drainSeconds" . | int64) 5 -}}
{{- end -}}

{{- define "scimshim.terminationGracePeriodSeconds" -}}
{{- if kindIs "invalid" .Values.terminationGracePeriodSeconds -}}
{{- max 60 (include "scimshim.leastGrace" . | int64) -}}
{{- else -}}
{{- int64 .Values.terminationGracePeriodSeconds -}}
{{- end -}}
{{- end -}}

{{/*
What takes a restart: the keys that a reload leaves alone, and what reaches the process as an environment variable.
Everything else is read again from the mounted files, and has no part in the sum.
*/}}
{{- define "scimshim.restart" -}}
{{- $config := include "scimshim.config" . | fromYaml -}}
{{- $listen := $config.listen | default dict -}}
{{- $limits := $listen.limits | default dict -}}
{{- $admin := $config.admin | default dict -}}
{{- $feeds := $config.feeds | default dict -}}
{{- dict
  "listen" (pick $listen "address" "tls")
  "limits" (pick $limits "header" "connections")
  "admin" (pick $admin "address" "readiness")
  "feeds" (pick $feeds "cache_dir")
  "rest" (pick $config "log" "telemetry" "threads")
  "redis" (ternary .Values.redis.password "" (not (empty .Values.redis.enabled)))
  | toJson | sha256sum -}}
{{- end -}}

{{/* Annotations of the pod. */}}
{{- define "scimshim.podAnnotations" -}}
{{- mergeOverwrite (deepCopy (.Values.podAnnotations | default dict)) (dict "scimshim.io/restart-checksum" (include "scimshim.restart" .)) | toYaml -}}
{{- end -}}

{{/* Labels of the pod that find it, for NetworkPolicy and PodMonitor; no part of a selector of yours. */}}
{{- define "scimshim.podLabels" -}}
{{- mergeOverwrite (deepCopy (.Values.podLabels | default dict)) (dict "scimshim.io/instance" (include "scimshim.fullname" .)) | toYaml -}}
{{- end -}}

{{/* Labels that find the pods, in either mode. */}}
{{- define "scimshim.podSelector" -}}
{{- if eq .Values.mode "gateway" -}}
{{- include "scimshim.selectorLabels" . -}}
{{- else if .Values.podSelector -}}
{{- toYaml .Values.podSelector -}}
{{- else -}}
scimshim.io/instance: {{ include "scimshim.fullname" . | quote }}
{{- end -}}
{{- end -}}
