"""Interruptions: what an event did to a series, and how sure that is."""
