"""Many at once: exactly as many spend as there are points, sums are right, cards are made once, and everyone gets an answer."""

import random
import threading
import time
from decimal import Decimal

import pytest

from curve import client_options
from harness import wait_until
from loyalty_client import Client, InsufficientPoints, LoyaltyError
from raw_client import RawClient, at_once, error_of, result_of
from shop import line, loyalty_program, new_id, new_partner, order, refund, total


@pytest.fixture(scope="module")
def shop(engine):
    engine.call("reference.put", {"products": [{"product_id": number} for number in range(1, 10)]})
    engine.call("program.put", loyalty_program())
    return engine


@pytest.fixture(scope="module", autouse=True)
def ledger_holds(engine):
    yield
    engine.assert_ledger_holds()


def card_of(engine, partner):
    return engine.call("card.get", {"partner_id": partner, "program_id": 1})


def member_with(engine, points):
    partner = new_partner()
    return partner, engine.call("card.create", {"program_id": 1, "partner_id": partner, "points": points})["card_id"]


def voucher(partner, **fields):
    """An order that costs 5.00 and claims the voucher of 50 points that takes all of it; it earns 5."""
    return order(partner, line(1, 1, "5.00"), claims=[{"program_id": 1, "reward_id": 2}], **fields)


# Spending


@pytest.mark.parametrize("clients", [2, 100])
def test_points_are_spent_once(shop, clients):
    """Points for one voucher, and many that want it: one gets it, the others are told how much there is."""
    partner, card = member_with(shop, 50)
    replies = at_once(shop.endpoint, [("order.process", voucher(partner)) for _ in range(clients)])
    won = [reply["result"] for reply in replies if reply["ok"]]
    assert [one["amount_total"] for one in won] == ["0.00"]
    assert {error_of(reply)["details"]["reason"] for reply in replies if not reply["ok"]} == {"not_enough_points"}
    assert card_of(shop, partner)["balance"] == "5.00"  # what the winner's order earned


def test_as_many_succeed_as_there_are_points(shop):
    """1000 points, 5 back for every voucher: 50 each, so exactly 22 of 100 succeed, in whatever order."""
    partner, card = member_with(shop, 1000)
    replies = at_once(shop.endpoint, [("order.process", voucher(partner)) for _ in range(100)])
    won = sum(reply["ok"] for reply in replies)
    points, expected = 1000, 0
    while points + 5 >= 50:  # the order's own points count too
        points, expected = points - 45, expected + 1
    assert (won, card_of(shop, partner)["balance"]) == (expected, f"{points}.00")


def test_adjustments_never_overdraw(shop):
    partner, card = member_with(shop, "10.00")
    body = {"card_id": card, "points": "-0.30", "reason": "x"}
    replies = at_once(shop.endpoint, [("card.adjust", body) for _ in range(60)])
    assert sum(reply["ok"] for reply in replies) == 33
    assert {error_of(reply)["code"] for reply in replies if not reply["ok"]} == {"insufficient_points"}
    assert card_of(shop, partner)["balance"] == "0.10"


def test_a_bearers_card_shown_by_two_members(shop):
    """Orders of different members meet at a card that is neither's."""
    code = new_id("GIFT")
    shop.call("card.create", {"program_id": 1, "code": code, "points": 250})
    claim = {"program_id": 1, "reward_id": 2, "card": code}
    requests = [("order.process", order(new_partner(), line(1, 1, "5.00"), claims=[claim])) for _ in range(30)]
    replies = at_once(shop.endpoint, requests)
    assert sum(reply["ok"] for reply in replies) == 5
    assert shop.call("card.get", {"code": code})["balance"] == "0.00"


def test_quotes_take_no_locks_and_see_whole_orders(shop):
    """While one member's card is busy, quotes of the same member go on; each sees a state that was committed."""
    partner, _ = member_with(shop, 1000)
    with RawClient(shop.endpoint) as tills, RawClient(shop.endpoint) as asking:
        orders = [tills.send("order.process", order(partner, line(1, 1, "7.00"))) for _ in range(100)]
        quotes = [asking.send("order.quote", order(partner, line(1, 1, "1.00"))) for _ in range(100)]
        balances = [Decimal(result_of(reply)["final_balance"]) for reply in asking.answers(quotes)]
        for reply in tills.answers(orders):
            result_of(reply)
    assert all((one - 1001) % 7 == 0 and 1001 <= one <= 1701 for one in balances)


# Earning


def test_a_hundred_clients_earn_on_one_card(shop):
    partner, _ = member_with(shop, 1)
    requests = [("order.process", order(partner, line(1, 1, f"{number}.01"))) for number in range(1, 101)]
    done = [result_of(reply) for reply in at_once(shop.endpoint, requests)]
    expected = sum(Decimal(number) + Decimal("0.01") for number in range(1, 101))
    assert total(one["points_earned"] for one in done) == expected
    assert Decimal(card_of(shop, partner)["balance"]) == expected + 1
    # Each answer tells the balance after its own order: no two are alike, one is the last.
    balances = sorted(Decimal(one["final_balance"]) for one in done)
    assert len(set(balances)) == 100 and balances[-1] == expected + 1
    assert shop.query("SELECT order_count, spending FROM members WHERE partner_id = %s", (partner,)) == [(100, int(expected * 100))]


def test_the_first_hundred_orders_of_a_new_member(shop):
    """They come to both workers at once: one card, listed as made by one of them."""
    partner = new_partner()
    done = [result_of(reply) for reply in at_once(shop.endpoint, [("order.process", order(partner)) for _ in range(100)])]
    made = [one["cards"] for one in done if one["cards"]]
    assert len(made) == 1 and made[0][0]["points"] == "10.00"
    assert {one["points"][0]["card_id"] for one in done} == {made[0][0]["card_id"]}
    assert shop.query("SELECT count(*), sum(points) FROM loyalty_cards WHERE partner_id = %s", (partner,)) == [(1, 100000)]
    assert shop.query("SELECT order_count FROM members WHERE partner_id = %s", (partner,)) == [(100,)]


def test_first_orders_and_card_create_at_once(shop):
    """Whoever comes first makes the card."""
    for _ in range(5):
        partner = new_partner()
        requests = [("order.process", order(partner)) for _ in range(10)]
        requests += [("card.create", {"program_id": 1, "partner_id": partner}) for _ in range(10)]
        random.Random(partner).shuffle(requests)
        replies = at_once(shop.endpoint, requests)
        creates = [reply for (method, _), reply in zip(requests, replies) if method == "card.create"]
        made = [reply["result"]["card_id"] for reply in creates if reply["ok"]]
        assert {error_of(reply)["code"] for reply in creates if not reply["ok"]} <= {"conflict"}
        orders = [result_of(reply) for (method, _), reply in zip(requests, replies) if method == "order.process"]
        made += [card["card_id"] for one in orders for card in one["cards"]]
        assert len(made) == 1
        assert card_of(shop, partner)["balance"] == "100.00"


def test_one_printed_code_for_many_cards_at_once(shop):
    code = new_id("PRINTED")
    replies = at_once(shop.endpoint, [("card.create", {"program_id": 1, "code": code}) for _ in range(20)])
    assert sum(reply["ok"] for reply in replies) == 1
    assert {error_of(reply)["code"] for reply in replies if not reply["ok"]} == {"conflict"}


def test_one_id_in_odoo_for_many_cards_at_once(shop):
    """Also where two workers find it free at the same time."""
    number = 10**6 + random.Random(new_id()).randrange(10**6)
    partner = new_partner()
    shop.call("order.process", order(partner))
    requests = [("card.create", {"program_id": 1, "odoo_card_id": number}) for _ in range(20)]
    replies = at_once(shop.endpoint, requests)
    cards = shop.query("SELECT bucket, count(*) FROM loyalty_cards WHERE odoo_card_id = %s GROUP BY bucket", (number,))
    assert all(count == 1 for _, count in cards) and sum(reply["ok"] for reply in replies) == len(cards)


# Locks in every order


def test_a_storm_of_orders_that_touch_several_cards(shop):
    """Each shows three bearers' cards in an order of its own and spends from two: whatever the database has to break up
    is done again, and everyone gets an answer."""
    codes = [new_id("STORM") for _ in range(8)]
    for code in codes:
        shop.call("card.create", {"program_id": 1, "code": code, "points": "1000"})
    dice, requests = random.Random(5), []
    members = [new_partner() for _ in range(5)]
    for _ in range(200):
        shown = dice.sample(codes, 3)
        claims = [{"program_id": 1, "reward_id": 1, "points": "3", "card": code} for code in shown[:2]]
        requests.append(("order.process", order(dice.choice(members), line(1, 1, "1.00"), cards=shown, claims=claims)))
    done = [result_of(reply) for reply in at_once(shop.endpoint, requests)]
    spent = {code: 0 for code in codes}
    for _, body in requests:
        for claim in body["claims"]:
            spent[claim["card"]] += 3
    for code, points in spent.items():
        assert Decimal(shop.call("card.get", {"code": code})["balance"]) == 1000 - points
    assert all(one["amount_total"] == "0.94" for one in done)


def test_a_storm_of_adjustments_and_orders(shop):
    """Single cards locked by adjustments, members by orders, in pipelines that gather into large batches."""
    members = [member_with(shop, 1000) for _ in range(6)]
    dice = random.Random(6)
    expected = {partner: Decimal(1000) for partner, _ in members}
    clients = [RawClient(shop.endpoint) for _ in range(8)]
    try:
        waiting = []
        for number in range(480):
            client, (partner, card) = clients[number % 8], dice.choice(members)
            if dice.random() < 0.5:
                waiting.append((client, client.send("card.adjust", {"card_id": card, "points": "-1.25", "reason": "x"})))
                expected[partner] -= Decimal("1.25")
            else:
                waiting.append((client, client.send("order.process", order(partner, line(1, 1, "2.00")))))
                expected[partner] += 2
        for client, request_id in waiting:
            result_of(client.answer(request_id))
    finally:
        for client in clients:
            client.socket.close(0)
    for partner, _ in members:
        assert Decimal(card_of(shop, partner)["balance"]) == expected[partner]


def test_everything_at_once(shop):
    """Orders, refunds of orders under way, cancels, adjustments and quotes of a few members, from threads with the retrying
    client; what they were told is what the cards hold."""
    members = [member_with(shop, 500)[0] for _ in range(4)]
    moved = {partner: Decimal(500) for partner in members}
    lock, failures = threading.Lock(), []

    def till(seed):
        dice, client = random.Random(seed), Client(shop.endpoint, timeout=60, **client_options())
        try:
            for _ in range(40):
                partner = dice.choice(members)
                sale = order(partner, line(1, 2, f"{dice.randrange(1, 20)}.50"))
                if dice.random() < 0.5:
                    sale["claims"] = [{"program_id": 1, "reward_id": 1, "points": str(dice.randrange(1, 30))}]
                    sale["on_refused"] = "skip"
                answers = [client.order_process(sale)]
                action = dice.randrange(4)
                if action == 0:
                    answers.append(client.order_cancel(sale["order_id"]))
                elif action == 1:
                    answers += [client.order_refund(refund(sale["order_id"], line(1, -1, 0))) for _ in range(2)]
                elif action == 2:
                    assert client.order_process(sale) == dict(answers[0], replayed=True)
                    client.order_quote(order(partner))
                net = sum(Decimal(one["points_earned"]) - Decimal(one["points_redeemed"]) for one in answers)
                owed = sum(Decimal(entry["points"]) for one in answers for entry in one.get("shortfall", ()))
                with lock:
                    moved[partner] += net
                    assert owed == 0
        except (LoyaltyError, AssertionError) as error:
            failures.append(error)
        finally:
            client.close()

    threads = [threading.Thread(target=till, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]
    for partner in members:
        assert Decimal(card_of(shop, partner)["balance"]) == moved[partner]


# A lock that somebody else holds


def test_a_member_that_is_locked_from_outside_does_not_hold_up_others(shop):
    """Somebody's transaction sits on a member's row: that member's orders are busy, those of others go on."""
    locked, free = member_with(shop, 1)[0], [member_with(shop, 1)[0] for _ in range(10)]
    for partner in [locked, *free]:
        shop.call("order.process", order(partner))
    held = shop.db()
    try:
        with held.cursor() as cursor:
            cursor.execute("SELECT 1 FROM members WHERE partner_id = %s FOR UPDATE", (locked,))
        started = time.monotonic()
        with RawClient(shop.endpoint) as raw:
            stuck = raw.send("order.process", order(locked), ttl_ms=10000)
            others = [raw.send("order.process", order(partner)) for partner in free]
            for reply in raw.answers(others):
                assert result_of(reply)["final_balance"] == "21.00"
            error = error_of(raw.answer(stuck))
        assert error["code"] in ("busy", "expired_deadline") and error["retryable"] is True
        assert time.monotonic() - started < 30
    finally:
        held.rollback()
        held.close()
    assert shop.call("order.process", order(locked))["final_balance"] == "21.00"


# Both workers


def test_the_same_member_on_both_workers(shop):
    """Whatever hint says which worker: the figures are the same."""
    def served():
        return {worker["name"]: worker.get("stats", worker).get("batch_requests", 0) for worker in shop.call("admin.stats")["workers"]}

    partner, _ = member_with(shop, 1)
    with RawClient(shop.endpoint) as raw:
        for _ in range(5):
            ids = [raw.send("order.process", order(partner, line(1, 1, "1.00")), affinity=number * 7919) for number in range(100)]
            for reply in raw.answers(ids):
                result_of(reply)
    assert card_of(shop, partner)["balance"] == "501.00"
    wait_until(lambda: len([count for count in served().values() if count > 0]) == 2, 10, "both workers to have served")


def test_insufficient_points_say_how_many(shop):
    partner, card = member_with(shop, "3.00")
    with pytest.raises(InsufficientPoints) as caught:
        shop.call("card.adjust", {"card_id": card, "points": "-3.01", "reason": "x"})
    assert caught.value.details == {"required": "3.01", "available": "3.00"}
