"""Referral codes (rule 29): the friend's first order, the owner's points, limits, races, refunds, and workers that die."""

import json
import random
import threading
import time
from decimal import Decimal

import pytest

from curve import client_options
from loyalty_client import Client, LoyaltyError
from raw_client import RawClient, at_once, error_of, result_of
from shop import line, new_id, new_partner, order, refund, refused, written

PROGRAM = 23


def referral_program(program_id=PROGRAM, **fields):
    """A tenth of the money in points, for both: 10 of them take 5.00 off the friend's first order."""
    return dict(
        {
            "program_id": program_id,
            "name": f"Bring a friend {program_id}",
            "program_type": "referral",
            "rules": [{"reward_point_mode": "money", "reward_point_amount": "0.1"}],
            "rewards": [{"discount_mode": "per_order", "discount": "5.00", "required_points": 10}],
        },
        **fields,
    )


@pytest.fixture(scope="module")
def shop(engine):
    engine.call("reference.put", {"products": [{"product_id": number} for number in range(1, 10)]})
    engine.call("program.put", referral_program())
    return engine


@pytest.fixture(scope="module", autouse=True)
def ledger_holds(engine):
    yield
    engine.assert_ledger_holds()


def owner_of(engine, program_id=PROGRAM, **fields):
    """An owner's card: (partner, card_id, code)."""
    partner, code = new_partner(), new_id("FRIEND")
    card = engine.call("card.create", dict({"program_id": program_id, "partner_id": partner, "code": code}, **fields))
    return partner, card["card_id"], card["code"]


def first_order(code, partner=None, price="100.00", **fields):
    """A new customer's order of 100.00 with a code: it costs 95.00, and brings the owner 10 points."""
    return order(partner or new_partner(), line(1, 1, price), claims=[{"code": code}], **fields)


def balance(engine, card):
    return engine.call("card.balance", {"card_id": card})["balance"]


def pending(engine, card):
    return engine.query("SELECT count(*) FROM referral_credits WHERE card_id = %s AND booked IS NULL", (card,))[0][0]


def rows(engine, card):
    """The card's journal, the oldest first: [(kind, points, order_id or reason)]."""
    history = engine.call("card.history", {"card_id": card, "limit": 100})["history"]
    return [(row["kind"], row["points"], row.get("order_id") or row.get("reason")) for row in reversed(history)]


# The friend and the owner


def test_rule_29_the_friend_is_rewarded_and_the_owner_gets_the_points(shop):
    partner, card, code = owner_of(shop, points="40")
    sale = first_order(code.lower() + " ")
    quoted = shop.call("order.quote", sale)
    done = shop.call("order.process", sale)
    assert (quoted["amount_total"], done["amount_total"]) == ("95.00", "95.00")
    assert done["referrals"] == quoted["referrals"] == [{"card_id": card, "program_id": PROGRAM, "points": "10.00"}]
    assert done["points"] == []  # the owner's own points are not spent
    # Nothing was locked but the friend: the points wait, and are seen by everyone all the same.
    assert pending(shop, card) == 1
    assert balance(shop, card) == "50.00"
    assert shop.call("card.get", {"partner_id": partner})["cards"][0]["usable"] == "50.00"
    assert rows(shop, card) == [("adjust", "40.00", "card.create")]
    # Whoever locks the card books them.
    shop.call("card.adjust", {"card_id": card, "points": "1", "reason": "x"})
    assert pending(shop, card) == 0
    assert balance(shop, card) == "51.00"
    assert rows(shop, card)[1:] == [("earn", "10.00", sale["order_id"]), ("adjust", "1.00", "x")]


def test_rule_29_the_stored_order_says_so(shop):
    _, card, code = owner_of(shop)
    sale = first_order(code, explain=True)
    done = shop.call("order.process", sale)
    shop.call("card.adjust", {"card_id": card, "points": "1", "reason": "x"})
    assert shop.call("order.get", {"order_id": sale["order_id"]}) == done
    again = shop.call("order.process", sale)
    assert again == dict(done, replayed=True)
    assert balance(shop, card) == "11.00"
    assert shop.call("order.explain", {"order_id": sale["order_id"]})["same"] is True


def test_rule_29_the_owner_spends_what_friends_brought(shop):
    """Points that still wait pay for the owner's next order like any others."""
    partner, card, code = owner_of(shop)
    shop.call("order.process", first_order(code))
    shop.call("order.process", order(partner))  # the owner's own first order
    claim = {"program_id": PROGRAM, "card": {"card_id": card}}
    spent = shop.call("order.process", order(partner, line(1, 1, "20.00"), claims=[claim]))
    assert (spent["amount_total"], balance(shop, card)) == ("15.00", "0.00")
    with refused("claim_refused", reason="not_enough_points"):
        shop.call("order.process", order(partner, line(1, 1, "20.00"), claims=[claim]))


def test_rule_29_a_quote_of_the_owner_counts_what_waits(shop):
    partner, card, code = owner_of(shop)
    shop.call("order.process", first_order(code))
    claim = {"program_id": PROGRAM, "card": {"card_id": card}}
    before = written(shop)
    assert shop.call("order.quote", order(partner, line(1, 1, "20.00"), claims=[claim]))["amount_total"] == "15.00"
    assert written(shop) == before
    assert pending(shop, card) == 1


@pytest.mark.parametrize("change", ["hold", "transfer", "transfer to", "block"])
def test_rule_29_whatever_locks_the_owners_card_books(shop, change):
    _, card, code = owner_of(shop)
    _, other, _ = owner_of(shop, points="3")
    shop.call("order.process", first_order(code))
    bodies = {
        "hold": ("points.hold", {"card_id": card, "points": "10"}),
        "transfer": ("card.transfer", {"from": {"card_id": card}, "to": {"card_id": other}, "points": "10", "reason": "x"}),
        "transfer to": ("card.transfer", {"from": {"card_id": other}, "to": {"card_id": card}, "points": "1", "reason": "x"}),
        "block": ("card.block", {"card_id": card, "reason": "x"}),
    }
    shop.call(*bodies[change])
    assert pending(shop, card) == 0
    assert balance(shop, card) == {"transfer": "0.00", "transfer to": "11.00"}.get(change, "10.00")


def test_rule_29_points_keep_the_dates_of_the_friends_order(shop):
    """They expire as if they had been booked at once, however late that was."""
    program_id = 24
    shop.call("program.put", referral_program(program_id, expiry={"policy": "days", "count": 5}, pending_days=2))
    _, card, code = owner_of(shop, program_id)
    done = shop.call("order.process", first_order(code))
    assert balance(shop, card) == "0.00"
    assert shop.call("card.get", {"card_id": card})["stored"] == "10.00"
    shop.call("card.adjust", {"card_id": card, "points": "1", "reason": "x"})
    earned, _ = shop.query(
        "SELECT usable_from - gained, expires - gained, gained FROM point_moves WHERE card_id = %s ORDER BY lot_no", (card,)
    )
    assert (earned[0].days, earned[1].days) == (2, 5)
    assert earned[2].isoformat().startswith(done["date"][:19])


def test_rule_29_an_archived_program_pays_what_is_owed(shop):
    program_id = 25
    shop.call("program.put", referral_program(program_id))
    _, card, code = owner_of(shop, program_id)
    shop.call("order.process", first_order(code))
    shop.call("program.delete", {"program_id": program_id})
    assert balance(shop, card) == "10.00"
    shop.call("card.adjust", {"card_id": card, "points": "1", "reason": "x"})
    assert balance(shop, card) == "11.00"


# Who may use a code


def test_rule_29_refused_codes_leave_nothing(shop):
    partner, card, code = owner_of(shop)
    other = owner_of(shop)[2]
    known = new_partner()
    shop.call("order.process", order(known))
    for reason, sale in {
        "own_code": first_order(code, partner),
        "not_first_order": first_order(code, known),
        "no_member": dict(first_order(code), partner_id=None),
        "minimum": None,
        "unknown_code": first_order("NOBODYS"),
    }.items():
        if sale is None:
            continue
        sale = {name: value for name, value in sale.items() if value is not None}
        before = written(shop)
        with refused("claim_refused", reason=reason):
            shop.call("order.process", sale)
        assert written(shop) == before, reason
        skipped = shop.call("order.quote", dict(sale, on_refused="skip"))
        assert (skipped["claims"][0]["reason"], skipped["amount_total"], skipped["referrals"]) == (reason, "100.00", [])
    both = first_order(code)
    twice = first_order(code)
    twice["claims"] *= 2
    with refused("claim_refused", reason="one_referral"):
        shop.call("order.process", twice)
    both["claims"].append({"code": other})
    with refused("claim_refused", reason="one_referral"):
        shop.call("order.process", both)
    done = shop.call("order.process", dict(both, on_refused="skip"))
    assert [claim["ok"] for claim in done["claims"]] == [True, False]
    assert [entry["card_id"] for entry in done["referrals"]] == [card]
    assert (balance(shop, card), balance(shop, shop.call("card.get", {"code": other})["card_id"])) == ("10.00", "0.00")


def test_rule_29_a_blocked_owners_card_brings_nothing(shop):
    _, card, code = owner_of(shop)
    shop.call("card.block", {"card_id": card, "reason": "lost"})
    with refused("card_blocked", card_id=str(card)):
        shop.call("order.process", first_order(code))
    done = shop.call("order.process", first_order(code, on_refused="skip"))
    assert (done["claims"][0]["reason"], done["amount_total"], done["referrals"]) == ("card_blocked", "100.00", [])
    assert balance(shop, card) == "0.00"


def test_rule_29_a_card_blocked_later_keeps_what_it_had_earned(shop):
    _, card, code = owner_of(shop)
    shop.call("order.process", first_order(code))
    shop.call("card.block", {"card_id": card, "reason": "lost"})
    assert balance(shop, card) == "10.00"


def test_rule_29_another_price_than_expected_writes_no_credit(shop):
    _, card, code = owner_of(shop)
    before = written(shop)
    with refused("price_changed"):
        shop.call("order.process", first_order(code, expected_total="94.00"))
    assert (written(shop), balance(shop, card)) == (before, "0.00")


# Limits and races


def test_rule_29_a_hundred_friends_at_once(shop):
    """A code for 30: exactly 30 are rewarded, the others are told the limit, and the owner is given 30 times."""
    program_id = 26
    shop.call("program.put", referral_program(program_id, max_referral_usage=30))
    _, card, code = owner_of(shop, program_id)
    replies = at_once(shop.endpoint, [("order.process", first_order(code)) for _ in range(100)])
    won = [reply["result"] for reply in replies if reply["ok"]]
    lost = [error_of(reply) for reply in replies if not reply["ok"]]
    assert [one["amount_total"] for one in won] == ["95.00"] * 30
    assert {error["code"] for error in lost} == {"limit_reached"}
    assert {error["message"].split(":")[-1].strip() for error in lost} == {"max_referral_usage 30, used 30"}
    assert balance(shop, card) == "300.00"
    with refused("limit_reached"):
        shop.call("order.quote", first_order(code)) and shop.call("order.process", first_order(code))
    shop.call("card.adjust", {"card_id": card, "points": "1", "reason": "x"})
    assert balance(shop, card) == "301.00"
    assert len({origin for kind, _, origin in rows(shop, card) if kind == "earn"}) == 30


def test_rule_29_two_first_orders_of_one_friend_at_once(shop):
    for _ in range(5):
        _, card, code = owner_of(shop)
        friend = new_partner()
        replies = at_once(shop.endpoint, [("order.process", first_order(code, friend)) for _ in range(4)])
        assert sum(reply["ok"] for reply in replies) == 1
        reasons = {error_of(reply)["details"]["reason"] for reply in replies if not reply["ok"]}
        assert reasons == {"not_first_order"}
        assert balance(shop, card) == "10.00"


def test_rule_29_the_owner_spends_while_credits_arrive(shop):
    """Friends come, the owner shops: each credit is booked once, and nothing is spent that was not there."""
    partner, card, code = owner_of(shop, points="20")
    claim = {"program_id": PROGRAM, "card": {"card_id": card}}
    requests = []
    for _ in range(40):
        requests.append(("order.process", first_order(code)))
        requests.append(("order.process", order(partner, line(1, 1, "20.00"), claims=[claim])))
    with RawClient(shop.endpoint) as friends, RawClient(shop.endpoint) as owner:
        sent = [(owner if body.get("partner_id") == partner else friends, method, body) for method, body in requests]
        waiting = [(client, client.send(method, body), body) for client, method, body in sent]
        answers = [(body, client.answer(request_id)) for client, request_id, body in waiting]
    spent = 0
    for body, reply in answers:
        if body.get("partner_id") != partner:
            assert result_of(reply)["amount_total"] == "95.00"
        elif reply["ok"]:
            spent += 10
        else:
            assert error_of(reply)["details"]["reason"] in ("not_enough_points",)
    assert spent >= 20
    assert Decimal(balance(shop, card)) == 20 + 40 * 10 - spent


def test_rule_29_friends_of_each_other_take_no_locks_of_each_other(shop):
    """Everyone's first order names the code of the next one: no order waits for a second member, so none is busy."""
    owners = [owner_of(shop) for _ in range(30)]
    requests = [
        ("order.process", first_order(owners[(at + 1) % 30][2], partner)) for at, (partner, _, _) in enumerate(owners)
    ]
    for reply in at_once(shop.endpoint, requests):
        assert result_of(reply)["amount_total"] == "95.00"
    assert [balance(shop, card) for _, card, _ in owners] == ["10.00"] * 30


# Refunds and cancellations


@pytest.mark.parametrize("booked", [False, True], ids=["pending", "booked"])
def test_rule_29_a_full_refund_takes_both_back(shop, booked):
    program_id = 27
    shop.call("program.put", referral_program(program_id, max_referral_usage=1))
    _, card, code = owner_of(shop, program_id, points="40")
    sale = first_order(code)
    shop.call("order.process", sale)
    if booked:
        shop.call("card.adjust", {"card_id": card, "points": "1", "reason": "x"})
    with refused("limit_reached"):
        shop.call("order.process", first_order(code))
    back = refund(sale["order_id"], line(1, -1, "100.00"))
    taken = shop.call("order.refund", back)
    assert taken["amount_total"] == "-95.00"
    assert taken["referrals"] == [{"card_id": card, "program_id": program_id, "points": "-10.00"}]
    assert shop.call("order.get", {"order_id": back["order_id"]}) == taken
    assert balance(shop, card) == ("41.00" if booked else "40.00")
    shop.call("card.adjust", {"card_id": card, "points": "2", "reason": "y"})
    assert [row[:2] for row in rows(shop, card)].count(("take_back", "-10.00")) == 1
    assert balance(shop, card) == ("43.00" if booked else "42.00")
    # The code's use lives again; the friend's first order was that one all the same.
    with refused("claim_refused", reason="not_first_order"):
        shop.call("order.process", first_order(code, sale["partner_id"]))
    assert shop.call("order.process", first_order(code))["amount_total"] == "95.00"


@pytest.mark.parametrize("booked", [False, True], ids=["pending", "booked"])
def test_rule_29_what_is_taken_back_comes_from_the_lot_that_it_became(shop, booked):
    """Not from points that expire sooner, which would be spent first."""
    _, card, code = owner_of(shop)
    shop.call("card.adjust", {"card_id": card, "points": "20", "reason": "x", "expires": "2099-01-01T00:00:00Z"})
    sales = [first_order(code) for _ in range(2)]
    for sale in sales:
        shop.call("order.process", sale)
        if booked:
            shop.call("points.hold", {"card_id": card, "points": "1", "ttl_s": 1})
    shop.call("order.refund", refund(sales[1]["order_id"], line(1, -1, "100.00")))
    lots = {lot["lot"]: lot["remaining"] for lot in shop.call("card.get", {"card_id": card})["lots"]}
    assert lots == {1: "20.00", 2: "10.00"} or lots == {1: "20.00", 2: "10.00", 3: "0.00"}


def test_rule_29_refunds_in_parts_take_back_with_the_last(shop):
    _, card, code = owner_of(shop)
    sale = order(new_partner(), line(1, 4, "25.00"), line(2, 1, "10.00"), claims=[{"code": code}])
    shop.call("order.process", sale)
    assert balance(shop, card) == "11.00"
    for product, qty in ((1, -1), (2, -1), (1, -2)):
        part = shop.call("order.refund", refund(sale["order_id"], line(product, qty, "25.00" if product == 1 else "10.00")))
        assert (part["referrals"], balance(shop, card)) == ([], "11.00")
    last = shop.call("order.refund", refund(sale["order_id"], line(1, -1, "25.00")))
    assert [entry["points"] for entry in last["referrals"]] == ["-11.00"]
    assert balance(shop, card) == "0.00"


@pytest.mark.parametrize("shortfall, debt", [(None, "10.00"), ("refuse", "10.00"), ("forgive", "0.00")])
def test_rule_29_what_the_owner_has_spent_is_debt(shop, shortfall, debt):
    """The friend's refund is never refused for what the owner did; the program may forgive it."""
    program_id = {None: 28, "refuse": 29, "forgive": 30}[shortfall]
    fields = {"shortfall": shortfall} if shortfall else {}
    shop.call("program.put", referral_program(program_id, **fields))
    _, card, code = owner_of(shop, program_id)
    sale = first_order(code)
    shop.call("order.process", sale)
    shop.call("card.adjust", {"card_id": card, "points": "-10", "reason": "spent"})
    shop.call("order.refund", refund(sale["order_id"], line(1, -1, "100.00")))
    held = shop.call("card.get", {"card_id": card})
    assert (held["balance"], held["debt"]) == ("0.00", debt)
    shop.call("order.process", first_order(code))
    held = shop.call("card.get", {"card_id": card})
    assert (held["balance"], held["debt"]) == ("0.00" if debt == "10.00" else "10.00", "0.00")
    shop.call("card.adjust", {"card_id": card, "points": "5", "reason": "x"})
    assert balance(shop, card) == ("5.00" if debt == "10.00" else "15.00")


def test_rule_29_a_cancel_takes_both_back(shop):
    program_id = 31
    shop.call("program.put", referral_program(program_id, max_referral_usage=1))
    _, card, code = owner_of(shop, program_id)
    friend = new_partner()
    sale = first_order(code, friend)
    shop.call("order.process", sale)
    cancelled = shop.call("order.cancel", {"order_id": sale["order_id"]})
    assert [entry["points"] for entry in cancelled["referrals"]] == ["-10.00"]
    assert balance(shop, card) == "0.00"
    # It never was: the friend's first order is still to come.
    again = shop.call("order.process", first_order(code, friend))
    assert (again["amount_total"], balance(shop, card)) == ("95.00", "10.00")


@pytest.mark.parametrize("booked", [False, True], ids=["pending", "booked"])
def test_rule_29_a_refund_that_is_cancelled_gives_the_points_again(shop, booked):
    program_id = 37
    shop.call("program.put", referral_program(program_id, max_referral_usage=1))
    _, card, code = owner_of(shop, program_id)
    sale = first_order(code)
    shop.call("order.process", sale)
    back = refund(sale["order_id"], line(1, -1, "100.00"))
    shop.call("order.refund", back)
    if booked:
        shop.call("card.adjust", {"card_id": card, "points": "1", "reason": "x"})
    undone = shop.call("order.cancel", {"order_id": back["order_id"]})
    assert undone["referrals"] == [{"card_id": card, "program_id": program_id, "points": "10.00"}]
    assert shop.call("order.cancel", {"order_id": back["order_id"]}) == dict(undone, replayed=True)
    assert balance(shop, card) == ("11.00" if booked else "10.00")
    with refused("limit_reached"):
        shop.call("order.process", first_order(code))
    shop.call("order.refund", refund(sale["order_id"], line(1, -1, "100.00")))
    shop.call("card.adjust", {"card_id": card, "points": "2", "reason": "y"})
    assert balance(shop, card) == ("3.00" if booked else "2.00")


def test_rule_29_cancelled_at_once_by_many(shop):
    _, card, code = owner_of(shop)
    sales = [first_order(code) for _ in range(20)]
    for reply in at_once(shop.endpoint, [("order.process", sale) for sale in sales]):
        result_of(reply)
    bodies = [("order.cancel", {"order_id": sale["order_id"]}) for sale in sales for _ in range(2)]
    for reply in at_once(shop.endpoint, bodies):
        result_of(reply)
    assert balance(shop, card) == "0.00"


# Codes


def test_rule_29_a_code_is_made_once(shop):
    """For a member and program there is one code, whoever asks, and however often at once."""
    partner = new_partner()
    shop.call("reference.put", {"partners": [{"partner_id": partner}]})
    body = {"partner_id": partner, "program_id": PROGRAM}
    answers = [result_of(reply) for reply in at_once(shop.endpoint, [("referral.create", body) for _ in range(20)])]
    assert sorted(answer["created"] for answer in answers) == [False] * 19 + [True]
    assert len({(answer["card_id"], answer["code"]) for answer in answers}) == 1
    made = answers[0]
    assert (len(made["code"]), made["balance"], made["uses"], made["max_referral_usage"]) == (16, "0.00", 0, 0)
    assert shop.call("card.get", {"code": made["code"]})["partner_id"] == partner
    assert shop.call("order.process", first_order(made["code"]))["amount_total"] == "95.00"
    again = shop.call("referral.create", body)
    assert (again["created"], again["balance"], again["code"]) == (False, "10.00", made["code"])


def test_rule_29_the_code_tells_its_uses(shop):
    program_id = 32
    shop.call("program.put", referral_program(program_id, max_referral_usage=2))
    partner = new_partner()
    shop.call("order.process", order(partner))
    body = {"partner_id": partner, "program_id": program_id}
    code = shop.call("referral.create", body)["code"]
    sale = first_order(code)
    shop.call("order.process", sale)
    used = shop.call("referral.create", body)
    assert (used["uses"], used["max_referral_usage"]) == (1, 2)
    shop.call("order.cancel", {"order_id": sale["order_id"]})
    assert shop.call("referral.create", body)["uses"] == 0


def test_rule_29_the_same_request_again(shop):
    partner = new_partner()
    shop.call("order.process", order(partner))
    key, body = new_id("KEY"), {"partner_id": partner, "program_id": PROGRAM}
    made = shop.call("referral.create", body, key=key)
    assert shop.call("referral.create", body, key=key) == dict(made, replayed=True)


def test_rule_29_codes_that_are_refused(shop):
    partner, card, _ = owner_of(shop)
    shop.call("program.put", dict(referral_program(33), program_type="promotion", rules=[{}]))
    shop.call("program.put", referral_program(34))
    shop.call("program.delete", {"program_id": 34})
    before = written(shop)
    with refused("not_found", path="partner_id"):
        shop.call("referral.create", {"partner_id": 999_999_999, "program_id": PROGRAM})
    for program_id in (34, 99_999):
        with refused("not_found", path="program_id"):
            shop.call("referral.create", {"partner_id": partner, "program_id": program_id})
    with refused("invalid_request", path="program_id"):
        shop.call("referral.create", {"partner_id": partner, "program_id": 33})
    shop.call("card.block", {"card_id": card, "reason": "lost"})
    with refused("card_blocked", card_id=str(card)):
        shop.call("referral.create", {"partner_id": partner, "program_id": PROGRAM})
    assert shop.query("SELECT count(*) FROM members WHERE partner_id = 999999999") == [(0,)]
    assert {table: count for table, count in written(shop).items() if count != before[table]}.keys() <= {"changes", "request_keys"}


def test_rule_29_a_card_with_a_code_of_ones_choice_is_the_code(shop):
    partner, card, code = owner_of(shop)
    there = shop.call("referral.create", {"partner_id": partner, "program_id": PROGRAM})
    assert (there["created"], there["card_id"], there["code"]) == (False, card, code)


def test_rule_29_what_a_code_is_worth(shop):
    program_id = 35
    shop.call("program.put", referral_program(program_id, max_referral_usage=1))
    _, card, code = owner_of(shop, program_id, points="40")
    fresh = shop.call("coupon.check", {"code": code})
    assert (fresh["state"], fresh["points"], fresh["partner_id"]) == ("usable", "0.00", None)
    sale = first_order(code)
    shop.call("order.process", sale)
    assert shop.call("coupon.check", {"code": code})["state"] == "used"
    shop.call("order.cancel", {"order_id": sale["order_id"]})
    assert shop.call("coupon.check", {"code": code})["state"] == "usable"
    shop.call("card.block", {"card_id": card, "reason": "lost"})
    assert shop.call("coupon.check", {"code": code})["state"] == "blocked"


# Orders that were paid for


def test_rule_29_a_paid_order_passes_the_limit(shop):
    """The friend was given the reward at a till without a line: it stays, the owner gets the points, and it is said."""
    program_id = 36
    shop.call("program.put", referral_program(program_id, max_referral_usage=1))
    _, card, code = owner_of(shop, program_id)
    shop.call("order.process", first_order(code))
    done = shop.call("order.process", first_order(code, paid=True, charged_total="95.00"))
    assert (done["amount_total"], [entry["points"] for entry in done["referrals"]]) == ("95.00", ["10.00"])
    assert any("max_referral_usage 1, used 1" in warning["text"] for warning in done["warnings"])
    assert balance(shop, card) == "20.00"
    assert shop.query("SELECT used FROM program_usage WHERE kind = 9 AND subject = %s", (card,)) == [(2,)]
    shop.call("order.refund", refund(done["order_id"], line(1, -1, "100.00")))
    assert balance(shop, card) == "10.00"
    with refused("limit_reached"):
        shop.call("order.process", first_order(code))


def test_rule_29_ones_own_code_brings_nothing_also_when_paid(shop):
    partner, card, code = owner_of(shop)
    done = shop.call("order.process", first_order(code, partner, paid=True, charged_total="95.00"))
    assert (done["amount_total"], done["referrals"], balance(shop, card)) == ("95.00", [], "0.00")


# The job


def test_rule_29_the_job_books_what_waits(shop):
    """Owners who never come: the job books, in steps, and changes no balance. What it did not see is booked the next time."""
    owners = [owner_of(shop) for _ in range(5)]
    sales = [first_order(code) for _, _, code in owners for _ in range(3)]
    for reply in at_once(shop.endpoint, [("order.process", sale) for sale in sales]):
        result_of(reply)
    shop.call("order.refund", refund(sales[0]["order_id"], line(1, -1, "100.00")))
    before = [balance(shop, card) for _, card, _ in owners]
    assert before == ["20.00"] + ["30.00"] * 4
    steps = [shop.call("job.run", {"job": "referrals", "limit": 2})]
    while not steps[-1]["done"]:
        steps.append(shop.call("job.run", {"job": "referrals", "limit": 2}))
    assert len(steps) > 2 and steps[-1]["total_changed"] >= 16
    assert [pending(shop, card) for _, card, _ in owners] == [0] * 5
    assert [balance(shop, card) for _, card, _ in owners] == before
    shop.call("order.process", first_order(owners[0][2]))
    assert shop.call("job.run", {"job": "referrals"})["changed"] == 1
    assert shop.call("job.run", {"job": "referrals"})["changed"] == 0
    assert balance(shop, owners[0][1]) == "30.00"


def test_rule_29_the_command_runs_the_job(shop):
    _, card, code = owner_of(shop)
    shop.call("order.process", first_order(code))
    done = shop.command("job", "run", "referrals", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["total_changed"] >= 1
    assert pending(shop, card) == 0


def test_rule_29_jobs_and_orders_at_once(shop):
    """Steps of the job, the owner's orders and friends meet at one card: each credit is booked once."""
    partner, card, code = owner_of(shop)
    requests = [("order.process", first_order(code)) for _ in range(30)]
    requests += [("job.run", {"job": "referrals"}) for _ in range(10)]
    requests += [("card.adjust", {"card_id": card, "points": "1", "reason": "x"}) for _ in range(10)]
    replies = at_once(shop.endpoint, requests[::3] + requests[1::3] + requests[2::3])
    assert {error_of(reply)["code"] for reply in replies if not reply["ok"]} <= {"busy"}  # two steps of a job at once
    assert balance(shop, card) == "310.00"


def test_rule_29_with_an_exchange(shop):
    """The friend brings something back that was bought without a name: what is covered earns nothing, the rest does."""
    _, card, code = owner_of(shop)
    bought = order(None, line(2, 1, "30.00"))
    shop.call("order.process", bought)
    sale = order(
        new_partner(), line(1, 1, "100.00"), line(2, -1, "30.00", refund_of={"order_id": bought["order_id"]}), claims=[{"code": code}]
    )
    done = shop.call("order.process", sale)
    assert (done["amount_total"], [entry["points"] for entry in done["referrals"]]) == ("65.00", ["10.00"])
    assert balance(shop, card) == "10.00"


# Histories


class Owner:
    """What an owner's card and code should be, whenever anybody looks: as if everything were booked at once."""

    def __init__(self, limit):
        self.limit, self.uses, self.blocked = limit, 0, False
        self.points = self.debt = Decimal(0)
        self.orders = []  # that were not cancelled: [order, points, units left]
        self.refunds = []  # that stand, the newest last: (entry, order_id, units)

    def gain(self, points):
        paid = min(self.debt, points)
        self.debt -= paid
        self.points += points - paid

    def take_back(self, points):
        taken = min(self.points, points)
        self.points -= taken
        self.debt += points - taken


@pytest.mark.parametrize("seed", range(4))
def test_rule_29_any_history(shop, seed):
    """Friends, refunds, cancellations, adjustments, blocks and jobs in any order: balance, debt and uses are right after each."""
    dice = random.Random(seed)
    program_id = 40 + seed
    owner = Owner(limit=dice.choice([3, 6, 1000]))
    shop.call("program.put", referral_program(program_id, max_referral_usage=owner.limit))
    partner, card, code = owner_of(shop, program_id)
    for _ in range(80):
        play(shop, dice, owner, card, code)
        held = shop.call("card.get", {"card_id": card})
        assert (Decimal(held["balance"]), Decimal(held["debt"])) == (owner.points, owner.debt)
        if not owner.blocked:
            told = shop.call("coupon.check", {"code": code})["state"]
            assert told == ("usable" if owner.uses < owner.limit else "used")
    shop.call("job.run", {"job": "referrals"})
    assert pending(shop, card) == 0
    assert Decimal(balance(shop, card)) == owner.points


def play(shop, dice, owner, card, code):
    """One step of a history, on the engine and on the model."""
    what = dice.choices(["friend", "refund", "cancel", "undo", "adjust", "job", "block"], [40, 20, 10, 10, 15, 10, 5])[0]
    if what == "friend":
        units = dice.randrange(1, 4)
        sale = order(new_partner(), line(1, units, "100.00"), claims=[{"code": code}])
        if owner.blocked or owner.uses >= owner.limit:
            with refused("card_blocked" if owner.blocked else "limit_reached"):
                shop.call("order.process", sale)
            return
        shop.call("order.process", sale)
        owner.orders.append([sale, Decimal(10 * units), units])
        owner.uses += 1
        owner.gain(Decimal(10 * units))
    elif what == "refund" and (left := [entry for entry in owner.orders if entry[2] > 0]):
        entry = dice.choice(left)
        units = dice.randrange(1, entry[2] + 1)
        back = refund(entry[0]["order_id"], line(1, -units, "100.00"))
        shop.call("order.refund", back)
        entry[2] -= units
        owner.refunds.append((entry, back["order_id"], units))
        if entry[2] == 0:
            owner.uses -= 1
            owner.take_back(entry[1])
    elif what == "undo" and owner.refunds:
        entry, order_id, units = owner.refunds.pop()
        shop.call("order.cancel", {"order_id": order_id})
        if entry[2] == 0:
            owner.uses += 1
            owner.gain(entry[1])
        entry[2] += units
    elif what == "cancel" and (whole := [entry for entry in owner.orders if entry[2] * 10 == entry[1]]):
        entry = dice.choice(whole)
        shop.call("order.cancel", {"order_id": entry[0]["order_id"]})
        owner.orders.remove(entry)
        owner.uses -= 1
        owner.take_back(entry[1])
    elif what == "adjust" and not owner.blocked:
        points = Decimal(dice.randrange(-40, 20) or 1)
        body = {"card_id": card, "points": str(points), "reason": "x"}
        if points < -owner.points:
            with refused("insufficient_points"):
                shop.call("card.adjust", body)
        else:
            shop.call("card.adjust", body)
            owner.gain(points) if points > 0 else owner.take_back(-points)
    elif what == "job":
        shop.call("job.run", {"job": "referrals"})
    elif what == "block":
        owner.blocked = not owner.blocked
        shop.call("card.block" if owner.blocked else "card.unblock", {"card_id": card, "reason": "x"})


# Owners that become one


def test_rule_29_a_merged_owner_keeps_the_code(shop):
    """Card and code are the other's; what waits is booked; and it is a code of one's own for both."""
    gone, card, code = owner_of(shop)
    stays = new_partner()
    shop.call("order.process", order(stays))
    shop.call("order.process", first_order(code))
    shop.call("member.merge", {"partner_id": gone, "into_partner_id": stays, "reason": "the same"})
    assert (pending(shop, card), balance(shop, card)) == (0, "10.00")
    assert shop.call("card.get", {"card_id": card})["partner_id"] == stays
    for partner in (gone, stays):
        with refused("claim_refused", reason="own_code"):
            shop.call("order.process", first_order(code, partner))
        there = shop.call("referral.create", {"partner_id": partner, "program_id": PROGRAM})
        assert (there["created"], there["code"]) == (False, code)
    shop.call("order.process", first_order(code))
    claim = {"program_id": PROGRAM, "card": {"card_id": card}}
    assert shop.call("order.process", order(stays, line(1, 1, "20.00"), claims=[claim]))["amount_total"] == "15.00"
    assert balance(shop, card) == "10.00"


def test_rule_29_a_friend_that_was_merged_is_no_new_customer(shop):
    _, card, code = owner_of(shop)
    gone, stays = new_partner(), new_partner()
    for partner in (gone, stays):
        shop.call("order.process", order(partner))
    shop.call("member.merge", {"partner_id": gone, "into_partner_id": stays, "reason": "the same"})
    for partner in (gone, stays):
        with refused("claim_refused", reason="not_first_order"):
            shop.call("order.process", first_order(code, partner))
    assert balance(shop, card) == "0.00"


# Owners and friends that are forgotten


def forget(engine, partner):
    while not engine.call("member.forget", {"partner_id": partner})["done"]:
        pass


def test_rule_29_an_owner_that_is_forgotten(shop):
    """What waited is booked, the code is nobody's; the friend's order can be returned all the same."""
    partner, card, code = owner_of(shop)
    sale = first_order(code)
    shop.call("order.process", sale)
    forget(shop, partner)
    assert pending(shop, card) == 0
    with refused("claim_refused", reason="unknown_code"):
        shop.call("order.process", first_order(code))
    back = shop.call("order.refund", refund(sale["order_id"], line(1, -1, "100.00")))
    assert [entry["points"] for entry in back["referrals"]] == ["-10.00"]
    assert balance(shop, card) == "0.00"


def test_rule_29_a_friend_that_is_forgotten(shop):
    _, card, code = owner_of(shop)
    friend = new_partner()
    sale = first_order(code, friend)
    shop.call("order.process", sale)
    forget(shop, friend)
    assert balance(shop, card) == "10.00"
    shop.call("order.refund", refund(sale["order_id"], line(1, -1, "100.00")))
    assert balance(shop, card) == "0.00"
    # Nobody knows any more that it was not the first.
    assert shop.call("order.process", first_order(code, friend))["amount_total"] == "95.00"


# What fsck says


DAMAGE = {
    "a credit that is gone": ("DELETE FROM referral_credits WHERE booked IS NULL", "81_referrals"),
    "a credit twice": (
        "INSERT INTO referral_credits SELECT bucket, card_id, original_ref, order_ref + 1, order_id, points, forgives, gained,"
        " usable_from, expires, recorded_at FROM referral_credits WHERE booked IS NULL",
        "81_referrals",
    ),
    "other points": ("UPDATE referral_credits SET points = points + 1 WHERE booked IS NULL", "81_referrals"),
    "booked without a row": ("UPDATE referral_credits SET booked = points, seq = 77, lot_no = 77 WHERE booked IS NULL", "82_referrals_booked"),
    "another row": ("UPDATE referral_credits SET seq = 1 WHERE seq = 2", "82_referrals_booked"),
    "another lot": ("UPDATE referral_credits SET lot_no = 1 WHERE lot_no = 2", "82_referrals_booked"),
    "other points booked": ("UPDATE referral_credits SET booked = booked - 1 WHERE seq = 2", "72_order_effects"),
    "a use too many": ("UPDATE program_usage SET used = used + 1 WHERE kind = 9", "80_uses"),
}


def test_rule_29_fsck_finds_what_was_changed_by_hand(own_engine):
    own_engine.call("program.put", referral_program(max_referral_usage=9))
    _, card, code = owner_of(own_engine, points="5")
    own_engine.call("order.process", first_order(code))
    own_engine.call("card.adjust", {"card_id": card, "points": "1", "reason": "x"})
    own_engine.call("order.process", first_order(code))
    own_engine.assert_ledger_holds()
    for table in ("referral_credits", "program_usage"):
        own_engine.query(f"CREATE TABLE kept_{table} AS TABLE {table}")
    for what, (sql, check) in DAMAGE.items():
        own_engine.query(sql)
        found = {entry["name"] for entry in own_engine.fsck()["checks"] if entry["findings"]}
        assert check in found, (what, found)
        for table in ("referral_credits", "program_usage"):
            own_engine.query(f"TRUNCATE {table}; INSERT INTO {table} SELECT * FROM kept_{table}")
    own_engine.assert_ledger_holds()


# Workers that die


def test_rule_29_credits_survive_workers_that_die():
    """kill -9 in the middle of it: what friends were told is what the owners hold, each credit once."""
    from harness import Engine

    with Engine(buckets=8) as engine:
        engine.call("program.put", referral_program(max_referral_usage=1000))
        owners = [owner_of(engine) for _ in range(3)]
        told, failures, end = [], [], threading.Event()

        def friends(number):
            client = Client(engine.endpoint, timeout=60, **client_options())
            try:
                for at in range(60):
                    sale = first_order(owners[(at + number) % 3][2])
                    result = client.order_process(sale)
                    told.append(result["referrals"][0]["card_id"])
                    if at % 5 == 0:
                        client.order_cancel(sale["order_id"])
                        told.remove(result["referrals"][0]["card_id"])
            except (LoyaltyError, AssertionError) as error:
                failures.append(error)
            finally:
                client.close()

        def owner():
            client = Client(engine.endpoint, timeout=60, **client_options())
            try:
                while not end.is_set():
                    for _, card, _ in owners:
                        client.card_adjust("1", "x", card_id=card)
                        client.card_adjust("-1", "x", card_id=card)
            except LoyaltyError as error:
                failures.append(error)
            finally:
                client.close()

        threads = [threading.Thread(target=friends, args=(number,)) for number in range(4)] + [threading.Thread(target=owner)]
        for thread in threads:
            thread.start()
        for worker in (1, 2, 1):
            time.sleep(0.5)
            engine.kill_worker(worker)
        for thread in threads[:-1]:
            thread.join()
        end.set()
        threads[-1].join()
        assert not failures, failures[0]
        for _, card, _ in owners:
            assert Decimal(balance(engine, card)) == 10 * told.count(card)
        engine.assert_ledger_holds()
