"""What each page shows, computed from the service's documents; pure functions without Streamlit or a network."""
