"""Who may do what: tokens, their scopes, and what is let in without one. It serves no request itself."""
