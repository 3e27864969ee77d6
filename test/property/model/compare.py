"""An answer of the engine beside what the model says: a list of the figures that differ."""

from .figures import minor


def answer_of(model):
    """What the model says, by name."""
    taxes = model.state.taxes()
    answer = {
        "amount_total": model.state.costs,
        "amount_tax": sum(taxes.values()),
        "taxes": {id: amount for id, amount in taxes.items() if amount},
        "points": points_of(model),
        "claims": [answer if answer == "ok" or isinstance(answer, tuple) else "refused" for answer in model.answers],
        "discounts": [],
    }
    answer["amount_untaxed"] = answer["amount_total"] - answer["amount_tax"]
    for i, line in enumerate(model.lines):
        taken = model.line_discount(i)
        answer[f"line {line.id}"] = {"total": line.total - taken, "discount": taken}
    for discount in model.state.given:
        answer["discounts"].append(
            {
                "program": discount.entry.program_id,
                "reward": discount.entry.reward_id,
                "amount": discount.amount,
                "cost": discount.cost,
                "lines": {model.lines[i].id: amount for i, amount in discount.parts.items()},
                "taxes": None if model.is_global else {id: amount for id, amount in discount.taxes.items() if amount},
            }
        )
    return answer


def points_of(model):
    """(earned, redeemed, balance after it) by program."""
    result = {}
    for key, (earned, redeemed) in model.card_points().items():
        card = next(card for card in model.pockets() if card.key() == key)
        result[card.program_id] = (earned, redeemed, card.usable + earned - min(earned, card.debt) - redeemed)
    return result


def claim_of(claim):
    """What became of a claim. Why it was refused is not compared: several reasons may be true at once."""
    if claim["replaced_by"] is not None:
        return ("replaced_by", claim["replaced_by"])
    return "ok" if claim["ok"] else "refused"


def moved_in(reply):
    """(earned, redeemed, balance, debt) of the cards on which something moved, by program."""
    cards = {
        card["program_id"]: tuple(minor(card[name]) for name in ("earned", "redeemed", "balance", "debt"))
        for card in reply["points"]
    }
    return {program: figures for program, figures in cards.items() if figures[:2] != (0, 0)}


def answer_from(reply, is_global):
    """The same of a reply."""
    answer = {name: minor(reply[name]) for name in ("amount_total", "amount_tax", "amount_untaxed")}
    answer["taxes"] = {tax["tax_id"]: minor(tax["amount"]) for tax in reply["taxes"] if minor(tax["amount"])}
    answer["points"] = {program: moved[:3] for program, moved in moved_in(reply).items()}
    answer["claims"] = [claim_of(claim) for claim in reply["claims"]]
    for line in reply["lines"]:
        answer[f"line {line['line_id']}"] = {"total": minor(line["amount_total"]), "discount": minor(line["discount"])}
    answer["discounts"] = [
        {
            "program": discount["program_id"],
            "reward": discount["reward_id"],
            "amount": minor(discount["amount"]),
            "cost": minor(discount["points_cost"]),
            "lines": {part["line_id"]: minor(part["amount"]) for part in discount["lines"]},
            "taxes": None
            if is_global
            else {tax["tax_id"]: minor(tax["amount"]) for tax in discount["taxes"] if minor(tax["amount"])},
        }
        for discount in reply["discounts"]
    ]
    return answer


def inconsistencies(reply):
    """Where figures of a reply do not add up, or are worth less than their tax."""
    wrong = []
    for name in ("amount_untaxed", "amount_tax", "amount_total"):
        if sum(minor(line[name]) for line in reply["lines"]) != minor(reply[name]):
            wrong.append(f"the lines' {name} do not add up to {reply[name]}")
    if sum(minor(tax["amount"]) for tax in reply["taxes"]) != minor(reply["amount_tax"]):
        wrong.append(f"the taxes do not add up to {reply['amount_tax']}")
    for discount in reply["discounts"]:
        if sum(minor(part["amount"]) for part in discount["lines"]) != minor(discount["amount"]):
            wrong.append(f"parts do not add up to {discount['amount']}")
    for line in reply["lines"]:
        figures = [minor(line[name]) for name in ("amount_untaxed", "amount_tax", "amount_total")]
        if figures[0] + figures[1] != figures[2]:
            wrong.append(f"line {line['line_id']}: untaxed and tax do not make the total")
        if minor(line["discount"]) and min(figures) < 0:
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


def differences(model, reply):
    """Each figure that differs: (name, the engine's, the model's)."""
    engine, mine = answer_from(reply, model.is_global), answer_of(model)
    different = []
    for name in sorted(set(engine) | set(mine)):
        if engine.get(name) == mine.get(name):
            continue
        if not model.state.taxes_are_certain() and name in ("amount_tax", "amount_untaxed", "taxes", "discounts"):
            same_but_taxes = name != "discounts" or without_taxes(engine[name]) == without_taxes(mine[name])
            if same_but_taxes and is_near(engine[name], mine[name], len(mine["discounts"])):
                continue
        different.append((name, engine.get(name), mine.get(name)))
    return different + [(text, None, None) for text in inconsistencies(reply)]
