"""A hundred clients at once, on one card, one code, one limit, one budget: exactly so many succeed as may (SEMANTICS 13, 27, 28, 30, 31).

The clients are the Python package's, each with a connection of its own; random hints spread their orders over two workers.
"""

import asyncio
import collections
import multiprocessing
import random
from decimal import Decimal

import pytest

from curve import client_options
from harness import wait_until
from loyalty_client import LoyaltyError
from loyalty_client.aio import AsyncClient
from shop import Programs, line, new_id, new_partner, order, refund, total

CLIENTS = 100


@pytest.fixture(scope="module")
def shop(engine):
    engine.call("reference.put", {"products": [{"product_id": number} for number in range(1, 10)]})
    return engine


@pytest.fixture(scope="module", autouse=True)
def ledger_holds(engine):
    yield
    engine.assert_ledger_holds()


@pytest.fixture
def programs(shop):
    programs = Programs(shop)
    yield programs
    programs.archive()


async def _send_all(endpoint, orders):
    clients = [AsyncClient(endpoint, timeout=60, **client_options()) for _ in orders]
    dice = random.Random(len(orders))
    try:
        await asyncio.gather(*(client.call("admin.health") for client in clients))  # connections first, then all at once

        async def send(client, body):
            try:
                return await client.call("order.process", body, affinity=dice.getrandbits(63))
            except LoyaltyError as error:
                return error

        return await asyncio.gather(*(send(client, body) for client, body in zip(clients, orders)))
    finally:
        await asyncio.gather(*(client.close() for client in clients))


def send_all(shop, orders):
    """Sends each order by a client of its own, all at once: (answers, counts of (error code, limit or reason))."""
    answers = asyncio.run(_send_all(shop.endpoint, orders))
    refused = collections.Counter(
        (one.code, one.details.get("limit") or one.details.get("reason")) for one in answers if isinstance(one, LoyaltyError)
    )
    return [one for one in answers if not isinstance(one, LoyaltyError)], refused


def ten_by_code(programs, **limits):
    code = new_id("CODE")
    program = programs.put(**{"program_type": "promo_code", "trigger": "with_code", "rules": [{"mode": "with_code", "code": code}],
                              "rewards": [{"discount": 10}], **limits})  # fmt: skip
    return program, code


def orders_with(code, partners):
    return [order(partner, claims=[{"code": code}]) for partner in partners]


def used(shop, program):
    return shop.query("SELECT used, amount FROM program_usage WHERE program_id = %s AND used > 0", (program,))


def several_members(count):
    return [new_partner() for _ in range(count)]


def test_rule_28_one_coupon_for_a_hundred(shop, programs):
    program = programs.put(program_type="coupons", trigger="with_code", rules=[], rewards=[{"discount": 10}])
    code = new_id("COUPON")
    shop.call("card.create", {"program_id": program, "code": code, "points": 1})
    done, refused = send_all(shop, orders_with(code, several_members(CLIENTS)))
    assert ([one["amount_total"] for one in done], refused) == (["9.00"], {("code_used", "code_used"): 99})
    assert shop.call("coupon.check", {"code": code})["state"] == "used"


def test_rule_13_one_gift_card_for_a_hundred(shop, programs):
    """25.00 on the card, 1.00 an order."""
    program = programs.put(program_type="gift_card", applies_on="future", rewards=[{"discount": 1, "discount_mode": "per_point"}],
                           rules=[{"product_ids": [9], "reward_point_mode": "money"}])  # fmt: skip
    code = new_id("GIFT")
    shop.call("card.create", {"program_id": program, "code": code, "points": "25.00"})
    orders = [order(partner, line(1, 1, "1.00"), claims=[{"code": code}]) for partner in several_members(CLIENTS)]
    done, refused = send_all(shop, orders)
    assert [one["amount_total"] for one in done] == ["0.00"] * 25
    assert refused == {("claim_refused", "not_enough_points"): 75}
    assert shop.call("card.balance", {"code": code})["balance"] == "0.00"


def test_rule_7_one_members_card_for_a_hundred(shop, programs):
    """100 points, a reward of 7: fourteen."""
    program = programs.put(program_type="loyalty", applies_on="both", rules=[{"product_ids": [9]}],
                           rewards=[{"discount": 1, "discount_mode": "per_order", "required_points": 7}])  # fmt: skip
    member = new_partner()
    shop.call("card.create", {"program_id": program, "partner_id": member, "points": 100})
    done, refused = send_all(shop, [order(member, claims=[{"program_id": program}]) for _ in range(CLIENTS)])
    assert (len(done), refused) == (14, {("claim_refused", "not_enough_points"): 86})
    assert shop.call("card.balance", {"partner_id": member, "program_id": program})["balance"] == "2.00"


@pytest.mark.parametrize("limit", ["max_usage", "max_usage_per_store"])
def test_rule_27_one_limit_for_a_hundred(shop, programs, limit):
    """Of customers whose rows lie in different buckets; by a code, and by itself."""
    program, code = ten_by_code(programs, **{limit: 7})
    done, refused = send_all(shop, orders_with(code, several_members(CLIENTS)))
    assert ([one["amount_total"] for one in done], refused) == (["9.00"] * 7, {("limit_reached", limit): 93})
    assert used(shop, program) == [(7, 700)]
    itself = programs.put(rewards=[{"discount": 10}], **{limit: 7})
    done, refused = send_all(shop, [order(partner) for partner in several_members(CLIENTS)])
    assert sorted(one["amount_total"] for one in done) == ["10.00"] * 93 + ["9.00"] * 7 and not refused
    assert used(shop, itself) == [(7, 700)]


@pytest.mark.parametrize("limit", ["max_usage_per_customer", "max_usage_per_week", "max_usage_per_year"])
def test_rule_27_the_limits_of_three_members(shop, programs, limit):
    program, code = ten_by_code(programs, **{limit: 5})
    members = several_members(3)
    done, refused = send_all(shop, orders_with(code, [members[number % 3] for number in range(CLIENTS)]))
    assert (len(done), refused) == (15, {("limit_reached", limit): 85})
    assert used(shop, program) == [(5, 500)] * 3


def test_rule_27_one_budget_for_a_hundred(shop, programs):
    """50.00 to give, 3.00 an order: sixteen get all of it, one the last 2.00, nobody a cent more."""
    program = programs.put(budget="50.00", rewards=[{"discount": 3, "discount_mode": "per_order"}])
    done, _ = send_all(shop, [order(partner) for partner in several_members(CLIENTS)])
    counts = collections.Counter(one["amount_total"] for one in done)
    assert counts == {"7.00": 16, "8.00": 1, "10.00": 83}
    assert used(shop, program) == [(17, 5000)]


def test_rule_27_several_limits_in_one_order(shop, programs):
    """Each order meets three programs that are limited in different ways: counters of different buckets, locked in one order."""
    limits = ({"max_usage": 40}, {"max_usage_per_customer": 3}, {"budget": "20.00"})
    ids = [
        programs.put(rewards=[{"discount": 1, "discount_mode": "per_order", "discount_applicability": "specific"}], **limit) for limit in limits
    ]
    members = several_members(20)
    done, refused = send_all(shop, [order(members[number % 20]) for number in range(CLIENTS)])
    given = collections.Counter(one["program_id"] for answer in done for one in answer["discounts"])
    assert (given, refused) == (dict(zip(ids, (40, 60, 20))), {})
    assert total(one["amount_total"] for one in done) == 10 * CLIENTS - 120


def test_rule_31_one_first_order_of_a_hundred(shop, programs):
    programs.put(rules=[{"first_order": True}], rewards=[{"discount": 10}])
    member = new_partner()
    done, refused = send_all(shop, [order(member) for _ in range(CLIENTS)])
    assert sorted(one["amount_total"] for one in done) == ["10.00"] * 99 + ["9.00"] and not refused


def test_rule_30_one_birthday(shop, programs):
    programs.put(rules=[{"birthday": {"days_before": 180, "days_after": 180}}], rewards=[{"discount": 10}])
    member = new_partner()
    today = shop.query("SELECT (now() AT TIME ZONE 'UTC')::date::text")[0][0]
    shop.call("reference.put", {"partners": [{"partner_id": member, "birthday": "1980" + today[4:]}]})
    done, _ = send_all(shop, [order(member) for _ in range(CLIENTS)])
    assert sorted(one["amount_total"] for one in done) == ["10.00"] * 99 + ["9.00"]


def test_section_1_the_same_order_by_a_hundred(shop, programs):
    """One effect, and everyone hears of it."""
    program, code = ten_by_code(programs, max_usage=1)
    body = order(new_partner(), claims=[{"code": code}])
    done, refused = send_all(shop, [body] * CLIENTS)
    assert (len(done), refused, sum(one.pop("replayed") for one in done)) == (CLIENTS, {}, CLIENTS - 1)
    assert all(one == done[0] for one in done)
    assert used(shop, program) == [(1, 100)]


def test_rule_27_uses_come_and_go(shop, programs):
    """Orders, refunds and cancels race for the last uses: at no time are there more than three."""
    program, code = ten_by_code(programs, max_usage=3)
    standing = set()
    dice = random.Random(27)
    for _ in range(6):
        orders = orders_with(code, several_members(20))
        back = [("order.cancel", {"order_id": one}) if dice.random() < 0.5 else ("order.refund", refund(one, line(1, -1, "10.00"))) for one in standing]

        async def race():
            clients = [AsyncClient(shop.endpoint, timeout=60, **client_options()) for _ in range(len(orders) + len(back))]
            try:
                calls = [client.call(*call) for client, call in zip(clients, [("order.process", body) for body in orders] + back)]
                return await asyncio.gather(*calls, return_exceptions=True)
            finally:
                await asyncio.gather(*(client.close() for client in clients))

        answers = asyncio.run(race())
        undone = answers[len(orders):]
        assert not [one for one in undone if isinstance(one, Exception)]
        won = {one["order_id"] for one in answers[: len(orders)] if not isinstance(one, Exception)}
        assert 3 - len(standing) <= len(won) <= 3 and {one.code for one in answers if isinstance(one, Exception)} <= {"limit_reached"}
        # What was won while others were undone is what stands.
        standing = won
        assert used(shop, program) == ([(len(standing), 100 * len(standing))] if standing else [])


def spend_in_a_process(endpoint, bodies, results):
    """One till's process: its orders one after another, with the package's own retries."""
    from loyalty_client import Client

    with Client(endpoint, timeout=60, **client_options()) as client:
        for body in bodies:
            try:
                results.put((True, client.order_process(body)["amount_total"]))
            except LoyaltyError as error:
                results.put((False, error.code))


def test_rule_27_tills_in_processes_of_their_own(shop, programs):
    """Eight processes, 25 orders each: a limit of 60 uses and a budget of 100.00 on the same orders."""
    limited, code = ten_by_code(programs, max_usage=60, priority=1)
    budget = programs.put(budget="100.00", rewards=[{"discount": 2, "discount_mode": "per_order", "discount_applicability": "specific"}])
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    bodies = [[order(new_partner(), claims=[{"code": code}], on_refused="skip") for _ in range(25)] for _ in range(8)]
    tills = [context.Process(target=spend_in_a_process, args=(shop.endpoint, part, results)) for part in bodies]
    for till in tills:
        till.start()
    answers = [results.get(timeout=120) for _ in range(200)]
    for till in tills:
        till.join(30)
    assert all(ok for ok, _ in answers)
    assert used(shop, budget) == [(50, 10000)]
    ((uses, given),) = used(shop, limited)
    assert uses == 60
    assert total(price for _, price in answers) == 200 * 10 - 100 - Decimal(given) / 100


def test_both_workers_took_part(shop, programs):
    def served():
        return [worker.get("stats", worker).get("batch_requests", 0) for worker in shop.call("admin.stats")["workers"]]

    program, code = ten_by_code(programs, max_usage=1)
    send_all(shop, orders_with(code, several_members(CLIENTS)))
    wait_until(lambda: sum(count > 0 for count in served()) >= 2, 10, "both workers to have served")
    assert used(shop, program) == [(1, 100)]
