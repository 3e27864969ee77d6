"""A second, independent evaluation of orders, written from the rules of docs/semantics.md alone, in the plainest way:
fractions, lists, and starting anew where something has to be taken out. It is slow, and meant to be obviously right.

    figures.py    rounding, and sharing a sum out to the cent
    taxes.py      the taxes of a line, and those within a price
    lines.py      the lines of an order
    catalog.py    which program takes part, what a rule or a reward fits
    points.py     which rules hold, what an order earns
    claims.py     codes and claims, and what becomes of them
    state.py      what is left of an order while rewards take from it
    rewards.py    what each kind of reward gives
    order.py      an order: layers, groups, asking again
    standing.py   what an order finds: cards, levels, uses
    cards.py      lots, debt, holds, the journal
    world.py      members and their orders over time; refunds

    carts.py, histories.py   random ones (Hypothesis strategies)
    compare.py               an answer of the engine beside the model's
    open_findings.py         which carts meet an open finding of findings.md

Money is in cents and points in hundredths (both whole numbers); prices, quantities and rates are fractions.
"""
