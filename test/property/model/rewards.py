"""What each kind of reward gives on what is left of an order (rules 9 to 18).

`give` takes it from a State and returns None, or the reason why nothing was given.
"""

import math
from fractions import Fraction

from .catalog import ITEM_FIELDS, REWARD_FIELDS, is_payment
from .figures import down, exact, half_away, minor, share
from .state import Given


def layer_of(program, reward):
    """Rule 24: special prices and sets; free products; discounts; payments."""
    kind = reward.get("reward_type", "discount")
    if kind in ("special_price", "special_set"):
        return "price"
    if kind == "product":
        return "free"
    return "payment" if is_payment(program) and kind == "discount" else "discount"


def give(order, entry, state):
    """Gives an entry of an Evaluation its reward, on a State."""
    usable = order.usable(entry, state.given) - order.spent(entry, state.given)
    required = entry.required
    if usable < required or usable <= 0:
        return order.why_no_points(entry, state.given)
    gift = Given(entry, entry.layer)
    kind = entry.reward.get("reward_type", "discount")
    groups = KINDS[entry.layer if entry.layer == "payment" else kind](order, entry, state, gift, usable)
    if not gift.amount and not gift.added and not gift.points:
        return "nothing_to_discount"
    if gift.cost is None:
        gift.cost = required * (groups or 1)
    gift.least = gift.cost
    if entry.reward.get("clear_wallet"):
        gift.cost = usable
    state.given.append(gift)
    return None


def lines_of_reward(order, entry, state):
    """The lines that a reward may take from: those it names, without sold cards, free products and what is worth zero."""
    return [
        i
        for i, line in enumerate(order.lines)
        if line.sells is None and order.catalog.fits(REWARD_FIELDS, entry.reward, line.product_id) and state.left[i]
        if not line.is_covered or entry.is_order_wide()
    ]


def unit_left(state, i):
    """What is left of a unit (rule 11)."""
    return Fraction(state.left[i]) / state.paid_units[i]


def unit_price(order, i):
    """By which units are the cheapest or the dearest: with tax at the till, as entered on sale."""
    line = order.lines[i]
    return line.price_unit if order.channel == "sale" else Fraction(line.total) / line.qty


def units_worth(state, i, count):
    """What so many units of a line are worth, in whole cents."""
    return half_away(unit_left(state, i) * count)


def bought(order, state, indexes):
    """Lines with units that are paid for and worth something."""
    return [i for i in indexes if order.lines[i].qty > 0 and state.left[i] > 0 and state.paid_units[i] > 0]


# ---- discounts (rules 10 to 12, 17)


def base_of(order, entry, state):
    """(cents, lines) of a discount's base."""
    indexes = lines_of_reward(order, entry, state)
    where = entry.applicability
    if where != "cheapest":
        return sum(state.left[i] for i in indexes), indexes
    candidates = bought(order, state, indexes)
    if not candidates:
        return 0, []

    cheapest = min((i for i in candidates if unit_price(order, i) > 0), key=lambda i: (unit_price(order, i), i))
    return unit_left(state, cheapest) * min(1, state.paid_units[cheapest]), [cheapest]


def first_base_of(order, entry, state):
    """`discount_base` initial (rule 26): the base before other discounts, of units that are not free."""
    indexes = base_of(order, entry, state)[1]
    first = {i: Fraction(order.lines[i].discountable) / order.lines[i].qty for i in indexes}
    if entry.applicability == "cheapest":
        return sum(first[i] * min(1, state.paid_units[i]) for i in indexes)
    return sum(half_away(first[i] * state.paid_units[i]) for i in indexes)


def discount(order, entry, state, gift, usable):
    rate = exact(entry.reward.get("discount", 0))
    base, indexes = base_of(order, entry, state)
    if entry.mode == "percent":
        amount = half_away(percent_base(order, entry, state, base) * rate / 100)
    elif entry.mode == "per_order":
        amount = half_away(rate * 100)
    else:
        points = usable - usable % entry.required
        if entry.points is not None and not entry.reward.get("clear_wallet"):
            points = min(points, entry.points)
        amount = down(points * rate)
    amount = capped(entry, amount, base, state)
    if amount <= 0:
        return
    state.take(amount, indexes, gift)
    if entry.mode == "per_point":
        gift.cost = half_away(Fraction(amount) / rate)


def percent_base(order, entry, state, base):
    return first_base_of(order, entry, state) if entry.program.get("discount_base") == "initial" else base


def capped(entry, amount, base, state, taken=0):
    cap = minor(entry.reward.get("discount_max_amount", 0))
    most = [amount, half_away(base), state.costs] + ([cap - taken] if cap else [])
    return min(most)


def multiple_discount(order, entry, state, gift, usable):
    """Each step is of what the steps before it left of the base."""
    base, indexes = base_of(order, entry, state)
    of = percent_base(order, entry, state, base)
    for step in entry.reward["discounts"]:
        amount = half_away(of * exact(step["discount"]) / 100)
        amount = min(capped(entry, amount, base, state, gift.amount), half_away(base) - gift.amount)
        if amount > 0:
            step = Given(entry, entry.layer)
            state.take(amount, indexes, step)
            gift.steps.append(step)
            gift.add(step)
            of -= amount


# ---- special prices and sets (rules 15, 16)


def special_price(order, entry, state, gift, usable):
    """Matching units, the dearest first, cost so much each."""
    price, most = minor(entry.reward["special_price"]), exact(entry.reward.get("max_units", 0))
    candidates = bought(order, state, lines_of_reward(order, entry, state))
    parts, units = {}, 0
    for i in sorted(candidates, key=lambda i: (-unit_price(order, i), i)):
        count = min(state.paid_units[i], most - units) if most else state.paid_units[i]
        if unit_left(state, i) > price and count > 0:
            units += count
            parts[i] = units_worth(state, i, count) - half_away(price * count)
    state.take_parts({i: part for i, part in parts.items() if part}, gift)


def special_set(order, entry, state, gift, usable):
    """Whole sets, of the dearest units that fit."""
    most, price = entry.reward.get("max_sets", 0), minor(entry.reward["set_price"])
    candidates = bought(order, state, lines_of_reward(order, entry, state))
    free = {i: math.floor(state.paid_units[i] - state.set_units.get(i, 0)) for i in candidates}
    sets, chosen = 0, {}
    while not most or sets < most:
        one = fill(order, entry.reward["set_items"], state, free)
        if one is None or sum(unit_left(state, i) * count for i, count in one.items()) <= price:
            break
        sets += 1
        for i, count in one.items():
            free[i] -= count
            chosen[i] = chosen.get(i, 0) + count
    worth = {i: units_worth(state, i, chosen[i]) for i in sorted(chosen)}
    amount = sum(worth.values()) - sets * price
    if amount > 0:
        for i in chosen:
            state.set_units[i] = state.set_units.get(i, 0) + chosen[i]
        state.take(amount, list(worth), gift, worth)


def fill(order, items, state, free):
    """One set: units by line, or None if an item cannot be filled."""
    chosen = {}
    for item in items:
        needed = exact(item.get("qty", 1))
        fitting = [i for i in free if order.catalog.fits(ITEM_FIELDS, item, order.lines[i].product_id)]
        for i in sorted(fitting, key=lambda i: (-unit_price(order, i), i)):
            count = min(needed, free[i] - chosen.get(i, 0))
            if count > 0:
                chosen[i] = chosen.get(i, 0) + count
                needed -= count
        if needed > 0:
            return None
    return chosen


# ---- free products (rule 14)


def product(order, entry, state, gift, usable):
    """Answers how many times the reward was given."""
    quantity, ids = exact(entry.reward.get("reward_product_qty", 1)), entry.products()
    in_cart = [line.product_id for line in order.lines]
    if not all(order.catalog.is_given(id) for id in ids if id in in_cart or order.channel == "sale"):
        return 0
    usable, most = spendable(order, entry, usable)
    if order.channel == "sale":
        times = min(usable // entry.required, most)
        if entry.qty is not None:
            times = min(times, math.ceil(entry.qty / quantity))
        gift.added = min(times * quantity, entry.qty or times * quantity)
        return times
    units = min(free_units(order, entry, quantity, usable), most * quantity)
    if entry.qty is not None:
        units = min(units, math.floor(entry.qty))
    parts, given = {}, 0
    candidates = [i for i in bought(order, state, range(len(order.lines))) if order.lines[i].product_id in ids]
    candidates = [i for i in candidates if order.lines[i].sells is None]
    for i in sorted(candidates, key=lambda i: (unit_price(order, i), i)):
        count = min(units - given, math.floor(state.paid_units[i]))
        if count > 0:
            given += count
            gift.free[i] = count
            parts[i] = half_away(unit_left(state, i) * count)
    for i, count in gift.free.items():
        parts[i] = state.left[i] if count == state.paid_units[i] else parts[i]
    state.take_parts({i: part for i, part in parts.items() if part}, gift)
    for i, count in gift.free.items():
        state.paid_units[i] -= count
    return math.ceil(given / quantity)


def spendable(order, entry, usable):
    """(points, how often): what claims given before this one need at least is left to them, but for one time."""
    spare = usable
    for other in order.entries if entry.claim is not None else []:
        is_before = other.claim is not None and other.claim < entry.claim and other.layer not in ("price", "free")
        if is_before and order.is_same_pocket(other, entry):
            spare -= other.required
    return (spare, math.inf) if spare >= entry.required else (usable, 1)


def free_units(order, entry, quantity, usable):
    """How many units may be free: "pay n, take m" where the product itself earns, else so many for each reward."""
    earns = order.points_of_a_unit(entry)
    if not earns:
        return math.floor(usable // entry.required * quantity)
    units, needed = Fraction(usable) / earns, Fraction(entry.required) / earns
    groups = units // (needed + quantity)
    rest = units - groups * (needed + quantity)
    return math.floor(groups * quantity + max(0, rest - needed))


# ---- points (rule 18) and payments (rule 13)


def point(order, entry, state, gift, usable):
    gift.points = minor(entry.reward["points"])


def payment(order, entry, state, gift, usable):
    """At most what the order costs; of its taxes nothing is taken."""
    rate = exact(entry.reward.get("discount", 0))
    points = usable
    if entry.points is not None and not entry.reward.get("clear_wallet"):
        points = min(points, entry.points)
    amount = capped(entry, down(points * rate), state.costs, state)
    if amount > 0:
        gift.amount = amount
        gift.cost = half_away(Fraction(amount) / rate)
        state.costs -= amount


KINDS = {
    "discount": discount,
    "multiple_discount": multiple_discount,
    "special_price": special_price,
    "special_set": special_set,
    "product": product,
    "point": point,
    "payment": payment,
}
