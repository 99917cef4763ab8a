"""What people hold: dashboards' exports, public logs and any series, read as they are.

read_export  reads what a dashboard exports
Export       is what was read: tables, definitions, totals set aside, problems
ExportError  says why a file cannot be read
"""

from toolkit.inputs.exports.export import Export, read_export
from toolkit.inputs.faults import ExportError

__all__ = ["Export", "ExportError", "read_export"]
