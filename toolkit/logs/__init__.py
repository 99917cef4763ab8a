"""Event logs: opened where they lie, checked, and read once into an index when questions are many."""
