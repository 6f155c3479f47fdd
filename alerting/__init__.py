"""From findings to people: alert states, incidents, runbooks and notifications; it detects nothing itself."""
