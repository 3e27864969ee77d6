"""The ledger beside the model of test/property/model: random histories of members.

Runs alike every time; LOYALTY_MODEL_EXAMPLES sets how many are tried.
"""

import datetime
import itertools

import pytest
from hypothesis import given

from loyalty_client import LoyaltyError
from model import histories
from model.cards import NEVER
from model.compare import differences
from model.figures import minor
from model.world import Refused, World, instant_of
from test_model import HISTORIES, REFERENCE
from told import assert_points_add_up

numbers = itertools.count(1000)


class Member:
    """A member whose orders and refunds go to the engine and to the model."""

    def __init__(self, engine):
        self.engine, self.number = engine, next(numbers)
        self.world, self.orders, self.instant, self.steps = World(), [], histories.START, 0
        self.world.call("reference.put", REFERENCE)
        for program in histories.CATALOG:
            self.world.call("program.put", program)

    def body(self, lines, **more):
        self.steps += 1
        date = self.instant.isoformat().replace("+00:00", "Z")
        order_id = f"{self.number}-{self.steps}"
        return dict({"order_id": order_id, "partner_id": self.number, "date": date, "import": True, "lines": lines}, **more)

    def agree(self, method, body):
        """Sends a request to both; what they answer has to be the same, also what they refuse."""
        try:
            mine = self.world.call(method, body)
        except Refused as refused:
            with pytest.raises(LoyaltyError) as error:
                self.engine.call(method, body)
            assert error.value.code == refused.code
            return
        different = differences(self.world.last, mine, self.engine.call(method, body))
        assert not different, different

    def sell(self, lines, claims):
        order = self.body(lines, claims=claims, on_refused="skip")
        self.agree("order.process", order)
        self.orders.append(order)

    def take_back(self, step):
        if not self.orders:
            return
        original = self.orders[step["of"] % len(self.orders)]
        lines = histories.returned_lines(original, step)
        if not lines:
            return
        order = self.body(lines, refund_of=original["order_id"])
        if step["shortfall"]:
            order["shortfall"] = step["shortfall"]
        self.agree("order.refund", order)

    def compare_cards(self):
        now = datetime.datetime.now(datetime.timezone.utc)
        for card in self.world.cards:
            named = {"partner_id": self.number, "program_id": card.program["program_id"]}
            rows = self.engine.call("card.history", dict(named, limit=1000))["history"]
            rows = [
                (row["kind"], minor(row["points"]), minor(row["balance"]), minor(row["debt"]), row["order_id"])
                for row in reversed(rows)
            ]
            assert rows == card.history
            reply = self.engine.call("card.get", named)
            assert (minor(reply["stored"]), minor(reply["debt"])) == (card.stored(), card.debt)
            lots = [(minor(lot["remaining"]), instant_of(lot["gained"]), expiry_of(lot)) for lot in reply["lots"]]
            assert lots == [(lot.left, lot.gained, lot.expires) for lot in card.alive(now) if lot.left]


def expiry_of(lot):
    return NEVER if lot["expires"] is None else instant_of(lot["expires"])


@pytest.fixture(scope="module")
def club(engine):
    engine.call("reference.put", REFERENCE)
    for program in histories.CATALOG:
        engine.call("program.put", program)
    return engine


@HISTORIES
@given(steps=histories.steps)
def test_histories_agree(club, steps):
    member = Member(club)
    for step, days in steps:
        member.instant += datetime.timedelta(days=days)
        if "of" in step:
            member.take_back(step)
        else:
            member.sell(step["lines"], step["claims"])
    member.compare_cards()


def test_the_ledger_holds(club):
    club.assert_ledger_holds()


def test_the_points_that_were_told_add_up(club):
    assert_points_add_up(club)
