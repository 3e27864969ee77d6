#!/usr/bin/env python3
"""Makes loyalty_client/_tables.py from the protocol's tables:

    build/bin/loyalty-schema json | clients/python/make_tables.py > clients/python/loyalty_client/_tables.py

A test compares the two, so that the committed file is always what the engine speaks."""

import json
import sys

HEAD = '''"""The protocol's tables: codes, methods, limits. Made by make_tables.py; do not edit."""

from ._base import LoyaltyError

PROTOCOL_VERSION = {version}
'''

TABLES = ["ERRORS_BY_CODE", "LIMITS", "LOAD_LISTS", "METHODS", "NAMES", "PROTOCOL_VERSION"]

CLASS = '''

class {name}(LoyaltyError):
    """{doc}."""

    code = "{code}"
    retryable = {retryable}
'''


def class_name(code):
    """insufficient_points -> InsufficientPoints"""
    return "".join(word.capitalize() for word in code.split("_"))


def literal(value):
    """A Python literal: a dict with one item a line."""
    items = "".join(f"    {json.dumps(key)}: {json.dumps(item)},\n" for key, item in value.items())
    return "{\n" + items + "}"


def render(tables):
    """The text of _tables.py."""
    errors = tables["errors"]
    methods = {
        method["name"]: {"scope": method["scope"], "roles": method["roles"], "doc": method["doc"]}
        for method in tables["methods"]
    }
    schemas = {schema["name"]: schema["fields"] for schema in tables["schemas"]}
    load_lists = {field["name"]: field["max"] for field in schemas["load_put"] if field["type"] == "records"}
    parts = [HEAD.format(version=tables["protocol_version"])]
    for name, doc, value in (
        ("LIMITS", "The engine's bounds on a request.", tables["limits"]),
        ("NAMES", "The closed sets of names that fields take.", tables["names"]),
        ("LOAD_LISTS", "The lists of ``load.put``, and how many records each may have in one part.", load_lists),
        ("METHODS", "Every method: the scope of its key (none, order, cancel, op), who may call it, what it does.", methods),
    ):
        parts.append(f"\n#: {doc}\n{name} = {literal(value)}\n")
    for error in errors:
        doc = error["meaning"][0].upper() + error["meaning"][1:]
        parts.append(
            CLASS.format(name=class_name(error["code"]), doc=doc, code=error["code"], retryable=error["retryable"])
        )
    names = [class_name(error["code"]) for error in errors]
    parts.append("\n\n#: The exception of each code.\nERRORS_BY_CODE = {\n")
    parts.extend(f'    "{error["code"]}": {class_name(error["code"])},\n' for error in errors)
    parts.append("}\n\n__all__ = [\n")
    parts.extend(f'    "{name}",\n' for name in [*TABLES, *names])
    parts.append("]\n")
    return "".join(parts)


if __name__ == "__main__":
    sys.stdout.write(render(json.load(sys.stdin)))
