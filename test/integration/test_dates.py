"""When an order is: zones, late and future dates, history that is imported, and the instant at which points expire."""

import datetime

import pytest

from harness import Engine
from shop import line, loyalty_program, new_partner, order, promotion, refund, refused, written

UTC = datetime.timezone.utc
MICROSECOND = datetime.timedelta(microseconds=1)


@pytest.fixture(scope="module", params=[1, 8], ids=["buckets=1", "buckets=8"])
def engine(request):
    """An engine in Paris with a store in Tokyo."""
    with Engine(buckets=request.param, time_zone="Europe/Paris") as engine:
        engine.call("reference.put", {
            "products": [{"product_id": 1}],
            "stores": [{"store_id": 1}, {"store_id": 2, "time_zone": "Asia/Tokyo"}],
        })  # fmt: skip
        yield engine


@pytest.fixture(scope="module", autouse=True)
def ledger_holds(engine):
    yield
    engine.assert_ledger_holds()


@pytest.fixture
def shop(engine):
    engine.call("program.put", loyalty_program(expiry={"policy": "days", "count": 30}))
    return engine


@pytest.fixture
def old_catalog(shop):
    """The catalog in force came long ago, as in a shop that has run for a while."""
    shop.query("UPDATE catalog_versions SET created_at = created_at - interval '20 days' WHERE version = (SELECT version FROM catalog_state)")
    yield shop


def now():
    return datetime.datetime.now(UTC)


def instant(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def past(year, month, day, hour=0, minute=0, second=0, microsecond=0):
    return datetime.datetime(year, month, day, hour, minute, second, microsecond, UTC)


def history(partner, date, *lines, **fields):
    return order(partner, *lines, date=date.isoformat(), **{"import": True}, **fields)


# Dates as they are given


@pytest.mark.parametrize(
    "store, date, at",
    [
        (None, "2026-07-01T12:00:00", "2026-07-01T10:00:00Z"),
        (1, "2026-07-01T12:00:00", "2026-07-01T10:00:00Z"),
        (2, "2026-07-01T12:00:00", "2026-07-01T03:00:00Z"),
        (99, "2026-01-01T00:30:00", "2025-12-31T23:30:00Z"),
        (2, "2026-07-01T12:00:00Z", "2026-07-01T12:00:00Z"),
        (2, "2026-07-01T12:00:00+05:30", "2026-07-01T06:30:00Z"),
        (1, "2026-03-29T02:30:00", "2026-03-29T01:30:00Z"),  # left out when the clocks go forward
        (1, "2026-10-25T02:30:00", "2026-10-25T00:30:00Z"),  # there twice when they go back: the first
        (1, "2026-10-25T02:30:00+01:00", "2026-10-25T01:30:00Z"),
        (1, "1999-12-31T23:59:59.999999", "1999-12-31T22:59:59.999999Z"),
    ],
)
def test_a_date_without_offset_is_the_stores(shop, store, date, at):
    quote = shop.call("order.quote", order(None, at=date, **({"store_id": store} if store else {})))
    assert instant(quote["date"]) == instant(at)
    assert quote["date"].endswith("Z")


def test_one_instant_said_in_two_ways(shop):
    """The same instant with another offset, or in the store's own time, is not another order where it says the same."""
    sale = history(new_partner(), past(2020, 7, 1, 10), store_id=2)
    done = shop.call("order.process", sale)
    assert shop.call("order.process", dict(sale, date="2020-07-01T12:00:00+02:00")) == dict(done, replayed=True)
    assert done["date"] == "2020-07-01T10:00:00Z" and done["late"] is False


# Late, and in the future


def test_now_is_not_late(shop):
    done = shop.call("order.process", order(new_partner()))
    assert done["late"] is False and abs(instant(done["date"]) - now()) < datetime.timedelta(minutes=1)
    given = now().isoformat()
    done = shop.call("order.process", order(new_partner(), date=given))
    assert (done["late"], instant(done["date"])) == (False, instant(given))


def test_the_future(shop):
    soon = now() + datetime.timedelta(minutes=10)
    partner = new_partner()
    done = shop.call("order.process", order(partner, date=soon.isoformat()))
    assert done["late"] is False and instant(done["date"]) == soon and done["final_balance"] == "10.00"
    # The next order of that member is not before it, though its clock is right.
    after = shop.call("order.process", order(partner, claims=[{"program_id": 1, "reward_id": 1, "points": "10"}]))
    assert after["amount_total"] == "9.90" and instant(after["date"]) == soon
    before = written(shop)
    for fields in ({}, {"import": True}):
        with refused("invalid_request", path="date"):
            shop.call("order.process", order(new_partner(), date=(now() + datetime.timedelta(minutes=20)).isoformat(), **fields))
    assert written(shop) == before


def test_a_late_order(old_catalog):
    shop, partner = old_catalog, new_partner()
    at = now() - datetime.timedelta(hours=3)
    done = shop.call("order.process", order(partner, date=at.isoformat()))
    assert (done["late"], instant(done["date"]), done["final_balance"]) == (True, at, "10.00")
    lot = shop.call("card.get", {"partner_id": partner, "program_id": 1})["lots"][0]
    assert instant(lot["gained"]) == at
    # A quarter of an hour is nothing; older than the member's last order is late however short the time.
    at = now() - datetime.timedelta(minutes=14)
    assert shop.call("order.process", order(new_partner(), date=at.isoformat()))["late"] is False
    shop.call("order.process", order(partner))
    assert shop.call("order.process", order(partner, date=at.isoformat()))["late"] is True


def test_a_late_order_of_more_than_a_week(old_catalog):
    shop = old_catalog
    before = written(shop)
    with refused("invalid_request", path="date") as caught:
        shop.call("order.process", order(new_partner(), date=(now() - datetime.timedelta(days=8)).isoformat()))
    assert "import" in caught.value.message
    assert written(shop) == before


def test_a_late_refund(old_catalog):
    shop, partner = old_catalog, new_partner()
    at = now() - datetime.timedelta(hours=3)
    sale = order(partner, line(1, 2, "10.00"), date=at.isoformat())
    shop.call("order.process", sale)
    back = shop.call("order.refund", refund(sale["order_id"], line(1, -1, "10.00"), date=(at + datetime.timedelta(hours=1)).isoformat()))
    assert back["late"] is True and (back["points_earned"], back["final_balance"]) == ("-10.00", "10.00")


# Imported history


def test_history_is_told_as_it_was(shop):
    """`date` is now for every rule: nothing is late, whatever the order in which it comes."""
    partner = new_partner()
    first = shop.call("order.process", history(partner, past(2019, 5, 1, 12), line(1, 1, "40.00")))
    assert (first["late"], first["date"], first["final_balance"]) == (False, "2019-05-01T12:00:00Z", "40.00")
    assert first["points"][0]["expires"] == "2019-05-31T12:00:00Z"
    # Within its thirty days the lot is spent, after them it is gone.
    claims = [{"program_id": 1, "reward_id": 1}]
    second = shop.call("order.process", history(partner, past(2019, 5, 20), line(1, 1, "1.00"), claims=claims))
    assert (second["amount_total"], second["points_redeemed"], second["final_balance"]) == ("0.59", "41.00", "0.00")
    third = shop.call("order.process", history(partner, past(2019, 6, 1), line(1, 1, "5.00")))
    assert third["final_balance"] == "5.00"
    # Out of turn: an earlier one sees nothing of what was gained after it.
    between = shop.call("order.process", history(partner, past(2019, 5, 25), line(1, 1, "2.00"), claims=claims))
    assert (between["late"], between["points_redeemed"], between["amount_total"]) == (False, "2.00", "1.98")
    assert shop.call("card.balance", {"partner_id": partner, "program_id": 1})["balance"] == "0.00"


def test_points_expire_at_their_instant_and_not_before(shop):
    """A lot of 30 days, in the engine's zone: the night when the clocks change is among them, so its hour stays."""
    gained = past(2021, 3, 10, 9, 30, 0, 250000)  # 10:30 in Paris
    gone = past(2021, 4, 9, 8, 30, 0, 250000)  # 10:30 in Paris, summer time
    claims = [{"program_id": 1, "reward_id": 1, "points": "50"}]
    for at, usable in ((gone - MICROSECOND, True), (gone, False), (gone + MICROSECOND, False), (gained, True), (gained - MICROSECOND, False)):
        partner = new_partner()
        earned = shop.call("order.process", history(partner, gained, line(1, 1, "50.00")))
        assert instant(earned["points"][0]["expires"]) == gone
        quote = shop.call("order.quote", order(partner, line(1, 1, "1.00"), claims=claims, at=at.isoformat()))
        assert quote["amount_total"] == ("0.50" if usable else "0.99"), at  # its own point is there in any case
        done = shop.call("order.process", history(partner, at, line(1, 1, "1.00"), claims=claims))
        assert (done["amount_total"], done["points_redeemed"]) == (("0.50", "50.00") if usable else ("0.99", "1.00")), at


@pytest.mark.parametrize(
    "expiry, gained, gone",
    [
        ({"policy": "months", "count": 1}, past(2020, 1, 31, 12), past(2020, 2, 29, 12)),
        ({"policy": "years", "count": 1}, past(2020, 2, 29, 12), past(2021, 2, 28, 12)),
        ({"policy": "end_of_month"}, past(2020, 2, 29, 22, 59, 59), past(2020, 2, 29, 23)),
        ({"policy": "end_of_month"}, past(2020, 2, 29, 23), past(2020, 3, 31, 22)),
        ({"policy": "end_of_year"}, past(2020, 12, 31, 22, 59), past(2020, 12, 31, 23)),
        ({"policy": "end_of_year"}, past(2020, 12, 31, 23), past(2021, 12, 31, 23)),
        ({"policy": "date", "date": "2020-07-14"}, past(2020, 7, 1), past(2020, 7, 14, 22)),
        ({"policy": "never"}, past(2020, 7, 1), None),
        ({"policy": "years", "count": 100}, past(2020, 7, 1), past(2120, 7, 1, 1)),  # zones are known until 2100
    ],
    ids=str,
)
def test_every_expiry_policy_in_the_engines_zone(shop, expiry, gained, gone):
    shop.call("program.put", loyalty_program(expiry=expiry))
    partner = new_partner()
    done = shop.call("order.process", history(partner, gained, line(1, 1, "10.00"), store_id=2))
    expires = done["points"][0]["expires"]
    if gone is None:
        assert expires is None
    else:
        assert instant(expires) == gone
        for at, balance in ((gone - MICROSECOND, "10.00"), (gone, "0.00")):
            assert shop.call("order.quote", order(partner, line(1, 1, "0.00"), at=at.isoformat()))["final_balance"] == balance


def test_points_given_back_after_their_expiry(shop):
    """Restored with their expiry they are gone at once; extended they live on."""
    for fields, balance in (({}, "0.00"), ({"restore_expired": "extend_days", "extend_days": 7}, "40.00")):
        shop.call("program.put", loyalty_program(expiry={"policy": "days", "count": 30}, **fields))
        partner = new_partner()
        shop.call("order.process", history(partner, past(2019, 5, 1), line(1, 1, "40.00")))
        spend = history(partner, past(2019, 5, 30), line(1, 1, "10.00"), claims=[{"program_id": 1, "reward_id": 1, "points": "40"}])
        shop.call("order.process", spend)
        back = dict(refund(spend["order_id"], line(1, -1, "10.00"), date=past(2019, 6, 10).isoformat()), **{"import": True})
        done = shop.call("order.refund", back)
        assert (done["points_redeemed"], done["points_earned"], done["final_balance"]) == ("-40.00", "-10.00", balance)
        quote = order(partner, line(1, 1, "0.00"), at=(past(2019, 6, 17) - MICROSECOND).isoformat())
        assert shop.call("order.quote", quote)["final_balance"] == balance
        assert shop.call("order.quote", dict(quote, at=past(2019, 6, 17).isoformat()))["final_balance"] == "0.00"


def test_programs_as_of_the_date(shop):
    """Days of a program are the store's days."""
    shop.call("program.put", promotion(2, 50, date_from="2020-07-14", date_to="2020-07-14"))
    try:
        for store, at, amount in ((1, past(2020, 7, 13, 21, 59, 59), "10.00"), (1, past(2020, 7, 13, 22), "5.00"),
                                  (1, past(2020, 7, 14, 21, 59, 59), "5.00"), (1, past(2020, 7, 14, 22), "10.00"),
                                  (2, past(2020, 7, 13, 15), "5.00"), (2, past(2020, 7, 14, 15), "10.00")):  # fmt: skip
            assert shop.call("order.process", history(new_partner(), at, store_id=store))["amount_total"] == amount, at
    finally:
        shop.call("program.delete", {"program_id": 2})
