"""An engine under chaos: its loads, what was done to it, how its clients saw that, and the verdict in the end."""

import concurrent.futures
import contextlib
import os
import random
import time

from client_process import outcome_of
from harness import Engine
from load import Load
from operations import PROGRAM_BODY
from verdict import Ledger, Verdict, settled

SERVES_AGAIN_S = 20  # bound on waits, far above what is measured; figures are in docs/reliability.md
SAMPLE = 40  # of answered orders sent again
REPORT = []  # lines for the summary: (case, text)


def seed():
    """LOYALTY_SEED, or a new one; every test prints its own."""
    return int(os.environ.get("LOYALTY_SEED") or random.SystemRandom().randrange(10**9))


def report(case, figures):
    """A line for the summary."""
    REPORT.append((case, figures))


class World:
    """Wraps an Engine whose ledger is written by loads only, so that all of it can be accounted for."""

    def __init__(self, engine):
        self.engine = engine
        self.done = []  # entries of loads that are over
        self.loads = 0
        self.faults = []  # instants
        self.engine.call("program.put", PROGRAM_BODY, key="setup-program")

    # Load

    @contextlib.contextmanager
    def load(self, seed_number, warm_up=40, **options):
        """Clients at work; returns when they have `warm_up` answers, and stops them in the end."""
        self.loads += 1
        load = Load(self.engine.endpoint, self.engine.folder, f"L{self.loads}", seed_number, **options)
        print(f"seed {seed_number}")
        try:
            load.start()
            end = time.monotonic() + SERVES_AGAIN_S
            while load.answered() < warm_up:
                assert time.monotonic() < end, "the clients get no answers:\n" + self.engine.logs()
                time.sleep(0.05)
            yield load
            load.entries_all = load.stop()
            self.done += load.entries_all
        finally:
            load.kill()

    def fault(self):
        """Notes that something is done to the engine right now."""
        self.faults.append(time.monotonic())

    def wait_for_answers(self, load, more=40, seconds=SERVES_AGAIN_S):
        """Until so many requests more are answered ok: it serves again."""
        wanted, end = load.answered() + more, time.monotonic() + seconds
        while load.answered() < wanted:
            assert time.monotonic() < end, f"no {more} answers within {seconds} s:\n" + self.engine.logs()
            time.sleep(0.05)

    # What clients saw

    def report(self, case, load):
        """Figures of a load with one fault or several, for the summary."""
        entries = load.entries_all
        answers = sorted(entry.done for entry in entries if entry.ok)
        gaps = [after - before for before, after in zip(answers, answers[1:])]
        failed = {}
        for entry in entries:
            if not settled(entry):
                failed[entry.code] = failed.get(entry.code, 0) + 1
        figures = {
            "requests": len(entries),
            "silent_s": max(gaps, default=0.0),
            "slowest_s": max((entry.done - entry.sent for entry in entries if entry.done), default=0.0),
            "failed": failed,
        }
        told = ", ".join(f"{count} {code}" for code, count in failed.items())
        report(case, f"{len(entries)} requests, no answer for {figures['silent_s']:.2f} s, "
                     f"slowest {figures['slowest_s']:.2f} s, unanswered: {told or 'none'}")  # fmt: skip
        return figures

    # The verdict

    def send_again(self, entries):
        """Sends these with their old keys until each has a final answer."""
        client = self.engine.client()

        def resend(entry):
            end = time.monotonic() + SERVES_AGAIN_S
            while True:
                entry.outcome = outcome_of(client, entry.operation, 10)
                entry.done = time.monotonic()
                if settled(entry) or time.monotonic() > end:
                    return

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(resend, entries))

    def check_replays(self):
        """Orders answered ok are answered alike by order.get, and by a replay."""
        entries = [entry for entry in self.done if entry.ok]
        cancelled = {entry.operation.original for entry in entries if entry.operation.kind == "cancel"}
        client = self.engine.client()

        def differs(entry):
            operation, told = entry.operation, entry.outcome["result"]
            if operation.kind in ("adjust", "cancel") or operation.key in cancelled:
                return None
            stored = client.call("order.get", {"order_id": operation.key}, timeout=10)
            return None if dict(stored, replayed=None) == dict(told, replayed=None) else (operation.key, told, stored)

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            different = [found for found in pool.map(differs, entries) if found]
        assert not different, different[:3]
        for entry in random.Random(len(entries)).sample(entries, min(SAMPLE, len(entries))):
            if entry.operation.kind != "cancel" and entry.operation.key in cancelled:
                continue
            again = outcome_of(client, entry.operation, 10)
            assert again["ok"] and again["result"]["replayed"] is True, (entry.operation, again)
            assert dict(again["result"], replayed=None) == dict(entry.outcome["result"], replayed=None)

    def findings(self, balances=True):
        return Verdict(self.done, Ledger(self.engine.query), balances).judge()

    def judge(self, balances=True):
        """Nothing lost, nothing doubled, all figures as answered, and every point accounted for."""
        early = [finding for finding in self.findings(balances) if finding.what in ("refused", "lost")]
        assert not early, early[:5]
        self.send_again([entry for entry in self.done if not entry.ok])
        found = self.findings(balances)
        assert not found, f"{len(found)} findings: {found[:8]}"
        self.check_replays()
        self.engine.assert_ledger_holds()


@contextlib.contextmanager
def world(*options, **keywords):
    """A world with an engine of its own."""
    with Engine(*options, **keywords) as engine:
        yield World(engine)
