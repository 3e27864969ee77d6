-- what was booked of the points for the owner of a referral code stands in the journal row that it names, and in the lot
SELECT c.card_id, c.order_ref, f.figure, f.expected, f.found
FROM referral_credits c
LEFT JOIN point_history h ON h.bucket = c.bucket AND h.card_id = c.card_id AND h.seq = c.seq
LEFT JOIN point_moves l ON l.bucket = c.bucket AND l.card_id = c.card_id AND l.lot_no = c.lot_no
CROSS JOIN LATERAL (VALUES
    ('points of journal row ' || c.seq, round(c.booked / 100.0, 2)::text,
     coalesce(round(h.points_amount / 100.0, 2)::text, 'no such row')),
    ('order of journal row ' || c.seq, c.order_ref::text, coalesce(h.order_ref, 0)::text),
    ('points of lot ' || c.lot_no, round(c.points / 100.0, 2)::text, coalesce(round(l.initial / 100.0, 2)::text, 'no such lot'))
) AS f (figure, expected, found)
WHERE f.figure IS NOT NULL AND f.expected <> f.found
