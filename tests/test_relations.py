"""Lists of users stay in the engine until they are asked for, and what goes wrong then is said in words."""

import duckdb
import pandas as pd
import pytest

from toolkit import Step, funnel, read_events

ROWS = pd.DataFrame(
    {
        "user_id": [1, 1, 2],
        "event": ["enter", "pay", "enter"],
        "timestamp": pd.date_range("2019-11-11 20:00", periods=3, freq="min"),
        "amount": ["12", "many", "3"],
    }
)


def users(source, steps=("enter", "pay"), **options):
    return funnel(read_events(source, **options), list(steps), within="1h").users()


def test_a_list_of_users_is_asked_further_where_it_lies():
    found = users(ROWS)
    assert found.columns == ["user_id", "depth", "enter", "pay"]
    assert found.filter("depth = 2").project("user_id").fetchall() == [(1,)]
    assert found.order("user_id").limit(1).df()["user_id"].tolist() == [1]
    assert found.to_arrow_table().num_rows == 2
    assert "depth" in repr(found)
    assert isinstance(found.relation, duckdb.DuckDBPyRelation)


def test_a_list_of_users_is_a_source_of_events_itself():
    log = read_events(users(ROWS), time="enter", event=None)
    assert log.facts.rows == 2


def test_a_file_that_is_gone_is_named_when_the_list_is_asked_for(tmp_path):
    file = tmp_path / "log.csv"
    ROWS.to_csv(file, index=False)
    found = users(file)
    file.unlink()
    with pytest.raises((ValueError, FileNotFoundError), match=r"log\.csv"):
        found.df()


def test_a_connection_that_is_closed_is_named_when_the_list_is_asked_for():
    connection = duckdb.connect()
    connection.execute("CREATE TABLE events AS SELECT * FROM ROWS")
    found = users("events", connection=connection)
    connection.close()
    with pytest.raises(ValueError, match="the connection of the log is closed: open it"):
        found.df()


def test_a_condition_that_fails_on_a_row_is_said_with_its_fix():
    log = read_events(ROWS)
    step = Step("pay", event="pay", where="CAST(amount AS DOUBLE) > 5")
    with pytest.raises(ValueError, match="TRY_CAST"):
        funnel(log, ["enter", step], within="1h").users().df()


@pytest.mark.parametrize("path", ["windows", "index"])
def test_a_condition_of_the_readers_own_on_the_list_is_a_value_error(path):
    log = read_events(ROWS)
    log = log.index() if path == "index" else log
    found = funnel(log, ["enter", "pay"], within="1h", path=path).users()
    with pytest.raises(ValueError, match="dept"):
        found.filter("dept > 1").df()
    assert not hasattr(found, "no_such_method")
