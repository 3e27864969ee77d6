-- no live lot expires before its card says the first one does, nor becomes usable after it says all are
SELECT card_id, NULL::bigint AS order_ref, f.figure, f.expected, f.found
FROM loyalty_cards c
JOIN (
    SELECT bucket, card_id, min(expires) AS first_expiry, max(usable_from) AS pending_until
    FROM point_moves WHERE state = 1 GROUP BY bucket, card_id
) l USING (bucket, card_id)
CROSS JOIN LATERAL (VALUES
    ('first expiry', c.first_expiry > l.first_expiry, l.first_expiry || ' or before', c.first_expiry::text),
    ('pending until', c.pending_until < l.pending_until, l.pending_until || ' or after', c.pending_until::text)
) AS f (figure, is_off, expected, found)
WHERE f.is_off
