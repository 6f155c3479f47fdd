"""SLOs written for other tools: Prometheus rules and a Grafana dashboard, as text. It reads and sends nothing."""
