"""The Streamlit dashboard: shows what the Tailwatch service says over HTTP and imports nothing of the server."""
