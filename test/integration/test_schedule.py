"""The schedule: the feed's leader runs background jobs, each once a period, whoever leads."""

import datetime

import pytest

from harness import Engine, wait_until
from shop import line, loyalty_program, new_partner, order

UTC = datetime.timezone.utc
JOBS = ["expire", "memberships", "holds", "referrals", "partitions"]


def states(engine):
    return {job["job"]: job["state"] for job in engine.call("job.list")["jobs"]}


def all_done(engine):
    return set(states(engine).values()) == {"done"}


def expired_member(engine):
    long_ago = (datetime.datetime.now(UTC) - datetime.timedelta(days=10)).isoformat()
    partner = new_partner()
    engine.call("order.process", order(partner, line(price="30.00"), date=long_ago, **{"import": True}))
    return partner


def expired_rows(engine, partner):
    history = engine.call("card.history", {"partner_id": partner, "program_id": 1})["history"]
    return sum(row["kind"] == "expire" for row in history)


@pytest.mark.parametrize("buckets", [1, 8])
def test_all_jobs_are_run_by_themselves(buckets):
    with Engine(buckets=buckets) as engine:
        engine.call("program.put", loyalty_program(expiry={"policy": "days", "count": 5}))
        partners = [expired_member(engine) for _ in range(3)]
        assert set(states(engine).values()) == {"never run"}
        engine.stop()
        engine.arguments.remove("--no-jobs")
        engine.start()
        wait_until(lambda: all_done(engine), 60, "every job to be done")
        assert [expired_rows(engine, partner) for partner in partners] == [1, 1, 1]
        periods = {job["job"]: job["period"] for job in engine.call("job.list")["jobs"]}
        assert all(period.endswith("Z") for period in periods.values())
        engine.assert_ledger_holds()


def test_a_new_leader_goes_on_with_the_period_and_repeats_none():
    with Engine(feeds=2, jobs=True) as engine:
        wait_until(lambda: all_done(engine), 60, "every job to be done")
        steps = dict(engine.query("SELECT job, step FROM job_runs"))
        for _ in range(2):
            leader = engine.query("SELECT leader FROM feed_leader")[0][0]
            name = next(name for name in ("feed-1", "feed-2") if leader.startswith(name))
            old = engine.kill_process(name)
            wait_until(lambda: engine.query("SELECT leader FROM feed_leader")[0][0] != leader, 30, "another leader")
            engine.wait_for_new(name, old)
        wait_until(lambda: all_done(engine), 60, "every job to be done")
        again = dict(engine.query("SELECT job, step FROM job_runs"))
        # A period that ended meanwhile adds one step to each job that it is of.
        assert set(again) == set(steps) and all(again[job] - steps[job] <= 1 for job in steps)


def test_a_stopped_job_is_left_alone_and_the_others_are_done():
    with Engine() as engine:
        engine.call("job.stop", {"job": "expire"})
        engine.stop()
        engine.arguments.remove("--no-jobs")
        engine.start()
        wait_until(lambda: [states(engine)[job] for job in JOBS] == ["stopped", "done", "done", "done", "done"], 60, "the others")
        assert engine.command("job", "run", "expire").returncode == 0
        wait_until(lambda: all_done(engine), 60, "every job to be done")


def test_without_brokers_the_feed_goes_on_and_jobs_are_done_later():
    with Engine(jobs=True) as engine:
        wait_until(lambda: all_done(engine), 60, "every job to be done")
        engine.call("job.run", {"job": "expire", "period": "before", "limit": 1})
        engine.pause("broker")
        epoch = engine.query("SELECT epoch FROM feed_leader")[0][0]
        lease = engine.query("SELECT lease_until FROM feed_leader")[0][0]
        wait_until(lambda: engine.query("SELECT lease_until FROM feed_leader")[0][0] > lease, 30, "the lease to go on")
        assert engine.query("SELECT epoch FROM feed_leader")[0][0] == epoch
        engine.resume("broker")
        wait_until(lambda: all_done(engine), 60, "every job to be done")
