"""Which carts meet an open finding of findings.md: the random tests leave these out."""


def finding_1(model):
    """A rule of whose products more is returned than bought."""
    for program in model.catalog.programs.values():
        for rule in program.get("rules", []):
            fitting = [model.lines[i] for i in model.matching(program, rule)]
            sums = [sum(getattr(line, name) for line in fitting) for name in ("qty", "total", "untaxed")]
            if min(sums) < 0:
                return True
    return False


def finding_4(model):
    """Exclusions and product filters of an order-wide discount."""
    return any(
        entry.is_order_wide() and any(name.startswith(("exclude", "discount_")) for name in entry.reward if name not in RATES)
        for entry in model.entries
    )


RATES = ("discount_mode", "discount_applicability", "discount_max_amount")
OPEN = (finding_1, finding_4)


def open_finding(model):
    return any(finding(model) for finding in OPEN)
