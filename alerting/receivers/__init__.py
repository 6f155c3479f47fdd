"""Receivers: whom to tell of incidents, each behind one small protocol; when and what to tell is not their matter."""
