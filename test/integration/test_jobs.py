"""Background jobs (job.run, `loyalty job run`): done in steps, at most once, beside orders, and without changing what anybody sees."""

import datetime
import json
import subprocess
import threading
import time

import pytest

from harness import Engine, environment, program, wait_until
from loyalty_client import METHODS
from raw_client import RawClient, at_once, error_of, result_of
from shop import line, loyalty_program, new_id, new_partner, order, refused

DAYS = 5  # that points live
UTC = datetime.timezone.utc


@pytest.fixture(scope="module", params=[1, 8], ids=["buckets=1", "buckets=8"])
def shop(request):
    with Engine(buckets=request.param) as engine:
        engine.call("reference.put", {"products": [{"product_id": 1}]})
        engine.call("program.put", loyalty_program(expiry={"policy": "days", "count": DAYS}))
        yield engine
        engine.assert_ledger_holds()


def ago(**time):
    return (datetime.datetime.now(UTC) - datetime.timedelta(**time)).isoformat()


def expired_member(shop, spent="30.00", left="7.00"):
    """A member whose card has points that ran out some days ago, and some that have not."""
    partner = new_partner()
    shop.call("order.process", order(partner, line(price=spent), date=ago(days=DAYS * 2), **{"import": True}))
    shop.call("order.process", order(partner, line(price=left)))
    return partner


def card_of(shop, partner):
    return shop.call("card.get", {"partner_id": partner, "program_id": 1})


def balances(shop, partners):
    return [card_of(shop, partner)["balance"] for partner in partners]


def run(shop, job, **fields):
    """All steps of a job: their answers."""
    steps = [shop.call("job.run", dict(fields, job=job))]
    while not steps[-1]["done"]:
        assert len(steps) < 10_000, steps[-1]
        steps.append(shop.call("job.run", dict(fields, job=job)))
    return steps


def expire_rows(shop, partner):
    history = shop.call("card.history", {"partner_id": partner, "program_id": 1})["history"]
    return [(row["points"], row["balance"]) for row in history if row["kind"] == "expire"]


def test_rule_20_a_job_books_what_ran_out_and_changes_no_balance(shop):
    partners = [expired_member(shop) for _ in range(5)]
    before = balances(shop, partners)
    assert set(before) == {"7.00"}
    last = run(shop, "expire")[-1]
    assert last["cursor"] is None and last["total_changed"] >= 5 and last["total_failed"] == 0
    assert last["total_examined"] == int(shop.query("SELECT count(*) FROM loyalty_cards")[0][0])
    assert balances(shop, partners) == before
    for partner in partners:
        assert expire_rows(shop, partner) == [("-30.00", "7.00")]
    ids = tuple(card_of(shop, partner)["card_id"] for partner in partners)
    events = shop.query("SELECT card_id FROM changes WHERE topics & 1024 > 0 AND card_id IN %s", (ids,))
    assert sorted(row[0] for row in events) == sorted(ids)
    shop.assert_ledger_holds()


def test_rule_20_run_twice_a_job_changes_nothing(shop):
    expired_member(shop)
    run(shop, "expire")
    rows = shop.query("SELECT count(*) FROM point_history")
    versions = shop.query("SELECT sum(version) FROM loyalty_cards")
    assert run(shop, "expire")[-1]["total_changed"] == 0
    assert shop.query("SELECT count(*) FROM point_history") == rows
    assert shop.query("SELECT sum(version) FROM loyalty_cards") == versions


def test_rule_22_what_is_held_is_booked_when_it_is_let_go(shop):
    partner = new_partner()
    until = (datetime.datetime.now(UTC) + datetime.timedelta(seconds=1)).isoformat()
    card = shop.call("card.create", {"program_id": 1, "partner_id": partner, "points": "9", "expires": until})
    held = shop.call("points.hold", {"card_id": card["card_id"], "points": "4"})
    wait_until(lambda: card_of(shop, partner)["balance"] == "4.00", 30, "the expiry of what is not held")
    assert run(shop, "expire")[-1]["total_changed"] == 0
    assert expire_rows(shop, partner) == []
    shop.call("points.release", {"hold_id": held["hold_id"]})
    assert card_of(shop, partner)["balance"] == "0.00"
    assert run(shop, "expire")[-1]["total_changed"] == 0
    assert expire_rows(shop, partner) == [("-9.00", "0.00")]


def test_a_blocked_card_and_a_bearers_card_expire_too(shop):
    until = (datetime.datetime.now(UTC) + datetime.timedelta(seconds=1)).isoformat()
    shop.call("program.put", {"program_id": 9, "name": "Coupons", "program_type": "coupons", "rewards": [{"discount": "5"}]})
    bearer = shop.call("card.create", {"program_id": 9, "points": "1", "expires": until})["card_id"]
    blocked = shop.call("card.create", {"program_id": 1, "partner_id": new_partner(), "points": "2", "expires": until})["card_id"]
    shop.call("card.block", {"card_id": blocked, "reason": "lost"})
    wait_until(lambda: shop.call("card.get", {"card_id": bearer})["balance"] == "0.00", 30, "the expiry")
    wait_until(lambda: shop.call("card.get", {"card_id": blocked})["balance"] == "0.00", 30, "the expiry")
    assert run(shop, "expire")[-1]["total_changed"] == 2
    assert shop.query("SELECT DISTINCT state FROM point_moves WHERE card_id IN %s", ((bearer, blocked),)) == [(3,)]


# Steps


def test_a_step_works_on_so_many_rows_and_the_next_goes_on(shop):
    partners = [expired_member(shop) for _ in range(7)]
    steps = run(shop, "expire", limit=3)
    assert max(step["changed"] for step in steps) == 3 and all(step["examined"] <= 60 for step in steps)
    assert sum(step["changed"] for step in steps) == steps[-1]["total_changed"] == 7
    assert sum(step["examined"] for step in steps) == steps[-1]["total_examined"]
    cursors = [tuple(map(int, step["cursor"].split(":"))) for step in steps[:-1]]
    assert cursors == sorted(set(cursors))
    assert all(len(expire_rows(shop, partner)) == 1 for partner in partners)


def test_stopped_in_the_middle_it_goes_on_from_there(shop):
    partners = [expired_member(shop) for _ in range(4)]
    first = shop.call("job.run", {"job": "expire", "limit": 2})
    assert not first["done"] and first["changed"] <= 2
    rest = run(shop, "expire")
    assert first["changed"] + sum(step["changed"] for step in rest) == rest[-1]["total_changed"] == 4
    assert all(len(expire_rows(shop, partner)) == 1 for partner in partners)


def test_a_period_is_done_once(shop):
    expired_member(shop)
    day = new_id("day")
    assert run(shop, "expire", period=day)[-1]["total_changed"] == 1
    expired_member(shop)
    again = shop.call("job.run", {"job": "expire", "period": day})
    assert (again["done"], again["examined"], again["changed"], again["total_changed"]) == (True, 0, 0, 1)
    assert run(shop, "expire", period=new_id("day"))[-1]["total_changed"] == 1


def test_a_step_sent_again_is_answered_from_what_is_stored(shop):
    partners = [expired_member(shop) for _ in range(3)]
    with RawClient(shop.endpoint) as client:
        key = new_id("step")
        first = result_of(client.call("job.run", {"job": "expire", "limit": 1000}, key=key))
        again = result_of(client.call("job.run", {"job": "expire", "limit": 1000}, key=key))
    assert again == dict(first, replayed=True) and first["changed"] == 3
    assert all(len(expire_rows(shop, partner)) == 1 for partner in partners)


def test_of_many_buckets_a_step_looks_through_some():
    with Engine(buckets=40) as shop:
        shop.call("program.put", loyalty_program(expiry={"policy": "days", "count": DAYS}))
        partners = [expired_member(shop) for _ in range(5)]
        steps = run(shop, "expire")
        assert [step["done"] for step in steps] == [False, False, True] and steps[-1]["total_changed"] == 5
        assert [step["cursor"].split(":")[0] for step in steps[:-1]] == ["16", "32"]
        assert all(len(expire_rows(shop, partner)) == 1 for partner in partners)
        shop.assert_ledger_holds()


def test_two_at_once_do_each_step_once(shop):
    partners = [expired_member(shop) for _ in range(6)]
    replies = at_once(shop.endpoint, [("job.run", {"job": "expire", "limit": 2}, new_id("step")) for _ in range(4)])
    done = sum(result_of(reply)["changed"] for reply in replies if reply["ok"])
    assert {error_of(reply)["code"] for reply in replies if not reply["ok"]} <= {"busy"}
    assert done > 0
    run(shop, "expire")
    assert all(len(expire_rows(shop, partner)) == 1 for partner in partners)


def test_a_card_that_somebody_keeps_locked_stops_a_step_and_nothing_else(shop):
    partner = expired_member(shop)
    connection = shop.db()
    try:
        connection.cursor().execute("SELECT 1 FROM members WHERE partner_id = %s FOR UPDATE", (partner,))
        with RawClient(shop.endpoint) as client:
            replies = [client.call("job.run", {"job": "expire"}) for _ in range(2)]
        assert {error_of(reply)["code"] for reply in replies} == {"busy"}
        assert shop.query("SELECT is_done FROM job_runs WHERE job = 'expire'") == [(True,)]  # as the last run left it
    finally:
        connection.rollback()
        connection.close()
    run(shop, "expire")
    assert expire_rows(shop, partner) == [("-30.00", "7.00")]


def test_only_jobs_that_there_are(shop):
    with refused("invalid_request", path="job"):
        shop.call("job.run", {"job": "everything"})
    with refused("invalid_request", path="limit"):
        shop.call("job.run", {"job": "expire", "limit": 0})


def test_only_admins_may():
    assert METHODS["job.run"]["roles"] == ["admin"]


def test_orders_on_the_same_cards_meanwhile(shop):
    """Each order counts, each lot is booked once, whatever the two do to each other."""
    partners = [expired_member(shop) for _ in range(20)]
    stop = threading.Event()
    counts = dict.fromkeys(partners, 0)

    def shopping():
        client = shop.client()
        while not stop.is_set():
            for partner in partners:
                client.call("order.process", order(partner, line(price="1.00")), timeout=30)
                counts[partner] += 1

    thread = threading.Thread(target=shopping)
    thread.start()
    try:
        runs = [run(shop, "expire", limit=4)[-1]["total_changed"] for _ in range(3)]
    finally:
        stop.set()
        thread.join()
    assert runs == [20, 0, 0]
    for partner in partners:
        assert len(expire_rows(shop, partner)) == 1
        assert card_of(shop, partner)["balance"] == f"{7 + counts[partner]}.00"


def test_a_worker_killed_in_the_middle(shop):
    """What a step did it did wholly or not at all; the job goes on."""
    partners = [expired_member(shop) for _ in range(30)]
    before = balances(shop, partners)
    killed = threading.Thread(target=lambda: (time.sleep(0.02), [shop.kill_worker(number) for number in (1, 2)]))
    pids = [shop.processes()[f"worker-{number}"] for number in (1, 2)]
    killed.start()
    steps = []
    while not steps or not steps[-1]["done"]:
        steps.append(shop.call("job.run", {"job": "expire", "limit": 1}, timeout=60))
    killed.join()
    for number, pid in zip((1, 2), pids):
        shop.wait_for_new(f"worker-{number}", pid)
    run(shop, "expire")
    assert balances(shop, partners) == before
    assert all(len(expire_rows(shop, partner)) == 1 for partner in partners)
    shop.assert_ledger_holds()


# Holds


def test_rule_22_the_job_lets_go_of_holds_whose_time_is_over(shop):
    partner = new_partner()
    until = (datetime.datetime.now(UTC) + datetime.timedelta(seconds=1)).isoformat()
    card = shop.call("card.create", {"program_id": 1, "partner_id": partner, "points": "9", "expires": until})
    held = shop.call("points.hold", {"card_id": card["card_id"], "points": "4", "ttl_s": 2})
    shop.call("card.adjust", {"card_id": card["card_id"], "points": "5", "reason": "x", "expires": "2190-01-01T00:00:00Z"})
    wait_until(lambda: card_of(shop, partner)["balance"] == "5.00", 30, "the end of the hold")
    assert run(shop, "holds")[-1]["total_changed"] == 1
    states = shop.query("SELECT state FROM point_holds WHERE card_id = %s", (card["card_id"],))
    assert states == [(4,)] and expire_rows(shop, partner) == [("-9.00", "5.00")]
    assert shop.query("SELECT held FROM loyalty_cards WHERE card_id = %s", (card["card_id"],)) == [(0,)]
    with refused("hold_expired"):
        shop.call("points.capture", {"hold_id": held["hold_id"]})
    assert run(shop, "holds")[-1]["total_changed"] == 0


def test_holds_that_were_closed_long_ago_are_forgotten(shop):
    partner = new_partner()
    card = shop.call("card.create", {"program_id": 1, "partner_id": partner, "points": "9"})
    holds = [shop.call("points.hold", {"card_id": card["card_id"], "points": "1"})["hold_id"] for _ in range(3)]
    for one in holds[:2]:
        shop.call("points.release", {"hold_id": one})
    shop.query("UPDATE point_holds SET until = until - interval '31 days' WHERE hold_id = %s", (holds[0],))
    assert run(shop, "holds", limit=1)[-1]["total_changed"] == 1
    left = shop.query("SELECT hold_id FROM point_holds WHERE card_id = %s ORDER BY 1", (card["card_id"],))
    assert sorted(row[0] for row in left) == sorted(holds[1:])
    with refused("not_found"):
        shop.call("points.capture", {"hold_id": holds[0]})
    with refused("conflict"):
        shop.call("points.capture", {"hold_id": holds[1]})


def test_more_old_holds_than_a_step_forgets(shop):
    """A step forgets 5,000 rows at most, and the next goes on with what it left."""
    card = shop.call("card.create", {"program_id": 1, "partner_id": new_partner(), "points": "9"})["card_id"]
    shop.query(f"INSERT INTO point_holds (bucket, card_id, hold_id, lot_no, points, until, state, held_at) SELECT bucket, card_id, card_id || '-' || n, 1, 100, now() - interval '40 days', 3, now() "
               f"FROM loyalty_cards, generate_series(1, 6000) n WHERE card_id = {card}")  # fmt: skip
    steps = run(shop, "holds")
    assert max(step["changed"] for step in steps) == 5000 and steps[-1]["total_changed"] == 6000
    assert shop.query(f"SELECT count(*) FROM point_holds WHERE card_id = {card}") == [(0,)]


# The command


def jobs(shop):
    return {job["job"]: job for job in shop.call("job.list")["jobs"]}


def test_jobs_are_listed_with_what_they_are_at(shop):
    assert list(jobs(shop)) == ["expire", "memberships", "holds", "referrals", "partitions"]
    expired_member(shop)
    last = run(shop, "expire", period=new_id("listed"))[-1]
    job = jobs(shop)["expire"]
    assert job["state"] == "done" and job["period"] == last["period"]
    assert (job["examined"], job["changed"], job["failed"]) == (last["total_examined"], last["total_changed"], 0)
    assert job["started"] <= job["updated"]


def test_a_stopped_job_rests_until_somebody_says_to_go_on(shop):
    partners = [expired_member(shop) for _ in range(3)]
    period = new_id("rest")
    first = shop.call("job.run", {"job": "expire", "period": period, "limit": 1})
    assert not first["done"]
    assert shop.call("job.stop", {"job": "expire"})["was_running"]
    assert jobs(shop)["expire"]["state"] == "stopped"
    for fields in ({"period": period}, {"period": new_id("another")}, {}):
        with refused("conflict"):
            shop.call("job.run", dict(fields, job="expire"))
    assert sum(len(expire_rows(shop, partner)) for partner in partners) <= 1
    again = shop.call("job.run", {"job": "expire", "period": period, "limit": 1, "resume": True})
    assert again["total_changed"] == first["total_changed"] + again["changed"], "it goes on from there"
    run(shop, "expire", period=period)
    assert all(len(expire_rows(shop, partner)) == 1 for partner in partners)
    assert jobs(shop)["expire"]["state"] == "done"


def test_a_job_that_never_ran_can_be_stopped(shop):
    answer = shop.call("job.stop", {"job": "memberships"})
    assert not answer["was_running"]
    assert jobs(shop)["memberships"]["state"] == "stopped"
    with refused("conflict"):
        shop.call("job.run", {"job": "memberships"})
    run(shop, "memberships", resume=True)


def test_stopped_while_a_step_is_done_it_stays_stopped(shop):
    """A step that was read before the stop and is written after it does not undo it."""
    for _ in range(10):
        shop.call("job.run", {"job": "expire", "resume": True, "limit": 1})
        answers = at_once(shop.endpoint, [("job.run", {"job": "expire", "limit": 1}, new_id("step")), ("job.stop", {"job": "expire"}, new_id("stop"))] * 4)
        assert all(result_of(answer)["job"] == "expire" for answer in answers[1::2])
        assert jobs(shop)["expire"]["state"] == "stopped"
    run(shop, "expire", resume=True)


def test_partitions_are_made_ahead_and_rows_beside_them_are_told(shop):
    months = shop.query("SELECT count(*) FROM pg_inherits WHERE inhparent IN ('orders'::regclass, 'point_history'::regclass)")[0][0]
    dropped = shop.query("SELECT max(inhrelid::regclass::text) FROM pg_inherits WHERE inhparent = 'orders'::regclass "
                         "AND inhrelid::regclass::text LIKE 'orders\\_2%'")[0][0]  # fmt: skip
    shop.query(f"DROP TABLE {dropped}")
    assert [step["changed"] for step in run(shop, "partitions")][-1] == 1
    assert [step["changed"] for step in run(shop, "partitions")][-1] == 0
    assert shop.query("SELECT count(*) FROM pg_inherits WHERE inhparent IN ('orders'::regclass, 'point_history'::regclass)")[0][0] == months
    shop.query("INSERT INTO orders VALUES (0, 1, '1990-01-01', 1, 1, NULL, '')")
    try:
        assert run(shop, "partitions")[-1]["failed"] == 1
        assert "default partitions" in shop.logs(None)
    finally:
        shop.query("DELETE FROM orders WHERE recorded_at = '1990-01-01'")


def test_the_command_lists_and_stops_jobs(shop):
    done = shop.command("job", "stop", "holds")
    assert done.returncode == 0 and "loyalty job run holds" in done.stdout
    listed = shop.command("job", "list")
    assert listed.returncode == 0 and [text.split()[0] for text in listed.stdout.splitlines()] == ["job", *jobs(shop)]
    assert ["holds", "stopped"] in [text.split()[:2] for text in listed.stdout.splitlines()]
    assert {job["job"]: job["state"] for job in json.loads(shop.command("job", "list", "--json").stdout)["jobs"]}["holds"] == "stopped"
    assert shop.command("job", "run", "holds").returncode == 0
    assert jobs(shop)["holds"]["state"] == "done"
    for wrong in (["job"], ["job", "rest"], ["job", "stop"], ["job", "stop", "nothing"], ["job", "list", "holds"]):
        assert shop.command(*wrong).returncode == 2, wrong


def test_the_command_driving_a_job_hears_of_its_stop(shop):
    for _ in range(30):
        expired_member(shop)
    running = subprocess.Popen([program("loyalty"), "job", "run", "expire", "--limit", "1", "--data", str(shop.data)],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())  # fmt: skip
    try:
        wait_until(lambda: jobs(shop)["expire"]["state"] == "running", 30, "the job to begin")
        assert shop.command("job", "stop", "expire").returncode == 0
        _, complaints = running.communicate(timeout=60)
        assert running.returncode == 1 and "stopped" in complaints
    finally:
        running.kill()
        running.wait()
    run(shop, "expire", resume=True)


def test_the_command_runs_a_job_to_its_end(shop):
    partner = expired_member(shop)
    done = shop.command("job", "run", "expire", "--limit", "1", "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["done"] and answer["total_changed"] == 1 and len(expire_rows(shop, partner)) == 1
    done = shop.command("job", "run", "expire")
    assert done.returncode == 0 and done.stdout.startswith("expire: ") and " 0 changed" in done.stdout


def test_the_command_says_what_is_wrong(shop):
    for wrong in (["list", "all"], ["run"], ["run", "fly"], ["run", "expire", "holds"], ["run", "expire", "--limit", "0"]):
        done = shop.command("job", *wrong)
        assert done.returncode == 2 and "usage: loyalty job" in done.stderr, wrong


def test_the_command_stopped_by_ctrl_c_goes_on_later(shop):
    partners = [expired_member(shop) for _ in range(40)]
    with subprocess.Popen([program("loyalty"), "job", "run", "expire", "--limit", "1", "--data", str(shop.data)], env=environment(),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:  # fmt: skip
        wait_until(lambda: any(expire_rows(shop, partner) for partner in partners), 30, "the first step")
        process.send_signal(2)
        output, errors = process.communicate(timeout=60)
    stopped = process.returncode == 1
    assert stopped == ("goes on from here" in errors), (process.returncode, output, errors)
    done = shop.command("job", "run", "expire", "--json")
    answer = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 0 and (answer["total_changed"] == 40 or not stopped)
    assert all(len(expire_rows(shop, partner)) == 1 for partner in partners)
