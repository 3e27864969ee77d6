"""A second, independent evaluation of orders, written from the rules of docs/semantics.md alone, in the plainest way:
fractions, lists, and starting anew where something has to be taken out. It is slow, and meant to be obviously right.

    figures.py   rounding, and sharing a sum out to the cent
    taxes.py     the taxes of a line, and those within a price
    catalog.py   which program takes part, what a rule or reward fits
    order.py     an order: points, claims, discounts, totals
    ledger.py    cards: lots, debt, history; refunds

Money is in cents and points in hundredths (both whole numbers); prices, quantities and rates are fractions.
"""
