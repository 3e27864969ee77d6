"""The whole ledger of an engine as rows that two engines can be compared by: without ids, codes that were made up, and times of recording."""

# A card is named by its member, program and first order (rank: where one order made several), an order by its id.
NAMES = """
CREATE TEMP TABLE order_name AS SELECT order_ref, key AS name FROM request_keys WHERE scope = 1;
CREATE UNIQUE INDEX ON order_name (order_ref);
CREATE TEMP TABLE card_name AS
    SELECT c.bucket, c.card_id,
           concat_ws(' ', 'program', c.program_id, 'of', c.partner_id, CASE WHEN c.single THEN '' ELSE 'by ' || o.name || ' ' ||
               rank() OVER (PARTITION BY c.program_id, c.partner_id, o.name ORDER BY c.card_id) END) AS name
    FROM loyalty_cards c
    LEFT JOIN point_history h ON h.bucket = c.bucket AND h.card_id = c.card_id AND h.seq = 1
    LEFT JOIN order_name o ON o.order_ref = h.order_ref;
CREATE UNIQUE INDEX ON card_name (bucket, card_id);
ANALYZE order_name, card_name;
"""

# Every column is compared, but for these: ids, buckets and codes of an engine, and when it recorded something.
OWN = ["bucket", "card_id", "code", "recorded_at", "created_at", "order_ref", "origin_ref", "to_card_id", "position"]
TABLES = {  # from where, and the names of what the ids stand for
    "members": ("members t", []),
    "levels": ("membership_history t LEFT JOIN order_name o USING (order_ref)", ["o.name"]),
    "spending": ("member_spending t", []),
    "uses": ("program_usage t", []),
    "cards": ("loyalty_cards t JOIN card_name n USING (bucket, card_id)", ["n.name"]),
    "lots": ("point_moves t JOIN card_name n USING (bucket, card_id) LEFT JOIN order_name o ON o.order_ref = t.origin_ref", ["n.name", "o.name"]),
    "journal": ("point_history t JOIN card_name n USING (bucket, card_id) LEFT JOIN order_name o USING (order_ref)", ["n.name", "o.name"]),
    "transfers": ("""lot_transfers t JOIN card_name n USING (bucket, card_id)
                     JOIN card_name b ON b.card_id = t.to_card_id AND b.bucket = t.bucket""", ["n.name", "b.name"]),
}  # fmt: skip
QUERIES = {
    table: f"SELECT concat_ws(' | ', {''.join(name + ', ' for name in names)}(to_jsonb(t) - '{{{','.join(OWN)}}}'::text[])::text) FROM {source}"
    for table, (source, names) in TABLES.items()
} | {
    "refunds": """SELECT a.name || ' ' || b.name FROM order_refunds r JOIN order_name a ON a.order_ref = r.original_ref
                  JOIN order_name b ON b.order_ref = r.refund_ref""",
    "orders": "SELECT concat_ws(' ', n.name, o.kind, o.state, o.partner_id) FROM orders o JOIN order_name n USING (order_ref)",
    "events": """SELECT concat_ws(' ', n.name, e.topics, e.card_id IS NULL, e.partner_id)
                 FROM changes e LEFT JOIN order_name n USING (order_ref)""",
}


def read(engine):
    """{table: sorted rows} of an engine."""
    connection = engine.db()
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(NAMES)
            tables = {}
            for table, query in QUERIES.items():
                cursor.execute(query)
                tables[table] = sorted(row for (row,) in cursor)
            return tables
    finally:
        connection.close()


def differences(one, other, limit=5):
    """What differs between two ledgers, as lines of text: the first rows of each table that only one of them has."""
    lines = []
    for table in QUERIES:
        if one[table] == other[table]:
            continue
        only = sorted(set(one[table]) ^ set(other[table]))
        lines.append(f"{table}: {len(one[table])} rows and {len(other[table])}; {len(only)} that only one has")
        lines += [("  first:  " if row in set(one[table]) else "  second: ") + row for row in only[:limit]]
    return lines
