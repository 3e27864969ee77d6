#!/usr/bin/env python3
"""Sends a history of orders to two fresh engines in different ways, and compares the two ledgers row by row.

usage: test/property/replay_orders.py [FILE]

FILE: orders as JSON lines, also compressed (.xz), in the form of docs/examples/online-retail; without it, those. LOYALTY_BUILD
names the build folder. Ends with 0 where both ledgers are the same, and sending everything once more changed nothing.
"""

import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration")]

from replay import ledger, twice  # noqa: E402
from replay.history import SAMPLE, History  # noqa: E402


def progress(what, done, count):
    if sys.stderr.isatty():
        print(f"\r\033[K{what}: {done:,} of {count:,}", end="" if done < count else "\r\033[K", file=sys.stderr, flush=True)


def main():
    if len(sys.argv) > 2 or "--help" in sys.argv:
        print(__doc__.strip())
        return 0 if "--help" in sys.argv else 2
    history = History(sys.argv[1] if len(sys.argv) == 2 else SAMPLE)
    print(f"{history.count:,} orders of {len(history.members):,} customers, {len(history.products):,} products", flush=True)
    found, both = twice.compare(history, progress)
    for way, replayed in zip(twice.WAYS, both):
        print(
            f"{way['name']}: {history.count / replayed.seconds:,.0f} orders/s ({replayed.seconds:.1f} s), the same again"
            f" {history.count / replayed.seconds_again:,.0f}/s; buckets {way['buckets']}, {way['under_way']} under way"
        )
    print(", ".join(f"{table} {len(both[0].ledger[table]):,}" for table in ledger.QUERIES))
    print("\n".join(found) or "the same ledger, row by row; sent once more, everything is replayed and nothing changes")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
