#!/usr/bin/python3
"""The proof that nothing is lost: orders at a high rate while workers, brokers, the feed's leader, subscribers and PostgreSQL
are killed at random (kill -9); then all answers, the ledger and what three subscribers saw are compared.

    test/chaos/proof.py [--seconds 600] [--rate 5000] [--seed N] [--workers 2] [--brokers 2] [--feeds 2]

The rate is what is asked for; what the machine bore stands in the figures, JSON on the last line. Exit code 0: every comparison
held. The same seed repeats the faults and what clients ask for.
"""

import argparse
import collections
import contextlib
import json
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

from load import FastLoad  # noqa: E402
from monkey import KILLS, Monkey  # noqa: E402
from subscribers import PYTHON, C, Subscribers  # noqa: E402
from world import World, seed  # noqa: E402

BETWEEN_S = (0.5, 5.0)
MEMBERS, CLIENTS = 20000, 256
SEEN_S = 300


def silences(entries):
    """Without an answer to anybody: the longest time, and all times over a second."""
    answers = sorted(entry.done for entry in entries if entry.ok)
    gaps = [after - before for before, after in zip(answers, answers[1:])]
    return max(gaps, default=0.0), sum(gap for gap in gaps if gap > 1)


def figures_of(entries):
    """What clients saw."""
    lasted = max(entry.done for entry in entries if entry.done) - min(entry.sent for entry in entries)
    longest, silent = silences(entries)
    return {
        "seconds": round(lasted, 1),
        "requests": len(entries),
        "requests_per_s": round(len(entries) / lasted, 1),
        "answers": collections.Counter(entry.code or "ok" if entry.outcome else "none" for entry in entries),
        "no_answer_s_max": round(longest, 2),
        "no_answer_s_in_all": round(silent, 1),
        "slowest_s": round(max(entry.done - entry.sent for entry in entries if entry.done), 2),
    }


def prove(seconds, rate, seed_number, workers=2, brokers=2, feeds=2, programs=(C, C, C), between_s=BETWEEN_S):
    """Runs it; the figures. Raises AssertionError where a comparison does not hold."""
    world = World.begin(feeds=feeds, workers=workers, brokers=brokers)
    with contextlib.ExitStack() as stack:
        stack.callback(world.engine.destroy)
        subscribers = stack.enter_context(Subscribers(world, programs))
        with world.load(seed_number, kind=FastLoad, rate=rate, members=MEMBERS, clients=CLIENTS // 2) as load:
            monkey = Monkey(world, seed_number, KILLS, subscribers)
            monkey.run(seconds, between_s)
            world.wait_for_answers(load, 200, seconds=60)
        figures = figures_of(load.entries)
        started = time.monotonic()
        world.judge()
        world.judge_feed(subscribers, SEEN_S)
        ((events,),) = world.engine.query("SELECT last FROM feed_state")
        world.engine.stop()
    return {
        "seed": seed_number,
        **figures,
        "faults": monkey.counts,
        "events": events,
        "verdict_s": round(time.monotonic() - started, 1),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--rate", type=float, default=5000, help="operations a second; 0: as fast as answers come")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--brokers", type=int, default=2)
    parser.add_argument("--feeds", type=int, default=2)
    parser.add_argument("--python", action="store_true", help="one of the subscribers in Python")
    options = parser.parse_args()
    programs = (C, C, PYTHON) if options.python else (C, C, C)
    number = seed() if options.seed is None else options.seed
    figures = prove(options.seconds, options.rate, number, options.workers, options.brokers, options.feeds, programs)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
