"""The ledger beside the model of test/property/model: random histories with holds, corrections, transfers and changes of level.

Runs alike every time; LOYALTY_MODEL_EXAMPLES sets how many are tried.
"""

import itertools
from fractions import Fraction

import pytest
from hypothesis import given

from loyalty_client import LoyaltyError
from model import histories, moves
from model.answers import text_of
from model.cards import NEVER
from model.compare import differences
from model.figures import half_away, minor
from model.world import Refused, World
from test_model import HISTORIES, REFERENCE

numbers = itertools.count(500000)
FIGURES = ("balance", "held", "usable", "debt")


class Pair:
    """Two members whose history goes to the engine and to the model."""

    def __init__(self, engine):
        self.engine, self.members, self.orders, self.holds = engine, [next(numbers), next(numbers)], [], []
        self.world = World()
        self.world.call("reference.put", dict(REFERENCE, levels=moves.LEVELS))
        for program in moves.CATALOG:
            self.world.call("program.put", program)
        for partner in self.members:
            self.agree("card.create", {"partner_id": partner, "program_id": moves.OF_BRONZE, "points": "40"})
            self.agree("card.create", {"partner_id": partner, "program_id": moves.OF_ALL, "points": "30"})

    def agree(self, method, body, more=None):
        """Sends a request to both, and answers both answers; None if both refuse it, for the same reason. `more`: what only the
        model is told."""
        try:
            theirs = self.engine.call(method, body)
        except LoyaltyError as error:
            with pytest.raises(Refused) as refused:
                self.world.call(method, dict(body, **(more(None) if more else {})))
            assert refused.value.code == error.code, (method, body)
            return None
        return self.world.call(method, dict(body, **(more(theirs) if more else {}))), theirs

    def card(self, step):
        return {"partner_id": self.members[step["member"]], "program_id": step["program"]}

    # Steps

    def sale(self, step):
        partner = self.members[step["member"]]
        body = {"order_id": f"m-{next(numbers)}", "partner_id": partner, "lines": step["lines"], "claims": step["claims"]}
        held = [hold for hold, of in self.holds if of == partner]
        if step["captures"] and held:
            body["hold_id"] = held[-1]
            self.holds = [(hold, of) for hold, of in self.holds if hold != held[-1]]
        body["on_refused"] = "skip"
        self.order("order.process", body)
        self.orders.append(body)

    def refund(self, step):
        if not self.orders:
            return
        original = self.orders[step["of"] % len(self.orders)]
        lines = histories.returned_lines(original, step)
        if not lines:
            return
        body = {"order_id": f"m-{next(numbers)}", "partner_id": original["partner_id"], "lines": lines}
        body["refund_of"] = original["order_id"]
        if step["shortfall"]:
            body["shortfall"] = step["shortfall"]
        self.order("order.refund", body)

    def order(self, method, body):
        both = self.agree(method, body)
        if both is not None:
            different = differences(self.world.last, *both)
            assert not different, different

    def adjust(self, step):
        sign = "-" if step["takes"] else ""
        self.moved("card.adjust", dict(self.card(step), points=sign + step["points"], reason="a correction"))

    def hold(self, step):
        more = lambda theirs: {"hold_id": theirs["hold_id"] if theirs else ""}  # noqa: E731
        both = self.moved("points.hold", dict(self.card(step), points=step["points"], ttl_s=3600), more)
        if both is not None:
            self.holds.append((both[1]["hold_id"], self.members[step["member"]]))

    def settle(self, step):
        if not self.holds:
            return
        hold_id, _ = self.holds.pop(step["hold"] % len(self.holds))
        body = {"hold_id": hold_id}
        if step["how"] == "capture" and step["part"] is not None:
            body["points"] = text_of(max(1, half_away(self.world.hold_named(hold_id)[1].points() * Fraction(step["part"]))))
        self.moved(f"points.{step['how']}", body)

    def transfer(self, step):
        cards = [self.world.member_card(step["program"], partner) for partner in self.members]
        if None in cards:
            return
        ids = [self.engine.call("card.get", {"partner_id": card.partner, "program_id": step["program"]})["card_id"] for card in cards]
        giver, taker = step["member"], 1 - step["member"]
        more = lambda theirs: {"from": cards[giver].id, "to": cards[taker].id}  # noqa: E731
        self.agree("card.transfer", {"from": ids[giver], "to": ids[taker], "points": step["points"], "reason": "a gift"}, more)

    def level(self, step):
        body = {"partner_id": self.members[step["member"]], "membership_product_id": step["level"], "reason": "by hand"}
        self.agree("membership.change", body)

    def moved(self, method, body, more=None):
        both = self.agree(method, body, more)
        if both is not None:
            assert {name: both[1][name] for name in FIGURES} == {name: both[0][name] for name in FIGURES}, (method, body)
        return both

    # What there is in the end

    def compare_cards(self):
        for card in self.world.cards:
            reply = self.engine.call("card.get", {"partner_id": card.partner, "program_id": card.program["program_id"]})
            mine = (text_of(card.stored()), text_of(card.debt), text_of(card.held(self.world.now())))
            assert (reply["stored"], reply["debt"], reply["held"]) == mine
            lots = [(minor(lot["remaining"]), lot["expires"] is None) for lot in reply["lots"]]
            assert lots == [(lot.left, lot.expires == NEVER) for lot in card.alive(self.world.now()) if lot.left]


@pytest.fixture(scope="module")
def club(engine):
    engine.call("reference.put", dict(REFERENCE, levels=moves.LEVELS))
    for program in moves.CATALOG:
        engine.call("program.put", program)
    return engine


@HISTORIES
@given(steps=moves.steps)
def test_moves_agree(club, steps):
    pair = Pair(club)
    for step in steps:
        getattr(pair, step["step"])(step)
    pair.compare_cards()


def test_the_ledger_holds(club):
    club.assert_ledger_holds()
