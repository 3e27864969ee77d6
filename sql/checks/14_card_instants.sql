-- no live lot expires before its card says the first one does, nor becomes usable after it says all are; none that is booked as
-- expired expires after it says the last one did
SELECT card_id, NULL::bigint AS order_ref, f.figure, f.expected, f.found
FROM loyalty_cards c
JOIN (
    SELECT bucket, card_id, min(expires) FILTER (WHERE state = 1) AS first_expiry,
           max(usable_from) FILTER (WHERE state = 1) AS pending_until, max(expires) FILTER (WHERE state = 3) AS booked_until
    FROM point_moves WHERE state IN (1, 3) GROUP BY bucket, card_id
) l USING (bucket, card_id)
CROSS JOIN LATERAL (VALUES
    ('first expiry', c.first_expiry > l.first_expiry, l.first_expiry || ' or before', c.first_expiry::text),
    ('pending until', c.pending_until < l.pending_until, l.pending_until || ' or after', c.pending_until::text),
    ('booked until', c.booked_until < l.booked_until, l.booked_until || ' or after', c.booked_until::text)
) AS f (figure, is_off, expected, found)
WHERE f.is_off
