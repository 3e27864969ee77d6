"""Workers killed and stopped at the very instants that matter: with locks in hand, and between COMMIT and answer."""

import os
import signal
import threading
import time

from client_process import outcome_of
from harness import process_exists, wait_until
from load import Entry
from operations import adjust, earn
from pg_proxy import PgProxy, has_committed, has_locks, is_begun, is_half_written
from world import report

AFFINITY = 7  # the same worker, as long as it lives
# Members whom no load of other tests gives points, so that what they claim is refused.
POOR, POOR_TOO = 54007, 54008


class Call:
    """An operation sent by a thread of its own, by a client that does not send again while it waits."""

    def __init__(self, world, operation, timeout=10):
        self.entry = Entry(operation, time.monotonic())
        self.client = world.engine.client(silence=60)
        self.timeout = timeout
        world.done.append(self.entry)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        operation = self.entry.operation
        self.entry.outcome = outcome_of(self.client, operation, self.timeout, affinity=AFFINITY)
        self.entry.done = time.monotonic()

    def answer(self):
        self.thread.join(self.timeout + 20)
        assert not self.thread.is_alive(), "no answer"
        return self.entry.outcome

    def result(self):
        answer = self.answer()
        assert answer["ok"], answer
        return answer["result"]

    @property
    def seconds(self):
        return self.entry.done - self.entry.sent


def workers(world):
    return {name: pid for name, pid in world.engine.processes().items() if name.startswith("worker-")}


def kill_workers(world, matches, name):
    """Kills the worker of one order at such an instant, three times; returns the answers and the longest wait."""
    results, slowest = [], 0
    with PgProxy(world.engine) as proxy:
        for number in range(3):
            before = workers(world)
            happened = proxy.kill_once(matches)
            call = Call(world, earn(f"{name}-{number}", 5))
            results.append(call.result())
            assert happened.is_set()
            slowest = max(slowest, call.seconds)
            dead = next(name for name, pid in before.items() if not process_exists(pid))
            world.engine.wait_for_new(dead, before[dead])
    return results, slowest


def test_a_worker_dies_between_commit_and_its_answer(world):
    results, slowest = kill_workers(world, has_committed, "committed")
    assert all(result["replayed"] for result in results), "what was committed was done again"
    report("worker, kill -9 after COMMIT, before the answer", f"the order took {slowest:.2f} s")
    world.judge()


def test_a_worker_dies_with_its_locks(world):
    results, slowest = kill_workers(world, has_locks, "locked")
    assert not any(result["replayed"] for result in results)
    report("worker, kill -9 with its locks in hand", f"the order took {slowest:.2f} s")
    world.judge()


def test_a_worker_stops_with_its_locks(world):
    """Its session is ended after a second, so that others get on; woken up, it does no harm and works again."""
    with PgProxy(world.engine) as proxy:
        ready(world)
        stopped = proxy.stop_once(has_locks)
        first = Call(world, earn("stopped-1", 5))
        assert stopped.wait(10)
        name = next(name for name, pid in workers(world).items() if pid == proxy.acted_on)
        second = Call(world, earn("stopped-2", 5))
        assert not first.result()["replayed"] and not second.result()["replayed"]
        assert "idle-in-transaction timeout" in (world.engine.data / "log" / "postgresql.log").read_text()
        took = f"its order took {first.seconds:.2f} s, another one of the member {second.seconds:.2f} s"
        report("worker, SIGSTOP with its locks in hand", took)
        wake(world, name)
    world.judge()


def test_a_worker_stops_while_it_writes(world):
    """Half of what it sent has arrived: to the server its session is at work, not idle, and no timeout ends it. The worker that
    waits for its locks does."""
    with PgProxy(world.engine) as proxy:
        ready(world)
        stopped = proxy.once(is_half_written, lambda link: (link.flowing.clear(), os.kill(link.pid, signal.SIGSTOP)))
        first = Call(world, earn("half-1", 5), timeout=20)
        assert stopped.wait(10)
        name = next(name for name, pid in workers(world).items() if pid == proxy.acted_on)
        second = Call(world, earn("half-2", 5), timeout=20)
        assert not first.result()["replayed"] and not second.result()["replayed"]
        took = f"its order took {first.seconds:.2f} s, another one of the member {second.seconds:.2f} s"
        report("worker, SIGSTOP with half of its writes sent", took)
        proxy.release()
        wake(world, name)
    world.judge()


def test_what_was_given_to_another_worker_is_not_done_by_the_first(world):
    """A worker stops with a request that it has not begun. Another one refuses it, finally, and the member is told so;
    then it becomes possible. The first worker, woken within the request's time, must not do it."""
    with PgProxy(world.engine) as proxy:
        ready(world)
        held = proxy.hold_once(has_locks)
        busy = Call(world, earn("woken-1", 6), timeout=60)
        assert held.wait(10)
        name = next(name for name, pid in workers(world).items() if pid == proxy.acted_on)
        refused = Call(world, earn("woken-2", POOR, points="100"), timeout=60)
        wait_until(lambda: in_hand(world, name) == 2, 10, "both requests to reach the worker")
        world.engine.pause(name)
        assert refused.answer()["code"] == "claim_refused", "the member has no points"
        busy.result()
        Call(world, earn("woken-3", POOR)).result()
        Call(world, adjust("woken-4", POOR, 100000)).result()
        proxy.release()
        wake(world, name)
    Call(world, earn("woken-5", POOR)).result()
    world.judge()


def test_what_reaches_the_database_late_is_not_committed(world):
    """Likewise, but the request was begun: what the worker sent to the database lay on the way meanwhile."""
    with PgProxy(world.engine) as proxy:
        ready(world)
        held = proxy.once(is_begun, lambda link: (link.flowing.clear(), os.kill(link.pid, signal.SIGSTOP)))
        refused = Call(world, earn("late-1", POOR_TOO, points="100"), timeout=60)
        assert held.wait(10)
        name = next(name for name, pid in workers(world).items() if pid == proxy.acted_on)
        assert refused.answer()["code"] == "claim_refused", "the member has no points"
        Call(world, earn("late-2", POOR_TOO)).result()
        Call(world, adjust("late-3", POOR_TOO, 100000)).result()
        Call(world, earn("late-4", POOR_TOO)).result()  # the member's last order, as of which the first would be priced now
        proxy.release()
        wake(world, name)
    Call(world, earn("late-5", POOR_TOO)).result()
    world.judge()


def ready(world):
    """Waits until both workers have a session and nothing to do."""

    def both():
        listed = world.engine.call("admin.stats")["workers"]
        return len(listed) == 2 and not any(worker["in_work"] or worker["suspect"] for worker in listed)

    wait_until(both, 10, "both workers to be ready")


def wake(world, name):
    """Lets a stopped worker go on, and waits until it has found out."""
    log = world.engine.data / "log" / f"{name}.log"
    sessions = log.read_text().count("session with broker")
    world.engine.resume(name)
    wait_until(lambda: log.read_text().count("session with broker") > sessions, 10, "the worker to begin a new session")


def in_hand(world, name):
    """Requests that the broker gave to a worker and that it has not answered."""
    listed = world.engine.call("admin.stats")["workers"]
    return next((worker["in_work"] for worker in listed if worker["name"] == name), None)


def test_a_connection_breaks_with_locks_in_hand(world):
    """The worker lives on, and forgets what the transaction had made: the first order of a member makes its row anew."""
    with PgProxy(world.engine) as proxy:
        broken = proxy.once(has_locks, lambda link: link.close())
        first = Call(world, earn("broken-1", 12345))
        assert broken.wait(10) and not first.result()["replayed"]
        assert not Call(world, earn("broken-2", 12345)).result()["replayed"]
    report("connection to PostgreSQL breaks with locks in hand", f"the order took {first.seconds:.2f} s")
    world.judge()


def test_a_connection_breaks_after_commit(world):
    """The worker cannot know; the client sends again, and the key tells."""
    with PgProxy(world.engine) as proxy:
        broken = proxy.once(has_committed, lambda link: link.close())
        call = Call(world, earn("broken-3", 12346))
        assert broken.wait(10) and call.result()["replayed"]
    report("connection to PostgreSQL breaks after COMMIT", f"the order took {call.seconds:.2f} s")
    world.judge()
