#!/usr/bin/python3
"""What a REPEATABLE READ snapshot that is held open costs the feed: processor time of a move, before and meanwhile.

    test/bench/feed_snapshot.py [--seconds 600] [--rate 5000]

An engine of its own; so many changes a second are committed without the orders that they would tell of. Each figure is the median of
moves of 100 changes and of none, made in a session of the script's while the feed stands still. The last line is JSON.
"""

import argparse
import json
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from harness import Engine, wait_until  # noqa: E402

CHANGES = (
    "INSERT INTO outbox (slot, bucket, position, recorded_at, topics, order_ref, card_id) "
    "SELECT (SELECT last_value FROM outbox_slot), 0, nextval('outbox_positions') * 1024, clock_timestamp(), 8, 0, n FROM generate_series(1, %s) n"
)


def processor_us(pid):
    with open(f"/proc/{pid}/schedstat") as stat:
        return int(stat.read().split()[0]) / 1000


def measure(engine):
    """(a move of 100 changes, a move of none) in microseconds of the session's processor time."""
    wait_until(lambda: engine.query("SELECT count(*) FROM outbox")[0][0] == 0, 60, "the outbox to be empty")
    engine.pause("feed-1")
    connection = engine.db()
    connection.autocommit = True
    took = {100: [], 0: []}
    with connection.cursor() as cursor:
        cursor.execute("SET plan_cache_mode = force_generic_plan; SET jit = off; SET enable_seqscan = off")
        cursor.execute("SELECT pg_backend_pid(), epoch, last FROM feed_state")
        session, epoch, last = cursor.fetchone()
        for count in [100, 0] * 60:
            if count:
                cursor.execute(CHANGES, (count,))
            before = processor_us(session)
            cursor.execute("SELECT number FROM feed_move(%s, %s, 0, true)", (epoch, last))
            moved = cursor.fetchall()
            took[count].append(processor_us(session) - before)
            last = moved[-1][0] if moved else last
        # The feed that wakes leads no more: it takes the lead anew, and asks for the newest number.
        cursor.execute("UPDATE feed_leader SET epoch = epoch + 1, lease_until = '-infinity'")
    connection.close()
    engine.resume("feed-1")
    return tuple(round(statistics.median(took[count][10:])) for count in (100, 0))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--rate", type=int, default=5000)
    wanted = parser.parse_args()
    with Engine() as engine:
        writer = engine.db()
        writer.autocommit = True

        def write(seconds):
            end, due = time.monotonic() + seconds, time.monotonic()
            with writer.cursor() as cursor:
                while due < end:
                    cursor.execute(CHANGES, (wanted.rate // 50,))
                    due += 0.02
                    time.sleep(max(0, due - time.monotonic()))

        write(5)
        figures = {"before": measure(engine)}
        reader = engine.db()
        with reader.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            cursor.execute("SELECT count(*) FROM orders")
            for part in (1, 2, 3, 4):
                write(wanted.seconds / 4)
                figures[f"after {wanted.seconds * part // 4} s"] = measure(engine)
                print(figures)
            cursor.execute("SELECT 1")
        reader.close()
        write(2)
        figures["when it is gone"] = measure(engine)
        writer.close()
        slots = engine.query("SELECT count(*) FROM pg_inherits WHERE inhparent = 'outbox'::regclass")[0][0]
    print(json.dumps({"move_of_100_us": {when: one[0] for when, one in figures.items()},
                      "move_of_none_us": {when: one[1] for when, one in figures.items()}, "slots": slots}))  # fmt: skip


if __name__ == "__main__":
    main()
