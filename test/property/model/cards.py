"""Cards: lots, their order of use, debt, holds, the journal (section 4, rule 33)."""

import calendar
import datetime
from dataclasses import dataclass, field


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
    usable_from: datetime.datetime = None
    parent: object = None  # the lot that it came from, by a transfer or a restored expiry
    uses: dict = field(default_factory=dict)  # order id: points it took

    def ancestors(self):
        lot = self
        while lot is not None:
            yield lot
            lot = lot.parent


@dataclass
class Hold:
    """Points reserved: {lot: points}, until an instant."""

    id: str
    parts: list  # of [lot, points]
    until: datetime.datetime

    def points(self):
        return sum(part for _, part in self.parts)


class Card:
    """A card of a program; a member's, or the bearer's."""

    def __init__(self, program, partner=None, code=None):
        self.program, self.partner, self.code = program, partner, code
        self.lots, self.holds, self.debt, self.history = [], [], 0, []
        self.is_blocked = False

    # What there is

    def stored(self):
        return sum(lot.left for lot in self.lots)

    @staticmethod
    def in_order(lots):
        """Rule 20: soonest expiry first, then oldest gain, then first made."""
        return sorted(lots, key=lambda lot: (lot.expires, lot.gained, lot.number))

    def alive(self, instant):
        """What can be used; what is expired or pending does not count. What is held does not expire (rule 22)."""
        lots = [lot for lot in self.lots if lot.usable_from <= instant]
        return self.in_order([lot for lot in lots if lot.expires > instant])

    def held(self, instant, lot=None):
        holds = [hold for hold in self.holds if hold.until > instant]
        return sum(part for hold in holds for held, part in hold.parts if lot is None or held is lot)

    def balance(self, instant):
        """With what is held, which does not expire."""
        alive = self.alive(instant)
        return sum(lot.left if lot in alive else self.held(instant, lot) for lot in self.lots)

    def usable(self, instant):
        return self.balance(instant) - self.held(instant)

    def free(self, lot, instant):
        return lot.left - self.held(instant, lot)

    # What changes it

    def record(self, kind, points, reason):
        self.history.append((kind, points, self.stored(), self.debt, reason))

    def take(self, amount, lots, instant, use=None):
        """Takes points from lots in their order, but none that is held; answers how many were there."""
        taken = 0
        for lot in lots:
            part = max(0, min(self.free(lot, instant), amount - taken))
            lot.left -= part
            taken += part
            if use is not None and part:
                lot.uses[use] = lot.uses.get(use, 0) + part
        return taken

    def new_lot(self, amount, order_id, gained, expiry, usable_from=None, parent=None):
        lot = Lot(len(self.lots), order_id, gained, expiry, amount, usable_from or gained, parent)
        self.lots.append(lot)
        return lot

    def earn(self, amount, order_id, instant, kind="earn", expiry=None):
        """A lot of its own; then debt is paid from it."""
        if amount:
            pending = self.program.get("pending_days", 0) * DAY
            expiry = expiry or expires(self.program, instant)
            lot = self.new_lot(amount, order_id, instant, expiry, instant + pending)
            self.record(kind, amount, order_id)
            self.pay_debt([lot], order_id, instant)

    def pay_debt(self, lots, order_id, instant):
        """What comes in pays debt first, as a row of its own."""
        paid = self.take(self.debt, lots, instant)
        self.debt -= paid
        if paid:
            self.record("debt_paid", -paid, order_id)

    def redeem(self, amount, order_id, instant, kind="redeem"):
        if amount:
            taken = self.take(amount, self.alive(instant), instant, order_id)
            assert taken == amount, f"{amount} are to be spent and {taken} are there"
            self.record(kind, -amount, order_id)

    def give_back(self, amount, order_id, refund_id, instant):
        """Rule 33: to the lots that were used, with their expiry (or a later one); first to what was used last."""
        if not amount:
            return
        left, given = amount, []
        for lot in reversed(self.in_order([lot for lot in self.lots if lot.uses.get(order_id)])):
            part = min(left, lot.uses[order_id])
            lot.uses[order_id] -= part
            left -= part
            if lot.expires <= instant and self.program.get("restore_expired") == "extend_days" and part:
                later = instant + self.program.get("extend_days", 0) * DAY
                lot = self.new_lot(0, lot.order_id, lot.gained, later, lot.usable_from, lot)
            lot.left += part
            given.append(lot)
        assert left == 0
        self.record("give_back", amount, refund_id)
        self.pay_debt(self.in_order([lot for lot in given if lot.expires > instant]), refund_id, instant)

    def take_back(self, amount, order_id, refund_id, instant, shortfall):
        """Rule 33: first from the lots of the order, then first-expired; what is missing becomes debt. Answers it."""
        if not amount:
            return 0
        alive = self.alive(instant)
        own = [lot for lot in alive if any(one.order_id == order_id for one in lot.ancestors())]
        taken = self.take(amount, own + [lot for lot in alive if lot not in own], instant)
        if shortfall == "debt":
            self.debt += amount - taken
        if taken or shortfall == "debt":
            self.record("take_back", -taken, refund_id)
        return amount - taken

    def hold(self, id, amount, until, instant):
        """Rule 22: reserves the lots that would be used first."""
        parts, left = [], amount
        for lot in self.alive(instant):
            part = min(self.free(lot, instant), left)
            if part:
                parts.append([lot, part])
                left -= part
        assert left == 0
        self.holds.append(Hold(id, parts, until))

    def capture(self, hold, amount, order_id):
        """Spends what is held, lot by lot; what is not spent is let go."""
        left = amount
        for lot, points in hold.parts:
            part = min(points, left)
            lot.left -= part
            left -= part
            if part:
                lot.uses[order_id] = lot.uses.get(order_id, 0) + part
        self.release(hold.id)
        return amount - left

    def release(self, id):
        self.holds = [hold for hold in self.holds if hold.id != id]

    def move_all_to(self, other, instant):
        """A change of level (rule 23): every live lot, holds and debt."""
        moved = {}
        for lot in self.alive(instant):
            if lot.left:
                moved[id(lot)] = other.new_lot(lot.left, lot.order_id, lot.gained, lot.expires, lot.usable_from, lot)
                lot.left = 0
        for hold in self.holds:
            hold.parts = [[moved[id(lot)], part] for lot, part in hold.parts]
        other.holds += self.holds
        other.debt += self.debt
        self.holds, self.debt = [], 0
        points = sum(lot.left for lot in moved.values())
        self.record("transfer", -points, None)
        other.record("transfer", points, None)
        other.pay_debt(other.in_order(other.lots), None, instant)

    def move_to(self, other, amount, instant):
        """`card.transfer`: usable points, with their dates; they pay the debt of the card that gets them."""
        left, moved = amount, []
        for lot in self.alive(instant):
            part = min(self.free(lot, instant), left)
            if part > 0:
                lot.left -= part
                left -= part
                moved.append(other.new_lot(part, None, lot.gained, lot.expires, lot.usable_from, lot))
        assert left == 0
        self.record("transfer_out", -amount, None)
        other.record("transfer_in", amount, None)
        other.pay_debt(other.in_order(moved), None, instant)


