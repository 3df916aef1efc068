{{/*
What no schema can say: values that contradict each other. All problems at once, each with the cure.
*/}}

{{/* Files that `config` names as secrets or anywhere else in /etc/scimshim/secrets, one a line, of any depth. */}}
{{- define "scimshim.secretFiles" -}}
{{- if kindIs "map" . -}}
{{- range $key, $value := . -}}
{{- if and (eq $key "file") (kindIs "string" $value) -}}
{{- $file := trimPrefix "/etc/scimshim/" $value -}}
{{- if hasPrefix "secrets/" $file }}
{{ trimPrefix "secrets/" $file }}
{{- end -}}
{{- else -}}
{{- include "scimshim.secretFiles" $value -}}
{{- end -}}
{{- end -}}
{{- else if kindIs "slice" . -}}
{{- range . -}}
{{- include "scimshim.secretFiles" . -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A secret in clear: (dict "key" ... "value" ...). */}}
{{- define "scimshim.clear" -}}
{{- if and (kindIs "string" .value) (not (contains "${" .value)) -}}
{{- printf "%s stands in clear in what becomes a ConfigMap; put it into `secrets` and write `{ file: secrets/NAME }`, or `{ env: NAME }`" .key -}}
{{- end -}}
{{- end -}}

{{- define "scimshim.problems" -}}
{{- $root := . -}}
{{- $config := .Values.config | default dict -}}
{{- $listen := $config.listen | default dict -}}
{{- $admin := $config.admin | default dict -}}
{{- $gateway := eq .Values.mode "gateway" -}}
{{- $problems := list -}}

{{- /* Where the app is. */ -}}
{{- $url := ($config.upstream | default dict).url | default "" -}}
{{- $app := include "scimshim.authority" $url | fromYaml -}}
{{- $loopback := or (eq $app.host "localhost") (hasPrefix "127." $app.host) (has $app.host (list "::1" "0.0.0.0" "::")) -}}
{{- if not $url -}}
{{- $problems = append $problems "config.upstream.url is missing; write where the app's SCIM endpoint is" -}}
{{- else if contains "${" $app.host -}}
{{- else if and $gateway $loopback -}}
{{- $problems = append $problems (printf "config.upstream.url is %s, and in the pod of a gateway is no app; write the app's Service, such as http://my-app.my-namespace.svc:8080/scim/v2" $url) -}}
{{- else if and $loopback (has (toString $app.port) (list (include "scimshim.scimPort" .) (include "scimshim.adminPort" .))) -}}
{{- $problems = append $problems (printf "config.upstream.url is %s, which is scimshim's own port; write the app's" $url) -}}
{{- end -}}
{{- if $app.userinfo -}}
{{- $problems = append $problems "config.upstream.url has a user or password in it, in what becomes a ConfigMap; write `upstream_authorization` into the tenant, or into `config.tenants.defaults`" -}}
{{- end -}}

{{- /* Ports. */ -}}
{{- range $section := list "listen" "admin" -}}
{{- $address := (get $config $section | default dict).address | default "" -}}
{{- $port := include "scimshim.port" (list $root $section (ternary 7643 7644 (eq $section "listen"))) -}}
{{- if or (hasPrefix "127." $address) (hasPrefix "[::1]" $address) (hasPrefix "localhost" $address) -}}
{{- $problems = append $problems (printf "config.%s.address is %s, and nobody outside the pod reaches it, the kubelet's probes included; write 0.0.0.0:%s" $section $address $port) -}}
{{- else if or (not $port) (hasPrefix "0" $port) -}}
{{- $problems = append $problems (printf "config.%s.address is %s, which does not say the port that Services and probes need; write a number" $section $address) -}}
{{- else if or (gt (len $port) 5) (gt (int $port) 65535) -}}
{{- $problems = append $problems (printf "config.%s.address is %s, and no port is over 65535; write another" $section $address) -}}
{{- end -}}
{{- end -}}
{{- if eq (include "scimshim.scimPort" .) (include "scimshim.adminPort" .) -}}
{{- $problems = append $problems "config.listen.address and config.admin.address have the same port" -}}
{{- end -}}
{{- if eq .Values.portNames.scim .Values.portNames.admin -}}
{{- $problems = append $problems "portNames.scim and portNames.admin are the same" -}}
{{- end -}}
{{- range .Values.env -}}
{{- if has .name (list "SCIMSHIM_LISTEN" "SCIMSHIM_ADMIN" "SCIMSHIM_CONFIG") -}}
{{- $problems = append $problems (printf "env has %s, which wins over the file behind the back of probes and Service; write `config.listen.address` or `config.admin.address`" .name) -}}
{{- end -}}
{{- end -}}
{{- range .Values.extraArgs -}}
{{- if regexMatch "^--(listen|admin)(=|$)" (toString .) -}}
{{- $problems = append $problems (printf "extraArgs has %s, which wins over the file behind the back of probes and Service; write `config.listen.address` or `config.admin.address`" .) -}}
{{- end -}}
{{- end -}}

{{- /* Secrets. */ -}}
{{- with include "scimshim.clear" (dict "key" "config.admin.token" "value" $admin.token) -}}
{{- $problems = append $problems . -}}
{{- end -}}
{{- $tenants := $config.tenants | default dict -}}
{{- with include "scimshim.clear" (dict "key" "config.tenants.defaults.upstream_authorization" "value" ($tenants.defaults | default dict).upstream_authorization) -}}
{{- $problems = append $problems . -}}
{{- end -}}
{{- range $name, $tenant := $tenants.list -}}
{{- with include "scimshim.clear" (dict "key" (printf "config.tenants.list.%s.upstream_authorization" $name) "value" ($tenant | default dict).upstream_authorization) -}}
{{- $problems = append $problems . -}}
{{- end -}}
{{- end -}}
{{- range $name, $secret := .Values.secrets -}}
{{- $secret = $secret | default dict -}}
{{- if and $secret.value $secret.existingSecret -}}
{{- $problems = append $problems (printf "secrets.%s has both `value` and `existingSecret`; keep one" $name) -}}
{{- else if not (or $secret.value $secret.existingSecret) -}}
{{- $problems = append $problems (printf "secrets.%s has neither `value` nor `existingSecret`" $name) -}}
{{- else if and $secret.value $secret.key -}}
{{- $problems = append $problems (printf "secrets.%s.key is the key of an existing Secret, and there is none; leave it out" $name) -}}
{{- end -}}
{{- end -}}
{{- $missing := list -}}
{{- range splitList "\n" (include "scimshim.secretFiles" $config) -}}
{{- if and . (not (hasKey ($root.Values.secrets | default dict) .)) -}}
{{- $missing = append $missing . -}}
{{- end -}}
{{- end -}}
{{- range $missing | uniq -}}
{{- $problems = append $problems (printf "config names the file secrets/%s, and `secrets` has no %s" . .) -}}
{{- end -}}

{{- /* TLS. */ -}}
{{- with .Values.tls -}}
{{- $made := or .certificate .privateKey -}}
{{- if .enabled -}}
{{- if $listen.tls -}}
{{- $problems = append $problems "tls.enabled and config.listen.tls are both there; keep one" -}}
{{- end -}}
{{- if and .existingSecret $made -}}
{{- $problems = append $problems "tls has both `existingSecret` and `certificate` or `privateKey`; keep one" -}}
{{- else if not (or .existingSecret (and .certificate .privateKey)) -}}
{{- $problems = append $problems "tls.enabled needs `tls.existingSecret`, or `tls.certificate` and `tls.privateKey`" -}}
{{- end -}}
{{- if .clientCa.enabled -}}
{{- if and .clientCa.value .clientCa.existingSecret -}}
{{- $problems = append $problems "tls.clientCa has both `existingSecret` and `value`; keep one" -}}
{{- else if not (or .clientCa.value .clientCa.existingSecret .existingSecret) -}}
{{- $problems = append $problems "tls.clientCa.enabled needs `tls.clientCa.existingSecret` or `tls.clientCa.value`: the Secret that the chart makes for `tls` has no CA" -}}
{{- end -}}
{{- else if or .clientCa.value .clientCa.existingSecret -}}
{{- $problems = append $problems "tls.clientCa names a CA while tls.clientCa.enabled is false, so that nobody would be asked for a certificate" -}}
{{- end -}}
{{- else if or $made .existingSecret .clientCa.enabled -}}
{{- $problems = append $problems "tls has settings while tls.enabled is false, so that the port would be plain HTTP" -}}
{{- end -}}
{{- end -}}

{{- /* Redis. */ -}}
{{- with .Values.redis -}}
{{- if .enabled -}}
{{- if $config.rate_limit_store -}}
{{- $problems = append $problems "redis.enabled and config.rate_limit_store are both there; keep one" -}}
{{- end -}}
{{- if and .urlKey (not .existingSecret) -}}
{{- $problems = append $problems "redis.urlKey is a key of redis.existingSecret, and there is none" -}}
{{- else if not (or .urlKey .host) -}}
{{- $problems = append $problems "redis.enabled needs `redis.host`, or `redis.existingSecret` with `redis.urlKey`" -}}
{{- else if and .urlKey .host -}}
{{- $problems = append $problems "redis has both `host` and `urlKey`; keep one" -}}
{{- end -}}
{{- if and .password .existingSecret -}}
{{- $problems = append $problems "redis has both `password` and `existingSecret`; keep one" -}}
{{- end -}}
{{- else if or .host .password .existingSecret .urlKey -}}
{{- $problems = append $problems "redis has settings while redis.enabled is false, so that each replica would count for itself" -}}
{{- end -}}
{{- end -}}
{{- $store := ($config.rate_limit_store | default dict).url | default "" -}}
{{- if regexMatch "^[a-z]+://[^/@]*:[^/@$]+@" $store -}}
{{- $problems = append $problems "config.rate_limit_store.url has a password in clear in what becomes a ConfigMap; use `redis.existingSecret`, or `${NAME}` and `env`" -}}
{{- end -}}

{{- /* State. */ -}}
{{- $replicas := ternary (.Values.replicaCount | int) 2 (not (kindIs "invalid" .Values.replicaCount)) -}}
{{- with .Values.state -}}
{{- if .persistence.enabled -}}
{{- if not .enabled -}}
{{- $problems = append $problems "state.persistence.enabled is true while state.enabled is false" -}}
{{- end -}}
{{- if and $gateway (or (gt $replicas 1) $root.Values.autoscaling.enabled) -}}
{{- $problems = append $problems "state.persistence is one claim, and replicas must not write into the same ledger (with ReadWriteOnce they do not even start on two nodes); write `replicaCount: 1` without `autoscaling`, or leave `state.persistence` off: an emptyDir needs no claim" -}}
{{- end -}}
{{- if and .persistence.existingClaim .persistence.storageClass -}}
{{- $problems = append $problems "state.persistence has `existingClaim` and `storageClass`; the claim has a class of its own" -}}
{{- end -}}
{{- else if .persistence.existingClaim -}}
{{- $problems = append $problems "state.persistence.existingClaim is named while state.persistence.enabled is false" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.state.enabled (not .Values.extraVolumeMounts) -}}
{{- $dir := ($config.feeds | default dict).cache_dir | default "/var/lib/scimshim" -}}
{{- if not (regexMatch "^/var/lib/scimshim(/|$)" $dir) -}}
{{- $problems = append $problems (printf "config.feeds.cache_dir is %s, and the volume of `state` is mounted at /var/lib/scimshim; leave cache_dir out, or mount a volume there with `extraVolumes` and `extraVolumeMounts`" $dir) -}}
{{- end -}}
{{- end -}}
{{- $audit := ($config.audit | default dict).target | default "stdout" -}}
{{- if and (ne $audit "stdout") (not .Values.extraVolumeMounts) -}}
{{- if not (and .Values.state.enabled (hasPrefix "/var/lib/scimshim/" $audit)) -}}
{{- $problems = append $problems (printf "config.audit.target is %s, and nothing there can be written; write stdout, or mount a volume there with `extraVolumes` and `extraVolumeMounts`" $audit) -}}
{{- end -}}
{{- end -}}
{{- range .Values.extraVolumes -}}
{{- if has .name (list "scimshim-config" "scimshim-state") -}}
{{- $problems = append $problems (printf "extraVolumes has %s, a name of this chart's own" .name) -}}
{{- end -}}
{{- end -}}
{{- $files := .Values.configFiles | default dict -}}
{{- if hasKey $files "config.yaml" -}}
{{- $problems = append $problems "configFiles has config.yaml, which is made of `config`" -}}
{{- end -}}
{{- if and (hasKey $files "tls") .Values.tls.enabled -}}
{{- $problems = append $problems "configFiles has tls, and with tls.enabled that is the folder of the certificate; give the file another name" -}}
{{- end -}}
{{- if and (hasKey $files "secrets") .Values.secrets -}}
{{- $problems = append $problems "configFiles has secrets, and that is the folder of what `secrets` has; give the file another name" -}}
{{- end -}}

{{- /* The end of a pod. */ -}}
{{- $drain := include "scimshim.drainSeconds" . -}}
{{- if kindIs "invalid" .Values.terminationGracePeriodSeconds -}}
{{- if not $drain -}}
{{- $problems = append $problems "config.listen.limits.drain is no duration that can be read here; write terminationGracePeriodSeconds" -}}
{{- end -}}
{{- else if and $drain (lt (int64 .Values.terminationGracePeriodSeconds) (include "scimshim.leastGrace" . | int64)) -}}
{{- $problems = append $problems (printf "terminationGracePeriodSeconds is %d, and lingering (%d s), draining (%s s) and a margin of 5 s need %s; raise it, or lower config.listen.limits.drain" (int64 .Values.terminationGracePeriodSeconds) (int64 .Values.lingerSeconds) $drain (include "scimshim.leastGrace" .)) -}}
{{- end -}}

{{- if $gateway -}}
{{- with .Values.autoscaling -}}
{{- if .enabled -}}
{{- if not (kindIs "invalid" $root.Values.replicaCount) -}}
{{- $problems = append $problems "replicaCount and autoscaling.enabled are both there, and would undo each other; leave replicaCount out" -}}
{{- end -}}
{{- if gt (int .minReplicas) (int .maxReplicas) -}}
{{- $problems = append $problems (printf "autoscaling.minReplicas (%d) is over autoscaling.maxReplicas (%d)" (int .minReplicas) (int .maxReplicas)) -}}
{{- end -}}
{{- $requests := ($root.Values.resources | default dict).requests | default dict -}}
{{- if and .targetCPUUtilizationPercentage (not $requests.cpu) -}}
{{- $problems = append $problems "autoscaling.targetCPUUtilizationPercentage is a share of resources.requests.cpu, and there is none" -}}
{{- end -}}
{{- if and .targetMemoryUtilizationPercentage (not $requests.memory) -}}
{{- $problems = append $problems "autoscaling.targetMemoryUtilizationPercentage is a share of resources.requests.memory, and there is none" -}}
{{- end -}}
{{- if not (or .targetCPUUtilizationPercentage .targetMemoryUtilizationPercentage .metrics) -}}
{{- $problems = append $problems "autoscaling.enabled has no metric to go by" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with .Values.podDisruptionBudget -}}
{{- if and .enabled (not (kindIs "invalid" .maxUnavailable)) (not (kindIs "invalid" .minAvailable)) -}}
{{- $problems = append $problems "podDisruptionBudget has both `maxUnavailable` and `minAvailable`; keep one" -}}
{{- end -}}
{{- end -}}
{{- with .Values.service -}}
{{- if eq .type "ClusterIP" -}}
{{- if or .nodePort .externalTrafficPolicy .loadBalancerClass .loadBalancerSourceRanges -}}
{{- $problems = append $problems "service has `nodePort`, `externalTrafficPolicy` or settings of a load balancer while service.type is ClusterIP" -}}
{{- end -}}
{{- else if and (eq .type "NodePort") (or .loadBalancerClass .loadBalancerSourceRanges) -}}
{{- $problems = append $problems "service has settings of a load balancer while service.type is NodePort" -}}
{{- end -}}
{{- end -}}
{{- if .Values.networkPolicy.closeAppPort -}}
{{- $problems = append $problems "networkPolicy.closeAppPort is for a sidecar: a gateway does not share the app's pod. Give the app a NetworkPolicy that lets in the gateway alone" -}}
{{- end -}}
{{- with .Values.networkPolicy -}}
{{- if and .enabled .egress.enabled (not .egress.app.ports) (contains "${" $app.host) -}}
{{- $problems = append $problems "networkPolicy.egress.app.ports is empty, and a variable stands in config.upstream.url; write the port of the app's pods" -}}
{{- end -}}
{{- end -}}
{{- if .Values.podSelector -}}
{{- $problems = append $problems "podSelector is for a sidecar; the pods of a gateway are known" -}}
{{- end -}}
{{- range $key, $value := .Values.podLabels -}}
{{- if hasKey (include "scimshim.selectorLabels" $root | fromYaml) $key -}}
{{- $problems = append $problems (printf "podLabels has %s, by which the Deployment finds its pods" $key) -}}
{{- end -}}
{{- end -}}
{{- else -}}
{{- if or .Values.autoscaling.enabled (not (kindIs "invalid" .Values.replicaCount)) -}}
{{- $problems = append $problems "replicaCount and autoscaling are of a gateway; in mode sidecar the replicas are those of your app" -}}
{{- end -}}
{{- if .Values.serviceMonitor.enabled -}}
{{- $problems = append $problems "serviceMonitor is for a gateway; in mode sidecar there is no Service of this chart, so use podMonitor" -}}
{{- end -}}
{{- if and (eq (toString .Values.nativeSidecar) "true") (semverCompare "<1.28.0-0" .Capabilities.KubeVersion.Version) -}}
{{- $problems = append $problems (printf "nativeSidecar is true, and Kubernetes %s does not know native sidecars; write `auto` or `false`" .Capabilities.KubeVersion.Version) -}}
{{- end -}}
{{- if and .Values.networkPolicy.closeAppPort (not .Values.networkPolicy.enabled) -}}
{{- $problems = append $problems "networkPolicy.closeAppPort is true while networkPolicy.enabled is false, so that the port would stay open" -}}
{{- end -}}
{{- if and .Values.networkPolicy.closeAppPort (not $loopback) -}}
{{- $problems = append $problems (printf "networkPolicy.closeAppPort closes a port of this pod, and config.upstream.url (%s) is not known to be in it; write 127.0.0.1 there, or give the app's pods a NetworkPolicy of their own" $url) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled .Values.podMonitor.enabled -}}
{{- $problems = append $problems "podMonitor and serviceMonitor are both enabled, so that everything would be counted twice; keep one" -}}
{{- end -}}

{{- range $problems }}
- {{ . }}
{{- end -}}
{{- end -}}

{{- define "scimshim.validate" -}}
{{- with include "scimshim.problems" . -}}
{{- fail (printf "\n\nscimshim: these values contradict each other:\n%s\n" (. | trim)) -}}
{{- end -}}
{{- end -}}
