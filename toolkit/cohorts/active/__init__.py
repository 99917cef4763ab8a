"""Active users: how many a day, how often and how soon again, and the flows that make their number."""
