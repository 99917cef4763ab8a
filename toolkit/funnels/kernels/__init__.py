"""Compiled loops that find counting units and add them up: over rows in time order, and over rows by user."""
