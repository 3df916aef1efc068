{{/* What an endpoint of a PodMonitor and of a ServiceMonitor have in common. */}}
{{- define "scimshim.endpoint" -}}
{{- with .interval }}
interval: {{ . }}
{{- end }}
{{- with .scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
relabelings:
  # The operator would name the job after this object, and the alert ScimshimDown looks for scimshim.
  - targetLabel: job
    replacement: scimshim
  {{- with .relabelings }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
