"""What is told of each change: the events that follow, their fields against the reply and the journal, and reading them (events.read)."""

import contextlib
import datetime
import time
from decimal import Decimal

import msgpack
import pytest

from harness import Engine, wait_until
from loyalty_client import LoyaltyError
from raw_client import at_once, result_of
from shop import line, loyalty_program, new_id, new_partner, order, promotion, refund, refused
from told import Told, all_numbered, assert_points_add_up, newest, points_told, read_all

UTC = datetime.timezone.utc
POINTS, COUPONS, NEXT, REFERRAL, GIFTS, PROMOTION, SHORT, BRONZE_POINTS, SILVER_POINTS = range(1, 10)
BRONZE, SILVER = 941, 942
GIFT_ITEM, PROMOTED = 71, 72
STORE = 5
ORDER_TOPICS = {"order.process": "order.processed", "order.refund": "order.refunded", "order.cancel": "order.cancelled"}
# What an event of an order has besides the envelope, and what its reply has besides that.
OWN_FIELDS = {"number", "topic", "at", "store_id", "partner_id", "channel", "reference", "cashier_id", "session_id", "import"}
REPLY_FIELDS = {"replayed", "claims", "hints", "rejected"}

PROGRAMS = [
    loyalty_program(BRONZE_POINTS, membership_product_id=BRONZE, is_primary_loyalty=True),
    loyalty_program(SILVER_POINTS, membership_product_id=SILVER, is_primary_loyalty=True),
    {"program_id": COUPONS, "name": "Coupons", "program_type": "coupons", "rules": [{}], "rewards": [{"discount_mode": "per_order", "discount": "2.00"}]},
    {"program_id": NEXT, "name": "Next time", "program_type": "next_order_coupons", "applies_on": "future",
     "rules": [{"product_ids": [73], "reward_point_mode": "order", "reward_point_amount": 1}],
     "rewards": [{"discount": 10, "required_points": 1}]},
    {"program_id": REFERRAL, "name": "Bring a friend", "program_type": "referral",
     "rules": [{"reward_point_mode": "money", "reward_point_amount": "0.1"}],
     "rewards": [{"discount_mode": "per_order", "discount": "5.00", "required_points": 10}]},
    {"program_id": GIFTS, "name": "Gift cards", "program_type": "gift_card", "applies_on": "future",
     "rules": [{"product_ids": [GIFT_ITEM], "reward_point_mode": "money", "reward_point_amount": 1, "reward_point_split": True}],
     "rewards": [{"discount_mode": "per_point", "discount": 1}]},
    promotion(PROMOTION, 20, rules=[{"product_ids": [PROMOTED]}],
              rewards=[{"discount": 20, "discount_applicability": "specific", "discount_product_ids": [PROMOTED]}]),
    {"program_id": SHORT, "name": "Soon over", "program_type": "coupons", "rules": [{}], "rewards": [{"discount_mode": "per_order", "discount": "1.00"}]},
]  # fmt: skip


@pytest.fixture(scope="module", params=[1, 8], ids=["buckets=1", "buckets=8"])
def shop(request):
    with Engine(buckets=request.param) as engine:
        engine.call("reference.put", {
            "stores": [{"store_id": STORE, "name": "Market square"}],
            "levels": [{"membership_product_id": BRONZE, "sequence": 1}, {"membership_product_id": SILVER, "sequence": 2, "threshold": "1000.00"}],
        })  # fmt: skip
        for program in PROGRAMS:
            engine.call("program.put", program)
        yield engine
        engine.assert_ledger_holds()
        assert_points_add_up(engine)


@pytest.fixture
def told(shop):
    return Told(shop)


def buy(shop, partner, *lines, **fields):
    return shop.call("order.process", order(partner, *(lines or [line()]), store_id=STORE, **fields))


def new_card(shop, program_id, points, partner=None, **fields):
    body = {"program_id": program_id, "points": points, **fields}
    return shop.call("card.create", body if partner is None else dict(body, partner_id=partner))


def balance(shop, card_id):
    return shop.call("card.balance", {"card_id": card_id})["balance"]


def by_topic(events):
    assert len({event["topic"] for event in events}) == len(events), events
    return {event["topic"]: event for event in events}


def expect_as_reply(event, reply):
    """An order's event says what its reply said."""
    assert set(event) - OWN_FIELDS == set(reply) - REPLY_FIELDS
    for name in set(event) & set(reply) - {"points"}:
        assert event[name] == reply[name], name
    assert [{name: value for name, value in card.items() if name != "change"} for card in event["points"]] == reply["points"]


def test_an_order_is_told_as_it_was_answered(shop, told):
    partner = new_partner()
    shop.call("card.create", {"program_id": BRONZE_POINTS, "partner_id": partner, "points": "300"})
    told.events()
    before = datetime.datetime.now(UTC)
    reply = buy(shop, partner, line(price="10.00"), line(PROMOTED, 2, "5.00"), claims=[{"program_id": BRONZE_POINTS, "reward_id": 2}],
                reference="R-1", cashier_id=7, session_id=8, channel="pos", meta={"till": 3})  # fmt: skip
    assert reply["amount_total"] == "13.00"
    events = by_topic(told.events())
    assert set(events) == {"order.processed", "points.earned", "points.redeemed", "promotion.applied"}
    for event in events.values():
        assert (event["order_id"], event["store_id"], event["partner_id"]) == (reply["order_id"], STORE, partner)
        assert event["date"] == reply["date"]
        assert abs(datetime.datetime.fromisoformat(event["at"]) - before) < datetime.timedelta(seconds=60)
    whole = events["order.processed"]
    expect_as_reply(whole, reply)
    assert (whole["reference"], whole["cashier_id"], whole["session_id"], whole["channel"], whole["import"]) == ("R-1", 7, 8, "pos", False)
    (card,) = reply["points"]
    assert whole["points"][0]["change"] == str(Decimal(card["earned"]) - Decimal(card["redeemed"]))
    common = {"card_id": card["card_id"], "program_id": BRONZE_POINTS, "balance": card["balance"], "debt": "0.00"}
    assert events["points.earned"]["points"] == [dict(common, points=card["earned"])]
    assert events["points.redeemed"]["points"] == [dict(common, points=card["redeemed"])]
    parts = [{name: value for name, value in one.items() if name not in ("lines", "taxes")} for one in reply["discounts"]]
    assert len(parts) == 2 and events["promotion.applied"]["discounts"] == parts


def test_a_plain_order_is_one_event(shop, told):
    reply = shop.call("order.process", order())
    (event,) = told.events()
    assert event["topic"] == "order.processed" and not {"store_id", "partner_id", "card_id"} & set(event)
    expect_as_reply(event, reply)


def test_returns_and_what_is_undone_are_told(shop, told):
    partner = new_partner()
    bought = buy(shop, partner, line(price="40.00"))
    back = shop.call("order.refund", refund(bought["order_id"], line(qty=-1, price="40.00")))
    sold = buy(shop, partner, line(price="30.00"))
    undone = shop.call("order.cancel", {"order_id": sold["order_id"]})
    events = told.events()
    assert [event["topic"] for event in events] == ["order.processed", "card.created", "points.earned", "order.refunded", "points.earned",
                                                    "order.processed", "points.earned", "order.cancelled", "points.earned"]  # fmt: skip
    expect_as_reply(events[3], back)
    expect_as_reply(events[7], undone)
    earned = [event["points"][0] for event in events if event["topic"] == "points.earned"]
    assert [(card["points"], card["balance"]) for card in earned] == [("40.00", "40.00"), ("-40.00", "0.00"), ("30.00", "30.00"), ("-30.00", "0.00")]
    (created,) = events[1]["cards"]
    assert created["card_id"] == earned[0]["card_id"] and created["code"] == shop.call("card.get", {"card_id": created["card_id"]})["code"]


def test_cards_that_an_order_makes_are_told_with_it(shop, told):
    reply = buy(shop, None, line(GIFT_ITEM, 2, "25.00"), line(73))
    events = by_topic(told.events())
    assert set(events) == {"order.processed", "card.created", "points.earned"}
    assert len(reply["cards"]) == 3 and events["card.created"]["cards"] == reply["cards"]


def test_debt_and_what_pays_it_are_in_the_change(shop, told):
    partner = new_partner()
    card = new_card(shop, BRONZE_POINTS, "10", partner)["card_id"]
    bought = buy(shop, partner, line(price="30.00"))
    shop.call("card.adjust", {"card_id": card, "points": "-35", "reason": "spent elsewhere"})
    told.events()
    shop.call("order.refund", refund(bought["order_id"], line(qty=-1, price="30.00")))
    refunded = told.events("order.refunded")[0]["points"][0]
    assert (refunded["earned"], refunded["balance"], refunded["debt"], refunded["change"]) == ("-5.00", "0.00", "25.00", "-5.00")
    buy(shop, partner, line(price="40.00"))
    paid = told.events("order.processed")[0]["points"][0]
    assert (paid["earned"], paid["balance"], paid["debt"], paid["change"]) == ("40.00", "15.00", "0.00", "15.00")


def test_what_a_late_order_differs_by_is_an_alert(shop, told):
    partner = new_partner()
    reply = buy(shop, partner, paid=True, charged_total="9.00")
    event = told.one("alert")
    texts = [warning["text"] for warning in reply["warnings"] if warning["kind"] == "difference"]
    assert texts and (event["kind"], event["texts"], event["order_id"], event["partner_id"]) == ("order_differs", texts, reply["order_id"], partner)
    shop.call("order.cancel", {"order_id": reply["order_id"]})
    assert told.events("alert") == []


def test_changes_of_cards(shop, told):
    partner = new_partner()
    card = new_card(shop, BRONZE_POINTS, "10", partner)
    other = new_card(shop, BRONZE_POINTS, "1", new_partner())
    first, second = told.events()
    assert (first["topic"], first["card_id"], first["partner_id"]) == ("card.created", card["card_id"], partner)
    assert first["cards"] == [{"card_id": card["card_id"], "program_id": BRONZE_POINTS, "code": card["code"], "points": "10.00", "expires": None}]
    assert second["card_id"] == other["card_id"]

    def expect(event, topic, points, balance_after, kind, reason, card_id=card["card_id"]):
        assert event["topic"] == topic and event["card_id"] == card_id and event["program_id"] == BRONZE_POINTS
        assert (event["points"], event["balance"], event["debt"], event["kind"]) == (points, balance_after, "0.00", kind)
        assert (event["reason"], event["order_id"]) == (reason, None)

    shop.call("card.adjust", {"card_id": card["card_id"], "points": "5.5", "reason": "sorry"})
    expect(told.one("card.adjusted"), "card.adjusted", "5.50", "15.50", "adjust", "sorry")
    shop.call("card.adjust", {"card_id": card["card_id"], "points": "-1", "reason": "oops"})
    expect(told.one("card.adjusted"), "card.adjusted", "-1.00", "14.50", "adjust", "oops")
    shop.call("card.transfer", {"from": {"card_id": card["card_id"]}, "to": {"card_id": other["card_id"]}, "points": "4.5", "reason": "gift"})
    gave, got = sorted(told.events(), key=lambda event: event["card_id"] != card["card_id"])  # in any order: of two members
    expect(gave, "card.adjusted", "-4.50", "10.00", "transfer", "gift")
    expect(got, "card.adjusted", "4.50", "5.50", "transfer", "gift", other["card_id"])
    held = shop.call("points.hold", {"card_id": card["card_id"], "points": "3"})
    assert told.events() == []
    shop.call("points.capture", {"hold_id": held["hold_id"], "points": "2", "reason": "lottery"})
    expect(told.one("card.adjusted"), "card.adjusted", "-2.00", "8.00", "redeem", "lottery")
    shop.call("points.release", {"hold_id": shop.call("points.hold", {"card_id": card["card_id"], "points": "1"})["hold_id"]})
    assert told.events() == []
    shop.call("card.block", {"card_id": card["card_id"], "reason": "lost"})
    shop.call("card.block", {"card_id": card["card_id"], "reason": "lost again"})
    shop.call("card.unblock", {"card_id": card["card_id"], "reason": "found"})
    assert [(event["topic"], event["card_id"], event["partner_id"], event["program_id"], event["reason"]) for event in told.events()] == [
        ("card.blocked", card["card_id"], partner, BRONZE_POINTS, "lost"), ("card.unblocked", card["card_id"], partner, BRONZE_POINTS, "found")]  # fmt: skip


def test_coupons_are_told_card_by_card(shop, told):
    partners = [new_partner(), new_partner()]
    shop.call("coupon.generate", {"program_id": COUPONS, "batch": new_id("B"), "count": 3, "pattern": "EV-########", "points": "1"})
    shop.call("coupon.generate", {"program_id": COUPONS, "batch": new_id("B"), "count": 2, "pattern": "EW-########", "points": "1", "partner_ids": partners})
    events = told.events()
    assert [event["topic"] for event in events] == ["card.created"] * 5
    assert sorted(event.get("partner_id", 0) for event in events) == [0, 0, 0, *partners]
    for event in events:
        (card,) = event["cards"]
        assert shop.call("card.get", {"card_id": event["card_id"]})["code"] == card["code"] and card["points"] == "1.00"


def test_points_that_run_out_are_told_when_they_are_booked(shop, told):
    soon = (datetime.datetime.now(UTC) + datetime.timedelta(seconds=0.5)).isoformat()
    card = new_card(shop, SHORT, "8", expires=soon)["card_id"]
    shop.call("card.adjust", {"card_id": card, "points": "2", "reason": "kept"})
    told.events()
    wait_until(lambda: balance(shop, card) == "2.00", 10, "the points to run out")
    while not shop.call("job.run", {"job": "expire"})["done"]:
        pass
    (event,) = [event for event in told.events("points.expired") if event["card_id"] == card]
    assert (event["points"], event["balance"], event["program_id"], event["kind"]) == ("-8.00", "2.00", SHORT, "expire")


def test_what_runs_out_with_a_hold_that_an_order_lets_go_is_told_with_the_order(shop, told):
    partner = new_partner()
    card = new_card(shop, BRONZE_POINTS, "5", partner)["card_id"]
    soon = datetime.datetime.now(UTC) + datetime.timedelta(seconds=0.5)
    shop.call("card.adjust", {"card_id": card, "points": "60", "reason": "soon over", "expires": soon.isoformat()})
    hold = shop.call("points.hold", {"card_id": card, "points": "60"})
    told.events()
    time.sleep(max(0, (soon - datetime.datetime.now(UTC)).total_seconds()) + 0.05)
    reply = buy(shop, partner, claims=[{"program_id": BRONZE_POINTS, "reward_id": 2}], hold_id=hold["hold_id"])
    events = told.events()
    expired = [event for event in events if event["topic"] == "points.expired"]
    assert [(event["points"], event["order_id"], event["reason"]) for event in expired] == [("-10.00", reply["order_id"], None)]
    (whole,) = [event for event in events if event["topic"] == "order.processed"]
    assert (whole["points"][0]["earned"], whole["points"][0]["redeemed"], whole["points"][0]["change"]) == ("10.00", "50.00", "-40.00")


def test_points_of_referral_codes_are_told_when_they_are_booked(shop, told):
    owner, code = new_partner(), new_id("FRIEND")
    card = new_card(shop, REFERRAL, "0", owner, code=code)["card_id"]
    told.events()
    reply = buy(shop, new_partner(), line(price="100.00"), claims=[{"code": code}])
    assert [one["points"] for one in told.events("order.processed")[0]["referrals"]] == ["10.00"]
    while not shop.call("job.run", {"job": "referrals"})["done"]:
        pass
    event = told.one("referral.booked")
    assert (event["card_id"], event["partner_id"], event["program_id"], event["points"], event["balance"], event["order_id"]) == (
        card, owner, REFERRAL, "10.00", "10.00", reply["order_id"])  # fmt: skip


def test_a_level_that_an_order_reaches_is_told_with_the_points_that_move(shop, told):
    partner = new_partner()
    buy(shop, partner, line(price="60.00"))
    bronze = shop.call("card.get", {"partner_id": partner, "program_id": BRONZE_POINTS})["card_id"]
    told.events()
    reply = buy(shop, partner, line(price="950.00"))
    events = told.events()
    silver = shop.call("card.get", {"partner_id": partner, "program_id": SILVER_POINTS})["card_id"]
    moved = [(event["card_id"], event["points"], event["balance"], event["kind"], event["order_id"]) for event in events if event["topic"] == "card.adjusted"]
    assert moved == [(bronze, "-1010.00", "0.00", "transfer", reply["order_id"]), (silver, "1010.00", "1010.00", "transfer", reply["order_id"])]
    (level,) = [event for event in events if event["topic"] == "membership.changed"]
    assert (level["partner_id"], level["before"], level["after"], level["program_id"]) == (partner, BRONZE, SILVER, SILVER_POINTS)
    assert (level["order_id"], level["reason"], level["to"]) == (reply["order_id"], None, None) and level["from"] == reply["date"]
    (created,) = [event for event in events if event["topic"] == "card.created"]
    assert [card["card_id"] for card in created["cards"]] == [silver]
    (whole,) = [event for event in events if event["topic"] == "order.processed"]
    assert whole["membership"] == reply["membership"]
    assert {card["card_id"]: card["change"] for card in whole["points"]} == {bronze: "950.00", silver: "0.00"}


def test_a_level_that_is_given_is_told(shop, told):
    partner = new_partner()
    buy(shop, partner, line(price="20.00"))
    told.events()
    shop.call("membership.change", {"partner_id": partner, "membership_product_id": SILVER, "reason": "staff"})
    events = told.events()
    assert [event["topic"] for event in events] == ["card.created", "card.adjusted", "card.adjusted", "membership.changed"]
    level = events[-1]
    assert (level["before"], level["after"], level["reason"], level["order_id"]) == (BRONZE, SILVER, "staff", None)


def test_members_that_become_one(shop, told):
    one, other = new_partner(), new_partner()
    gone = new_card(shop, BRONZE_POINTS, "10", one)["card_id"]
    kept = new_card(shop, BRONZE_POINTS, "5", other)["card_id"]
    given = new_card(shop, COUPONS, "1", one)["card_id"]
    told.events()
    shop.call("member.merge", {"partner_id": one, "into_partner_id": other})
    events = told.events()
    assert {(event["card_id"], event["points"]) for event in events if event["topic"] == "card.adjusted"} == {(gone, "-10.00"), (kept, "10.00")}
    (merged,) = [event for event in events if event["topic"] == "member.merged"]
    assert (merged["partner_id"], merged["merged_partner_id"]) == (other, one)
    assert {(card["card_id"], card["into_card_id"]) for card in merged["cards"]} == {(gone, kept), (given, None)}
    # What is told of the card from now on is told of its new member.
    shop.call("card.block", {"card_id": given, "reason": "x"})
    assert told.one("card.blocked")["partner_id"] == other


def texts_of(value):
    """Every string and number in an event."""
    if isinstance(value, dict):
        return {text for one in value.values() for text in texts_of(one)}
    if isinstance(value, list):
        return {text for one in value for text in texts_of(one)}
    return {value}


def test_of_a_member_that_is_forgotten_nothing_is_told_any_more(shop, told):
    person, absorbed, friend = (7_310_000_107_000_000 + new_partner() * 1_003 for _ in range(3))
    card = new_card(shop, BRONZE_POINTS, "10", person, code=new_id("SECRET"))
    other = new_card(shop, BRONZE_POINTS, "3", absorbed, code=new_id("SECRET"))
    shop.call("card.adjust", {"card_id": card["card_id"], "points": "1", "reason": "for Ottilie"})
    shop.call("membership.change", {"partner_id": person, "membership_product_id": SILVER, "reason": "Ottilie asked"})
    shop.call("member.merge", {"partner_id": absorbed, "into_partner_id": person, "reason": "both Ottilie"})
    silver = shop.call("card.get", {"partner_id": person, "program_id": SILVER_POINTS})
    bought = buy(shop, person, line(price="5.00"), reference="OTTILIE", meta={"name": "Ottilie"})
    new_card(shop, BRONZE_POINTS, "2", friend)
    secrets = {person, absorbed, card["code"], other["code"], silver["code"], "for Ottilie", "Ottilie asked", "both Ottilie", "OTTILIE", "Ottilie"}
    start = told.after
    before = told.events()
    assert secrets <= set().union(*(texts_of(event) for event in before))
    shop.call("points.hold", {"card_id": silver["card_id"], "points": "1"})
    shop.call("member.forget", {"partner_id": person})
    assert [event["topic"] for event in told.events()][-1] == "member.forgotten"

    after = read_all(shop, start)
    assert not secrets & set().union(*(texts_of(event) for event in after))
    pseudonym = after[-1]["partner_id"]
    assert pseudonym < 0
    assert points_told(after[: len(before)]) == points_told(before)
    for was, now in zip(before, after):
        expected = {person: pseudonym, absorbed: pseudonym}.get(was.get("partner_id"), was.get("partner_id"))
        assert (now["number"], now["topic"], now["at"], now.get("partner_id"), now.get("card_id")) == (
            was["number"], was["topic"], was["at"], expected, was.get("card_id"))  # fmt: skip
    assert [event["amount_total"] for event in after if event.get("order_id") == bought["order_id"] and event["topic"] == "order.processed"] == ["5.00"]
    # Nor in the rows themselves, whatever is rendered of them.
    bodies = shop.query("SELECT body FROM changes WHERE body IS NOT NULL AND partner_id = %s", (pseudonym,))
    assert bodies and not secrets & set().union(*(texts_of(msgpack.unpackb(bytes(body))) for (body,) in bodies))


def test_changes_of_the_catalog(shop, told):
    def changed():
        event = told.one("catalog.changed")
        return event["catalog_version"], event["changed"]

    version = shop.call("program.put", promotion(501, 5))["catalog_version"]
    assert changed() == (version, {"programs": {"count": 1, "ids": [501]}})
    version = shop.call("program.delete", {"program_id": 501})["catalog_version"]
    assert changed() == (version, {"programs": {"count": 1, "ids": [501]}})
    shop.call("program.put", promotion(502, 5, state="draft"))
    shop.call("reference.put", {"products": [{"product_id": 601}], "partners": [{"partner_id": new_partner()}]})
    assert told.events() == []  # neither moves the catalog
    reply = shop.call("reference.put", {"stores": [{"store_id": 51}, {"store_id": 52}], "categories": [{"category_id": 8}]})
    assert changed() == (reply["catalog_version"], {"stores": {"count": 2, "ids": [51, 52]}, "categories": {"count": 1, "ids": [8]}})
    shop.call("reference.put", {"categories": [{"category_id": number} for number in range(1000, 1250)]})
    assert changed()[1] == {"categories": {"count": 250, "ids": list(range(1000, 1100))}}


def test_every_topic_is_told(shop, told):
    """One of everything; `sync.failed` is the sync's."""
    partner, friend = new_partner(), new_partner()
    buy(shop, partner)
    code = shop.call("referral.create", {"partner_id": partner, "program_id": REFERRAL})["code"]
    bought = buy(shop, partner, line(PROMOTED, price="1300.00"))
    buy(shop, friend, line(price="100.00"), claims=[{"code": code}], paid=True, charged_total="1.00")
    back = shop.call("order.refund", refund(bought["order_id"], line(PROMOTED, qty=-1, price="1300.00")))
    shop.call("order.cancel", {"order_id": back["order_id"]})
    card = new_card(shop, COUPONS, "1", expires=(datetime.datetime.now(UTC) + datetime.timedelta(seconds=0.3)).isoformat())
    shop.call("card.block", {"card_id": card["card_id"], "reason": "x"})
    shop.call("card.unblock", {"card_id": card["card_id"], "reason": "x"})
    shop.call("card.adjust", {"card_id": card["card_id"], "points": "1", "reason": "x"})
    buy(shop, partner, claims=[{"program_id": SILVER_POINTS, "reward_id": 2}])
    wait_until(lambda: balance(shop, card["card_id"]) == "1.00", 10, "the coupon's points to run out")
    for job in ("expire", "referrals"):
        while not shop.call("job.run", {"job": job})["done"]:
            pass
    shop.call("program.put", promotion(503, 5, state="archived"))
    shop.call("member.merge", {"partner_id": friend, "into_partner_id": partner})
    shop.call("member.forget", {"partner_id": partner})
    topics = {event["topic"] for event in told.events()}
    from loyalty_client._tables import NAMES

    assert topics == set(NAMES["topic"]) - {"sync.failed"}


# ---- nothing is told of what was not done


def test_what_fails_or_is_repeated_is_not_told(shop, told):
    partner = new_partner()
    body = order(partner, line(price="10.00"))
    shop.call("order.process", body)
    key = new_id("key")
    created = shop.call("card.create", {"program_id": COUPONS, "points": "1"}, key=key)
    told.events()
    assert shop.call("order.process", body)["replayed"]
    assert shop.call("card.create", {"program_id": COUPONS, "points": "1"}, key=key)["replayed"]
    with refused("conflict"):
        shop.call("order.process", dict(body, lines=[line(price="11.00")]))
    with refused("price_changed"):
        shop.call("order.process", order(partner, line(), expected_total="1.00"))
    with refused("claim_refused"):
        shop.call("order.process", order(partner, line(), claims=[{"code": "NO-SUCH-CODE"}]))
    with refused("insufficient_points"):
        shop.call("card.adjust", {"card_id": created["card_id"], "points": "-2", "reason": "x"})
    with refused("conflict"):
        shop.call("card.create", {"program_id": BRONZE_POINTS, "partner_id": partner})
    shop.call("order.quote", order(partner, line(price="5000.00")))
    shop.call("order.cancel", {"order_id": new_id()})  # a tombstone: nothing was there
    assert told.events() == []


def test_of_requests_in_one_batch_each_is_told_for_itself(shop, told):
    partner = new_partner()
    new_card(shop, BRONZE_POINTS, "100", partner)
    told.events()
    spend = [{"program_id": BRONZE_POINTS, "reward_id": 2}]
    requests = [("order.process", order(partner, line(price="5.00"), claims=spend)) for _ in range(6)]
    replies = [reply for reply in at_once(shop.endpoint, requests)]
    done = []
    for reply in replies:
        try:
            done.append(result_of(reply)["order_id"])
        except (AssertionError, KeyError, LoyaltyError):
            pass
    assert 0 < len(done) < len(requests)  # 100 points are two vouchers
    events = told.events("order.processed")
    assert sorted(event["order_id"] for event in events) == sorted(done)


# ---- reading


def test_reading_without_a_number_says_where_now_is(shop):
    last = newest(shop)
    page = shop.call("events.read")
    assert page == {"events": [], "after": last, "last": last, "oldest": 1}
    shop.call("order.process", order())
    assert [event["topic"] for event in read_all(shop, page["after"])] == ["order.processed"]


def test_thousands_are_read_page_by_page_whatever_the_pages(shop):
    start = newest(shop)
    shop.call("coupon.generate", {"program_id": COUPONS, "batch": new_id("B"), "count": 2500, "pattern": "PAGE-##########", "points": "1"}, timeout=60)
    buy(shop, new_partner(), line(PROMOTED))  # several events in one row
    whole = read_all(shop, start)
    assert len(whole) == 2504 and [event["number"] for event in whole] == list(range(start + 1, start + 2505))
    for limit in (1000, 999, 333):
        assert read_all(shop, start, limit=limit) == whole
    end = start + 2500
    assert read_all(shop, end - 3, limit=1) == whole[2497:]
    for after in range(end - 1, end + 5):
        page = shop.call("events.read", {"after": after, "limit": 2})
        assert page["events"] == whole[after - start : after - start + 2] and page["after"] == min(after + 2, start + 2504)


def test_only_some_topics(shop):
    start = newest(shop)
    for price in ("1.00", "2.00", "3.00"):
        buy(shop, new_partner(), line(PROMOTED, price=price))
    whole = read_all(shop, start)
    topics = {event["topic"] for event in whole}
    assert len(topics) == 4
    for topic in topics:
        for limit in (1, 2, 1000):
            assert read_all(shop, start, topics=[topic], limit=limit) == [event for event in whole if event["topic"] == topic]
    two = ["points.earned", "promotion.applied"]
    assert read_all(shop, start, topics=two) == [event for event in whole if event["topic"] in two]
    # What has none of them is passed over, so that nobody has to read it again.
    page = shop.call("events.read", {"after": start, "topics": ["member.merged"]})
    assert (page["events"], page["after"]) == ([], whole[-1]["number"])


def test_numbers_that_are_not_there_yet(shop):
    last = newest(shop)
    for after in (last, last + 1, last + 10**6, 2**62):
        assert shop.call("events.read", {"after": after}) == {"events": [], "after": after, "last": last, "oldest": 1}


def test_an_answer_has_a_bound(shop):
    start = newest(shop)
    lines = [line(number, 1, "1.00", line_id="x" * 55 + str(number)) for number in range(1001, 1501)]
    orders = [buy(shop, None, *lines)["order_id"] for _ in range(12)]
    all_numbered(shop)
    page = shop.call("events.read", {"after": start, "limit": 1000})
    assert 1 < len(page["events"]) < 12 and len(msgpack.packb(page)) < 1024 * 1024
    assert page["after"] == page["events"][-1]["number"] < page["last"]
    assert [event["order_id"] for event in read_all(shop, start)] == orders


def test_an_event_that_is_too_large_is_told_in_short(shop, told):
    lines = [line(PROMOTED, 1, "1.00", line_id="y" * 55 + f"{number:05}") for number in range(1, 1001)]
    reply = buy(shop, None, *lines)
    events = by_topic(told.events())
    assert reply["amount_total"] == "800.00"
    whole = events["order.processed"]
    assert (whole.get("left_out"), whole["order_id"], whole["store_id"]) == ("size", reply["order_id"], STORE)
    assert (whole["amount_total"], whole["points"], "lines" in whole) == ("800.00", [], False)
    assert events["promotion.applied"]["discounts"][0]["amount"] == "200.00"


@pytest.mark.parametrize("body", [
    {"after": -1}, {"after": "1"}, {"after": 2**63}, {"after": 1.5}, {"after": None}, {"limit": 0}, {"limit": 1001}, {"limit": -5},
    {"topics": ["no.such"]}, {"topics": "alert"}, {"topics": [1]}, {"from": 1}, {"after": [1]},
], ids=str)  # fmt: skip
def test_what_cannot_be_read_is_refused(shop, body):
    if body == {"after": None}:
        assert shop.call("events.read", body)["events"] == []
        return
    with refused("invalid_request"):
        shop.call("events.read", dict({"after": 0}, **body))


def test_a_list_of_topics_has_a_bound(shop):
    with refused("too_large", path="topics"):
        shop.call("events.read", {"after": 0, "topics": ["alert"] * 33})


@contextlib.contextmanager
def changed(shop, change, back):
    """A change of the tables for as long as a test needs it."""
    shop.query(change)
    try:
        yield
    finally:
        shop.query(back)


def test_what_is_not_kept_any_more_is_too_old(shop):
    start = newest(shop)
    orders = [shop.call("order.process", order())["order_id"] for _ in range(3)]
    assert [event["order_id"] for event in read_all(shop, start)] == orders
    with changed(shop, f"UPDATE feed_leader SET dropped = {start + 1}", "UPDATE feed_leader SET dropped = 0"):
        with refused("too_old", oldest=str(start + 2)):
            shop.call("events.read", {"after": start})
        page = shop.call("events.read", {"after": start + 1})
        assert [event["order_id"] for event in page["events"]] == orders[1:] and page["oldest"] == start + 2


def test_of_an_order_past_its_retention_the_rest_is_told(shop):
    start = newest(shop)
    shop.call("order.process", order())
    (whole,) = read_all(shop, start)
    hide = f"UPDATE feed SET order_ref = -order_ref WHERE number = {start + 1}"  # as if its record were gone
    with changed(shop, hide, hide):
        assert read_all(shop, start) == [{"number": start + 1, "topic": "order.processed", "at": whole["at"], "left_out": "retention"}]


def test_an_event_that_cannot_be_read_keeps_nobody_from_the_next(shop):
    start = newest(shop)
    replies = [shop.call("order.process", order()) for _ in range(3)]
    all_numbered(shop)
    ((ref, record),) = shop.query("SELECT order_ref, record FROM orders JOIN request_keys USING (order_ref) WHERE key = %s", (replies[1]["order_id"],))
    damaged = f"UPDATE orders SET record = '\\x01' WHERE order_ref = {ref}"
    with changed(shop, damaged, f"UPDATE orders SET record = '\\x{bytes(record).hex()}' WHERE order_ref = {ref}"):
        events = shop.call("events.read", {"after": start})["events"]
    assert [event.get("left_out") for event in events] == [None, "damaged", None]
    assert events[2]["order_id"] == replies[2]["order_id"]
