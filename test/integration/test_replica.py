"""Reads that may be late are answered by a standby, as long as it is not too late; what is worth money never is."""

import contextlib
import re

import pytest

from harness import ROOT, Engine, wait_until
from postgres import Servers
from shop import line, loyalty_program, order

SECONDS_MAX = 60
MAY_BE_LATE = {"order.get", "order.explain", "card.history", "events.read"}


@contextlib.contextmanager
def replicated(*options):
    """An engine whose workers know a standby."""
    with Servers() as servers:
        primary = servers.primary()
        standby = servers.standby(primary)
        with Engine("--database", primary.url(), "--replica", standby.url(), *options, workers=1) as engine:
            engine.call("program.put", loyalty_program())
            yield engine, primary, standby


@pytest.fixture(scope="module")
def patient():
    """A standby that may be as late as it likes."""
    with replicated("--replica-lag-ms", "3600000") as parts:
        yield parts


def figures(engine):
    return engine.call("admin.stats")["workers"][0].get("stats", {})


def caught_up(primary, standby):
    position = primary.query("SELECT pg_current_wal_flush_lsn()::text")[0][0]
    wait_until(
        lambda: standby.query("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", (position,))[0][0], SECONDS_MAX, "the standby to catch up"
    )


@contextlib.contextmanager
def paused(standby):
    """Shows nothing new, though it receives it."""
    standby.query("SELECT pg_wal_replay_pause()")
    wait_until(lambda: standby.query("SELECT pg_get_wal_replay_pause_state()") == [("paused",)], SECONDS_MAX, "the replay to pause")
    try:
        yield
    finally:
        standby.query("SELECT pg_wal_replay_resume()")


def bought(engine, partner_id, **fields):
    """An order of 10.00: 10 points."""
    return engine.call("order.process", order(partner_id, line(), **fields))


def questions(standby):
    """When the standby was asked last: another time after each question."""
    return standby.query("SELECT pid, query_start FROM pg_stat_activity WHERE application_name = 'loyalty-worker replica'")


def card_of(done):
    return done["points"][0]["card_id"]


def history(engine, card_id):
    return [entry["balance"] for entry in engine.call("card.history", {"card_id": card_id})["history"]]


def test_history_comes_from_the_replica_and_balances_never_do(patient):
    engine, primary, standby = patient
    card = card_of(bought(engine, 1))
    caught_up(primary, standby)
    with paused(standby):
        late = bought(engine, 1)
        # What may be late is: so it was the replica that answered.
        assert history(engine, card) == ["10.00"]
        # And what is worth money is as of now.
        assert engine.call("card.balance", {"card_id": card})["balance"] == "20.00"
        assert engine.call("card.get", {"card_id": card})["balance"] == "20.00"
        quote = engine.call("order.quote", order(1, line(), claims=[{"program_id": 1, "reward_id": 1}]))
        assert quote["points_redeemed"] == "30.00", quote  # all, with what it earns itself
        # What the replica does not know yet is no error: the primary answers.
        assert engine.call("order.get", {"order_id": late["order_id"]})["order_id"] == late["order_id"]
    caught_up(primary, standby)
    assert history(engine, card) == ["20.00", "10.00"]


def test_the_table_of_methods_says_the_same():
    table = (ROOT / "engine" / "worker" / "handlers.c").read_text()
    entries = re.findall(r"\[METHOD_(\w+)\] = \{(.*?)\}", table, flags=re.S)
    assert {name.lower().replace("_", ".", 1) for name, entry in entries if "may_be_late" in entry} == MAY_BE_LATE


def test_only_these_methods_are_ever_asked_of_a_replica(patient):
    from loyalty_client import METHODS, LoyaltyError

    engine, primary, standby = patient
    done = bought(engine, 2)
    card = card_of(done)
    engine.call("program.put", {"program_id": 9, "name": "Coupons", "program_type": "coupons", "rules": [{}], "rewards": [{"discount": 1}]})
    wait_until(lambda: engine.call("events.read", {"after": 0})["last"] >= 2, SECONDS_MAX, "the feed to have the order")
    caught_up(primary, standby)
    bodies = {
        "order.quote": order(2),
        "order.get": {"order_id": done["order_id"]},
        "order.explain": {"order_id": done["order_id"]},
        "card.get": {"card_id": card},
        "card.balance": {"card_id": card},
        "card.history": {"card_id": card},
        "membership.get": {"partner_id": 2},
        "program.get": {"program_id": 1},
        "events.read": {"after": 0},
        "coupon.check": {"code": "NONE"},
        "coupon.list": {"batch": "NONE"},
        "program.list": {},
        "job.list": {},
        "admin.health": {},
    }
    assert MAY_BE_LATE < set(bodies) <= set(METHODS)

    def is_asked(method):
        before = questions(standby)
        try:
            engine.call(method, bodies[method])
        except LoyaltyError as error:
            assert error.code == "not_found", (method, error)
        return questions(standby) != before

    wait_until(lambda: is_asked("order.get"), SECONDS_MAX, "the replica to be asked")  # one that was too late is left in peace for a moment
    assert {method for method in bodies if is_asked(method)} == MAY_BE_LATE


def test_a_replica_that_is_too_late_or_gone_is_not_asked():
    with replicated("--replica-lag-ms", "300") as (engine, primary, standby):
        card = card_of(bought(engine, 3))
        caught_up(primary, standby)

        def is_asked():
            before = questions(standby)
            assert history(engine, card)
            return questions(standby) != before

        wait_until(is_asked, SECONDS_MAX, "the replica to be asked")
        with paused(standby):
            bought(engine, 3)
            wait_until(lambda: len(history(engine, card)) == 2, SECONDS_MAX, "the primary to be asked in its place")
        caught_up(primary, standby)
        wait_until(is_asked, SECONDS_MAX, "the replica to be asked again")
        # Nobody sends to it any more: it has all that it was sent, but cannot know how late that is.
        primary.query("SELECT pg_terminate_backend(pid) FROM pg_stat_replication")
        standby.configure(primary_conninfo=f"host={standby.folder}/nowhere user=owner")
        standby.reload()
        wait_until(lambda: not standby.query("SELECT pid FROM pg_stat_wal_receiver"), SECONDS_MAX, "the standby to be alone")
        bought(engine, 3)
        assert len(history(engine, card)) == 3
        wait_until(lambda: len(history(engine, card)) == 3 and figures(engine).get("replica_lag_ms") == -1, SECONDS_MAX, "the figures to say so")
        standby.kill()
        bought(engine, 3)
        assert len(history(engine, card)) == 4
        assert figures(engine)["replica"] == f"{standby.folder}:5432"
        assert engine.call("admin.health")["status"] == "ok"
