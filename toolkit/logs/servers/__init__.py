"""Logs on servers: what each of them is asked, in its own words, and how its answers come here."""
