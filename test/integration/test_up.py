"""`loyalty up`: what it starts, what it survives, and that nothing outlives it."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import time

import pytest

import curve
from harness import Engine, environment, loyalty, process_exists, program, wait_until


def up_fails(*arguments, timeout=60):
    """Runs `loyalty up`, which must give up by itself; returns what it says."""
    done = loyalty("up", *arguments, timeout=timeout)
    assert done.returncode == 1, (done.returncode, done.stdout, done.stderr)
    assert "ready " not in done.stdout
    return done.stderr


def test_it_serves_and_leaves_word_of_itself(shared_engine):
    up = shared_engine.up()
    assert up["endpoint"] == shared_engine.endpoint and up["endpoint"].startswith("tcp://127.0.0.1:")
    assert f"ready {shared_engine.endpoint}" in shared_engine.output
    assert up["pid"] == shared_engine.process.pid
    assert set(up["processes"]) == {"postgresql", "broker", "feed-1", "worker-1", "worker-2"}
    assert all(process_exists(pid) for pid in up["processes"].values())
    assert shared_engine.call("admin.health")
    for name in ("broker", "worker-1", "worker-2", "postgresql"):
        assert (shared_engine.data / "log" / f"{name}.log").exists()


def test_postgresql_keeps_what_makes_commits_durable(shared_engine):
    wanted = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "jit": "off", "listen_addresses": ""}
    rows = shared_engine.query("SELECT name, setting FROM pg_settings WHERE name = ANY (%s)", (list(wanted),))
    assert dict(rows) == wanted
    assert shared_engine.query("SHOW server_encoding") == [("UTF8",)]
    assert shared_engine.query("SELECT datcollate FROM pg_database WHERE datname = current_database()") == [("C",)]


def test_postgresql_does_not_run_as_root(shared_engine):
    owner = pathlib.Path(f"/proc/{shared_engine.processes()['postgresql']}").stat().st_uid
    assert owner != 0
    assert owner == os.geteuid() or os.geteuid() == 0


def test_workers_have_no_more_rights_than_they_use(shared_engine):
    users = {user for (user,) in shared_engine.query(
        "SELECT DISTINCT usename FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )}  # fmt: skip
    assert users, "no worker is connected"
    assert set(shared_engine.query("SELECT usesuper FROM pg_user WHERE usename = ANY (%s)", (list(users),))) == {(False,)}


@pytest.mark.parametrize("name", ["worker-1", "broker", "postgresql"])
def test_a_process_that_dies_is_started_again(own_engine, name):
    before = own_engine.endpoint
    old = own_engine.kill_process(name)
    own_engine.wait_for_new(name, old)
    assert own_engine.call("admin.health", timeout=30)
    assert own_engine.endpoint == before
    own_engine.assert_ledger_holds()


def test_nothing_outlives_a_killed_up_and_the_next_one_goes_on(own_engine):
    own_engine.call("reference.put", {"partners": [{"partner_id": 7, "name": "Ada"}]})
    endpoint = own_engine.endpoint
    own_engine.kill()
    assert own_engine.command("call", "admin.health").returncode == 1
    listen = own_engine.arguments.index("--listen")
    del own_engine.arguments[listen : listen + 2]
    own_engine.start()
    assert own_engine.endpoint == endpoint, "the port of the last time was free, and not taken again"
    assert own_engine.query("SELECT name FROM partners WHERE partner_id = 7") == [("Ada",)]


def test_a_second_up_in_the_same_folder_is_refused(shared_engine):
    message = up_fails("--data", shared_engine.data)
    assert "in use" in message and str(shared_engine.process.pid) in message
    assert shared_engine.call("admin.health")


def test_a_pid_file_whose_number_belongs_to_another_process_does_no_harm(own_engine):
    own_engine.stop()
    pid_file = own_engine.data / "postgresql" / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n{own_engine.data}/postgresql\n1\n5432\n\n\n")
    own_engine.start()
    assert own_engine.call("admin.health")


def test_an_endpoint_that_is_taken_is_named(folder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        endpoint = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        message = up_fails("--data", folder / "data", "--listen", endpoint)
    assert "broker" in message and endpoint in message


def test_settings_of_the_database_cannot_change_later(own_engine):
    own_engine.stop()
    message = up_fails("--data", own_engine.data, "--currency", "GBP")
    assert "currency is fixed at EUR" in message
    own_engine.start()
    assert own_engine.call("admin.health")


@pytest.mark.parametrize(
    "option, value", [("--buckets", "0"), ("--currency", "euro"), ("--digits", "9"), ("--time-zone", "Mars/Olympus")]
)
def test_settings_out_of_range_are_refused_by_name(folder, option, value):
    message = up_fails("--data", folder / "data", option, value)
    assert value in message and "invalid_request" in message


def test_a_deep_data_folder_does_not_break_the_sockets(folder):
    deep = folder / ("a-long-name-" * 8) / ("another-" * 10)
    assert len(str(deep)) > 107
    with Engine(data=deep) as engine:
        assert engine.call("admin.health")
        assert engine.fsck()["ok"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: PostgreSQL would run as another user")
def test_a_folder_that_postgresql_cannot_enter_is_explained(folder):
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    message = up_fails("--data", closed / "data")
    assert "cannot enter" in message and "chmod o+x" in message


def test_a_second_signal_hurries(own_engine):
    own_engine._pids.update(own_engine.processes().values())
    own_engine.pause("worker-1")
    own_engine.pause("worker-2")
    own_engine.close_clients()
    # A request in hand, which paused workers never answer: the broker would wait for it.
    waiting = subprocess.Popen(
        [program("loyalty"), "call", "admin.health", "--endpoint", own_engine.endpoint, "--timeout-ms", "60000"],
        env=dict(environment(), **curve.command_environment()), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_until(lambda: in_work(own_engine) > 0, 10, "the request to reach a worker")
        own_engine.process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert own_engine.process.poll() is None, "it did not wait for the request in hand"
        own_engine.process.send_signal(signal.SIGINT)
        assert own_engine.process.wait(15) == 0
        assert not own_engine.left_over()
    finally:
        waiting.kill()
        waiting.wait()


def in_work(engine):
    queue = engine.call("admin.stats")["queue"]
    return queue["in_work"] + queue["waiting"]


def test_drain_stops_it_from_outside(own_engine):
    own_engine._pids.update(own_engine.processes().values())
    done = own_engine.command("drain", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"stopped": True}), done.stderr
    assert own_engine.process.wait(10) == 0
    assert not own_engine.left_over()
    again = own_engine.command("drain")
    assert again.returncode == 1 and "no engine is running" in again.stderr


def test_a_database_of_the_users_own_and_its_password_is_not_shown(shared_engine, folder):
    owner = shared_engine.database
    make = subprocess.run(
        ["psql", "-qX", owner, "-c", "CREATE DATABASE shop"], stderr=subprocess.PIPE, text=True, env=environment()
    )
    assert make.returncode == 0, make.stderr
    secret = "s3cret-%C3%A9"
    url = owner.replace("/loyalty?", "/shop?") + f"&password={secret}"
    with Engine("--database", url, data=folder / "data") as engine:
        assert set(engine.processes()) == {"broker", "feed-1", "worker-1", "worker-2"}
        assert engine.call("admin.health")
        assert engine.query("SELECT current_database()") == [("shop",)]
        shown = [pathlib.Path(f"/proc/{pid}/cmdline").read_bytes() for pid in [engine.process.pid, *engine.processes().values()]]
        assert not [line for line in shown if b"s3cret" in line]
        assert "s3cret" not in engine.logs(None)
        assert "s3cret" not in (engine.data / "up.json").read_text()


def test_a_database_that_cannot_be_reached_is_explained(folder):
    message = up_fails("--data", folder / "data", "--database", "postgresql://nobody@127.0.0.1:1/none")
    assert "unavailable" in message and "127.0.0.1" in message
