"""A full disk: the answer is `unavailable` at once, nothing is lost, and it serves again when there is room."""

import contextlib
import itertools
import os
import shutil
import time

import psycopg2
import pytest

from faults import small_disk
from harness import temporary_folder, wait_until
from operations import earn
from raw_client import RawClient
from world import SERVES_AGAIN_S, World, report

AT_ONCE_S = 2.5  # half of the deadline: a bound for busy machines
DATA_MB, WAL_MB, SPACE_MB = 160, 64, 16
FULL_S = 2


def fill_and_empty(world, disk, case, seed, nudge=lambda: None):
    """Fills the disk under load, looks at the answers for a while, and makes room again."""
    with world.load(seed) as load, RawClient(world.engine.endpoint) as client:
        disk.fill()
        numbers = itertools.count()

        def order():
            return world.ask(client, earn(f"F{case}-{next(numbers)}", 3))

        def nudged():
            nudge()
            return order()

        wait_until(lambda: nudged()[0] is not None, SERVES_AGAIN_S, "the full disk to be noticed")
        asked = []
        end = time.monotonic() + FULL_S
        while time.monotonic() < end:
            asked.append(nudged())
            time.sleep(0.05)
        disk.empty()  # and from here on the log is left alone, else it fills so small a disk by itself
        start = time.monotonic()
        wait_until(lambda: order()[0] is None, SERVES_AGAIN_S, "an order to be done")
        back = time.monotonic() - start
        world.wait_for_answers(load)
    print(world.engine.logs(12))
    refused = [seconds for code, seconds in asked if code is not None]
    report(f"{case} full", f"`unavailable` after {max(refused):.3f} s at most; serves {back:.2f} s after there is room")
    world.report(f"{case} full for {FULL_S} s", load)
    assert {code for code, _ in asked} <= {"unavailable", None} and max(refused) < AT_ONCE_S, asked


@pytest.fixture
def folder():
    path = temporary_folder()
    yield path
    shutil.rmtree(path, ignore_errors=True)


def test_the_data_disk_is_full(seed, folder):
    data = folder / "data"
    data.mkdir(mode=0o755)
    with small_disk(data, DATA_MB) as disk:
        world = World.begin(data=data)
        try:
            fill_and_empty(world, disk, "data disk", seed)
            world.judge()
            world.engine.stop()
        finally:
            world.engine.destroy()


def test_the_disk_of_the_log_is_full(seed, folder):
    """pg_wal alone on a small disk: PostgreSQL itself stops, and comes back."""
    world = World.begin(data=folder / "data")
    try:
        world.engine.stop()
        wal, kept = folder / "data" / "postgresql" / "pg_wal", folder / "pg_wal"
        wal.rename(kept)
        wal.mkdir()
        with small_disk(wal, WAL_MB) as disk:
            shutil.copytree(kept, wal, dirs_exist_ok=True)
            give_to(wal, kept.stat())
            world.engine.start()
            fill_and_empty(world, disk, "disk of pg_wal", seed, lambda: switch_log(world))
            world.judge()
            world.engine.stop()
    finally:
        world.engine.destroy()


def test_the_disk_of_a_tablespace_is_full(seed, folder):
    """Only that of the keys: what changes something is refused, the rest goes on, and PostgreSQL stays up."""
    space = folder / "space"
    space.mkdir(mode=0o755)
    with small_disk(space, SPACE_MB) as disk:
        world = World.begin(data=folder / "data")
        try:
            owner = (folder / "data" / "postgresql").stat()
            os.chown(space, owner.st_uid, owner.st_gid)
            move_keys(world, space)
            server = world.engine.processes()["postgresql"]
            fill_and_empty(world, disk, "disk of a tablespace", seed)
            assert world.engine.processes()["postgresql"] == server
            world.judge()
            world.engine.stop()
        finally:
            world.engine.destroy()


def move_keys(world, space):
    connection = world.engine.db()
    try:
        connection.autocommit = True  # a tablespace is not made in a transaction
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE TABLESPACE small LOCATION '{space}'")
            cursor.execute("ALTER TABLE request_keys SET TABLESPACE small")
            cursor.execute("SELECT indexrelid::regclass FROM pg_index WHERE indrelid = 'request_keys'::regclass")
            for (index,) in cursor.fetchall():
                cursor.execute(f"ALTER INDEX {index} SET TABLESPACE small")
    finally:
        connection.close()


def give_to(folder, status):
    """What was copied as root belongs to PostgreSQL's user again."""
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, status.st_uid, status.st_gid)
    folder.chmod(0o700)


def switch_log(world):
    """Another segment of the log, which has no room."""
    with contextlib.suppress(psycopg2.Error):
        world.engine.query("SELECT pg_switch_wal()")
