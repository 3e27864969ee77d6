"""The same history twice, into fresh engines: other buckets, workers, batches, and another sequence of the customers."""

import subprocess

from harness import Engine, environment, program, wait_until

from . import ledger, programs, till

# How each engine is run and how it is sent to: `under_way` orders at a time make batches of up to so many.
WAYS = [
    {"name": "first", "buckets": 1, "workers": 2, "under_way": 192, "seed": 1, "small_batches": False},
    {"name": "second", "buckets": 8, "workers": 1, "under_way": 24, "seed": 2, "small_batches": True},
]


class SmallBatches:
    """A worker beside the engine's own that takes three requests a batch."""

    def __init__(self, engine):
        up = engine.up()
        self.log = open(engine.folder / "small.log", "w")
        self.process = subprocess.Popen(
            [program("loyalty-worker"), "--broker", up["worker_endpoint"], "--name", "small", "--batch", "3", "--gather-us", "0"],
            stderr=self.log, env=dict(environment(), LOYALTY_DATABASE=up["database"]), start_new_session=True,
        )  # fmt: skip
        wait_until(lambda: len(engine.call("admin.stats")["workers"]) > engine.workers, 60, "the worker of small batches to say hello")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)
        self.log.close()


class Replayed:
    """What one way of sending the history came to."""

    def __init__(self, answers, ledger_rows, seconds, seconds_again):
        self.answers, self.ledger = answers, ledger_rows
        self.seconds, self.seconds_again = seconds, seconds_again


def play(history, way, say):
    """Sends the history to an engine of its own, proves the ledger, sends all of it once more, and proves that nothing moved."""
    with Engine(buckets=way["buckets"], workers=way["workers"], currency="GBP", time_zone="Europe/London") as engine:
        for body in history.reference():
            engine.call("reference.put", body, timeout=60)
        engine.client(timeout=60).load(programs=programs.PROGRAMS)
        if way["small_batches"]:
            with SmallBatches(engine):
                return play_on(engine, history, way, say)
        return play_on(engine, history, way, say)


def play_on(engine, history, way, say):
    name = way["name"]
    answers, sent, seconds = till.send(engine, history, way["under_way"], way["seed"], lambda *at: say(f"{name}: sending", *at))
    engine.assert_ledger_holds()
    rows = ledger.read(engine)
    again, seconds_again = till.resend(engine, sent, way["under_way"], way["seed"], lambda *at: say(f"{name}: the same again", *at))
    wrong = [order_id for order_id in sorted(sent) if again[order_id] != answers[order_id]]
    assert not wrong, f"{len(wrong)} orders are answered otherwise when sent again: {wrong[:10]}"
    moved = ledger.differences(rows, ledger.read(engine))
    assert not moved, "\n".join(["sending the same again changed the ledger", *moved])
    return Replayed(answers, rows, seconds, seconds_again)


def compare(history, say):
    """Plays the history in both ways; returns (differences as text, [Replayed])."""
    first, second = (play(history, way, say) for way in WAYS)
    found = ledger.differences(first.ledger, second.ledger)
    other = [order_id for order_id in sorted(first.answers) if first.answers[order_id] != second.answers[order_id]]
    if other:
        found.append(f"{len(other)} orders are answered otherwise: {other[:10]}")
    return found, [first, second]
