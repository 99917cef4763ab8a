"""Exports of dashboards: kinds, headers, tables, and the answer."""
