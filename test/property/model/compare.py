"""An answer of the engine beside the model's: a list of the figures that differ."""

from .catalog import makes_cards
from .figures import exact, minor

AMOUNTS = ("amount_total", "amount_tax", "amount_untaxed")
HEADS = ("points_earned", "points_redeemed", "final_balance")


def claim_of(claim):
    """What became of a claim. Why it was refused is not compared: several reasons may be true at once."""
    if claim["replaced_by"] is not None:
        return ("replaced_by", claim["replaced_by"])
    return "ok" if claim["ok"] else "refused"


def moved_in(reply, catalog):
    """(program, earned, redeemed, balance, debt) of the cards on which something moved. Coupons and gift cards that the
    order made stand in `cards`."""
    made = [(card["program_id"], card["card_id"]) for card in reply["cards"] if makes_cards(catalog.programs[card["program_id"]])]
    rows = [
        (card["program_id"], *(minor(card[name]) for name in ("earned", "redeemed", "balance", "debt")))
        for card in reply["points"]
        if (card["program_id"], card["card_id"]) not in made
    ]
    return sorted(row for row in rows if row[1:3] != (0, 0))


def taxes_of(rows):
    return {tax["tax_id"]: minor(tax["amount"]) for tax in rows if minor(tax["amount"])}


def figures_of(reply, model):
    """The figures of an answer that are compared, by name."""
    given = {name: minor(reply[name]) for name in AMOUNTS}
    given["taxes"] = taxes_of(reply["taxes"])
    given["points"] = moved_in(reply, model.catalog)
    given["claims"] = [claim_of(claim) for claim in reply["claims"]]
    given["lines"] = {}  # one that comes back of several, or only in part of a known order, is answered in parts
    for line in reply["lines"]:
        if not is_added(line):
            before = given["lines"].get(line["line_id"], (line["product_id"], 0, 0, 0))
            figures = exact(line["qty"]), minor(line["amount_total"]), minor(line["discount"])
            given["lines"][line["line_id"]] = (line["product_id"], *(a + b for a, b in zip(before[1:], figures)))
    given["added"] = added_of(reply["lines"])
    given["cards"] = sorted((card["program_id"], minor(card["points"])) for card in reply["cards"])
    given["uncovered"] = [(line["line_id"], exact(line["qty"])) for line in reply.get("uncovered") or []]
    given["discounts"] = [
        {
            "layer": discount["layer"],
            "program": discount["program_id"],
            "reward": discount["reward_id"],
            "amount": minor(discount["amount"]),
            "cost": minor(discount["points_cost"]),
            "lines": {part["line_id"]: minor(part["amount"]) for part in discount["lines"] if minor(part["amount"])},
            "free": free_units_of(discount),
            "taxes": None if model.is_global else taxes_of(discount["taxes"]),
        }
        for discount in reply["discounts"]
    ]
    return given


def free_units_of(discount):
    """Units given free by line; of the other rewards about units, an answer may or may not tell how many they are about."""
    if discount["layer"] != "free":
        return {}
    return {part["line_id"]: exact(part["qty"]) for part in discount["lines"] if exact(part["qty"])}


def is_added(line):
    """A line that the engine added: free units of a sale."""
    return line["line_id"] is None


def added_of(lines):
    return sorted((line["product_id"], exact(line["qty"])) for line in lines if is_added(line))


def inconsistencies(reply):
    """Where figures of a reply do not add up, or are worth less than their tax."""
    wrong = []
    paid = sum(minor(discount["amount"]) for discount in reply["discounts"] if discount["layer"] == "payment")
    for name in AMOUNTS:
        less = 0 if name == "amount_tax" else paid
        if sum(minor(line[name]) for line in reply["lines"]) - less != minor(reply[name]):
            wrong.append(f"the lines' {name} do not add up to {reply[name]}")
    if sum(minor(tax["amount"]) for tax in reply["taxes"]) != minor(reply["amount_tax"]):
        wrong.append(f"the taxes do not add up to {reply['amount_tax']}")
    for discount in reply["discounts"]:
        if discount["lines"] and sum(minor(part["amount"]) for part in discount["lines"]) != minor(discount["amount"]):
            wrong.append(f"parts do not add up to {discount['amount']}")
    told = [part for discount in reply["discounts"] for part in discount["lines"] if is_added(part)]
    if added_of(told) != added_of(reply["lines"]):
        wrong.append("the lines that are added are not those that the discounts tell")
    for line in reply["lines"]:
        figures = [minor(line[name]) for name in AMOUNTS]
        if figures[1] + figures[2] != figures[0]:
            wrong.append(f"line {line['line_id']}: untaxed and tax do not make the total")
        if minor(line["discount"]) and min(figures) < 0 < exact(line["qty"]):
            wrong.append(f"line {line['line_id']}: a discount made a figure negative")
    return wrong


def is_near(one, other, cents):
    """The same but for figures that differ by at most so many cents."""
    if isinstance(one, dict) and isinstance(other, dict):
        return all(is_near(one.get(key, 0), other.get(key, 0), cents) for key in set(one) | set(other))
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(is_near(a, b, cents) for a, b in zip(one, other))
    if isinstance(one, int) and isinstance(other, int):
        return abs(one - other) <= cents
    return one == other


def without_taxes(discounts):
    return [{name: value for name, value in discount.items() if name != "taxes"} for discount in discounts]


def differences(model, mine, reply):
    """Each figure that differs: (name, the engine's, the model's). `model`: the Evaluation, `mine`: its answer."""
    theirs, mine = figures_of(reply, model), figures_of(mine, model)
    different = []
    for name in theirs:
        if theirs[name] == mine[name]:
            continue
        returned = sum(line.is_covered for line in model.lines)  # of each, a share of the tax that it had
        if name in ("amount_tax", "amount_untaxed", "taxes", "discounts"):
            cents = returned + (0 if model.state.taxes_are_certain() else len(mine["discounts"]))
            same_but_taxes = name != "discounts" or without_taxes(theirs[name]) == without_taxes(mine[name])
            if same_but_taxes and is_near(theirs[name], mine[name], cents):
                continue
        different.append((name, theirs[name], mine[name]))
    return different + [(text, None, None) for text in inconsistencies(reply)]
