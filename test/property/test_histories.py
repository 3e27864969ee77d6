"""The ledger beside the model of test/property/model: random histories of members.

Runs alike every time; LOYALTY_MODEL_EXAMPLES sets how many are tried.
"""

import datetime
import itertools

import pytest
from hypothesis import given

from loyalty_client import LoyaltyError
from model import carts, histories
from model.cards import NEVER
from model.catalog import Catalog
from model.compare import differences, inconsistencies, moved_in
from model.figures import exact, minor
from model.world import World
from test_model import SETTINGS, instant_of

numbers = itertools.count(1000)


class Member:
    """A member whose orders and refunds go to the engine and to the model."""

    def __init__(self, shop, catalog):
        self.call, self.number = shop.call, next(numbers)
        self.world, self.orders, self.instant, self.steps = World(catalog), [], histories.START, 0

    def body(self, lines, **more):
        self.steps += 1
        date = self.instant.isoformat().replace("+00:00", "Z")
        order_id = f"{self.number}-{self.steps}"
        return dict({"order_id": order_id, "partner_id": self.number, "date": date, "import": True, "lines": lines}, **more)

    def sell(self, lines, claims):
        in_debt = {card.program["program_id"] for card in self.world.cards if card.debt}  # finding 3
        claims = [claim for claim in claims if claim["program_id"] not in in_debt]
        order = self.body(lines, claims=claims, on_refused="skip")
        reply = self.call("order.process", order)
        model, moved = self.world.process(order, self.instant)
        assert not differences(model, reply)
        assert moved_in(reply) == self.figures(moved)
        self.orders.append(order)

    def figures(self, moved):
        """(earned, redeemed, balance, debt) by program."""
        return {
            card.program["program_id"]: (earned, redeemed, card.balance(self.instant), card.debt)
            for card, (earned, redeemed) in moved.items()
            if (earned, redeemed) != (0, 0)
        }

    def take_back(self, step):
        if not self.orders:
            return
        original = self.orders[step["of"] % len(self.orders)]
        lines = histories.returned_lines(original, step)
        sale = self.world.sales[original["order_id"]]
        if not lines or sale.finding_2():
            return
        order = self.body(lines, refund_of=original["order_id"])
        if step["shortfall"]:
            order["shortfall"] = step["shortfall"]
        if sale.exceeds(lines):
            with pytest.raises(LoyaltyError) as error:
                self.call("order.refund", order)
            assert error.value.code == "refund_exceeds"
            return
        reply = self.call("order.refund", order)
        money, moved, uncovered = self.world.refund(order, self.instant)
        assert minor(reply["amount_total"]) == -money
        assert moved_in(reply) == self.figures(moved)
        assert [exact(line["qty"]) for line in reply["uncovered"]] == uncovered
        assert not inconsistencies(reply)

    def compare_cards(self):
        now = datetime.datetime.now(datetime.timezone.utc)
        for card in self.world.cards:
            named = {"partner_id": self.number, "program_id": card.program["program_id"]}
            rows = self.call("card.history", dict(named, limit=1000))["history"]
            rows = [
                (row["kind"], minor(row["points"]), minor(row["balance"]), minor(row["debt"]), row["order_id"])
                for row in reversed(rows)
            ]
            assert rows == card.history
            reply = self.call("card.get", named)
            assert (minor(reply["stored"]), minor(reply["debt"])) == (card.stored(), card.debt)
            lots = [(minor(lot["remaining"]), instant_of(lot["gained"]), expiry_of(lot)) for lot in reply["lots"]]
            assert lots == [(lot.left, lot.gained, lot.expires) for lot in card.alive(now) if lot.left]


def expiry_of(lot):
    return NEVER if lot["expires"] is None else instant_of(lot["expires"])


@pytest.fixture(scope="module")
def club(engine):
    engine.call("reference.put", {"products": carts.PRODUCTS, "categories": carts.CATEGORIES})
    for program in histories.CATALOG:
        engine.call("program.put", program)
    return engine


@SETTINGS
@given(steps=histories.steps)
def test_histories_agree(club, steps):
    member = Member(club, Catalog(histories.CATALOG, carts.PRODUCTS, carts.CATEGORIES))
    for step, days in steps:
        member.instant += datetime.timedelta(days=days)
        if "of" in step:
            member.take_back(step)
        else:
            member.sell(step["lines"], step["claims"])
    member.compare_cards()


def test_the_ledger_holds(club):
    club.assert_ledger_holds()
