"""Notebook 01 answers on real logs by its parameters alone, and plain pandas counts the same."""

from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "01_funnels.ipynb"
LOGS = {
    "taobao": {
        "file": "data/taobao_userbehavior_sample/UserBehavior_sample.csv",
        "COLUMNS": {
            "user": "user",
            "time": "timestamp",
            "event": "behavior",
            "names": ["user", "item", "category", "behavior", "timestamp"],
        },
        "STEPS": ["pv", "cart", "buy"],
        "unit": "s",
    },
    "retailrocket": {
        "file": "data/retailrocket_sample/sample_events.csv",
        "COLUMNS": {"user": "visitorid", "time": "timestamp", "event": "event"},
        "STEPS": ["view", "addtocart", "transaction"],
        "unit": "ms",
    },
}


def counted_in_pandas(path, columns, steps, unit, within="1D"):
    """Users by depth: from every entry to the next later row of each step, the deepest entry counts."""
    frame = pd.read_csv(path, names=columns.get("names"), header=None if "names" in columns else 0)
    frame["at"] = pd.to_datetime(frame[columns["time"]], unit=unit)
    depths = []
    for _, rows in frame.sort_values("at", kind="stable").groupby(columns["user"]):
        times = [rows.loc[rows[columns["event"]] == step, "at"].to_numpy() for step in steps]
        deepest = 0
        for entry in times[0]:
            depth, now = 1, entry
            for later in times[1:]:
                place = np.searchsorted(later, now)  # rows of one moment are taken in the order of the steps
                if place == len(later) or later[place] - entry > pd.Timedelta(within):
                    break
                depth, now = depth + 1, later[place]
            deepest = max(deepest, depth)
        depths.append(deepest)
    return [sum(depth >= j for depth in depths) for j in range(1, len(steps) + 1)]


@pytest.mark.parametrize("name", LOGS)
def test_notebook_01_runs_on_a_real_log_by_its_parameters_alone(shared, name):
    log = LOGS[name]
    path = str(shared.resolve() / log["file"])
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    place = next(i for i, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", []))
    values = {"SOURCE": path, "COLUMNS": log["COLUMNS"], "STEPS": log["STEPS"], "BY": None, "WITHIN": "1d"}
    # As papermill does: the new values in a cell behind the one with the old.
    source = "\n".join(f"{key} = {value!r}" for key, value in values.items())
    notebook.cells.insert(place + 1, nbformat.v4.new_code_cell(source))
    notebook.cells.append(
        nbformat.v4.new_code_cell('print(*answer.table["reached"])\nprint(answer.sentence())')
    )
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(NOTEBOOK.parent)}}).execute()
    printed = notebook.cells[-1].outputs[0].text.splitlines()
    assert [int(n) for n in printed[0].split()] == counted_in_pandas(
        path, log["COLUMNS"], log["STEPS"], log["unit"]
    )
    drawn = [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    assert drawn
    assert "Simulated" not in "".join(
        str(output.get("data", {}).get("text/plain", ""))
        for cell in notebook.cells[place:]
        for output in cell.get("outputs", [])
    )
