"""Tests of the dashboard: pure view models, the HTTP client, and the pages in a real browser."""
