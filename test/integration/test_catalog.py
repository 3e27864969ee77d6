"""Programs and what they refer to: put, read, listed, refused, loaded; and every order priced with the catalog it names."""

import json
import threading
import time

import pytest

from curve import client_options
from loyalty_client import Client, InvalidRequest, LoyaltyError
from raw_client import RawClient, result_of
from shop import line, loyalty_program, new_partner, order, promotion, refused


@pytest.fixture(scope="module")
def shop(engine):
    engine.call("reference.put", {"products": [{"product_id": number} for number in range(1, 10)]})
    return engine


@pytest.fixture(scope="module", autouse=True)
def ledger_holds(engine):
    yield
    engine.assert_ledger_holds()


@pytest.fixture(autouse=True)
def clean(shop):
    """Each test begins and ends without programs."""
    yield
    for program in shop.call("program.list", {"limit": 1000})["programs"]:
        if program["state"] != "archived":
            shop.call("program.delete", {"program_id": program["program_id"]})


def version(engine):
    return engine.call("admin.health")["catalog_version"]


def price(engine, *lines, **fields):
    return engine.call("order.quote", order(None, *lines, **fields))["amount_total"]


# Programs


def test_put_get_list_delete(shop):
    before = version(shop)
    program = promotion(11, 10, name="Ten", priority=5)
    put = shop.call("program.put", program)
    assert put == {"replayed": False, "program_id": 11, "state": "active", "catalog_version": before + 1}
    assert shop.call("program.get", {"program_id": 11}) == {"state": "active", "catalog_version": before + 1, "program": program}
    listed = {"program_id": 11, "name": "Ten", "program_type": "promotion", "state": "active", "catalog_version": before + 1}
    assert listed in shop.call("program.list", {"limit": 1000})["programs"]
    assert price(shop) == "9.00"
    deleted = shop.call("program.delete", {"program_id": 11})
    assert deleted == {"replayed": False, "program_id": 11, "state": "archived", "catalog_version": before + 2}
    assert price(shop) == "10.00"
    # Its versions stay.
    assert shop.call("program.get", {"program_id": 11})["state"] == "archived"
    assert shop.call("program.get", {"program_id": 11, "catalog_version": before + 1})["state"] == "active"
    with refused("not_found", path="program_id"):
        shop.call("program.get", {"program_id": 11, "catalog_version": before})
    with refused("not_found", path="program_id"):
        shop.call("program.delete", {"program_id": 12345})


def test_old_versions_are_kept(shop):
    versions = [shop.call("program.put", promotion(12, percent))["catalog_version"] for percent in (10, 20, 30)]
    for at, percent in zip(versions, (10, 20, 30)):
        got = shop.call("program.get", {"program_id": 12, "catalog_version": at})
        assert (got["program"]["rewards"][0]["discount"], got["catalog_version"]) == (percent, at)
    assert price(shop) == "7.00"


def test_list_in_pages(shop):
    numbers = list(range(100, 125))
    for number in numbers:
        shop.call("program.put", promotion(number, 1, state="draft"))
    for limit in (1, 4, 5, 24, 25, 26):
        seen, cursor = [], None
        while True:
            page = shop.call("program.list", {"state": "draft", "limit": limit, "cursor": cursor})
            assert len(page["programs"]) <= limit
            seen += [one["program_id"] for one in page["programs"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
            assert page["programs"], "an empty page that is not the last"
        assert seen == numbers
    with refused("invalid_request", path="cursor"):
        shop.call("program.list", {"cursor": "second"})


def test_archived_programs_take_no_part_and_can_come_back(shop):
    shop.call("program.put", promotion(13, 50))
    assert shop.call("program.put", promotion(13, 50, state="archived"))["state"] == "archived"
    assert price(shop) == "10.00"
    with refused("claim_refused", reason="unknown_program"):
        shop.call("order.process", order(None, claims=[{"program_id": 13}]))
    shop.call("program.put", promotion(13, 50))
    assert price(shop) == "5.00"


def test_points_of_an_archived_program_stay(shop):
    shop.call("program.put", loyalty_program(14))
    partner = new_partner()
    sale = order(partner)
    shop.call("order.process", sale)
    shop.call("program.delete", {"program_id": 14})
    selector = {"partner_id": partner, "program_id": 14}
    assert shop.call("card.balance", selector)["balance"] == "10.00"
    assert shop.call("card.adjust", dict(selector, points=-4, reason="x"))["balance"] == "6.00"
    back = shop.call("order.refund", order(None, line(qty=-1), refund_of=sale["order_id"]))
    assert [(one["earned"], one["balance"], one["debt"]) for one in back["points"]] == [("-6.00", "0.00", "4.00")]
    with refused("not_found", path="program_id"):
        shop.call("card.create", {"program_id": 14})


# Drafts


def test_drafts_take_no_part_and_move_no_version(shop):
    before = version(shop)
    draft = promotion(15, 50, state="draft")
    put = shop.call("program.put", draft)
    assert put == {"replayed": False, "program_id": 15, "state": "draft", "catalog_version": before}
    assert price(shop) == "10.00" and version(shop) == before
    assert shop.call("program.get", {"program_id": 15}) == {"state": "draft", "catalog_version": None, "program": draft}
    with refused("claim_refused", reason="unknown_program"):
        shop.call("order.process", order(None, claims=[{"program_id": 15}]))
    shop.call("program.put", promotion(15, 40, state="draft"))
    assert version(shop) == before
    active = shop.call("program.put", promotion(15, 40))
    assert active["catalog_version"] == before + 1 and price(shop) == "6.00"
    rows = [one for one in shop.call("program.list", {"limit": 1000})["programs"] if one["program_id"] == 15]
    assert [one["state"] for one in rows] == ["active"]


def test_a_draft_in_place_of_an_active_program(shop):
    """It stands where the program stood: that one is out of use."""
    shop.call("program.put", promotion(16, 50))
    before = version(shop)
    put = shop.call("program.put", promotion(16, 25, state="draft"))
    assert put["catalog_version"] == before + 1 and price(shop) == "10.00"
    assert shop.call("program.put", promotion(16, 25))["catalog_version"] == before + 2
    assert price(shop) == "7.50"


def test_a_quote_tries_drafts(shop):
    shop.call("program.put", promotion(17, 10))
    shop.call("program.put", promotion(18, 30, state="draft"))
    shop.call("program.put", loyalty_program(19, state="draft", expiry={"policy": "days", "count": 10}))
    before = version(shop)
    assert price(shop) == "9.00"
    assert price(shop, draft_program_ids=[18]) == "7.00"  # the better of two order-wide percentages
    both = shop.call("order.quote", order(new_partner(), line(1, 1, "20.00"), draft_program_ids=[18, 19, 18], claims=[
        {"program_id": 19, "reward_id": 1, "points": "4"}]))  # fmt: skip
    assert (both["amount_total"], both["points_earned"], both["points_redeemed"], both["catalog_version"]) == (
        "13.96", "14.00", "4.00", before)  # fmt: skip
    assert both["points"][0]["expires"] is not None
    with refused("not_found", path="draft_program_ids"):
        shop.call("order.quote", order(None, draft_program_ids=[18, 17]))
    with refused("invalid_request", path="draft_program_ids"):
        shop.call("order.process", order(None, draft_program_ids=[18]))
    assert price(shop) == "9.00"


# What is refused


@pytest.mark.parametrize(
    "path, fields",
    [
        ("date_to", {"date_from": "2026-02-01", "date_to": "2026-01-31"}),
        ("hours", {"hours": ["17:00"]}),
        ("hours[0]", {"hours": ["5pm", "19:00"]}),
        ("hours[1]", {"hours": ["17:00", "24:01"]}),
        ("hours", {"hours": ["17:00", "17:00"]}),
        ("best_of", {"stacking": "best_of"}),
        ("best_of", {"best_of": "group"}),
        ("expiry.count", {"expiry": {"policy": "days"}}),
        ("rules[1].id", {"rules": [{"id": 1}, {"id": 1}]}),
        ("rewards[0].discount", {"rewards": [{"discount": 101}]}),
        ("rewards[0].discount", {"rewards": [{"discount": 0}]}),
        ("rewards[0].discount", {"rewards": [{"discount": "1.005", "discount_mode": "per_order"}]}),
        ("rewards[1].id", {"rewards": [{"id": 5, "discount": 1}, {"id": 5, "discount": 1}]}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_programs_that_contradict_themselves(shop, path, fields):
    before = version(shop)
    with refused("invalid_request", path=path):
        shop.call("program.put", promotion(20, 10, **fields))
    with refused("not_found"):
        shop.call("program.get", {"program_id": 20})
    assert version(shop) == before


CONTRADICTIONS = [
    ("is_primary_loyalty", {"is_primary_loyalty": True}),
    ("max_referral_usage", {"max_referral_usage": 1}),
    ("rules[0].code", {"rules": [{"mode": "with_code"}]}),
    ("rules[1].code", {"rules": [{"code": "SUMMER"}, {"code": " summer"}]}),
    ("rules[0].code", {"program_type": "gift_card", "rules": [{"code": "SUMMER"}]}),
    ("rules[0].reward_point_split", {"rules": [{"reward_point_split": True, "reward_point_mode": "unit"}]}),
    ("date_to", {"date_from": "2026-02-02", "date_to": "2026-02-01"}),
    ("expiry.date", {"expiry": {"policy": "date"}}),
    ("expiry.date", {"expiry": {"policy": "days", "count": 3, "date": "2030-01-01"}}),
    ("expiry.count", {"expiry": {"policy": "end_of_year", "count": 3}}),
    ("extend_days", {"restore_expired": "extend_days"}),
    ("extend_days", {"extend_days": 3}),
    ("rewards[0].special_price", {"rewards": [{"reward_type": "special_price"}]}),
    ("rewards[0].set_items", {"rewards": [{"reward_type": "special_set", "set_price": "5.00"}]}),
    ("rewards[0].set_items", {"rewards": [{"reward_type": "special_set", "set_price": 5, "set_items": [{"tag": "a", "qty": "1.5"}]}]}),
    ("rewards[0].set_price", {"rewards": [{"reward_type": "special_set", "set_items": [{"product_ids": [1]}]}]}),
    ("rewards[0].discounts", {"rewards": [{"reward_type": "multiple_discount"}]}),
    ("rewards[0].discounts[1].discount", {"rewards": [{"reward_type": "multiple_discount", "discounts": [{"discount": 50}, {"discount": 101}]}]}),
    ("rewards[0].reward_product_ids", {"rewards": [{"reward_type": "product"}]}),
    ("rewards[0].reward_product_qty", {"rewards": [{"reward_type": "product", "reward_product_ids": [1], "reward_product_qty": "0.5"}]}),
    ("rewards[0].reward_type", {"rewards": [{"reward_type": "point", "points": 5}]}),
]  # fmt: skip


@pytest.mark.parametrize("path, fields", CONTRADICTIONS, ids=lambda value: value if isinstance(value, str) else "")
def test_what_contradicts_itself_says_so(shop, path, fields):
    """Refused where the program is put, also as a draft, and not ignored when an order comes."""
    before = version(shop)
    for state in ("active", "draft"):
        with refused("invalid_request", path=path):
            shop.call("program.put", promotion(21, 10, state=state, **fields))
    assert version(shop) == before


def conflicts():
    """Programs and categories that stand alone, but not together with those that are there: (path in the request, request)."""
    primary = dict(loyalty_program(27), membership_product_id=5, is_primary_loyalty=True)
    return [
        ("programs[0].rules[1].code", {"programs": [promotion(27, 10, rules=[{}, {"code": " taken"}])]}),
        ("programs[1].rules[0].code", {"programs": [promotion(27, 10, rules=[{"code": "A"}]), promotion(28, 10, rules=[{"code": "a "}])]}),
        ("programs[0].is_primary_loyalty", {"programs": [primary]}),
        ("programs[1].is_primary_loyalty", {"programs": [dict(primary, membership_product_id=6), dict(primary, program_id=28, membership_product_id=6)]}),
        ("categories[1].parent_id", {"categories": [{"category_id": 64}, {"category_id": 63, "parent_id": 63}], "programs": [promotion(27, 10)]}),
    ]  # fmt: skip


@pytest.mark.parametrize("path, body", conflicts(), ids=lambda value: value if isinstance(value, str) else "")
def test_what_cannot_stand_together_names_its_field(shop, folder, path, body):
    """By program.put, by a load and by `loyalty load`: refused as a whole, and nothing is changed."""
    shop.call("program.put", promotion(25, 10, rules=[{"mode": "with_code", "code": "TAKEN"}]))
    shop.call("program.put", dict(loyalty_program(26), membership_product_id=5, is_primary_loyalty=True))
    before = version(shop)
    if "categories" not in body and path.startswith("programs[0]"):
        with refused("invalid_request", path=path.removeprefix("programs[0].")):
            shop.call("program.put", body["programs"][0])
    load = shop.call("load.begin")["load_id"]
    shop.call("load.put", dict(body, load_id=load, part=1, products=[{"product_id": 8_400}]))
    with refused("invalid_request", path=f"part 1: {path}"):
        shop.call("load.commit", {"load_id": load, "parts": 1})
    file = folder / "conflict.json"
    file.write_text(json.dumps(dict(body, products=[{"product_id": 8_400}])))
    done = shop.command("load", file)
    assert done.returncode == 1 and path in done.stdout + done.stderr
    assert version(shop) == before and shop.query("SELECT 1 FROM products WHERE product_id = 8400") == []


def test_rule_28_a_code_is_free_again_once_its_program_is_archived(shop):
    shop.call("program.put", promotion(25, 10, rules=[{"mode": "with_code", "code": "AGAIN"}]))
    other = promotion(26, 10, rules=[{"mode": "with_code", "code": "again"}])
    shop.call("program.put", dict(other, state="draft"))  # judged when it becomes active
    with refused("invalid_request", path="rules[0].code"):
        shop.call("program.put", other)
    shop.call("program.delete", {"program_id": 25})
    shop.call("program.put", other)


def test_categories_that_are_below_themselves(shop):
    before = version(shop)
    for categories in ([{"category_id": 1, "parent_id": 1}],
                       [{"category_id": 1, "parent_id": 2}, {"category_id": 2, "parent_id": 3}, {"category_id": 3, "parent_id": 1}]):  # fmt: skip
        with refused("invalid_request") as caught:
            shop.call("reference.put", {"categories": categories})
        assert "below itself" in caught.value.message
    shop.call("reference.put", {"categories": [{"category_id": 61}, {"category_id": 62, "parent_id": 61}]})
    with refused("invalid_request", path="categories[0].parent_id"):  # a cycle that is closed by a later change
        shop.call("reference.put", {"categories": [{"category_id": 61, "parent_id": 62}]})
    assert version(shop) == before + 1


@pytest.mark.parametrize(
    "path, body",
    [
        ("stores[0].time_zone", {"stores": [{"store_id": 1, "time_zone": "Europe/Atlantis"}]}),
        ("products[1].product_id", {"products": [{"product_id": 1}, {"product_id": 1, "name": "again"}]}),
        ("partners[2].partner_id", {"partners": [{"partner_id": 1}, {"partner_id": 2}, {"partner_id": 1}]}),
        ("levels[1].membership_product_id", {"levels": [{"membership_product_id": 1}, {"membership_product_id": 1}]}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_reference_data_that_is_refused(shop, path, body):
    before = version(shop)
    with refused("invalid_request", path=path):
        shop.call("reference.put", dict(body, categories=[{"category_id": 98}]))
    assert version(shop) == before
    assert shop.query("SELECT 1 FROM product_categories WHERE category_id = 98") == []


# Reference data


def test_reference_put_counts_what_it_took(shop):
    before = version(shop)
    body = {"stores": [{"store_id": 5, "time_zone": "Asia/Tokyo"}], "partners": [{"partner_id": 5, "birthday": "1980-02-29"}],
            "products": [{"product_id": 5}, {"product_id": 6}], "categories": [], "levels": []}  # fmt: skip
    assert shop.call("reference.put", body) == {
        "replayed": False, "catalog_version": before + 1, "stores": 1, "partners": 1, "products": 2, "categories": 0,
        "levels": 0, "programs": 0}  # fmt: skip
    # Products and partners move no version of the catalog.
    assert shop.call("reference.put", {"products": [{"product_id": 5, "name": "x"}]})["catalog_version"] == before + 1


def test_products_that_change_are_seen_by_the_next_order(shop):
    """By both workers, both for orders and for quotes, though each keeps the products it has looked up."""
    shop.call("reference.put", {"categories": [{"category_id": 71}, {"category_id": 72, "parent_id": 71}]})
    shop.call("program.put", promotion(22, 50, rules=[{"category_id": 71}, {"tag": "sale"}]))
    product = 9_000
    cases = [({}, "10.00"), ({"category_id": 72}, "5.00"), ({"category_id": 71}, "5.00"), ({"category_id": 70}, "10.00"),
             ({"tags": ["sale", "new"]}, "5.00"), ({"tags": ["new"]}, "10.00"), ({"tags": ["sale"], "active": False}, "5.00"), ({}, "10.00")]  # fmt: skip
    with RawClient(shop.endpoint) as raw:
        for fields, expected in cases * 2:
            shop.call("reference.put", {"products": [dict(product_id=product, **fields)]})
            ids = [raw.send(method, order(None, line(product)), affinity=number)
                   for number in range(20) for method in ("order.process", "order.quote")]  # fmt: skip
            assert {result_of(reply)["amount_total"] for reply in raw.answers(ids)} == {expected}


def test_a_product_becomes_known(shop):
    product = 9_100
    assert [one["kind"] for one in shop.call("order.quote", order(None, line(product)))["warnings"]] == ["unknown_product"]
    shop.call("reference.put", {"products": [{"product_id": product}]})
    for _ in range(10):
        assert shop.call("order.quote", order(None, line(product)))["warnings"] == []


def test_more_products_change_than_are_looked_through(shop):
    """Over the bound the whole cache is dropped: no product keeps an old category."""
    shop.call("program.put", promotion(23, 50, rules=[{"tag": "mass"}]))
    products = list(range(100_000, 104_990))
    price_of_some = [line(number, line_id=number) for number in products[::500]]
    shop.call("reference.put", {"products": [{"product_id": number} for number in products]}, timeout=60)
    assert price(shop, *price_of_some) == "100.00"
    shop.call("reference.put", {"products": [{"product_id": number, "tags": ["mass"]} for number in products]}, timeout=60)
    shop.call("reference.put", {"products": [{"product_id": number} for number in range(105_000, 105_100)]})
    for _ in range(6):
        assert price(shop, *price_of_some) == "50.00"


# Orders and the catalog that moves


def test_every_order_is_priced_with_the_catalog_it_names(shop):
    """While the program changes, orders run on both workers: each one's price is that of its catalog_version, and an order
    sent after a put was answered is never priced with an older one."""
    percents = {shop.call("program.put", promotion(24, 1))["catalog_version"]: 1}
    stop, failures, answers = threading.Event(), [], []

    def till(seed):
        client = Client(shop.endpoint, timeout=60, **client_options())
        try:
            while not stop.is_set():
                newest = max(percents)
                answer = client.order_process(order(new_partner(), line(1, 1, "100.00")))
                answers.append((newest, answer["catalog_version"], answer["amount_total"]))
        except LoyaltyError as error:
            failures.append(error)
        finally:
            client.close()

    threads = [threading.Thread(target=till, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for percent in range(2, 30):
        percents[shop.call("program.put", promotion(24, percent))["catalog_version"]] = percent
        time.sleep(0.02)
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]
    assert len({seen for _, seen, _ in answers}) > 10
    for newest, seen, amount in answers:
        assert seen >= newest and amount == f"{100 - percents[seen]}.00"


def test_changes_of_programs_at_once(shop):
    """Fifty puts at once: fifty versions, none lost."""
    before = version(shop)
    with RawClient(shop.endpoint) as raw:
        ids = [raw.send("program.put", promotion(200 + number % 10, number + 1)) for number in range(50)]
        versions = [result_of(reply)["catalog_version"] for reply in raw.answers(ids)]
    assert sorted(versions) == list(range(before + 1, before + 51))
    current = shop.query("SELECT count(*), max(version_from) FROM promotion_programs WHERE version_to IS NULL AND program_id BETWEEN 200 AND 209")
    assert current == [(10, before + 50)]


# Loads


def test_a_load_is_switched_over_whole(shop):
    before = version(shop)
    load = shop.call("load.begin", {"note": "spring"})["load_id"]
    part = shop.call("load.put", {"load_id": load, "part": 2, "programs": [promotion(31, 20, rules=[{"category_id": 81}])]})
    assert part == {"replayed": False, "load_id": load, "part": 2}
    shop.call("load.put", {"load_id": load, "part": 1, "categories": [{"category_id": 81}], "products": [{"product_id": 8_100}]})
    shop.call("load.put", {"load_id": load, "part": 1, "categories": [{"category_id": 81}], "products": [{"product_id": 8_100, "category_id": 81}]})
    assert price(shop, line(8_100)) == "10.00" and version(shop) == before
    done = shop.call("load.commit", {"load_id": load, "parts": 2})
    assert done == {"replayed": False, "catalog_version": before + 1, "stores": 0, "partners": 0, "products": 1, "categories": 1,
                    "levels": 0, "programs": 1}  # fmt: skip
    assert price(shop, line(8_100)) == "8.00"
    for method, body in (("load.put", {"load_id": load, "part": 3}), ("load.commit", {"load_id": load, "parts": 2})):
        with refused("conflict", path="load_id"):
            shop.call(method, body)


def test_a_load_with_a_mistake_changes_nothing(shop):
    before = version(shop)
    load = shop.call("load.begin")["load_id"]
    with refused("invalid_request", path="programs[1].rewards[0].discount"):
        shop.call("load.put", {"load_id": load, "part": 1, "programs": [promotion(32, 10), promotion(33, 200)]})
    shop.call("load.put", {"load_id": load, "part": 1, "programs": [promotion(32, 10)], "products": [{"product_id": 8_200}]})
    shop.call("load.put", {"load_id": load, "part": 2, "programs": [promotion(32, 20)]})
    shop.call("load.put", {"load_id": load, "part": 4, "partners": [{"partner_id": 1}]})
    for parts in (0, 2, 3, 4):  # the third is missing
        with refused("invalid_request", path="parts"):
            shop.call("load.commit", {"load_id": load, "parts": parts})
    shop.call("load.put", {"load_id": load, "part": 3, "categories": [{"category_id": 1, "parent_id": 1}]})
    with refused("invalid_request", path="part 2: programs[0].program_id"):  # the same program twice
        shop.call("load.commit", {"load_id": load, "parts": 4})
    shop.call("load.put", {"load_id": load, "part": 2})
    with refused("invalid_request"):  # the category below itself
        shop.call("load.commit", {"load_id": load, "parts": 4})
    assert version(shop) == before and price(shop) == "10.00"
    assert shop.query("SELECT 1 FROM products WHERE product_id = 8200") == []
    # Mended, it goes through.
    shop.call("load.put", {"load_id": load, "part": 3})
    assert shop.call("load.commit", {"load_id": load, "parts": 4})["programs"] == 1
    assert price(shop) == "9.00"


def test_loading_a_bad_file_changes_nothing(shop, folder):
    before = version(shop)
    path = folder / "bad.json"
    path.write_text(json.dumps({"products": [{"product_id": 8_300}], "programs": [promotion(34, 10), promotion(35, -1)]}))
    done = shop.command("load", path)
    assert done.returncode == 1 and "programs[1].rewards[0].discount" in done.stdout + done.stderr
    assert version(shop) == before and shop.query("SELECT 1 FROM products WHERE product_id = 8300") == []


def test_a_large_load_by_the_client(shop):
    """In several parts, by the Python client's one call."""
    products = [{"product_id": 200_000 + number, "name": f"Product {number} " + "x" * 150} for number in range(12_000)]
    done = shop.client(timeout=60).load(products=products, programs=[promotion(36, 5)], partners=[{"partner_id": 3_000_000}])
    assert (done["products"], done["programs"], done["partners"]) == (12_000, 1, 1)
    assert shop.query("SELECT count(*) FROM products WHERE product_id BETWEEN 200000 AND 211999") == [(12_000,)]
    assert shop.query("SELECT count(*) FROM load_parts p JOIN loads USING (load_id) WHERE state = 2") == [(0,)]
    with pytest.raises(InvalidRequest):
        shop.client().load(programs=[promotion(37, 500)])


# Dates, hours, stores and channels of a program


def test_a_program_of_a_store_a_channel_a_pricelist(shop):
    shop.call("program.put", promotion(41, 50, pos_config_ids=[3], channels=["sale"], pricelist_ids=[7]))
    right = {"store_id": 3, "channel": "sale", "pricelist_id": 7}
    assert price(shop, **right) == "5.00"
    for name, wrong, reason in (("store_id", 4, "wrong_store"), ("channel", "pos", "wrong_channel"), ("pricelist_id", 8, "wrong_pricelist"),
                                ("store_id", None, "wrong_store"), ("pricelist_id", None, "wrong_pricelist")):  # fmt: skip
        assert price(shop, **dict(right, **{name: wrong})) == "10.00"
        with refused("claim_refused", reason=reason):
            shop.call("order.process", order(None, claims=[{"program_id": 41}], **dict(right, **{name: wrong})))


def test_days_weekdays_and_hours_are_the_stores(shop):
    shop.call("reference.put", {"stores": [{"store_id": 51, "time_zone": "Asia/Tokyo"}, {"store_id": 52, "time_zone": "America/New_York"}]})
    shop.call("program.put", promotion(42, 50, date_from="2026-06-05", date_to="2026-06-07", weekdays=["friday", "saturday"],
                                       hours=["22:00", "02:00"]))  # fmt: skip
    cases = [  # local times of the store; Friday is 5 June 2026
        ("2026-06-05T21:59:59", "10.00"), ("2026-06-05T22:00:00", "5.00"), ("2026-06-06T01:59:59", "5.00"),
        ("2026-06-06T02:00:00", "10.00"), ("2026-06-07T01:00:00", "5.00"), ("2026-06-07T22:30:00", "10.00"),
        ("2026-06-05T01:00:00", "10.00"),  # still Thursday's night
    ]  # fmt: skip
    for local, expected in cases:
        for store in (51, 52):
            assert price(shop, store_id=store, at=local) == expected, (local, store)
    # The same instant is another hour elsewhere: 22:30 in Tokyo is 13:30 UTC and 09:30 in New York.
    assert price(shop, store_id=51, at="2026-06-05T13:30:00Z") == "5.00"
    assert price(shop, store_id=52, at="2026-06-05T13:30:00Z") == "10.00"
    assert price(shop, at="2026-06-05T22:30:00") == "5.00"  # the engine's zone


def test_health_tells_the_version(shop):
    health = shop.call("admin.health")
    assert set(health) == {"status", "version", "schema", "catalog_version", "worker", "time", "database"} and health["status"] == "ok"
