"""What the model says, in the form of the engine's answers, as far as it is compared."""

from .cards import NEVER
from .figures import half_away


def text_of(cents):
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02}"


def time_of(instant):
    return None if instant == NEVER else instant.isoformat().replace("+00:00", "Z")


def card_row(card, instant):
    return {
        "card_id": card.id,
        "program_id": card.program["program_id"],
        "partner_id": card.partner,
        "code": card.code,
        "balance": text_of(card.balance(instant)),
        "held": text_of(card.held(instant)),
        "usable": text_of(card.usable(instant)),
        "debt": text_of(card.debt),
        "stored": text_of(card.stored()),
        "lots": [
            {"remaining": text_of(lot.left), "gained": time_of(lot.gained), "expires": time_of(lot.expires)}
            for lot in card.in_order(card.lots)
            if lot.left and lot.expires > instant
        ],
    }


def answer_of_order(model, booked, instant):
    taxes = model.state.taxes()
    total, tax = model.state.costs, sum(taxes.values())
    primary = primary_card(model, booked)
    earned, redeemed = booked.moved.get(primary, (0, 0))
    is_member = model.has_member and primary is not None
    return {
        "order_id": model.order["order_id"],
        "amount_total": text_of(total),
        "amount_tax": text_of(tax),
        "amount_untaxed": text_of(total - tax),
        "points_earned": text_of(earned) if is_member else None,
        "points_redeemed": text_of(redeemed) if is_member else None,
        "final_balance": text_of(primary.balance(instant)) if is_member else None,
        "taxes": [{"tax_id": id, "amount": text_of(amount)} for id, amount in sorted(taxes.items())],
        "lines": [line_row(model, i) for i in range(len(model.lines))] + added_rows(model),
        "discounts": [discount_row(model, part) for gift in model.state.given for part in parts_of(gift)],
        "claims": [claim_row(index, answer) for index, answer in enumerate(model.answers)],
        "points": [points_row(card, moved, instant) for card, moved in booked.moved.items()],
        "cards": [new_card_row(card) for card in booked.cards],
        "uncovered": [{"line_id": str(index), "qty": plain(units)} for index, units in booked.uncovered],
        "warnings": [],
    }


def plain(value):
    """A quantity without needless zeros."""
    return f"{float(value):.6f}".rstrip("0").rstrip(".")


def line_row(model, i):
    line, taken = model.lines[i], model.line_discount(i)
    tax = sum(half_away(amount) for amount in model.state.taxes_left[i])
    return {
        "line_id": line.id,
        "product_id": line.product_id,
        "qty": plain(line.qty),
        "amount_untaxed": text_of(line.total - taken - tax),
        "amount_tax": text_of(tax),
        "amount_total": text_of(line.total - taken),
        "discount": text_of(taken),
    }


def added_rows(model):
    """Free units that are added to a sale, at full discount."""
    return [
        {
            "line_id": None,
            "product_id": gift.entry.products()[0],
            "qty": plain(gift.added),
            "amount_untaxed": "0.00",
            "amount_tax": "0.00",
            "amount_total": "0.00",
            "discount": "0.00",
        }
        for gift in model.state.given
        if gift.added
    ]


def added_parts(gift):
    if not gift.added:
        return []
    return [{"line_id": None, "product_id": gift.entry.products()[0], "qty": plain(gift.added), "amount": "0.00"}]


def parts_of(gift):
    """A reward, or its steps; the first one has its cost."""
    for step in gift.steps:
        step.cost = gift.cost if step is gift.steps[0] else 0
    return gift.steps or [gift]


def discount_row(model, gift):
    pocket = gift.entry.pocket
    return {
        "layer": gift.layer,
        "program_id": gift.entry.program_id,
        "reward_id": gift.entry.reward_id,
        "code": None if pocket is None else pocket.code,
        "points_cost": text_of(gift.cost),
        "amount": text_of(gift.amount),
        "lines": added_parts(gift)
        + [
            {
                "line_id": model.lines[i].id,
                "product_id": model.lines[i].product_id,
                "qty": plain(gift.free.get(i, 0)),
                "amount": text_of(amount),
            }
            for i, amount in sorted(gift.parts.items())
        ],
        "taxes": [{"tax_id": id, "amount": text_of(half_away(amount))} for id, amount in sorted(gift.taxes.items())],
    }


def claim_row(index, answer):
    by = answer[1] if isinstance(answer, tuple) else None
    is_ok = answer == "ok" or by is not None
    return {"index": index, "ok": is_ok, "reason": None if is_ok else answer, "replaced_by": by}


def points_row(card, moved, instant):
    return {
        "card_id": card.id,
        "program_id": card.program["program_id"],
        "earned": text_of(moved[0]),
        "redeemed": text_of(moved[1]),
        "balance": text_of(card.balance(instant)),
        "debt": text_of(card.debt),
    }


def new_card_row(card):
    first = card.lots[0] if card.lots else None
    return {
        "card_id": card.id,
        "program_id": card.program["program_id"],
        "code": card.code,
        "points": text_of(card.stored()),
        "expires": time_of(first.expires) if first else None,
    }


def primary_card(model, booked):
    """Rule 8: the member's card of the level's primary program, else of the lowest loyalty program that takes part."""
    if not model.has_member:
        return None
    program = model.catalog.primary_of(model.level)
    if program is None:
        eligible = [
            id
            for id, one in sorted(model.catalog.programs.items())
            if one["program_type"] == "loyalty" and id not in model.absent
        ]
        program = model.catalog.programs[eligible[0]] if eligible else None
    if program is None:
        return None
    key = (program["program_id"], model.partner)
    for card in list(booked.moved) + [pocket.card for pocket in model.standing.cards if pocket.card is not None]:
        if (card.program["program_id"], card.partner) == key:
            return card
    return None
