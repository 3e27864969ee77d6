"""What holds for every order, whatever the programs: random carts on random catalogs, quoted, processed, and undone.

LOYALTY_MODEL_EXAMPLES sets how many catalogs are tried, as for test_model.py.
"""

import collections
import itertools
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty_client import LoyaltyError
from model import carts
from shop import total, written
from test_model import SETTINGS, Shop, is_not_supported

FIGURES = ("amount_untaxed", "amount_tax", "amount_total", "taxes", "lines", "discounts", "points_earned", "points_redeemed", "warnings")
STATE = """SELECT 'card', card_id::text, points, debt FROM loyalty_cards WHERE points <> 0 OR debt <> 0
    UNION ALL SELECT 'use', concat_ws(' ', program_id, kind, subject, period), used, amount FROM program_usage WHERE used <> 0 OR amount <> 0
    UNION ALL SELECT 'member', partner_id::text, spending, 0 FROM members WHERE spending <> 0 ORDER BY 1, 2"""
COUNTS = collections.Counter()
numbers = itertools.count(1)


class WatchedShop(Shop):
    """A shop whose ledger is looked at before and after each order, over one connection."""

    def __init__(self, engine):
        super().__init__(engine)
        self.connection = engine.db()
        self.connection.autocommit = True

    def query(self, sql, parameters=None):
        with self.connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return cursor.fetchall()

    def state(self):
        """What cards hold, programs were used and members spent."""
        return self.query(STATE)


@pytest.fixture(scope="module")
def shop(engine):
    shop = WatchedShop(engine)
    yield shop
    shop.connection.close()


def amounts(records, field):
    return total(record[field] for record in records)


def has_fixed_tax(line):
    return any(tax.get("amount_type") == "fixed" for tax in line.get("taxes", []))


def assert_adds_up(cart, answer):
    """Lines and discounts are the order, and nothing that is sold falls below zero."""
    payments = [one for one in answer["discounts"] if one["layer"] == "payment"]
    others = [one for one in answer["discounts"] if one["layer"] != "payment"]
    assert amounts(answer["lines"], "amount_total") - amounts(payments, "amount") == Decimal(answer["amount_total"])
    assert amounts(answer["lines"], "amount_tax") == Decimal(answer["amount_tax"])
    assert Decimal(answer["amount_untaxed"]) + Decimal(answer["amount_tax"]) == Decimal(answer["amount_total"])
    assert amounts(answer["lines"], "discount") == amounts(others, "amount")
    for one in others:
        assert amounts(one["lines"], "amount") == Decimal(one["amount"]) >= amounts(one["taxes"], "amount") >= 0
    for line, given in zip(answer["lines"], cart["lines"]):
        figures = [Decimal(line[name]) for name in ("amount_untaxed", "amount_tax", "amount_total")]
        assert figures[0] + figures[1] == figures[2]
        if Decimal(given["qty"]) > 0 and not has_fixed_tax(given):
            assert min(figures) >= 0, line
    for one in answer["points"]:
        assert Decimal(one["balance"]) >= 0 and Decimal(one["debt"]) >= 0


def quoted(shop, cart):
    """The quote; None where the order is refused as a whole: it shows somebody else's card, or tops up nobody's wallet."""
    try:
        return shop.call("order.quote", cart)
    except LoyaltyError as error:
        assert is_not_supported(error) or error.code in ("not_found", "invalid_request") and error.details["path"].startswith(("cards[", "lines[")), error
        COUNTS["carts that were refused"] += 1
        return None


def figures(answer):
    """What a quote and its order have in common: all but the cards that only the order makes."""
    discounts = [{name: value for name, value in one.items() if name != "card_id"} for one in answer["discounts"]]
    return dict({name: answer[name] for name in FIGURES}, discounts=discounts)


def process(shop, cart):
    """The cart as an order: (body, answer)."""
    body = dict(cart, order_id=f"invariant-{next(numbers)}", on_refused="skip")
    return body, shop.call("order.process", body)


def at_any_time(program):
    return {name: value for name, value in program.items() if name not in ("hours", "weekdays", "date_from", "date_to")}


def put(shop, programs):
    """Whether the engine takes them all."""
    try:
        shop.put(programs)
        return True
    except LoyaltyError as error:
        assert error.code == "invalid_request", error
        COUNTS["catalogs that were refused"] += 1
        return False


def undo(shop, body, by_refund):
    if not by_refund:
        return shop.call("order.cancel", {"order_id": body["order_id"]})
    back = [
        {"product_id": line["product_id"], "qty": "-" + line["qty"], "price_unit": line["price_unit"],
         "refund_of": {"order_id": body["order_id"], "line_id": str(index)}}
        for index, line in enumerate(body["lines"])
    ]  # fmt: skip
    return shop.call("order.refund", {"order_id": f"invariant-{next(numbers)}", "lines": back})


@SETTINGS
@given(data=st.data())
def test_an_order_is_its_quote_happens_once_and_can_be_undone(shop, data):
    drawn = [at_any_time(program) for program in data.draw(carts.catalogs())]
    cart = data.draw(carts.carts(drawn))
    del cart["at"]
    by_refund = data.draw(st.booleans()) and all(Decimal(line["qty"]) > 0 for line in cart["lines"])
    quote = quoted(shop, cart) if put(shop, drawn) else None
    if quote is None:
        return
    before = shop.state()
    try:
        body, done = process(shop, cart)
    except LoyaltyError as error:
        assert is_not_supported(error), error
        return
    COUNTS["orders"] += 1
    COUNTS["orders with a reward"] += bool(done["discounts"])
    assert figures(quote) == figures(done)
    assert [claim["ok"] for claim in quote["claims"]] == [claim["ok"] for claim in done["claims"]]
    assert_adds_up(cart, done)
    after, rows = shop.state(), written(shop)
    assert shop.call("order.process", body) == dict(done, replayed=True)
    assert (shop.state(), written(shop)) == (after, rows)
    undone = undo(shop, body, by_refund)
    COUNTS["refunds" if by_refund else "cancels"] += 1
    assert Decimal(undone["amount_total"]) == -Decimal(done["amount_total"])
    assert shop.state() == before


@SETTINGS
@given(data=st.data())
def test_a_discount_does_not_vanish_without_a_word(shop, data):
    """Something more is bought: whatever was given before is given again, or said to be refused, and why."""
    drawn = data.draw(carts.catalogs())
    cart = dict(data.draw(carts.carts(drawn)), explain=True)
    more = dict(cart, lines=cart["lines"] + [data.draw(carts.lines(carts.products_of(drawn)))])
    first, second = (quoted(shop, cart), quoted(shop, more)) if put(shop, drawn) else (None, None)
    if first is None or second is None:
        return
    COUNTS["carts to which something was added"] += 1
    given = {one["program_id"] for one in second["discounts"]}
    named = {one["program_id"] for one in second["rejected"] if one["reason"] and one["text"]}
    named |= {claim["program_id"] for claim in second["claims"] if not claim["ok"] or claim["replaced_by"] is not None}
    for one in first["discounts"]:
        COUNTS["discounts that went away"] += one["program_id"] not in given
        assert one["program_id"] in given | named, (one, second["rejected"], second["claims"])


def test_enough_was_tried(shop):
    """Prints how much; and the ledger holds after it."""
    for name, count in sorted(COUNTS.items()):
        print(f"{count:7} {name}")
    assert min(COUNTS[name] for name in ("orders with a reward", "refunds", "cancels", "carts to which something was added")) >= 5
    shop.engine.assert_ledger_holds()
