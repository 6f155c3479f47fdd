"""Runbooks: Markdown with front matter, one for every cause, filled with an incident's evidence."""
