"""Servers that go away and come back, slow ones, and threads that ask one at the same time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from tests import engines
from toolkit import funnel, read_events, retention

STEPS = ["enter", "click", "pay"]
ROOT = Path(__file__).parents[1]


def visits() -> pd.DataFrame:
    """Thirty users, of whom twenty click and ten pay, five minutes apart."""
    rows = [
        (user, minute, step)
        for user in range(30)
        for minute, step in enumerate(STEPS[: 3 - user % 3], start=0)
    ]
    frame = pd.DataFrame(rows, columns=["user_id", "minute", "event"])
    start = pd.Timestamp("2024-06-01", tz="UTC")
    return frame.assign(timestamp=start + pd.to_timedelta(frame.pop("minute") * 5, unit="min"))


def counted(log) -> list[int]:
    return funnel(log, STEPS, within="1h").table["reached"].tolist()


def needs(engine: str) -> None:
    if reason := engines.absent(engine):
        pytest.skip(reason)


def asked_meanwhile(ask):
    """A question in a thread of its own, and the error that it ends with."""
    found = []

    def run():
        try:
            found.append(ask())
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    time.sleep(1)
    return thread, found


@pytest.fixture(scope="module")
def slow_postgres():
    """A server of its own with a table, and views of it that sleep for a minute or a moment at each query."""
    needs("postgres")
    server = engines.postgres_server()
    connection = engines.connected(server.port)
    engines.ingested(connection, pa.Table.from_pandas(visits()), "visits")
    with connection.cursor() as cursor:
        for name, seconds in (("asleep", 60), ("drowsy", 0.1)):
            nap = f"(SELECT pg_sleep({seconds})) AS nap"
            cursor.execute(f"CREATE VIEW {name} AS SELECT visits.* FROM visits, {nap}")
    connection.commit()
    connection.close()
    yield server
    server.stop()


def slow_frame(session):
    """More rows than any machine reads in a minute."""
    return session.sql(
        "SELECT a.id % 1000003 AS user_id, timestamp_seconds(a.id + b.id) AS timestamp, 'enter' AS event "
        "FROM range(0, 100000000) a CROSS JOIN range(0, 1000) b"
    )


def test_postgresql_that_goes_away_in_the_middle_is_named_and_the_next_question_works_when_it_is_back(
    slow_postgres,
):
    server = slow_postgres
    connection = engines.connected(server.port)
    slow = read_events("asleep", connection=connection)
    quick = read_events("visits", connection=connection)
    assert counted(quick) == [30, 20, 10]
    thread, found = asked_meanwhile(lambda: counted(slow))
    server.stop(signal.SIGQUIT)
    thread.join(30)
    (error,) = found
    assert isinstance(error, ConnectionError)
    assert f"PostgreSQL on 127.0.0.1:{server.port} went away" in str(error)
    assert "nothing was counted over table asleep: connect again once it is there" in str(error)
    server.start()
    with pytest.raises(ConnectionError, match="read the table again with read_events"):
        retention(quick)
    again = read_events("visits", connection=engines.connected(server.port))
    assert counted(again) == [30, 20, 10]


def test_sail_that_goes_away_in_the_middle_is_named_and_the_next_question_works_when_it_is_back():
    needs("sail")
    from pyspark.sql.connect.client.retries import DefaultPolicy

    server = engines.sail()
    session = engines.session(server.port)
    # Spark's client tries again for some ten minutes, unless it is told otherwise.
    session.client.set_retry_policies([DefaultPolicy(max_retries=2)])
    slow = read_events(slow_frame(session))
    quick = read_events(session.createDataFrame(pa.Table.from_pandas(visits())))
    assert counted(quick) == [30, 20, 10]
    thread, found = asked_meanwhile(lambda: counted(slow))
    server.stop(signal.SIGKILL)
    thread.join(60)
    (error,) = found
    assert isinstance(error, ConnectionError)
    assert "Spark on 127.0.0.1 went away" in str(error)
    assert "nothing was counted over the Spark frame: connect again once it is there" in str(error)
    server.start()
    # The server has started anew, and knows the log no more.
    with pytest.raises(ConnectionError, match="read the table again with read_events"):
        retention(quick)
    again = engines.session(server.port).createDataFrame(pa.Table.from_pandas(visits()))
    assert counted(read_events(again)) == [30, 20, 10]
    server.stop()


#: How each engine's logs are opened in a process of their own, and what says that it still answers a query.
OPENED = {
    "postgres": """
import adbc_driver_postgresql.dbapi as driver
connection = driver.connect("postgresql://postgres@127.0.0.1:{port}/postgres")
slow = read_events("asleep", connection=connection)
quick = lambda: read_events("visits", connection=connection)
""",
    "sail": """
from tests.engines import session
from tests.test_servers import slow_frame, visits
import pyarrow as pa
spark = session({port})
slow = read_events(slow_frame(spark))
quick = lambda: read_events(spark.createDataFrame(pa.Table.from_pandas(visits())))
""",
}


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
@pytest.mark.parametrize("engine", OPENED)
def test_a_slow_server_has_a_bar_and_an_interrupt_reaches_it(engine, request):
    needs(engine)
    server = request.getfixturevalue("slow_postgres") if engine == "postgres" else engines.sail()
    code = f"""
from toolkit import funnel, read_events
{OPENED[engine].format(port=server.port)}
try:
    funnel(slow, {STEPS}, within="1h")
except KeyboardInterrupt:
    print("interrupted")
print(funnel(quick(), {STEPS}, within="1h").table["reached"].tolist())
"""
    child = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if name != "TQDM_DISABLE"},
        cwd=ROOT,
    )
    try:
        shown = b""
        while b"waiting for" not in shown and (more := child.stderr.read1()):
            shown += more
        name = {"postgres": f"PostgreSQL on 127.0.0.1:{server.port}", "sail": "Spark on 127.0.0.1"}[engine]
        assert f"waiting for {name}" in shown.decode()
        child.send_signal(signal.SIGINT)
        # Asleep for a minute, or longer, the server would not answer the next question unless it had heard of it.
        out, error = child.communicate(timeout=50)
        assert out.decode().splitlines() == ["interrupted", "[30, 20, 10]"], error.decode()
    finally:
        child.kill()
        if engine == "sail":
            server.stop()


@pytest.mark.parametrize("engine", ["postgres", "clickhouse", "sail"])
def test_threads_may_ask_logs_at_the_same_time(engine, request):
    needs(engine)
    if engine == "postgres":
        # Queries that take a while surely meet, also those of two logs on one connection.
        connection = engines.connected(request.getfixturevalue("slow_postgres").port)
        logs = [read_events("drowsy", connection=connection) for _ in range(2)]
    else:
        logs = [engines.log(engine, visits())] * 2
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(counted, logs * 2))
    assert answers == [[30, 20, 10]] * 4
