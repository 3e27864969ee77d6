"""Whatever is sold, spent and given back in whatever order and in whatever parts: when all of it is undone, all is as it was (rules 13, 27, 28, 33, 36).

Runs alike every time; LOYALTY_MODEL_EXAMPLES sets how many histories are tried.
"""

import collections
import itertools
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty_client import LoyaltyError
from shop import Programs, line, order
from test_invariants import STATE
from test_model import EXAMPLES, SETTINGS

GIFT, TOP_UP, COFFEE, TEA, BOOK = 50, 51, 1, 2, 3
MEMBERS = (701, 702)
PRICES = {COFFEE: "3.99", TEA: "10.00", BOOK: "24.50", GIFT: "20.00", TOP_UP: "15.00"}
TWENTY = {"id": 1, "amount": "20", "included": True}
numbers = itertools.count(1)
DONE = collections.Counter()


@pytest.fixture(scope="module")
def shop(engine):
    """Points, a wallet, gift cards, coupons, codes and automatic programs, with limits of every kind."""
    engine.call("reference.put", {"products": [{"product_id": id} for id in PRICES]})
    programs = Programs(engine)
    pays = [{"discount": 1, "discount_mode": "per_point"}]
    loyalty = programs.put(program_type="loyalty", rules=[{"reward_point_mode": "money", "reward_point_amount": "1.5"}], rewards=[
        {"discount": "0.05", "discount_mode": "per_point"}, {"discount": 3, "discount_mode": "per_order", "required_points": 20}])  # fmt: skip
    wallet = programs.put(program_type="ewallet", applies_on="future", rules=[{"product_ids": [TOP_UP], "reward_point_mode": "money"}], rewards=pays)
    programs.put(program_type="gift_card", applies_on="future", rules=[{"product_ids": [GIFT], "reward_point_mode": "money"}], rewards=pays)
    coupon = programs.put(program_type="coupons", trigger="with_code", max_usage_per_customer=2, rules=[], rewards=[{"discount": 10}])
    programs.put(program_type="next_order_coupons", applies_on="future", max_usage_per_day=2, rules=[{"minimum_amount": "40"}], rewards=[{"discount": 15}])
    programs.put(program_type="promo_code", trigger="with_code", max_usage=3, rules=[{"mode": "with_code", "code": "TEATIME", "product_ids": [TEA]}],
                 rewards=[{"discount": 50, "discount_applicability": "cheapest", "discount_product_ids": [TEA]}])  # fmt: skip
    programs.put(budget="6.00", rules=[{"product_ids": [COFFEE], "reward_point_mode": "unit"}],
                 rewards=[{"reward_type": "product", "reward_product_ids": [COFFEE], "required_points": 2}])  # fmt: skip
    engine.programs = {"loyalty": loyalty, "wallet": wallet, "coupon": coupon}
    engine.call("card.create", {"program_id": coupon, "code": "BOOKLET", "points": 5})
    yield engine
    engine.assert_ledger_holds()


class History:
    def __init__(self, shop):
        self.shop, self.call = shop, shop.call
        self.standing = []  # [order_id, {line_id: (product, qty left)}, refunds]
        self.refunds = []  # [refund's order_id, entry, {line_id: (product, qty)}], the last at the end
        self.codes = ["BOOKLET"]  # of cards that were sold or given, too

    def sell(self, member, lines, pick, entered):
        named = [
            {"program_id": self.shop.programs["loyalty"], "reward_id": 1}, {"program_id": self.shop.programs["loyalty"], "reward_id": 2},
            {"program_id": self.shop.programs["wallet"]}, {"code": "TEATIME"}, {"code": self.codes[entered % len(self.codes)]},
        ]  # fmt: skip
        sold = [line(id, qty, PRICES[id], taxes=[] if id in (GIFT, TOP_UP) else [TWENTY], line_id=number) for number, (id, qty) in enumerate(lines)]
        body = order(member, *sold, order_id=f"undoing-{next(numbers)}", claims=[named[one] for one in pick], on_refused="skip")
        done = self.call("order.process", body)
        self.codes += [card["code"] for card in done["cards"] if card["program_id"] not in (self.shop.programs["loyalty"], self.shop.programs["wallet"])]
        self.standing.append([body["order_id"], {str(number): (id, qty) for number, (id, qty) in enumerate(lines)}, 0])

    def give_back(self, entry, share):
        """Some of each line (all of it with a share of 1); False where the engine refuses, as a gift card that was sold is spent."""
        order_id, left, _ = entry
        back = {number: (id, max(1, round(qty * share))) for number, (id, qty) in left.items()}
        lines = [line(id, -qty, PRICES[id], refund_of={"order_id": order_id, "line_id": number}) for number, (id, qty) in back.items()]
        refund_id = f"undoing-{next(numbers)}"
        try:
            self.call("order.refund", order(None, *lines, order_id=refund_id))
        except LoyaltyError as error:
            assert error.code == "insufficient_points", error  # a gift card that was sold is spent
            return False
        entry[2] += 1
        DONE["refunds"] += 1
        self.refunds.append([refund_id, entry, back])
        for number, (_, qty) in back.items():
            left[number] = (left[number][0], left[number][1] - qty)
            if left[number][1] == 0:
                del left[number]
        if not left:
            self.standing.remove(entry)
        return True

    def cancel(self, entry):
        try:
            self.call("order.cancel", {"order_id": entry[0]})
        except LoyaltyError as error:
            assert error.code == "insufficient_points", error
            return False
        DONE["orders cancelled"] += 1
        self.standing.remove(entry)
        return True

    def take_again(self, place):
        """Cancels one of the refunds, not always the last of its order; what it gave back stands again."""
        if not self.refunds:
            return
        refund_id, entry, back = chosen = self.refunds[place % len(self.refunds)]
        try:
            self.call("order.cancel", {"order_id": refund_id})
        except LoyaltyError as error:
            assert error.code in ("insufficient_points", "conflict"), error  # spent since, or a later one counts on it
            return
        self.refunds.remove(chosen)
        DONE["refunds cancelled"] += 1
        entry[2] -= 1
        for number, (id, qty) in back.items():
            entry[1][number] = (id, qty + entry[1].get(number, (id, 0))[1])
        if entry not in self.standing:
            self.standing.append(entry)

    def undo(self, place, share):
        if not self.standing:
            return
        entry = self.standing[place % len(self.standing)]
        if share is None and not entry[2]:
            self.cancel(entry)
        else:
            self.give_back(entry, share or 1)

    def undo_all(self, backwards):
        """A card can go back when nothing is spent of it any more: round by round, until nothing stands."""
        while self.standing:
            entries = self.standing[::-1] if backwards else list(self.standing)
            assert any([self.give_back(entry, 1) for entry in entries]), self.standing


LINES = st.lists(st.tuples(st.sampled_from([COFFEE, COFFEE, TEA, TEA, BOOK, GIFT, TOP_UP]), st.sampled_from([1, 1, 2, 3, 4])), min_size=1, max_size=3)
SALES = st.tuples(st.just("sell"), st.sampled_from(MEMBERS), LINES, st.lists(st.integers(0, 4), max_size=3), st.integers(0, 20))
UNDOES = st.tuples(st.just("undo"), st.integers(0, 20), st.sampled_from([None, None, 1, 0.5, 0.3]))
AGAIN = st.tuples(st.just("take_again"), st.integers(0, 20))


@settings(SETTINGS, max_examples=max(50, EXAMPLES // 6))
@given(steps=st.lists(st.one_of(SALES, SALES, UNDOES, UNDOES, AGAIN), min_size=2, max_size=12), backwards=st.booleans())
def test_when_all_is_undone_all_is_as_it_was(shop, steps, backwards):
    before = shop.query(STATE)
    history = History(shop)
    for what, *step in steps:
        getattr(history, what)(*step)
    history.undo_all(backwards)
    assert shop.query(STATE) == before


def test_something_was_sold_and_spent(shop):
    """The histories are not empty: every program was used, and debts were made and paid."""
    assert min(DONE[what] for what in ("refunds", "refunds cancelled", "orders cancelled")) >= 3, DONE
    kinds = {kind for (kind,) in shop.query("SELECT DISTINCT kind FROM point_history")}
    assert len(kinds) >= 5, kinds
    assert shop.query("SELECT count(*) FROM point_history WHERE debt > 0")[0][0] > 0
    assert all(Decimal(value) >= 0 for (value,) in shop.query("SELECT min(points) FROM loyalty_cards"))
