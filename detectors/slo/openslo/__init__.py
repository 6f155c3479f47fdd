"""OpenSLO v1 documents read into the SLO model; nothing of another vendor's metric source is executed."""
