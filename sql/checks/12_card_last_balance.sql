-- a card's points, debt and number of journal rows are those of its last journal row
SELECT card_id, NULL::bigint AS order_ref, f.figure, f.expected, f.found
FROM loyalty_cards c
LEFT JOIN (
    SELECT DISTINCT ON (bucket, card_id) bucket, card_id, seq, points_balance, debt
    FROM point_history ORDER BY bucket, card_id, seq DESC
) h USING (bucket, card_id)
CROSS JOIN LATERAL (VALUES
    ('last balance', round(coalesce(h.points_balance, 0) / 100.0, 2)::text, round(c.points / 100.0, 2)::text),
    ('debt', round(coalesce(h.debt, 0) / 100.0, 2)::text, round(c.debt / 100.0, 2)::text),
    ('journal rows', coalesce(h.seq, 0)::text, c.journal_count::text)
) AS f (figure, expected, found)
WHERE f.expected <> f.found
