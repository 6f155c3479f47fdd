"""SLO files that the tests share."""

EXAMPLE = """\
version: 1
slos:
  - name: chat-tail-latency
    service: chat
    owner: inference-team
    description: Nine hundred and ninety-five of a thousand answers within two seconds
    sli:
      latency: {measure: duration, below: 2s}      # good events / valid events
    where: ['environment="prod"', 'operation=~"chat|completion"', 'tokens_in<=8000']
    per: [model_version, input_type]               # a budget of its own for every group
    objective: 99.5%
    window: 30d
    alert: page-and-ticket
    runbook: tail-latency
    labels: {team: inference}
"""

EVERY_KIND = """\
version: 1
slos:
  - name: errors
    service: chat
    sli:
      errors:
    objective: 0.995
  - name: refused-apart
    service: chat
    sli: {errors: {throttled: separate}}
    objective: 99.5%
    alert: ticket-only
  - name: first-token
    service: chat
    sli: {quantile: {measure: ttft, quantile: p99, below: 1500ms, slice: 2m, min_events: 200}}
    objective: 99%
    window: 7d
    alert:
      - {severity: page, long: 1h, short: 5m, factor: 14.4}
      - {severity: ticket, long: 1d, budget: 20%}
      - sequential: {arl: 60d}
  - name: cost
    service: chat
    sli: {cost: {measure: per_1k_tokens, below: $0.002}}
    objective: 95%
    alert: {policy: page-only, gate: off, sequential: off}
  - name: inputs
    service: classify
    sli:
      drift:
        fields: [tokens_in, feature.length]
        reference: {first: 500 events}
        slice: 30s
        alpha: 0.001
        min_effect: 0.2
    objective: 95%
    window: 1d
    alert: {burn: [{severity: ticket, long: 1h, factor: 6}], sequential: {severity: ticket}}
  - name: outputs
    service: classify
    sli: {drift: {fields: [confidence], reference: {window: 2h}}}
    objective: 95%
    alert: none
"""
