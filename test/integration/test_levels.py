"""Levels with programs of their own: points that move with a change of level, windows and graces, the level of each journal row and
of orders that come late; every member evaluated by the job (rules 8, 21, 23, 32, 35)."""

import datetime
import threading

import pytest

from harness import Engine
from shop import line, loyalty_program, new_partner, order, told

BRONZE, SILVER, GOLD = 901, 902, 903
PROGRAMS = {BRONZE: 1, SILVER: 2, GOLD: 3}
UTC = datetime.timezone.utc
LEVELS = [
    {"membership_product_id": BRONZE, "sequence": 1},
    {"membership_product_id": SILVER, "sequence": 2, "threshold": "100.00", "grace_days": 30,
     "window": "rolling_months", "window_months": 12},
    {"membership_product_id": GOLD, "sequence": 3, "threshold": "1000.00", "earn_multiplier": 2, "on_change": "transfer",
     "window": "rolling_months", "window_months": 12},
]  # fmt: skip


def primary(level):
    return loyalty_program(PROGRAMS[level], membership_product_id=level, is_primary_loyalty=True)


@pytest.fixture(scope="module", params=[1, 8], ids=["buckets=1", "buckets=8"])
def shop(request):
    with Engine(buckets=request.param) as engine:
        engine.call("reference.put", {"products": [{"product_id": 1}], "levels": LEVELS})
        for level in PROGRAMS:
            engine.call("program.put", primary(level))
        engine.query("UPDATE catalog_versions SET created_at = created_at - interval '20 days' WHERE version > 1")
        yield engine
        engine.assert_ledger_holds()


def ago(**time):
    return (datetime.datetime.now(UTC) - datetime.timedelta(**time)).isoformat()


def buy(shop, partner, price, **fields):
    return shop.call("order.process", order(partner, line(price=price), **fields))


def bought_then(shop, partner, price, **time):
    """An order of long ago, imported."""
    return buy(shop, partner, price, date=ago(**time), **{"import": True})


def level_of(shop, partner):
    return shop.call("membership.get", {"partner_id": partner})["level"]


def points(shop, partner):
    cards = shop.call("card.get", {"partner_id": partner})["cards"]
    return {card["program_id"]: card["balance"] for card in cards if card["balance"] != "0.00"}


def history(shop, partner, level):
    page = shop.call("card.history", {"partner_id": partner, "program_id": PROGRAMS[level]})
    return [(row["kind"], row["points"], row["level"]) for row in reversed(page["history"])]


def evaluate_all(shop, **fields):
    while True:
        step = shop.call("job.run", dict(fields, job="memberships"))
        if step["done"]:
            return step


def pass_days(shop, partner, days):
    """The member's evaluations were so many days earlier."""
    shop.query("UPDATE members SET below_since = below_since - make_interval(days => %s) WHERE partner_id = %s", (days, partner))


def test_rule_23_points_move_with_a_change_of_level_and_each_row_says_the_level(shop):
    partner = new_partner()
    buy(shop, partner, "60.00")
    buy(shop, partner, "50.00")  # reaches silver, from the next order on
    assert points(shop, partner) == {PROGRAMS[SILVER]: "110.00"}
    buy(shop, partner, "10.00", claims=[{"program_id": PROGRAMS[SILVER], "reward_id": 2}])
    assert history(shop, partner, BRONZE) == [("earn", "60.00", BRONZE), ("earn", "50.00", BRONZE), ("transfer", "-110.00", SILVER)]
    assert history(shop, partner, SILVER) == [("transfer", "110.00", SILVER), ("earn", "10.00", SILVER), ("redeem", "-50.00", SILVER)]
    buy(shop, partner, "900.00")
    assert level_of(shop, partner) == GOLD and list(points(shop, partner)) == [PROGRAMS[GOLD]]
    assert history(shop, partner, GOLD) == [("transfer", "970.00", GOLD)]
    buy(shop, partner, "10.00")
    assert history(shop, partner, GOLD)[-1] == ("earn", "20.00", GOLD)  # its multiplier


def test_rule_21_the_level_of_every_kind_of_row(shop):
    partner = new_partner()
    shop.call("card.create", {"program_id": 1, "partner_id": partner, "points": "5"})
    sold = buy(shop, partner, "20.00")
    shop.call("card.adjust", {"partner_id": partner, "program_id": 1, "points": "-1", "reason": "x"})
    shop.call("order.refund", order(None, line(price="20.00", qty=-1), refund_of=sold["order_id"]))
    bought_then(shop, partner, "1.00", days=1)
    kinds = {row[0]: row[2] for row in history(shop, partner, BRONZE)}
    assert set(kinds) >= {"adjust", "earn", "take_back"} and set(kinds.values()) == {BRONZE}
    stored = shop.query("SELECT count(*) FROM point_history WHERE status_membership_product_id IS NULL")
    assert stored == [(0,)]


def test_rule_32_a_window_that_passed_lowers_after_the_grace(shop):
    partner = new_partner()
    bought_then(shop, partner, "150.00", days=500)
    assert level_of(shop, partner) == SILVER
    evaluate_all(shop)
    got = shop.call("membership.get", {"partner_id": partner})
    assert got["level"] == SILVER and got["below_since"] is not None and got["spending"] == "0.00"
    pass_days(shop, partner, 29)
    evaluate_all(shop)
    assert level_of(shop, partner) == SILVER
    pass_days(shop, partner, 1)
    assert evaluate_all(shop)["total_changed"] == 1
    assert level_of(shop, partner) == BRONZE and points(shop, partner) == {PROGRAMS[BRONZE]: "150.00"}
    assert history(shop, partner, BRONZE)[-1] == ("transfer", "150.00", BRONZE)
    assert evaluate_all(shop)["total_changed"] == 0
    assert told(shop, 9, partner) == 2


def test_rule_32_an_order_in_the_grace_keeps_the_level(shop):
    partner = new_partner()
    bought_then(shop, partner, "150.00", days=500)
    evaluate_all(shop)
    pass_days(shop, partner, 29)
    buy(shop, partner, "100.00")
    assert shop.call("membership.get", {"partner_id": partner})["below_since"] is None
    pass_days(shop, partner, 29)
    evaluate_all(shop)
    assert level_of(shop, partner) == SILVER


def test_rule_32_all_members_by_the_job_as_one_by_one(shop):
    """The job lowers whom the single evaluation would, in steps of any size, and leaves the others."""
    lost = [new_partner() for _ in range(5)]
    kept = [new_partner() for _ in range(5)]
    for partner in lost:
        bought_then(shop, partner, "150.00", days=500)
    for partner in kept:
        bought_then(shop, partner, "150.00", days=30)
    evaluate_all(shop, limit=2)
    for partner in lost:
        pass_days(shop, partner, 31)
    done = evaluate_all(shop, limit=2)
    assert done["total_changed"] == 5 and done["total_failed"] == 0
    assert done["total_examined"] == int(shop.query("SELECT count(*) FROM members")[0][0])
    assert {level_of(shop, partner) for partner in lost} == {BRONZE}
    assert {level_of(shop, partner) for partner in kept} == {SILVER}


def test_rule_32_orders_meanwhile_and_the_job_agree(shop):
    """Orders that reach a level while every member is evaluated: each counts once, no points are lost or doubled."""
    partners = [new_partner() for _ in range(6)]
    for partner in partners:
        bought_then(shop, partner, "150.00", days=500)
    evaluate_all(shop)
    for partner in partners:
        pass_days(shop, partner, 31)
    stop = threading.Event()

    def jobs():
        client = shop.client()
        while not stop.is_set():
            client.call("job.run", {"job": "memberships", "limit": 2}, timeout=30)

    thread = threading.Thread(target=jobs)
    thread.start()
    try:
        for _ in range(4):
            for partner in partners:
                shop.call("order.process", order(partner, line(price="30.00")), timeout=30)
    finally:
        stop.set()
        thread.join()
    evaluate_all(shop)
    for partner in partners:
        assert level_of(shop, partner) == SILVER
        assert points(shop, partner) == {PROGRAMS[SILVER]: "270.00"}


def test_rule_32_a_level_given_until_a_day_ends_there(shop):
    partner = new_partner()
    buy(shop, partner, "1.00")
    shop.call("membership.change", {"partner_id": partner, "membership_product_id": GOLD, "reason": "gift", "to": "2190-01-01T00:00:00Z"})
    evaluate_all(shop)
    assert level_of(shop, partner) == GOLD and list(points(shop, partner)) == [PROGRAMS[GOLD]]
    for table in ("members SET membership_from = now() - interval '9 days', membership_to", "membership_history SET since = now() - interval '9 days', until"):
        shop.query(f"UPDATE {table} = now() - interval '1 day' WHERE partner_id = {partner}")
    assert level_of(shop, partner) == BRONZE
    assert evaluate_all(shop)["total_changed"] == 1
    assert points(shop, partner) == {PROGRAMS[BRONZE]: "1.00"}
    assert evaluate_all(shop)["total_changed"] == 0


def test_rule_23_what_was_held_moves_by_the_job_once_it_is_let_go(shop):
    partner = new_partner()
    buy(shop, partner, "60.00")
    card = shop.call("card.get", {"partner_id": partner, "program_id": PROGRAMS[BRONZE]})["card_id"]
    held = shop.call("points.hold", {"card_id": card, "points": "40"})
    buy(shop, partner, "50.00")
    before = points(shop, partner)
    shop.call("points.release", {"hold_id": held["hold_id"]})
    evaluate_all(shop)
    assert points(shop, partner) == {PROGRAMS[SILVER]: "110.00"}, before


# Late orders


def given(shop, partner, level, since, until=None):
    body = {"partner_id": partner, "membership_product_id": level, "reason": "by hand", "from": since}
    shop.call("membership.change", dict(body, to=until) if until else body)


def test_rule_35_a_late_order_earns_by_the_level_of_its_date(shop):
    """Three levels within days: each late order finds that of its time, however long ago it changed."""
    partner = new_partner()
    shop.call("card.create", {"program_id": 1, "partner_id": partner})
    given(shop, partner, GOLD, ago(days=6))
    given(shop, partner, SILVER, ago(days=4))
    given(shop, partner, BRONZE, ago(days=2))
    for days, level, earned in ((1, BRONZE, "10.00"), (3, SILVER, "10.00"), (5, GOLD, "20.00"), (6.5, BRONZE, "10.00")):
        late = buy(shop, partner, "10.00", date=ago(days=days))
        assert late["late"] and late["points_earned"] == earned
        assert (late["membership"]["before"], late["membership"]["after"]) == (level, BRONZE)
        row = history(shop, partner, level)
        assert ("earn", earned, level) in row
    assert points(shop, partner) == {PROGRAMS[BRONZE]: "50.00"}  # moved to the level of now, with each order


def test_rule_35_the_last_change_counts_where_two_cover_a_day(shop):
    partner = new_partner()
    shop.call("card.create", {"program_id": 1, "partner_id": partner})
    given(shop, partner, SILVER, ago(days=3))
    given(shop, partner, GOLD, ago(days=5), until="2190-01-01T00:00:00Z")
    given(shop, partner, BRONZE, ago(days=1))
    for days, level in ((2, GOLD), (4, GOLD), (5.5, BRONZE)):
        assert buy(shop, partner, "10.00", date=ago(days=days))["membership"]["before"] == level


def test_rule_35_an_import_out_of_turn_undoes_no_newer_level(shop):
    partner = new_partner()
    bought_then(shop, partner, "1200.00", days=10)
    assert level_of(shop, partner) == GOLD
    bought_then(shop, partner, "5.00", days=20)
    assert level_of(shop, partner) == GOLD and list(points(shop, partner)) == [PROGRAMS[GOLD]]


def test_a_step_that_cannot_change_one_member_goes_on_with_the_others(shop):
    """A member whose points do not fit on one card stays as it is; the job tells, and the others are done."""
    full, other = new_partner(), new_partner()
    for partner in (full, other):
        bought_then(shop, partner, "150.00", days=500)
    evaluate_all(shop)
    for partner in (full, other):
        pass_days(shop, partner, 31)
    card = shop.call("card.get", {"partner_id": full, "program_id": PROGRAMS[BRONZE]})["card_id"]
    huge = 9223372036854775807 - 1
    added = f"""INSERT INTO point_moves SELECT bucket, card_id, lot_count + 1, 1, now(), now(), 'infinity', {huge}, {huge}, 0
                FROM loyalty_cards WHERE card_id = {card}"""
    shop.query(added)
    shop.query(f"UPDATE loyalty_cards SET points = points + {huge}, lot_count = lot_count + 1 WHERE card_id = {card}")
    try:
        done = evaluate_all(shop)
        assert (done["total_changed"], done["total_failed"]) == (1, 1)
        assert (level_of(shop, full), level_of(shop, other)) == (SILVER, BRONZE)
        assert told(shop, 10, full) == 1
    finally:
        shop.query(f"DELETE FROM point_moves WHERE card_id = {card} AND remaining = {huge}")
        shop.query(f"UPDATE loyalty_cards SET points = points - {huge}, lot_count = lot_count - 1 WHERE card_id = {card}")
    assert evaluate_all(shop)["total_changed"] == 1 and level_of(shop, full) == BRONZE


# Other paths


@pytest.fixture(scope="module")
def yearly():
    """A calendar year's spending counts; who comes to another level begins anew."""
    levels = [
        {"membership_product_id": BRONZE, "sequence": 1, "on_change": "reset"},
        {"membership_product_id": SILVER, "sequence": 2, "threshold": "100.00", "window": "calendar_year", "on_change": "reset"},
        {"membership_product_id": GOLD, "sequence": 3, "threshold": "200.00", "window": "calendar_year", "is_downgradable": False},
    ]
    with Engine() as engine:
        engine.call("reference.put", {"products": [{"product_id": 1}], "levels": levels})
        for level in PROGRAMS:
            engine.call("program.put", primary(level))
        yield engine
        engine.assert_ledger_holds()


def test_rule_32_the_calendar_year_begins_anew(yearly):
    partner = new_partner()
    before = f"{datetime.datetime.now(UTC).year - 1}-12-31T12:00:00Z"
    reached = buy(yearly, partner, "150.00", date=before, **{"import": True})["membership"]
    assert (reached["after"], reached["spending"]) == (SILVER, "150.00")
    assert evaluate_all(yearly)["total_changed"] == 1  # no grace
    assert level_of(yearly, partner) == BRONZE
    answer = buy(yearly, partner, "99.00")["membership"]
    assert (answer["after"], answer["spending"], answer["missing"]) == (BRONZE, "99.00", "1.00")


def test_rule_23_points_are_reset_where_the_level_says_so(yearly):
    partner = new_partner()
    buy(yearly, partner, "120.00")
    assert level_of(yearly, partner) == SILVER and points(yearly, partner) == {}
    assert history(yearly, partner, BRONZE) == [("earn", "120.00", BRONZE), ("transfer", "-120.00", SILVER)]
    buy(yearly, partner, "90.00")
    assert level_of(yearly, partner) == GOLD and points(yearly, partner) == {PROGRAMS[GOLD]: "90.00"}


def test_rule_32_a_level_that_cannot_be_lost_stays(yearly):
    partner = new_partner()
    before = f"{datetime.datetime.now(UTC).year - 1}-12-31T12:00:00Z"
    buy(yearly, partner, "500.00", date=before, **{"import": True})
    evaluate_all(yearly)
    assert level_of(yearly, partner) == GOLD
