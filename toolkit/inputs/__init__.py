"""What people hold: dashboards' exports, public logs and any series, read as they are.

read_export  reads what a dashboard exports
Export       is what was read: tables, definitions, totals set aside, problems
ExportError  says why a file cannot be read
DefinitionMismatch  says why two columns cannot be compared, and which can
metric       looks up what a metric means
read_series  reads a series out of any table
read_public  opens a public log
"""

from toolkit.inputs.definitions import DefinitionMismatch
from toolkit.inputs.exports.export import Export, read_export
from toolkit.inputs.faults import ExportError
from toolkit.inputs.metrics import metric
from toolkit.inputs.public import read_public
from toolkit.inputs.series import read_series

__all__ = [
    "DefinitionMismatch",
    "Export",
    "ExportError",
    "metric",
    "read_export",
    "read_public",
    "read_series",
]
