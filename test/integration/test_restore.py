"""Backups as docs/operations.md tells: made while the engine works, restored, proved; and no event number is ever given to two events."""

import os
import re
import shutil
import subprocess

import pytest

from harness import ROOT, Engine, environment, loyalty, wait_until
from postgres import Servers, programs, user
from shop import loyalty_program, order, refused

SECONDS_MAX = 60


def statement_of_the_book():
    """What operations.md has the owner run after a restore."""
    (statement,) = re.findall(r"^ +(UPDATE feed_leader SET .*;)$", (ROOT / "docs" / "operations.md").read_text(), flags=re.M)
    return statement


def told(engine, after=0):
    """All events after this number, once the feed has told of everything: number to topic."""
    wait_until(lambda: engine.query("SELECT count(*) FROM outbox") == [(0,)], SECONDS_MAX, "the feed to number everything")
    events = {}
    while True:
        page = engine.call("events.read", {"after": after, "limit": 1000})
        events.update((event["number"], event["topic"]) for event in page["events"])
        if page["after"] >= page["last"]:
            return events
        after = page["after"]


def work(engine, count, first):
    """Orders of `count` members; their bodies."""
    bodies = [order(first + number) for number in range(count)]
    for body in bodies:
        assert engine.call("order.process", body)["replayed"] is False
    return bodies


def check_restored(engine, before, lost, seen):
    """The ledger of the moment of the backup; what came later is done again; numbers go on behind all that were ever told."""
    engine.assert_ledger_holds()
    for body in before:
        assert engine.call("order.process", body)["replayed"] is True
    for body in lost:
        with refused("not_found"):
            engine.call("order.get", {"order_id": body["order_id"]})
        assert engine.call("order.process", body)["replayed"] is False
    with refused("too_old") as error:
        engine.call("events.read", {"after": max(seen)})
    start = int(error.value.details["oldest"]) - 1
    events = told(engine, start)
    assert len(events) >= len(lost) and not set(events) & set(seen)
    assert sorted(events) == list(range(start + 1, start + 1 + len(events)))
    assert list(events.values()).count("order.processed") == len(lost)
    engine.assert_ledger_holds()


def test_a_base_backup_of_a_running_engine_is_restored(folder):
    data = folder / "restored"
    data.mkdir()
    data.chmod(0o755)
    with Engine() as engine:
        engine.call("program.put", loyalty_program())
        before = work(engine, 10, 1)
        told(engine)
        done = subprocess.run(
            [str(programs() / "pg_basebackup"), "-d", engine.database, "-D", str(data / "postgresql"), "-X", "stream", "-c", "fast", "--no-sync"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment(),
        )
        assert done.returncode == 0, done.stdout
        lost = work(engine, 5, 100)
        seen = told(engine)
    for path, folders, files in os.walk(data / "postgresql"):
        for name in [path, *(os.path.join(path, one) for one in folders + files)]:
            shutil.chown(name, user().pw_uid, user().pw_gid)
    with Servers() as servers:  # the database alone, before any program of the engine
        server = servers.add()
        server.data, server.owner = data / "postgresql", "loyalty"
        server.start("-c", f"unix_socket_directories={server.folder}")
        server.query(statement_of_the_book())
        server.stop()
    with Engine(data=data) as restored:
        check_restored(restored, before, lost, seen)


@pytest.mark.skipif(not os.environ.get("LOYALTY_LONG"), reason="LOYALTY_LONG=1: the base backup's test shows the same of the engine")
def test_a_dump_of_a_running_engine_is_restored_into_another_server(folder):
    def run(name, *arguments, **options):
        done = subprocess.run([str(programs() / name), *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(), **options)
        assert done.returncode == 0, done.stderr
        return done.stdout

    with Servers() as servers:
        old, new = servers.primary(), servers.primary()
        with Engine("--database", old.url()) as engine:
            engine.call("program.put", loyalty_program())
            before = work(engine, 10, 1)
            told(engine)
            run("pg_dump", "-Fc", "-d", old.url(), "-f", folder / "loyalty.dump")
            roles = run("pg_dumpall", "--roles-only", "-d", old.url())
            lost = work(engine, 5, 100)
            seen = told(engine)
        run("psql", "-qX", new.url("postgres"), input=roles)
        run("pg_restore", "-d", new.url(), folder / "loyalty.dump")
        new.query(statement_of_the_book())
        assert loyalty("migrate", "--database", new.url()).returncode == 0
        assert loyalty("fsck", "--database", new.url()).returncode == 0
        with Engine("--database", new.url()) as restored:
            check_restored(restored, before, lost, seen)
