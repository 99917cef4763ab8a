"""Compiled passes over the rows of a log: one in any order (`stream`), and one over an index (`indexed`)."""
