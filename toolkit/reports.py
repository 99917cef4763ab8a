"""`report`: answers handed on as one page that needs nothing else, neither a network nor this toolkit."""

from __future__ import annotations

import base64
import html
import inspect
import os
import re
from pathlib import Path

import pandas as pd

from toolkit import style
from toolkit.results import Result, html_table
from toolkit.wording import count, some

#: Columns that say of how many an estimate is, in the order in which one is looked for.
BASES = ("n", "eligible", "reached", "buyers", "active", "dau", "size", "rows")
#: Whole numbers that count nobody: periods by number.
ORDINALS = frozenset({"age", "age_to", "depth", "day", "hour", "weekday"})
#: The page may load nothing: a browser that reads this refuses what slipped through.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
STYLE = """
:root { color-scheme: light dark; --ink: #1f1f1f; --quiet: #5c5c5c; --paper: #ffffff; --line: #d9d9d9; --band: #f5f5f5 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8e8e8; --quiet: #a9a9a9; --paper: #16181b; --line: #3a3d42; --band: #1f2226 } }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 60rem; color: var(--ink); background: var(--paper);
  font: 1rem/1.55 system-ui, "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif; overflow-wrap: anywhere }
h1 { font-size: 1.7rem; line-height: 1.25 } h2 { font-size: 1.2rem; margin: 0 0 .6rem }
h3 { font-size: .95rem; margin: 1rem 0 .3rem } summary { cursor: pointer }
a { color: inherit } nav ol { padding-left: 1.4rem } p { max-width: 48rem }
section { border-top: 1px solid var(--line); padding-top: 1.5rem; margin-top: 2rem }
.finding { font-size: 1.05rem }
figure { margin: 1.2rem 0 }
figure img { max-width: 100%; height: auto; background: #ffffff; border-radius: 4px }
.rows { overflow: auto; width: fit-content; max-width: 100%; max-height: 30rem; border: 1px solid var(--line) }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; overflow-wrap: normal }
th, td { padding: .25rem .6rem; text-align: left; white-space: nowrap; border-bottom: 1px solid var(--line) }
thead th { background: var(--band); position: sticky; top: 0 } tbody tr:last-child td { border-bottom: 0 }
.rows > p { margin: .4rem .6rem; color: var(--quiet) }
.about { color: var(--quiet); font-size: .9rem } .about p { margin: .6rem 0 } code { font-size: .95em }
@media print { section { break-inside: avoid-page } .rows { overflow: visible; max-height: none } }
"""


def report(
    path: str | os.PathLike[str], *results: Result, title: str = "", min_cell: int | None = None
) -> Path:
    """Answers as one page that opens in any browser, offline: of each the sentence, figure, table, n and definition.

    Parameters
    ----------
    path : path
        File to write, such as "answer.html"; an old one is replaced.
    results : Result
        Any results of the toolkit, in the order of the page.
    title : str
        Of the page; the file's name if not given.
    min_cell : int, optional
        Rows of a table with a whole number from 1 to below this one are hidden, for a page that others read; the
        sentence and figure of such an answer are left out, since they may tell what is hidden.

    Returns
    -------
    Path
        Of the file.

    Raises
    ------
    ValueError
        Where no result is given, the path cannot be written, or `min_cell` is below 2; the message names it.
    TypeError
        For a path that is none, or an answer that is no result of the toolkit.

    Notes
    -----
    Figures are pictures inside the page, with a text for those who do not see them. Names out of the data are text,
    never HTML. A figure that a result cannot draw is named instead. Of a long table the first 60 rows are shown.
    `min_cell` hides cells, it does not make data anonymous: totals, and rows before and after, can give a hidden count
    back, and the page says so.

    Examples
    --------
    >>> import tempfile
    >>> from toolkit import Repurchase
    >>> counts = pd.DataFrame({"definition": ["30 days"], "n": [263], "repurchased": [81]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     page = report(f"{folder}/answer.html", Repurchase.from_counts(counts), title="Who buys again?")
    ...     print("30.8 % (25.5 to 36.6 %, n = 263)" in page.read_text(encoding="utf-8"))
    True
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(
            f"the first argument is the file to write, such as 'answer.html', not {type(path).__name__}"
        )
    if not isinstance(title, str):
        raise TypeError(f"title={title!r}; give the page's title as text")
    if min_cell is not None and (isinstance(min_cell, bool) or not isinstance(min_cell, int) or min_cell < 2):
        raise ValueError(f"min_cell={min_cell!r}; give the least count to show, a whole number from 2 on")
    if not results:
        raise ValueError("nothing to report: give one or more results after the path")
    for place, result in enumerate(results, 1):
        if not isinstance(result, Result):
            raise TypeError(
                f"answer {place} is of type {type(result).__name__}; give results of the toolkit, such as "
                "funnel(...) or retention(...)"
            )
    file = Path(path)
    # Before the figures are drawn, which takes longest.
    if not file.parent.is_dir():
        raise ValueError(
            f"cannot write {str(file)!r}: there is no folder {str(file.parent)!r}; make it first"
        )
    try:
        file.write_text(_page(results, title or file.stem, min_cell), encoding="utf-8", errors="replace")
    except OSError as error:
        raise ValueError(f"cannot write {str(file)!r}: {error.strerror}; give another path") from error
    return file


def _page(results: tuple[Result, ...], title: str, min_cell: int | None) -> str:
    names = [f"{place}. {_name(result)}" for place, result in enumerate(results, 1)]
    links = "".join(
        f'<li><a href="#answer-{at}">{html.escape(_name(r))}</a></li>' for at, r in enumerate(results, 1)
    )
    contents = f'<nav aria-label="Answers"><ol>{links}</ol></nav>' if len(results) > 1 else ""
    sections = "".join(
        _section(place, name if len(results) > 1 else _name(result), result, min_cell)
        for place, (name, result) in enumerate(zip(names, results, strict=True), 1)
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f"<title>{html.escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n<h1>{html.escape(title)}</h1>\n{contents}\n{sections}</main>\n</body>\n</html>\n"
    )


def _section(place: int, name: str, result: Result, min_cell: int | None) -> str:
    """One answer: its sentence, figure, table, and what its numbers are."""
    table, hidden = _without_small(result, min_cell)
    parts = [
        f'<section id="answer-{place}" aria-labelledby="name-{place}">\n<h2 id="name-{place}">{html.escape(name)}</h2>'
    ]
    if hidden:
        rows = f"{hidden:,} row{'s hold' if hidden > 1 else ' holds'} a count below {min_cell} and"
        parts.append(
            f'<p class="finding">{rows} {"are" if hidden > 1 else "is"} hidden. The sentence and the figure are left '
            "out, since they may tell it; totals, and the rows before and after, can give it back.</p>"
        )
    else:
        parts += [f'<p class="finding">{html.escape(result.sentence())}</p>', _figure(result)]
    parts += [
        f'<div class="rows" tabindex="0" role="region" aria-label="Table of answer {place}">'
        f"{html_table(table, result.rates, result.differences)}</div>",
        f'<div class="about">\n<p>Of how many: {html.escape(_n(table))}</p>',
    ]
    told = _definition(type(result))
    if "Definition" in told:
        parts.append(f"<p>Definition: {_marked(told.pop('Definition'))}</p>")
    if told:
        more = "".join(f"<h3>{heading}</h3>\n<p>{_marked(text)}</p>\n" for heading, text in told.items())
        parts.append(f"<details><summary>{some([*told])}</summary>\n{more}</details>")
    return "\n".join([*parts, "</div>\n</section>\n"])


def _without_small(result: Result, min_cell: int | None) -> tuple[pd.DataFrame, int]:
    """The table with the numbers of rows that hold a small count hidden, and how many rows these are."""
    table = result.table
    if min_cell is None:
        return table, 0
    known = {*result.rates, *result.differences, *ORDINALS}
    numbers = [
        name
        for name in table.columns
        if pd.api.types.is_numeric_dtype(table[name]) and not pd.api.types.is_bool_dtype(table[name])
    ]
    small = pd.Series(False, index=table.index)
    for name in numbers:
        values = table[name].astype(float)
        counts = name not in known and bool((values.dropna() % 1 == 0).all())
        small |= values.between(1, min_cell - 1) if counts else False
    if not small.any():
        return table, 0
    shown = table.astype(dict.fromkeys(numbers, object))
    shown.loc[small, numbers] = f"below {min_cell}"
    return shown, int(small.sum())


def _figure(result: Result) -> str:
    """The figure as a picture inside the page, and its text; or why there is none."""
    try:
        axes = result.plot()
    except (ValueError, NotImplementedError) as error:
        return f'<p class="about">No figure: {html.escape(str(error) or "this result has none")}.</p>'
    said = [axes.get_title(loc=side) for side in ("left", "center", "right")]
    labels = {"across": axes.get_xlabel(), "upwards": axes.get_ylabel()}
    said += [f"{way}: {label}" for way, label in labels.items()]
    words = "; ".join(
        " ".join(text.split()).replace(r"\$", "$") for text in said if text.split(": ")[-1].strip()
    )
    picture, wide, high = style.picture(axes)
    data = base64.b64encode(picture).decode("ascii")
    return (
        f'<figure><img alt="{html.escape(f"Figure of {_name(result)}. {words}")}" width="{wide}" height="{high}" '
        f'src="data:image/png;base64,{data}"></figure>'
    )


def _name(result: Result) -> str:
    """What kind of answer it is, in words: "Cohort comparison"."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(result).__name__)
    return words[:1] + words[1:].lower()


def _n(table: pd.DataFrame) -> str:
    """Of how many the rows of a table are, by its first column of bases."""
    found = [name for name in BASES if name in table.columns][:1]
    found += [name for name in table.columns if str(name).startswith("n_")] if found == ["n"] else []
    said = []
    for name in found:
        values = pd.to_numeric(table[name], errors="coerce").dropna()
        if len(values):
            low, high = count(values.min()), count(values.max())
            said.append(f"{name} = {low if low == high else f'{low} to {high}'}")
    rows = f"{len(table):,} row{'s' * (len(table) != 1)}"
    return f"{some(said)} over {rows}." if said else f"{rows}; the sentence above says of how many they are."


def _definition(kind: type[Result]) -> dict[str, str]:
    """From the documentation of a kind of result: what it is, its columns, and how the numbers are defined."""
    own = [one for one in kind.__mro__ if issubclass(one, Result) and one is not Result and one.__doc__]
    text = inspect.cleandoc(own[0].__doc__ or "") if own else ""
    blocks = re.split(r"\n\n?([A-Z][A-Za-z ]+)\n-{3,}\n", f"\n{text}")
    sections = dict(zip(blocks[1::2], blocks[2::2], strict=True))
    what = re.sub(r"\s*Made by [^.]*(?:\.[A-Za-z_][^.]*)*\.(?=\s|$)", "", blocks[0].strip())
    columns = re.search(r"^table : .*\n((?:    .*\n?|\n)+)", sections.get("Attributes", ""), re.MULTILINE)
    told = (
        columns.group(1)
        if columns
        else inspect.cleandoc(getattr(kind.__dict__.get("table"), "__doc__", "") or "")
    )
    found = {"Definition": what, "Columns": told, "How it is worked out": sections.get("Notes", "")}
    found["Sources"] = sections.get("References", "")
    return {heading: " ".join(body.split()) for heading, body in found.items() if body.strip()}


def _marked(text: str) -> str:
    """Plain documentation as HTML, names between backticks as code."""
    return re.sub(r"`+([^`]+)`+", r"<code>\1</code>", html.escape(text))
