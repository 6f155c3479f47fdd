"""The models, in plain torch: SmolLM2 for generation, MiniLM for embeddings and topics, each in several versions."""
