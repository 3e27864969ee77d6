"""Cards: lots, their order of use, debt, history (section 4), and what a refund does to them (rule 33)."""

import calendar
import datetime
from dataclasses import dataclass, field
from fractions import Fraction

from .figures import exact, half_away

DAY = datetime.timedelta(days=1)
NEVER = datetime.datetime.max.replace(tzinfo=datetime.timezone.utc)


def months_later(instant, months):
    """The same day of a later month, or its last one."""
    year, month = divmod(instant.year * 12 + instant.month - 1 + months, 12)
    day = min(instant.day, calendar.monthrange(year, month + 1)[1])
    return instant.replace(year=year, month=month + 1, day=day)


def expires(program, instant):
    """Rule 19: when points gained at an instant expire (the engine's time zone is UTC here)."""
    expiry = program.get("expiry", {"policy": "never"})
    midnight = instant.replace(hour=0, minute=0, second=0, microsecond=0)
    if expiry["policy"] == "days":
        return instant + expiry["count"] * DAY
    if expiry["policy"] in ("months", "years"):
        return months_later(instant, expiry["count"] * (12 if expiry["policy"] == "years" else 1))
    if expiry["policy"] == "end_of_month":
        return months_later(midnight.replace(day=1), 1)
    if expiry["policy"] == "end_of_year":
        return midnight.replace(year=instant.year + 1, month=1, day=1)
    if expiry["policy"] == "date":
        day = datetime.datetime.fromisoformat(expiry["date"]).replace(tzinfo=datetime.timezone.utc)
        return day + DAY  # the day itself still counts
    return NEVER


@dataclass
class Lot:
    number: int
    order_id: str
    gained: datetime.datetime
    expires: datetime.datetime
    left: int
    uses: dict = field(default_factory=dict)  # order id: points it took


class Card:
    """One member's card of one program."""

    def __init__(self, program):
        self.program, self.lots, self.debt, self.history = program, [], 0, []

    def stored(self):
        return sum(lot.left for lot in self.lots)

    @staticmethod
    def in_order(lots):
        """Rule 20: soonest expiry first, then oldest gain, then first made."""
        return sorted(lots, key=lambda lot: (lot.expires, lot.gained, lot.number))

    def alive(self, instant):
        """What can be used; what is expired does not count."""
        return self.in_order([lot for lot in self.lots if lot.expires > instant])

    def balance(self, instant):
        return sum(lot.left for lot in self.alive(instant))

    def record(self, kind, points, order_id):
        self.history.append((kind, points, self.stored(), self.debt, order_id))

    def take(self, amount, lots, use=None):
        """Takes points from lots in their order; answers how many were there."""
        taken = 0
        for lot in lots:
            part = min(lot.left, amount - taken)
            lot.left -= part
            taken += part
            if use is not None and part:
                lot.uses[use] = lot.uses.get(use, 0) + part
        return taken

    def earn(self, amount, order_id, instant):
        """A lot of its own; then debt is paid from it."""
        if not amount:
            return
        lot = Lot(len(self.lots), order_id, instant, expires(self.program, instant), amount)
        self.lots.append(lot)
        self.record("earn", amount, order_id)
        self.pay_debt([lot], order_id)

    def pay_debt(self, lots, order_id):
        """What comes in pays debt first, as a row of its own."""
        paid = self.take(self.debt, lots)
        self.debt -= paid
        if paid:
            self.record("debt_paid", -paid, order_id)

    def redeem(self, amount, order_id, instant):
        if not amount:
            return
        assert self.take(amount, self.alive(instant), order_id) == amount
        self.record("redeem", -amount, order_id)

    def give_back(self, amount, order_id, refund_id, instant):
        """Rule 33: to the lots that were used, with their expiry (or a later one); first to what was used last."""
        if not amount:
            return
        left, given = amount, []
        for lot in reversed(self.in_order([lot for lot in self.lots if lot.uses.get(order_id)])):
            part = min(left, lot.uses[order_id])
            lot.uses[order_id] -= part
            left -= part
            if lot.expires <= instant and self.program.get("restore_expired") == "extend_days":
                later = instant + self.program["extend_days"] * DAY
                lot = Lot(len(self.lots), lot.order_id, lot.gained, later, 0)
                self.lots.append(lot)
            lot.left += part
            given.append(lot)
        assert left == 0
        self.record("give_back", amount, refund_id)
        self.pay_debt(self.in_order([lot for lot in given if lot.expires > instant]), refund_id)

    def take_back(self, amount, order_id, refund_id, instant, shortfall):
        """Rule 33: first from the lots of the order, then first-expired, then what is missing becomes debt."""
        if not amount:
            return 0
        alive = self.alive(instant)
        own = [lot for lot in alive if lot.order_id == order_id]
        taken = self.take(amount, own + [lot for lot in alive if lot.order_id != order_id])
        if shortfall == "debt":
            self.debt += amount - taken
        if taken or shortfall == "debt":
            self.record("take_back", -taken, refund_id)
        return amount - taken


class Sale:
    """A processed order, as refunds see it: money by line, points by program."""

    def __init__(self, evaluation, order_id):
        self.order_id = order_id
        self.lines = evaluation.lines
        self.nets = [line.total - evaluation.line_discount(i) for i, line in enumerate(self.lines)]
        self.weights = self.nets
        if sum(self.nets) == 0:
            self.weights = [line.list_total() for line in self.lines]
        self.points = evaluation.points()
        self.returned = [0] * len(self.lines)
        self.taken, self.given = {}, {}  # by program, so far

    def refunded(self):
        """What was refunded so far, of `weights`."""
        parts = zip(self.weights, self.returned, self.lines)
        return sum(share_of(weight, units, line.qty) for weight, units, line in parts)

    def cover(self, returns):
        """Which units of which lines a refund takes back: the money of it, and by returned line the units that are left
        over. First by line, or by product and unit price; what is left after that by product."""
        money, left = 0, [-exact(returned["qty"]) for returned in returns]
        for by_price in (True, False):
            for n, returned in enumerate(returns):
                for i, line in enumerate(self.lines):
                    if not self.matches(returned, line, by_price):
                        continue
                    part = min(left[n], line.qty - self.returned[i])
                    left[n] -= part
                    money -= share_of(self.nets[i], self.returned[i], line.qty)
                    self.returned[i] += part
                    money += share_of(self.nets[i], self.returned[i], line.qty)
        return money, left

    @staticmethod
    def matches(returned, line, by_price):
        line_id = returned.get("refund_of", {}).get("line_id")
        if line_id is not None:
            return line.id == line_id
        same_price = not by_price or line.price_unit == exact(returned["price_unit"])
        return line.product_id == returned["product_id"] and same_price


class Ledger:
    """The cards of one member."""

    def __init__(self, catalog):
        self.catalog, self.cards, self.sales = catalog, {}, {}

    def card(self, program_id):
        if program_id not in self.cards:
            self.cards[program_id] = Card(self.catalog.programs[program_id])
        return self.cards[program_id]

    def balances(self, instant):
        return {id: card.balance(instant) for id, card in self.cards.items()}

    def process(self, evaluation, order_id, instant):
        """Books an order; answers (earned, redeemed, balance, debt) by program."""
        self.sales[order_id] = Sale(evaluation, order_id)
        moved = {}
        for id, (earned, redeemed, _) in evaluation.points().items():
            card = self.card(id)
            card.earn(earned, order_id, instant)
            card.redeem(redeemed, order_id, instant)
            moved[id] = (earned, redeemed, card.balance(instant), card.debt)
        return moved

    def refund(self, order, order_id, instant):
        """Books a refund of one order: (cents given back, (earned, redeemed, balance, debt) by program, uncovered)."""
        sale = self.sales[order["refund_of"]]
        money, uncovered = sale.cover(order["lines"])
        for returned, units in zip(order["lines"], uncovered):
            money += half_away(exact(returned["price_unit"]) * units * 100)
        so_far = sale.refunded()
        moved = {}
        for id, (earned, redeemed, _) in sale.points.items():
            card = self.card(id)
            back = share_of(redeemed, so_far, sum(sale.weights)) - sale.given.get(id, 0)
            take = share_of(earned, so_far, sum(sale.weights)) - sale.taken.get(id, 0)
            shortfall = order.get("shortfall") or card.program.get("shortfall") or "debt"
            card.give_back(back, sale.order_id, order_id, instant)
            missing = card.take_back(take, sale.order_id, order_id, instant, shortfall)
            sale.given[id] = sale.given.get(id, 0) + back
            sale.taken[id] = sale.taken.get(id, 0) + take
            if back or take != missing:
                moved[id] = (missing - take, -back, card.balance(instant), card.debt)
        return money, moved, [units for units in uncovered if units]


def share_of(amount, part, whole):
    return half_away(Fraction(amount) * part / whole) if whole else 0
