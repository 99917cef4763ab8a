"""Exports of dashboards as analysts hold them: what is read, what is set aside, and what is refused."""

import io
import subprocess
import sys
import zipfile
from datetime import datetime
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
import xlwt

from tests.cases import dashboards
from tests.exports import answer, faults, main, reads
from toolkit import read_export, read_series
from toolkit.inputs.exports.kinds import built_in
from toolkit.inputs.faults import ExportError

CASES = Path(__file__).parent / "cases" / "exports"
SHARED = Path(__file__).parents[2] / "shared" / "reference" / "exports"
LIST = ["主播昵称", "主播抖音号", "直播开始时间", "直播间观看人数", "直播间成交人数", "直播间成交金额"]
ROWS = [
    ["青禾", "0072", "2026-03-01 19:30:00", "1000", "20", "1,500.50"],
    ["青禾", "0072", "2026-03-02 19:30:00", "2000", "50", "3,000.00"],
]


def cases():
    return [
        pytest.param(read, place, id=f"{name}:{read['read']}")
        for folder in (CASES, SHARED)
        for name, read, place in reads(folder)
    ]


@pytest.mark.parametrize(("read", "place"), cases())
def test_a_case_is_read_as_it_says(read, place):
    assert faults(read, answer(place / read["read"], read.get("kwargs") or {}, place)) == []


def csv(folder, rows, name="直播.csv", encoding="utf-8", separator=","):
    def quoted(cell):
        return f'"{cell}"' if separator in str(cell) else str(cell)

    file = folder / name
    file.write_bytes("\n".join(separator.join(map(quoted, row)) for row in rows).encode(encoding))
    return file


def workbook(folder, rows, name="直播.xlsx", change=None):
    book = openpyxl.Workbook()
    sheet = book.active
    for row in rows:
        sheet.append(row)
    if change is not None:
        change(sheet)
    book.save(folder / name)
    return folder / name


def told(export, code):
    return [problem.as_dict() for problem in export.told if problem.code == code]


def code_of(path, **options):
    with pytest.raises(ExportError) as error:
        read_export(path, **options)
    return error.value.code


def rewritten(file, change):
    """A workbook with its parts changed: name -> bytes to name -> bytes."""
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in change(parts).items():
            archive.writestr(name, content)
    return file


# Values.


def test_missing_is_never_zero_and_zero_is_a_number(tmp_path):
    export = read_export(csv(tmp_path, [LIST, ["青禾", "1", "2026-03-01", "0", "-", "暂无"]]))
    assert export.session["viewers"].tolist() == [0]
    assert export.session[["buyers", "gmv"]].isna().all(axis=None)


def test_a_total_row_is_set_aside_with_its_own_number_of_people(tmp_path):
    rows = [LIST, *ROWS, ["合计", "", "-", "2600", "65", "4,500.50"]]
    export = read_export(csv(tmp_path, rows))
    assert export.session["gmv"].sum() == pytest.approx(4500.5)
    assert export.totals["session"]["viewers"].tolist() == [2600]
    assert told(export, "total_row")[0]["row"] == 4


def test_a_total_above_the_sum_of_its_rows_says_that_rows_are_missing(tmp_path):
    rows = [LIST, *ROWS, ["合计", "", "-", "2600", "65", "9,999.00"]]
    assert told(read_export(csv(tmp_path, rows)), "total_exceeds_parts")[0]["columns"] == ["gmv"]


def test_a_rounded_count_keeps_half_its_width(tmp_path):
    rows = [
        LIST,
        ["青禾", "1", "2026-03-01", "1.2万", "20", "1500"],
        ["青禾", "1", "2026-03-02", "9000", "20", "1500"],
    ]
    export = read_export(csv(tmp_path, rows))
    assert export.rounding("viewers").tolist() == [500, 0]
    assert export.rounding("buyers").tolist() == [0, 0]
    rounding = export.funnel(["enter", "pay"]).step_counts.clusters.rounding
    assert rounding.sum(axis=(0, 1)).tolist() == [500**2 / 3, 0]


def test_ids_are_text_and_one_that_lost_digits_is_missing(tmp_path):
    rows = [LIST, *ROWS]
    rows = [LIST, ["青禾", '="00720416853"', *ROWS[0][2:]], ["青禾", "6.91741E+18", *ROWS[1][2:]]]
    file = tmp_path / "直播.csv"
    file.write_text(
        "\n".join(",".join(row).replace("1,500.50", "1500").replace("3,000.00", "3000") for row in rows)
    )
    export = read_export(file)
    assert export.session["account_id"].tolist()[0] == "00720416853"
    assert export.session["account_id"].isna().tolist() == [False, True]
    assert told(export, "id_damaged")[0]["cells"] == ["B3"]


def test_an_id_kept_as_a_number_is_told(tmp_path):
    rows = [LIST, ["青禾", 72041, *ROWS[0][2:]], ["青禾", 6917412345678901234, *ROWS[1][2:]]]
    export = read_export(workbook(tmp_path, rows))
    assert export.session["account_id"].fillna("").tolist() == ["72041", ""]
    assert told(export, "id_was_number")[0]["cells"] == ["B2"]
    assert told(export, "id_damaged")[0]["cells"] == ["B3"]


def test_what_cannot_be_read_is_missing_and_told_with_its_place(tmp_path):
    export = read_export(csv(tmp_path, [LIST, ROWS[0], [*ROWS[1][:3], "待补", *ROWS[1][4:]]]))
    assert told(export, "unreadable_cell") == [
        {"code": "unreadable_cell", "file": "直播.csv", "cell": "D3", "text": "待补", "column": "viewers"}
    ]


def test_serial_days_of_a_spreadsheet_are_read_and_told(tmp_path):
    export = read_export(workbook(tmp_path, [LIST, [*ROWS[0][:2], 46082.8125, *ROWS[0][3:]]]))
    assert str(export.session["start"][0]) == "2026-03-01 19:30:00+08:00"
    assert told(export, "serial_dates")[0]["column"] == "start"


def test_days_without_a_year_need_a_period(tmp_path):
    rows = [LIST, [*ROWS[0][:2], "12-31 19:30", *ROWS[0][3:]], [*ROWS[1][:2], "01-01 19:30", *ROWS[1][3:]]]
    assert code_of(csv(tmp_path, rows)) == "year_missing"
    export = read_export(csv(tmp_path, rows, "直播_2025-12-20_2026-01-05.csv"))
    assert export.session["start"].dt.year.tolist() == [2025, 2026]


# Sheets.


def test_two_lines_of_headers_are_one(tmp_path):
    groups = ["主播昵称", "主播抖音号", "直播开始时间", "流量", "成交", None]
    lower = [None, None, None, *LIST[3:]]
    export = read_export(workbook(tmp_path, [groups, lower, *ROWS]))
    assert export.session["viewers"].tolist() == [1000, 2000]
    assert told(export, "two_row_header")[0]["rows"] == [1, 2]


def test_labels_of_groups_over_the_headers_are_no_headers(tmp_path):
    def merge(sheet):
        sheet.merge_cells("A1:C1")
        sheet.merge_cells("D1:F1")

    rows = [["场次", None, None, "数据", None, None], LIST, *ROWS]
    export = read_export(workbook(tmp_path, rows, change=merge))
    assert len(export.session) == 2
    assert told(export, "two_row_header")[0]["rows"] == [1, 2]


def test_a_line_of_explanations_under_the_headers_is_no_row(tmp_path):
    rows = [LIST, ["", "", "开播时刻", "去重人数", "去重人数", "含券"], *ROWS]
    export = read_export(csv(tmp_path, rows))
    assert len(export.session) == 2
    assert told(export, "line_under_header")[0]["row"] == 2


def test_lines_before_and_after_a_table_are_told(tmp_path):
    rows = [["直播明细"], ["统计时间：2026-03-01 ~ 2026-03-02"], LIST, *ROWS, ["注：数据次日更新"]]
    export = read_export(csv(tmp_path, rows))
    assert told(export, "lines_before_header")[0]["rows"] == [1, 2]
    assert told(export, "line_after_table")[0]["row"] == 6
    assert [day.day for day in export.period] == [1, 2]


def test_formulas_errors_hidden_and_merged_cells_are_told(tmp_path):
    def change(sheet):
        sheet["D2"] = "=500*2"
        sheet["E3"] = "#DIV/0!"
        sheet["E3"].data_type = "e"
        sheet.row_dimensions[3].hidden = True
        sheet.merge_cells("A2:A3")

    export = read_export(workbook(tmp_path, [LIST, *ROWS], change=change))
    assert told(export, "formula_without_value")[0]["cells"] == ["D2"]
    assert told(export, "error_value")[0]["cells"] == ["E3"]
    assert told(export, "hidden_rows_read")[0]["rows"] == [3]
    assert told(export, "merged_cells_filled")[0]["cells"] == ["A3"]
    assert export.session["account"].tolist() == ["青禾", "青禾"]
    assert export.session["viewers"].isna().tolist() == [True, False]


def test_a_stored_value_of_a_formula_is_used_and_told(tmp_path):
    def change(parts):
        sheet = "xl/worksheets/sheet1.xml"
        return parts | {
            sheet: parts[sheet]
            .replace(b"<f>500*2</f><v />", b"<f>500*2</f><v>1000</v>")
            .replace(b"<f>500*2</f><v></v>", b"<f>500*2</f><v>1000</v>")
        }

    file = workbook(tmp_path, [LIST, *ROWS], change=lambda sheet: sheet.__setitem__("D2", "=500*2"))
    export = read_export(rewritten(file, change))
    assert export.session["viewers"].tolist() == [1000, 2000]
    assert told(export, "formula_value_used")[0]["cells"] == ["D2"]


def test_a_sheet_that_lies_about_its_size_is_read_whole(tmp_path):
    def change(parts):
        sheet = "xl/worksheets/sheet1.xml"
        return parts | {sheet: parts[sheet].replace(b'<dimension ref="A1:F3"', b'<dimension ref="A1"')}

    export = read_export(rewritten(workbook(tmp_path, [LIST, *ROWS]), change))
    assert len(export.session) == 2
    assert told(export, "wrong_dimension")


def test_days_that_run_across_are_turned(tmp_path):
    rows = [
        ["指标", "3月1日", "3月2日", "合计"],
        ["直播间曝光人数", 10000, 12000, 20000],
        ["直播间观看人数", 1000, 1300, 2100],
        ["直播间成交金额(万元)", 1.5, 2, 3.5],
    ]
    export = read_export(workbook(tmp_path, rows, "日报_2026-03-01_2026-03-02.xlsx"))
    assert export.day["gmv"].tolist() == [15000, 20000]
    assert export.day["date"].dt.strftime("%m-%d").tolist() == ["03-01", "03-02"]
    assert told(export, "wide_by_day")
    assert told(export, "total_column")[0]["cell"] == "D1"
    assert told(export, "unit_scaled")[0]["column"] == "gmv"


def test_an_old_workbook_and_a_table_of_tabs_are_what_they_are_not_what_they_are_named(tmp_path):
    book = xlwt.Workbook()
    sheet = book.add_sheet("数据")
    for i, row in enumerate([LIST, *ROWS]):
        for j, cell in enumerate(row):
            sheet.write(i, j, cell)
    book.save(str(tmp_path / "a.xls"))
    tabs = csv(tmp_path, [LIST, *ROWS], "b.xls", "utf-16", "\t")
    for file in (tmp_path / "a.xls", tabs):
        assert read_export(file).session["gmv"].tolist() == [1500.5, 3000]
    assert told(read_export(tabs), "not_what_the_name_says")[0]["found"] == "text"


# Headers.


def test_a_header_that_is_not_known_is_offered_the_nearest_one_and_never_used(tmp_path):
    export = read_export(csv(tmp_path, [[*LIST[:3], "直播间观看总人数", *LIST[4:]], *ROWS]))
    assert "viewers" not in export.session
    assert told(export, "unknown_header")[0]["nearest"] == "直播间观看人数"
    assert "直播间观看总人数" in export.draft_definition()


def test_of_two_headers_that_disagree_neither_is_used(tmp_path):
    export = read_export(csv(tmp_path, [[*LIST, "直播间成交金额"], [*ROWS[0], "9"], [*ROWS[1], "3,000.00"]]))
    assert "gmv" not in export.session
    assert "1 of 2" in told(export, "two_headers_one_meaning")[0]["action"]


def test_a_header_with_another_unit_is_scaled_and_told(tmp_path):
    export = read_export(csv(tmp_path, [[*LIST[:5], "直播间成交金额(分)"], [*ROWS[0][:5], "150050"]]))
    assert export.session["gmv"].tolist() == [1500.5]
    assert told(export, "unit_scaled")[0]["factor"] == 0.01


def test_columns_about_persons_are_never_read(tmp_path):
    export = read_export(csv(tmp_path, [[*LIST, "收件人手机号"], [*ROWS[0], "13800000000"]]))
    assert "13800000000" not in export._repr_html_() + export.problems.to_csv() + export.session.to_csv()
    assert told(export, "personal_columns")[0]["headers"] == ["收件人手机号"]


def test_a_definition_of_ones_own_wins_and_the_answer_says_whose_it_is(tmp_path):
    own = tmp_path / "mine.toml"
    own.write_text(
        'kind = "mine.sessions"\nplatform = "douyin"\ntable = "session"\nkey = ["start"]\nfound_by = ["开始", "人数"]\n'
        'source = "our own table"\n[columns]\n"开始" = "start"\n"人数" = "viewers"\n'
        '"成交率" = {metric = "buyers_per_viewer", form = "percent"}\n',
        encoding="utf-8",
    )
    file = csv(tmp_path, [["开始", "人数", "成交率"], ["2026-03-01", "1000", "0.85"]])
    assert code_of(file) == "unknown_kind"
    export = read_export(file, definitions=[own])
    assert export.session["buyers_per_viewer"].tolist() == [0.0085]
    assert str(own) in export.sentence()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('"人数" = "veiwers"', "did you mean 'viewers'"),
        ('"人数" = {metric = "viewers", from = "x"}', "no option 'from'"),
        ('"人数" = {metric = "viewers", form = "per cent"}', "use 'fraction' or 'percent'"),
    ],
)
def test_a_definition_with_a_mistake_says_where(tmp_path, line, says):
    own = tmp_path / "mine.toml"
    head = 'kind = "mine"\nplatform = "douyin"\ntable = "session"\nkey = ["start"]\nfound_by = ["人数"]\nsource = "x"\n'
    own.write_text(f"{head}[columns]\n{line}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=says):
        read_export(tmp_path, definitions=own)


def test_two_kinds_that_fit_equally_are_refused(tmp_path):
    about = {
        "kind": "mine",
        "platform": "douyin",
        "table": "session",
        "key": ["start"],
        "found_by": ["开始", "人数"],
        "source": "x",
        "columns": {"开始": "start", "人数": "viewers"},
    }
    file = csv(tmp_path, [["开始", "人数"], ["2026-03-01", "10"]])
    assert code_of(file, definitions=[about, about | {"kind": "other"}]) == "ambiguous_kind"


def test_every_kind_has_a_source_and_headers_that_give_it_away():
    for kind in built_in():
        assert kind.source, kind.name
        for part in kind.parts:
            for group in part.found_by:
                assert part.found(group), (kind.name, group)
                assert all(part.meaning(header).what == "column" for header in group), (kind.name, group)
            assert set(part.key) <= {
                *(name for column in part.columns.values() for name in column.names),
                *kind.shared,
                *part.carried,
                part.stacked,
            }, kind.name


def test_no_kind_is_taken_for_another():
    for kind in built_in():
        for part in kind.parts:
            for other in built_in():
                if other.name == kind.name:
                    continue
                for rival in other.parts:
                    if rival.found(list(part.columns)):
                        known = sum(rival.meaning(header).what != "unknown" for header in part.columns)
                        assert known < len(part.columns), (kind.name, other.name)


def test_a_definition_extends_a_known_kind_by_a_header_and_the_draft_is_one(tmp_path):
    headers = [*LIST[:3], "直播间看播人数", *LIST[4:]]
    file = csv(tmp_path, [headers, *ROWS])
    first = read_export(file)
    assert "viewers" not in first.session
    mine = tmp_path / "mine.toml"
    mine.write_text(
        first.draft_definition().replace('# "直播间看播人数', '"直播间看播人数'), encoding="utf-8"
    )
    export = read_export(file, definitions=mine)
    assert export.session["viewers"].tolist() == [1000, 2000]
    assert export.session["gmv"].tolist() == [1500.5, 3000]
    assert export.kind == "douyin.session_list"
    assert str(mine) in export.sentence()
    for about, says in {
        ("extends", "douyin.session_lst"): "did you mean 'douyin.session_list'",
        ("table", "sesion"): "did you mean 'session'",
    }.items():
        with pytest.raises(ValueError, match=says):
            read_export(file, definitions={"extends": "douyin.session_list", about[0]: about[1]})


# What an analyst meets on the way.


def test_a_renamed_header_that_tells_the_kind_is_named_with_what_it_may_be_now(tmp_path):
    file = csv(tmp_path, [[LIST[0], "主播账号ID", *LIST[2:]], *ROWS])
    with pytest.raises(ExportError, match=r"told by 主播抖音号 \(now 主播账号ID\?\), which is not here"):
        read_export(file)


def test_a_path_that_is_not_there_names_the_nearest_file(tmp_path):
    csv(tmp_path, [LIST, *ROWS], "直播_03.csv")
    with pytest.raises(FileNotFoundError, match="did you mean '直播_03.csv'"):
        read_export(tmp_path / "直播_04.csv")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        read_export(tmp_path / "nowhere" / "直播_04.csv")
    with pytest.raises(FileNotFoundError, match="a pattern is not looked for"):
        read_export(tmp_path / "*.csv")
    with pytest.raises(ValueError, match="is a folder"):
        read_series(tmp_path, "x")


def test_a_wrong_folder_says_what_it_holds_and_where_one_might_look(tmp_path):
    (tmp_path / "~$a.xlsx").write_bytes(b"lock")
    with pytest.raises(ExportError, match=r"~\$ marks a file that is open in a spreadsheet"):
        read_export(tmp_path)
    (tmp_path / "weeks").mkdir()
    for name in ("a.csv", "b.csv"):
        csv(tmp_path, [["姓名", "编号"], ["甲", "1"]], name)
    with pytest.raises(
        ExportError, match="folders are not looked into: weeks; of the last: .*b.csv"
    ) as error:
        read_export(tmp_path)
    assert (error.value.code, "姓名" in error.value.draft) == ("unknown_kind", True)


def test_a_parquet_file_is_sent_to_its_own_reader(tmp_path):
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(ExportError, match="a log is opened by read_events"):
        read_export(tmp_path / "a.parquet")


def test_every_problem_says_what_it_means(tmp_path):
    rows = [[*LIST[:3], "直播间观看人次数", *LIST[4:]], *ROWS, ["合计", "", "-", "2600", "65", "9,999.00"]]
    found = read_export(csv(tmp_path, rows)).problems.set_index("code")["text"]
    assert found["unknown_header"].startswith("not known and not read")
    assert "nearest 直播间观看人数" in found["unknown_header"]
    assert "rows that are not in the file" in found["total_exceeds_parts"]


# Folders.


def test_in_a_folder_the_files_of_one_kind_are_one_table_and_the_rest_is_named(tmp_path):
    csv(tmp_path, [LIST, ROWS[0]], "a.csv")
    csv(tmp_path, [LIST, ROWS[1]], "b.csv")
    (tmp_path / "~$a.xlsx").write_bytes(b"lock")
    (tmp_path / "notes.docx").write_bytes(b"PK")
    csv(tmp_path, [["姓名", "编号"], ["甲", "1"]], "other.csv")
    export = read_export(tmp_path)
    assert export.session["viewers"].tolist() == [1000, 2000]
    assert set(told(export, "files_skipped")[0]["files"]) == {"~$a.xlsx", "notes.docx", "other.csv"}


def test_a_session_in_two_files_counts_once(tmp_path):
    csv(tmp_path, [LIST, *ROWS], "a.csv")
    csv(tmp_path, [LIST, [*ROWS[1][:3], "2100", *ROWS[1][4:]]], "b.csv")
    export = read_export(tmp_path)
    assert sorted(export.session["viewers"]) == [1000, 2100]
    assert told(export, "duplicate_session")[0]["kept"] == "b.csv"


def test_yuan_and_fen_in_one_folder_are_one_unit(tmp_path):
    csv(tmp_path, [LIST, ROWS[0]], "a.csv")
    csv(tmp_path, [[*LIST[:5], "直播间成交金额(分)"], [*ROWS[1][:5], "300000"]], "b.csv")
    export = read_export(tmp_path)
    assert export.session["gmv"].tolist() == [1500.5, 3000]
    assert export.definition("gmv").source_header == ("直播间成交金额", "直播间成交金额(分)")


def test_a_folder_of_something_else_and_of_two_kinds_are_refused(tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    assert code_of(other) == "empty_file"
    (other / "a.txt").write_text("hello\nworld\n")
    assert code_of(other) == "not_an_export"
    both = tmp_path / "both"
    both.mkdir()
    csv(both, [LIST, *ROWS], "a.csv")
    csv(both, [["结算时间", "子订单号", "结算金额"], ["2026-03-01", "1", "5"]], "b.csv")
    assert code_of(both) == "ambiguous_kind"


def test_a_row_that_stands_twice_counts_once(tmp_path):
    export = read_export(csv(tmp_path, [LIST, *ROWS, ROWS[1]]))
    assert export.session["gmv"].sum() == pytest.approx(4500.5)
    assert told(export, "duplicate_rows")[0]["rows"] == [4]


# Bounds.


def bomb(folder, name, parts):
    with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as archive:
        for part, content in parts.items():
            archive.writestr(part, content)
    return folder / name


def test_a_cell_far_out_is_refused_before_a_reader_opens_it(tmp_path):
    far = workbook(tmp_path, [LIST, *ROWS], change=lambda sheet: sheet.__setitem__("XFD1048576", 1))
    assert code_of(far) == "too_large"


def test_a_far_cell_in_a_part_of_another_name_is_found_too(tmp_path):
    far = workbook(tmp_path, [LIST, *ROWS], change=lambda sheet: sheet.__setitem__("XFD1048576", 1))

    def move(parts):
        parts = {
            name.replace("worksheets/sheet1.xml", "pictures/a.png"): part for name, part in parts.items()
        }
        links = "xl/_rels/workbook.xml.rels"
        return parts | {links: parts[links].replace(b"worksheets/sheet1.xml", b"pictures/a.png")}

    assert code_of(rewritten(far, move)) == "too_large"


def test_a_workbook_that_unpacks_without_end_is_refused(tmp_path):
    parts = {
        "xl/workbook.xml": b"<workbook/>",
        "xl/worksheets/sheet1.xml": b"<worksheet>" + b" " * 210_000_000,
    }
    file = bomb(tmp_path, "bomb.xlsx", parts)
    assert file.stat().st_size < 1_000_000
    assert code_of(file) == "too_large"


def test_entities_are_never_expanded(tmp_path):
    lol = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><worksheet>&b;</worksheet>'
    parts = {"xl/workbook.xml": b"<workbook/>", "xl/worksheets/sheet1.xml": lol}
    assert code_of(bomb(tmp_path, "bomb.xlsx", parts)) == "too_large"


def test_a_page_that_claims_a_billion_columns_is_read_within_bounds(tmp_path):
    head = "".join(f"<th>{header}</th>" for header in LIST)
    row = "".join(f"<td>{cell}</td>" for cell in ROWS[0])
    last = '<td colspan="999999999" rowspan="999999999">注</td>'
    text = f"<html><table><tr>{head}</tr><tr>{row}</tr><tr>{last}</tr></table></html>"
    (tmp_path / "a.xls").write_text(text, encoding="gb18030")
    assert len(read_export(tmp_path / "a.xls").session) == 1


@pytest.mark.parametrize("content", [b"\x89PNG\r\n", b"%PDF-1.7 ...", b"\xff\xd8\xff\xe0", b'{"a": 1}'])
def test_what_is_no_table_is_said_to_be_what_it_is(tmp_path, content):
    (tmp_path / "a.xlsx").write_bytes(content)
    assert code_of(tmp_path / "a.xlsx") == "not_an_export"


def test_a_workbook_that_makes_its_reader_panic_is_damaged(tmp_path):
    (tmp_path / "a.xls").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 35)
    assert code_of(tmp_path / "a.xls") == "corrupt"


def test_bytes_that_are_not_of_the_encoding_that_they_claim_are_damaged(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbf" + "直播".encode("gbk"))
    assert code_of(tmp_path / "a.csv") == "corrupt"


def test_a_number_without_end_is_unreadable(tmp_path):
    export = read_export(csv(tmp_path, [LIST, [*ROWS[0][:3], "1e999", *ROWS[0][4:]]]))
    assert told(export, "unreadable_cell")[0]["text"] == "1e999"


def test_a_picture_in_a_sheet_is_no_hindrance(tmp_path):
    picture = {"xl/media/image1.png": b"\x89PNG\x00\x00"}
    file = rewritten(workbook(tmp_path, [LIST, *ROWS]), lambda parts: parts | picture)
    assert len(read_export(file).session) == 2


def test_a_file_that_is_open_in_a_spreadsheet_is_told_from_its_lock(tmp_path):
    (tmp_path / "~$a.xlsx").write_bytes(b"\x05user" + b"\x00" * 160)
    with pytest.raises(ExportError, match="read the file itself"):
        read_export(tmp_path / "~$a.xlsx")


def test_a_wrong_type_and_a_missing_file_say_so(tmp_path):
    with pytest.raises(TypeError, match="not int"):
        read_export(3)
    with pytest.raises(FileNotFoundError):
        read_export(tmp_path / "none.csv")


@pytest.mark.slow
def test_a_long_text_file_is_streamed(tmp_path):
    """300 MB of order lines are read in a process that holds under 500 MB."""
    headers = [
        "主订单编号",
        "子订单编号",
        "选购商品",
        "商品ID",
        "商品数量",
        "商品金额",
        "支付完成时间",
        "市",
        "买家留言",
        "商家备注",
    ]
    file = tmp_path / "orders.csv"
    with file.open("w", encoding="utf-8") as out:
        out.write(",".join(headers) + "\n")
        note = "备" * 60
        for i in range(650_000):
            city = ("成都市", "杭州市", "深圳市")[i % 3]
            ids = f"69174{i:014d}\t,69174{i:014d}\t,茉莉绿茶,36812{i % 40:014d}"
            out.write(f"{ids},1,{i % 90}.50,2026-03-05 20:01:11,{city},{note},{note}\n")
    assert file.stat().st_size > 300_000_000
    code = (
        "import sys; from toolkit import read_export; e = read_export(sys.argv[1]); "
        "most = [line for line in open('/proc/self/status') if line.startswith('VmHWM')][0].split()[1]; "
        "print(len(e.order), int(e.order['units'].sum()), most)"
    )
    # The high-water mark of the child's own memory; getrusage would count what its parent held.
    done = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=True)
    rows, units, kilobytes = map(int, done.stdout.split())
    assert rows == units == 650_000
    assert kilobytes < 500_000


# Faces.


def test_names_out_of_a_file_are_text_in_html(tmp_path):
    hostile = "<script>alert(1)</script>"
    export = read_export(csv(tmp_path, [[*LIST, hostile], [hostile, *ROWS[0][1:], "1"]]))
    page = export._repr_html_()
    assert hostile not in page
    assert "&lt;script&gt;" in page


def test_the_faces_of_an_export(tmp_path):
    export = read_export(csv(tmp_path, [LIST, *ROWS], "直播_2026-03-01_2026-03-02.csv"))
    assert export.sentence() == (
        "2 rows of session from 1 file of douyin.session_list (douyin, 2026-03-01 to 2026-03-02)."
    )
    assert export.plot().get_ylabel()
    assert isinstance(export.table, pd.DataFrame)
    assert export.summary()["rows"].tolist() == [2]
    with pytest.raises(AttributeError, match="did you mean 'session'"):
        _ = export.sesion
    with pytest.raises(ValueError, match="did you mean 'viewers'"):
        export.definition("viewer")
    assert export.session["start"].dt.tz is not None
    assert datetime(2026, 3, 1).date() == export.period[0]
    assert io.StringIO(export.definitions.to_csv()).readline()


def test_the_cases_of_the_repository_are_those_that_their_program_writes(tmp_path):
    dashboards.write(tmp_path)
    for file in CASES.rglob("expected.json"):
        assert (tmp_path / file.relative_to(CASES)).read_text("utf-8") == file.read_text("utf-8")


def test_the_runner_of_cases_tells_what_is_wrong(tmp_path, capsys):
    """A case with a wrong value, a wrong definition and a problem too many fails, and says where."""
    dashboards.write(tmp_path)
    file = tmp_path / "taobao_sessions" / "expected.json"
    case = file.read_text("utf-8").replace("702", "703").replace('"product_clickers"\n', '"viewers"\n')
    file.write_text(case.replace("unknown_header", "older_header"), encoding="utf-8")
    assert main(file.parent) == 1
    said = capsys.readouterr().out
    assert "703 wanted, 702" in said
    assert "over: 'viewers' wanted, 'product_clickers' got" in said
    assert "a problem told that is none" in said
    assert said.endswith("0 passed, 1 failed\n")
