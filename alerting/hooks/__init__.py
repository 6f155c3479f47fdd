"""Response hooks: HTTP requests that act on an incident, within an allow-list, limits and a safety stop."""
