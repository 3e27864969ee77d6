"""`loyalty top`: one look, lines in a pipe, the screen of a terminal; several brokers, the feed, workers that are silent."""

import json
import os
import pty
import signal
import subprocess
import time

import pytest
from fake_broker import FakeBroker, failure, ok
from fake_feed import FakeFeed, FakeLog
from harness import environment, loyalty, program, wait_until


class FakeStats:
    """What a broker answers to admin.stats: figures that a test moves."""

    def __init__(self, *workers):
        self.answered = 100
        self.uptime_ms = 60000
        self.errors, self.limited = {}, []
        self.p99 = 4000
        self.step = 0  # requests answered between two looks
        self.workers = {name: self.worker(name) for name in workers}

    @staticmethod
    def worker(name, **fields):
        stats = {"batches": 10, "batch_requests": 40, "batch_database_us": 20000}
        return {
            "name": name, "session": f"{name}-1", "credit": 64, "in_work": 2, "answered": 50, "overdue": 0,
            "draining": False, "suspect": False, "joined_ms": 10000, "stats": stats, **fields,
        }  # fmt: skip

    def answer(self, request):
        if request.method != "admin.stats":
            return ok()
        self.answered += self.step
        queue = {"waiting": 3, "in_work": 4, "bytes": 1048576, "clients": 5, "clients_waiting": 1, "answered_per_s": 7.0}
        return ok(
            version="9.9", uptime_ms=self.uptime_ms, draining=False, queue=dict(queue, capacity_per_s=1000.0),
            counters={"answered": self.answered}, errors=self.errors, workers=list(self.workers.values()), clients=[], limited=self.limited,
            latency_us={"count": 9, "p50": 870, "p90": 1240, "p99": self.p99, "p999": 15000, "max": 2100000},
        )  # fmt: skip


@pytest.fixture
def stats():
    return FakeStats("worker-1", "worker-2")


@pytest.fixture
def broker(stats):
    with FakeBroker(stats.answer) as fake:
        yield fake


def top(endpoint, *arguments):
    return loyalty("top", "--endpoint", endpoint, *arguments)


def look(endpoint, *arguments):
    """One look, as JSON."""
    done = top(endpoint, "--json", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_one_look(broker, stats):
    stats.errors = {"busy": 12, "not_found": 1}
    stats.workers["worker-2"].update(suspect=True)
    done = top(broker.endpoint, "--once")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert max(len(line) for line in lines) <= 80, "wider than 80 columns"
    assert lines[0] == f"loyalty 9.9 at {broker.endpoint}, up 00:01:00"
    assert lines[2:7] == [
        "requests  7/s answered, capacity 1000/s",
        "queue     3 waiting, 4 in work, 1.0 MiB; 5 clients, 1 of them waiting",
        "latency   p50 870 µs, p90 1.24 ms, p99 4.00 ms, p99.9 15.0 ms, most 2.10 s",
        "errors    busy 12, not_found 1",
        "feed      not known (--feed names it)",
    ]
    assert [line.split() for line in lines[9:]] == [
        ["worker-1", "5", "64", "2", "4.0", "2.0", "50", "0", "ready"],
        ["worker-2", "5", "64", "2", "4.0", "2.0", "50", "0", "silent"],
    ]


def test_all_brokers_together(broker, stats):
    other = FakeStats("worker-1", "worker-3")
    other.p99, other.errors = 9000, {"busy": 2}
    stats.errors = {"busy": 3, "internal": 1}
    with FakeBroker(other.answer) as second:
        figures = look(f"{broker.endpoint},{second.endpoint},tcp://127.0.0.1:1", "--timeout-ms", "1000")
    assert [row["state"] for row in figures["brokers"]] == ["ready", "ready", "away"]
    assert figures["brokers"][2]["message"]
    assert figures["rate_per_s"] == 14 and figures["capacity_per_s"] == 2000
    assert figures["queue"] == {"waiting": 6, "in_work": 8, "bytes": 2097152, "clients": 10, "clients_waiting": 2}
    assert figures["latency_us"]["p99"] == 9000
    assert {code: one["total"] for code, one in figures["errors"].items()} == {"busy": 5, "internal": 1}
    workers = {worker["name"]: worker for worker in figures["workers"]}
    assert set(workers) == {"worker-1", "worker-2", "worker-3"}
    assert (workers["worker-1"]["credit"], workers["worker-1"]["answered"], workers["worker-1"]["batch"]) == (128, 100, 4)
    assert workers["worker-2"]["credit"] == 64


def test_brokers_on_the_screen(broker):
    done = top(f"{broker.endpoint},tcp://127.0.0.1:1", "--once", "--timeout-ms", "1000")
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and lines[0].startswith("loyalty 9.9 with 2 brokers, up ")
    assert any(line.split() == [broker.endpoint, "7", "3", "4", "5", "ready"] for line in lines)
    assert any(line.split() == ["tcp://127.0.0.1:1", "-", "-", "-", "-", "away"] for line in lines)
    assert max(len(line) for line in lines) <= 80


def test_nobody_answers():
    done = top("tcp://127.0.0.1:1", "--once", "--timeout-ms", "300")
    assert done.returncode == 1 and "unavailable" in done.stderr
    done = top("tcp://127.0.0.1:1", "--json", "--timeout-ms", "300")
    assert done.returncode == 1 and json.loads(done.stdout)["error"]["code"] == "unavailable"


def test_not_allowed(broker, stats):
    broker.answer = lambda request: failure("forbidden", "no")
    done = top(broker.endpoint, "--once")
    assert done.returncode == 1 and "forbidden" in done.stderr


def start(*arguments, **options):
    """Runs it beside the test."""
    return subprocess.Popen([program("loyalty"), "top", *arguments], text=True, env=environment(), **options)


def test_lines_in_a_pipe(broker, stats):
    stats.step, stats.errors = 500, {"busy": 1}
    done = top(broker.endpoint, "--count", "3")
    assert done.returncode == 0
    head, first, *later = done.stdout.splitlines()
    assert head.split() == ["time", "rate/s", "p50", "ms", "p99", "ms", "wait", "work", "workers", "err/s", "event", "lag", "ms"]
    assert first.split()[1:] == ["7", "0.87", "4.00", "3", "4", "2", "0", "-", "-"]
    assert len(later) == 2 and max(map(len, [head, first, *later])) <= 80
    for line in later:  # 500 between two looks, a second or so apart
        assert int(line.split()[1]) > 7, line


def test_a_closed_pipe_ends_it(broker):
    process = start("--endpoint", broker.endpoint, stdout=subprocess.PIPE)
    assert process.stdout.readline()
    process.stdout.close()
    assert process.wait(20) == 0


def test_ctrl_c_ends_it(broker):
    process = start("--endpoint", broker.endpoint, "--interval", "3600", stdout=subprocess.PIPE)
    assert process.stdout.readline() and process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    process.stdout.close()


class Screen:
    """A terminal that top draws on."""

    def __init__(self, *arguments):
        self.terminal, other = pty.openpty()
        self.process = start(*arguments, stdin=other, stdout=other)
        os.close(other)
        self.text = ""

    def read(self):
        try:
            self.text += os.read(self.terminal, 65536).decode()
        except OSError:  # the program is gone
            pass
        return self.text

    def wait_for(self, what):
        wait_until(lambda: what in self.read(), 20, repr(what))

    def end(self):
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(20)
        self.read()
        os.close(self.terminal)
        return code


def test_a_terminal_is_drawn_over(broker, stats):
    screen = Screen("--endpoint", broker.endpoint)
    screen.wait_for("worker-2")
    stats.workers["worker-9"] = stats.worker("worker-9")
    screen.wait_for("worker-9")
    broker.hanging.set()
    screen.wait_for("no broker answers")
    broker.hanging.clear()
    drawn = len(screen.text)
    wait_until(lambda: "worker-9" in screen.read()[drawn:], 20, "it to go on")
    assert screen.end() == 0
    assert screen.text.startswith("\033[?25l") and screen.text.rstrip().endswith("\033[?25h")
    assert screen.text.count("\033[H") >= 3, "in place"


def test_the_feed(broker):
    with FakeFeed(FakeLog(41)) as feed:
        screen = Screen("--endpoint", broker.endpoint, "--feed", feed.endpoint)
        wait_until(lambda: feed.socket.poll(0), 20, "its subscription")
        assert feed.socket.recv() == b"\x01tip"
        feed.tip(epoch=3)
        screen.wait_for("event 41")
        assert "epoch 3" in screen.text
        feed.tip(7, epoch=2)  # a leader that was asleep
        feed.log.add(10)
        feed.tip(epoch=3, lag_ms=12)
        screen.wait_for("event 51")
        screen.wait_for(", 12 ms behind\r\n\033[K          led by feed-1 host, epoch 3")
        assert "event 7" not in screen.text
        screen.wait_for("SILENT for")
        assert screen.end() == 0


def test_the_feed_in_one_look(broker):
    with FakeFeed(FakeLog(41)) as feed:
        started = time.monotonic()
        figures = look(broker.endpoint, "--feed", feed.endpoint)  # nobody publishes: it waits a moment, no longer
        assert (figures["feed"]["state"], figures["feed"]["number"]) == ("silent", None)
        assert time.monotonic() - started > 1
        process = start("--json", "--endpoint", broker.endpoint, "--feed", feed.endpoint, stdout=subprocess.PIPE)
        wait_until(lambda: feed.socket.poll(0), 20, "its subscription")
        while process.poll() is None:
            feed.tip(epoch=3)
            time.sleep(0.05)
        figures = json.loads(process.communicate()[0])
    assert (figures["feed"]["state"], figures["feed"]["number"], figures["feed"]["epoch"]) == ("live", 41, 3)


def test_databases(broker, stats):
    """After a failover that one of the workers has not noticed yet."""
    stats.workers["worker-3"] = stats.worker("worker-3")
    for name, server, standby, timeline in (
        ("worker-1", "db-1:5432", True, 1),
        ("worker-2", "db-2:5432", False, 2),
        ("worker-3", "db-2:5432", False, 2),
    ):
        told = {"server": server, "in_recovery": standby, "timeline": timeline, "in_doubt": 3}
        told.update(replica="db-3:5432", replica_lag_ms=7)
        stats.workers[name]["stats"] = dict(stats.workers[name]["stats"], **told)
    assert look(broker.endpoint)["databases"] == [
        {"server": "db-1:5432", "role": "standby", "timeline": 1, "workers": 1, "in_doubt": 3},
        {"server": "db-3:5432", "role": "replica", "lag_ms": 7, "workers": 3},
        {"server": "db-2:5432", "role": "primary", "timeline": 2, "workers": 2, "in_doubt": 6},
    ]
    lines = top(broker.endpoint, "--once").stdout.splitlines()
    assert "database  standby db-1:5432, timeline 1, 1 workers, 3 commits in doubt" in lines
    assert "          replica db-3:5432, 7 ms behind, 3 workers" in lines
    assert "          primary db-2:5432, timeline 2, 2 workers, 6 commits in doubt" in lines
    assert max(len(line) for line in lines) <= 80


def test_clients_that_are_limited(broker, stats):
    bounds = {"requests": 1, "rate": 20, "bytes": 300}
    stats.limited = [
        {"user": "till-7", "connection": "00000000000000aa", "ago_ms": 10, **bounds},
        {"user": "", "connection": "00000000000000bb", "ago_ms": 59000, **bounds},
        {"user": "till-8", "connection": "00000000000000cc", "ago_ms": 61000, **bounds},
    ]
    lines = top(broker.endpoint, "--once").stdout.splitlines()
    assert "limited   till-7 321, 00000000000000bb 321" in lines


def test_lists_go_on_in_the_next_line(broker, stats):
    stats.errors = {code: 1000000 for code in ("invalid_request", "insufficient_points", "invalid_membership", "worker_lost")}
    lines = top(broker.endpoint, "--once").stdout.splitlines()
    assert "errors    invalid_request 1000000, insufficient_points 1000000" in lines
    assert "          invalid_membership 1000000, worker_lost 1000000" in lines


def test_no_worker(broker, stats):
    stats.workers = {}
    done = top(broker.endpoint, "--once")
    assert "none: requests wait, and then fail as unavailable" in done.stdout


@pytest.mark.parametrize("arguments", [["--once=1"], ["--interval", "0"], ["--count", "x"], ["now"]])
def test_wrong_usage(broker, arguments):
    done = top(broker.endpoint, *arguments)
    assert done.returncode == 2 and "usage: loyalty top" in done.stderr


def test_an_engine(shared_engine):
    shared_engine.call("admin.health")
    figures = json.loads(shared_engine.command("top", "--json").stdout.splitlines()[-1])
    assert {worker["name"] for worker in figures["workers"]} == {"worker-1", "worker-2"}
    assert figures["brokers"][0]["endpoint"] == shared_engine.endpoint
    assert figures["queue"]["clients"] >= 1 and figures["uptime_ms"] > 0
