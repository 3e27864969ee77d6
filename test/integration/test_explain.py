"""order.explain: what an order was made from, every step, and the same worked out again from the record alone."""

import pytest

from shop import line, loyalty_program, new_id, new_partner, order, promotion, refund, refused

TEN, BIG = 71, 72


@pytest.fixture
def shop(engine):
    engine.call("reference.put", {"products": [{"product_id": 1, "tags": ["blue"]}]})
    engine.call("program.put", loyalty_program())
    engine.call("program.put", promotion(TEN, "10"))
    engine.call("program.put", promotion(BIG, "50", rules=[{"minimum_amount": "1000"}]))
    return engine


def test_every_step_is_there(shop):
    partner = new_partner()
    shop.call("card.create", {"partner_id": partner, "program_id": 1, "points": "30"})
    done = shop.call("order.process", order(partner, line(1, 2), claims=[{"program_id": 1, "reward_id": 1}]))
    explained = shop.call("order.explain", {"order_id": done["order_id"]})
    assert (explained["same"], explained["differences"]) == (True, [])
    assert explained["evaluator_version"] == explained["evaluator_version_now"]
    stored = dict(explained["order"])
    rejected = stored.pop("rejected")
    assert stored == done
    assert [(entry["program_id"], entry["reason"]) for entry in rejected if entry["program_id"] == BIG] == [(BIG, "minimum_amount")]
    (card,) = explained["input"]["cards"]
    assert (card["program_id"], card["usable"]) == (1, "30.00")
    (given,) = explained["input"]["lines"]
    assert (given["qty"], given["price_unit"], given["tags"], given["known"]) == ("2", "10", ["blue"], True)
    (moved,) = explained["lots"]
    assert sum(float(use["points"]) for use in moved["redeemed"]) == float(done["points_redeemed"]) > 0
    assert [lot["points"] for lot in moved["gained"]] == [done["points_earned"]]


def test_it_comes_out_the_same_by_its_own_catalog(shop):
    """Every program changes after the order, more often than a worker keeps old versions."""
    orders = []
    for percent in ("10", "15", "20", "25", "30", "35"):
        shop.call("program.put", promotion(TEN, percent))
        orders.append(shop.call("order.process", order(new_partner(), line(1, 3, "9.99"))))
    assert len({done["amount_total"] for done in orders}) == len(orders)
    for done in orders + orders[::-1]:
        explained = shop.call("order.explain", {"order_id": done["order_id"]})
        assert explained["same"] is True, explained["differences"]
        assert explained["order"]["catalog_version"] == done["catalog_version"]


def test_returns_are_explained_too(shop):
    sold = shop.call("order.process", order(new_partner(), line(1, 3)))
    back = shop.call("order.refund", refund(sold["order_id"], line(1, -1)))
    explained = shop.call("order.explain", {"order_id": back["order_id"]})
    assert explained["same"] is True, explained["differences"]
    assert explained["order"]["amount_total"] == back["amount_total"]
    (moved,) = explained["lots"]
    assert [use["points"] for use in moved["taken_back"]] == [back["points_earned"].lstrip("-")]


def test_where_it_differs_is_said(shop):
    """The history of the catalog was tampered with: what is worked out now is not what was recorded."""
    shop.call("program.put", promotion(TEN, "40"))
    done = shop.call("order.process", order(new_partner()))
    shop.query(
        "UPDATE promotion_programs SET state = 2 WHERE program_id = %s AND version_from = %s", (TEN, done["catalog_version"])
    )
    for percent in ("41", "42", "43", "44", "45", "46"):  # no worker has that version any more
        shop.call("program.put", promotion(TEN, percent))
        other = shop.call("order.process", order(new_partner()))
        shop.call("program.put", promotion(TEN, "1"))
        shop.call("order.explain", {"order_id": other["order_id"]})
        shop.call("order.explain", {"order_id": other["order_id"]})
    explained = [shop.call("order.explain", {"order_id": done["order_id"]}) for _ in range(4)]
    found = [entry for answer in explained for entry in answer["differences"] if entry["figure"] == "amount_total"]
    assert {"figure": "amount_total", "recorded": "6.00", "now": "10.00"} in found


def test_an_order_that_there_is_not(shop):
    with refused("not_found"):
        shop.call("order.explain", {"order_id": new_id()})
    cancelled = new_id()
    shop.call("order.cancel", {"order_id": cancelled})
    with refused("not_found"):
        shop.call("order.explain", {"order_id": cancelled})
