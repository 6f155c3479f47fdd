"""Service level objectives: file, lint, budgets, burn alerts and their evaluation; it stores and sends nothing."""
