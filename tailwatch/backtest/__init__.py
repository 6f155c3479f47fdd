"""SLOs run over data in virtual time, and their alerts scored against labelled incidents; nothing is written."""
