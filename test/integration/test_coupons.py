"""Coupons: codes by a pattern, unique for ever; batches that go on where they stopped; what a code is worth (rule 28)."""

import concurrent.futures
import datetime
import re

import pytest

from shop import loyalty_program, new_id, new_partner, order, promotion, refused, written

SYMBOLS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
NOW = datetime.datetime.now(datetime.timezone.utc)


@pytest.fixture(scope="module")
def shop(engine):
    engine.call("reference.put", {"products": [{"product_id": 1}]})
    engine.call("program.put", loyalty_program())
    engine.call("program.put", loyalty_program(2, pos_config_ids=[2], expiry={"policy": "days", "count": 30}))
    engine.call("program.put", promotion(3, 5, pos_config_ids=[3]))
    return engine


@pytest.fixture(scope="module", autouse=True)
def ledger_holds(engine):
    yield
    engine.assert_ledger_holds()


def generate(shop, **fields):
    return shop.call("coupon.generate", {"program_id": 2, "pattern": "SUMMER-######", "batch": new_id("B"), **fields})


def listed(shop, batch, limit=1000):
    coupons, cursor = [], None
    while True:
        page = shop.call("coupon.list", {"batch": batch, "limit": limit, **({"cursor": cursor} if cursor else {})})
        coupons += page["coupons"]
        cursor = page["next_cursor"]
        if cursor is None:
            return page, coupons


def test_rule_28_codes_by_a_pattern(shop):
    batch = new_id("B")
    made = generate(shop, batch=batch, pattern=" Summer-#####-x ", count=500, points="2")
    assert (made["batch"], made["made"], made["next_offset"], made["replayed"]) == (batch, 500, 500, False)
    assert len(set(made["codes"])) == 500
    assert all(re.fullmatch(f"SUMMER-[{SYMBOLS}]{{5}}-X", code) for code in made["codes"])
    page, coupons = listed(shop, batch, limit=99)
    assert (page["program_id"], page["pattern"], page["points"], page["total"]) == (2, "SUMMER-#####-X", "2.00", 500)
    assert [coupon["code"] for coupon in coupons] == made["codes"]
    assert [coupon["number"] for coupon in coupons] == list(range(500))
    assert {coupon["state"] for coupon in coupons} == {"usable"}
    # Each is a card, with the points and the expiry of its program.
    card = shop.call("card.get", {"code": made["codes"][7].lower()})
    assert (card["card_id"], card["balance"], card["partner_id"]) == (coupons[7]["card_id"], "2.00", None)
    assert card["lots"][0]["expires"] == coupons[7]["expires"] is not None


def test_rule_28_a_pattern_must_have_many_more_codes_than_are_wanted(shop):
    before = written(shop)
    for pattern, count in (("-##", 2), ("-###", 33), ("-####", 1049)):  # 1,024, 32,768 and 1,048,576 codes
        with refused("invalid_request", path="pattern"):
            generate(shop, pattern=new_id("P") + pattern, count=count)
    with refused("invalid_request", path="pattern"):
        generate(shop, pattern=new_id("P") + "-####", total=1049)
    for pattern in ("NONE", "Ä-########"):
        with refused("invalid_request", path="pattern"):
            generate(shop, pattern=pattern)
    assert written(shop) == before
    # All batches of a pattern count.
    pattern = new_id("P") + "-###"
    generate(shop, pattern=pattern, count=32)
    with refused("invalid_request", path="pattern"):
        generate(shop, pattern=pattern, count=1)


def test_rule_28_a_repeat_goes_on_where_it_stopped(shop):
    batch = new_id("B")
    first = generate(shop, batch=batch, count=30, total=100)
    assert generate(shop, batch=batch, count=30, total=100)["codes"] == first["codes"]
    overlapping = generate(shop, batch=batch, offset=20, count=30)
    assert (overlapping["made"], overlapping["next_offset"]) == (20, 50)
    assert overlapping["codes"][:10] == first["codes"][20:]
    page, coupons = listed(shop, batch)
    assert (page["total"], len(coupons)) == (100, 50)
    for other in ({"program_id": 1}, {"pattern": "WINTER-######"}, {"points": "3"}, {"expires": "2100-01-01"}):
        if "expires" in other:
            other = {"expires": "2100-01-01T00:00:00Z"}
        with refused("conflict", path="batch"):
            generate(shop, **dict({"batch": batch, "count": 5}, **other))


def test_the_same_key_is_answered_alike(shop):
    body = {"program_id": 2, "pattern": "KEY-########", "count": 3}
    key = new_id("key")
    made = shop.call("coupon.generate", body, key=key)
    assert shop.call("coupon.generate", body, key=key) == dict(made, replayed=True)
    assert len(made["batch"]) == 16


def test_rule_28_codes_that_are_taken_are_not_given_again(shop):
    """A small pattern, most of whose codes are cards already: the batch finds others, and none is given twice."""
    prefix = new_id("T") + "-"
    taken = [f"{prefix}{a}{b}" for a in SYMBOLS[:31] for b in SYMBOLS]
    for code in taken[::31]:
        shop.call("card.create", {"program_id": 2, "code": code})
    made = [generate(shop, pattern=prefix + "##", count=1)["codes"][0]]
    assert not set(made) & set(taken[::31])


def test_calls_at_once_for_one_batch(shop):
    batch = new_id("B")

    def one(offset):
        return generate(shop, batch=batch, offset=offset, count=40)["codes"]

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        parts = list(pool.map(one, [0, 20, 40, 0]))
    _, coupons = listed(shop, batch)
    codes = [coupon["code"] for coupon in coupons]
    assert len(codes) == len(set(codes)) == 80
    assert [parts[0], parts[1], parts[2], parts[3]] == [codes[:40], codes[20:60], codes[40:], codes[:40]]


def test_coupons_of_members(shop):
    partners = [new_partner() for _ in range(20)]
    made = generate(shop, partner_ids=partners)
    assert made["made"] == 20
    for partner, code in zip(partners, made["codes"]):
        assert shop.call("coupon.check", {"code": code})["partner_id"] == partner
    with refused("invalid_request", path="count"):
        generate(shop, partner_ids=partners, count=19)
    # A program that gives a member one card gives no second.
    before = written(shop)
    with refused("conflict", path="partner_ids"):
        generate(shop, partner_ids=[new_partner(), partners[3]])
    assert written(shop) == before


def test_what_has_no_coupons(shop):
    with refused("invalid_request", path="program_id"):
        generate(shop, program_id=3)
    with refused("not_found", path="program_id"):
        generate(shop, program_id=999)
    with refused("invalid_request", path="expires"):
        generate(shop, expires="2020-01-01T00:00:00Z")
    with refused("invalid_request", path="count"):
        generate(shop, count=5001)
    with refused("not_found"):
        shop.call("coupon.list", {"batch": "none"})
    with refused("invalid_request", path="cursor"):
        shop.call("coupon.list", {"batch": generate(shop)["batch"], "cursor": "x"})


def test_what_a_code_is_worth(shop):
    code = generate(shop, program_id=1, points="50", pattern="CHECK-########")["codes"][0]
    checked = shop.call("coupon.check", {"code": f" {code.lower()} "})
    assert checked == {"code": code, "card_id": checked["card_id"], "program_id": 1, "partner_id": None, "state": "usable",
                       "points": "50.00", "expires": None}  # fmt: skip
    shop.call("card.block", {"code": code, "reason": "misprint"})
    assert shop.call("coupon.check", {"code": code})["state"] == "blocked"
    shop.call("card.unblock", {"code": code, "reason": "not after all"})
    bought = shop.call("order.process", order(None, cards=[code], claims=[{"program_id": 1, "reward_id": 2}]))
    left = shop.call("coupon.check", {"code": code})["points"]
    assert (bought["points"][0]["redeemed"], left) == ("50.00", bought["points"][0]["earned"])
    shop.call("card.adjust", {"code": code, "points": "-" + left, "reason": "used up"})
    assert shop.call("coupon.check", {"code": code})["state"] == "used"
    with refused("not_found"):
        shop.call("coupon.check", {"code": "NO-SUCH"})


def test_a_coupon_that_ran_out(shop):
    soon = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=1.2)).isoformat()
    code = generate(shop, expires=soon)["codes"][0]
    deadline = datetime.datetime.now() + datetime.timedelta(seconds=20)
    while (state := shop.call("coupon.check", {"code": code}))["state"] == "usable" and datetime.datetime.now() < deadline:
        pass
    assert (state["state"], state["points"]) == ("expired", "0.00")
