"""Rebuild `datasets/log`, the simulated event log of the four platforms, and what was planted in it.

uv run python datasets/make/log.py
"""

from __future__ import annotations

from pathlib import Path

from toolkit import simulate

if __name__ == "__main__":
    print(simulate(Path(__file__).parents[1]))
