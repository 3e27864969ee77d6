"""An engine under chaos: its loads, how its clients saw what was done to it, and the verdict in the end."""

import concurrent.futures
import contextlib
import os
import random
import time

from client_process import outcome_of
from feed_verdict import Changes, FeedVerdict
from harness import Engine
from load import PASSING, Entry, Load
from operations import PROGRAM_BODY
from verdict import Ledger, Verdict

IS_LONG = os.environ.get("LOYALTY_CHAOS") == "long"
SERVES_AGAIN_S = 30  # bound on waits, far above what is measured: docs/reliability.md has the figures
SAMPLE, COMPARED_MAX = 40, 2000  # of answered orders: so many are sent again, and so many at most are read again
REPORT = []  # lines for the summary: (case, text)


def seed():
    """LOYALTY_SEED, or a new one."""
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
        self.replayed = 0  # so many of `done` were compared with what order.get answers
        self.engine.call("program.put", PROGRAM_BODY, key="setup-program")

    @classmethod
    def begin(cls, *options, prepare=None, **keywords):
        """A world with a new engine; `prepare(engine)` is called before that is started. Who begins it destroys it."""
        engine = Engine(*options, **keywords)
        try:
            if prepare is not None:
                prepare(engine)
            return cls(engine.start())
        except BaseException:
            engine.destroy()
            raise

    def end(self, in_order=True):
        """Stops the engine; in order, what its programs complained about is an error."""
        try:
            if in_order:
                self.engine.stop()
        finally:
            self.engine.destroy()

    # Load

    @contextlib.contextmanager
    def load(self, seed_number, warm_up=100, kind=Load, **options):
        """Clients at work; begins when they have `warm_up` answers, and stops them in the end."""
        self.loads += 1
        options.setdefault("endpoint", self.engine.endpoint)
        load = kind(folder=self.engine.folder, name=f"L{self.loads}", seed=seed_number, **options)
        print(f"LOYALTY_SEED={seed_number}")
        try:
            load.start()
            self.wait_for_answers(load, warm_up)
            yield load
            load.stop()
            self.done += load.entries
        finally:
            load.kill()

    def wait_for_answers(self, load, more=100, seconds=SERVES_AGAIN_S):
        """Until so many requests more are answered ok: it serves."""
        wanted, end = load.answered() + more, time.monotonic() + seconds
        while load.answered() < wanted:
            assert time.monotonic() < end, f"no {more} answers within {seconds} s:\n" + self.engine.logs()
            time.sleep(0.05)

    def keep_endpoint(self):
        """The next start of the engine takes the same endpoint, as one at a fixed port would."""
        arguments = self.engine.arguments
        arguments[arguments.index("--listen") + 1] = self.engine.endpoint

    def ask(self, raw, operation, deadline_s=5):
        """Sends an operation once, through a RawClient, and accounts for it: its error code (None: ok), and the seconds
        it took."""
        entry = Entry(operation, time.monotonic())
        self.done.append(entry)
        request = raw.send(operation.method, operation.body, key=operation.header_key, ttl_ms=int(deadline_s * 1000))
        reply = raw.answer(request, deadline_s + 10)
        entry.done = time.monotonic()
        if reply["ok"]:
            entry.outcome = {"ok": True, "result": reply["result"]}
        else:
            error = reply["error"]
            entry.outcome = {"ok": False, "code": error["code"], "message": error["message"], "unknown": False}
        return entry.code, entry.done - entry.sent

    # What clients saw

    def report(self, case, load):
        """A line on a load that is over: the longest time without any answer, the longest that one request took with all
        its retries, and what clients gave up."""
        answers = sorted(entry.done for entry in load.entries if entry.ok)
        silent = max((after - before for before, after in zip(answers, answers[1:])), default=0.0)
        slowest = max((entry.done - entry.sent for entry in load.entries if entry.done), default=0.0)
        given_up = sum(entry.code in PASSING for entry in load.entries)
        report(case, f"{len(load.entries)} requests, no answer for {silent:.2f} s, slowest {slowest:.2f} s, {given_up} given up")

    # The verdict

    def send_again(self, entries):
        """Sends these with their old keys until each has a final answer."""
        client = self.engine.client()

        def resend(entry):
            end = time.monotonic() + SERVES_AGAIN_S
            while True:
                entry.outcome = outcome_of(client, entry.operation, 10)
                entry.done = time.monotonic()
                if entry.settled or time.monotonic() > end:
                    return

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(resend, entries))

    def check_stored_answers(self, entries):
        """Orders that were answered ok are answered alike by order.get, and, some of them, when they are sent again."""
        cancelled = {entry.operation.original for entry in entries if entry.ok and entry.operation.kind == "cancel"}
        orders = [
            entry for entry in entries
            if entry.ok and entry.operation.kind in ("earn", "redeem", "refund") and entry.operation.key not in cancelled
        ]  # fmt: skip
        if len(orders) > COMPARED_MAX:
            orders = random.Random(len(orders)).sample(orders, COMPARED_MAX)
        client = self.engine.client()

        def same(told, stored):
            if "lines" not in told:  # a client of C writes down only some of it
                return all(stored[name] == told[name] for name in ("order_id", "amount_total", "points_earned", "points_redeemed"))
            return dict(stored, replayed=None) == dict(told, replayed=None)

        def compare(entry):
            told = entry.outcome["result"]
            stored = client.call("order.get", {"order_id": entry.operation.key}, timeout=10)
            assert same(told, stored), f"told {told}, stored {stored}"

        def replay(entry):
            again = outcome_of(client, entry.operation, 10)
            assert again["ok"] and again["result"]["replayed"] is True, (entry.operation, again)
            assert same(entry.outcome["result"], again["result"])

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(compare, orders))
            kept = [entry for entry in orders if entry.operation.body is not None]
            list(pool.map(replay, random.Random(len(kept)).sample(kept, min(SAMPLE, len(kept)))))

    def findings(self):
        return Verdict(self.done, Ledger(self.engine.query)).judge()

    def judge(self):
        """Nothing lost, nothing doubled, all figures as answered, and every point accounted for."""
        early = [finding for finding in self.findings() if finding.what in ("refused", "lost")]
        assert not early, f"{len(early)} findings before anything was sent again: {early[:8]}"
        refused = [entry for entry in self.done if entry.refused]
        self.send_again([entry for entry in self.done if not entry.settled] + refused[:COMPARED_MAX])
        found = self.findings()
        assert not found, f"{len(found)} findings: {found[:8]}"
        self.check_stored_answers(self.done[self.replayed :])
        self.replayed = len(self.done)
        self.engine.assert_ledger_holds()

    def judge_feed(self, subscribers, seconds=SERVES_AGAIN_S):
        """All subscribers saw the same, without a gap, and it is what is in the ledger; to be called after `judge`."""
        subscribers.wait(seconds)
        found = FeedVerdict(subscribers.logs(), Changes(self.engine.query), self.done).judge()
        assert not found, f"{len(found)} findings: {found[:8]}"
