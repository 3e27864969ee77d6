-- what remains of a lot is what the journal put in less what it took out; expiry takes out what remains
WITH moves AS (
    SELECT h.bucket, h.card_id, u.lot_no,
           sum(CASE WHEN h.kind NOT IN (6, 7) THEN sign(h.points_amount)::bigint * u.points ELSE 0 END) AS remaining,
           sum(CASE WHEN h.kind IN (6, 7) THEN -sign(h.points_amount)::bigint * u.points ELSE 0 END) AS expired
    FROM point_history h
    CROSS JOIN LATERAL unnest(h.lot_nos, h.lot_points) AS u (lot_no, points)
    GROUP BY h.bucket, h.card_id, u.lot_no
)
SELECT card_id, NULL::bigint AS order_ref, f.figure, f.expected, f.found
FROM point_moves l
FULL JOIN moves m USING (bucket, card_id, lot_no)
CROSS JOIN LATERAL (VALUES
    ('remaining of lot ' || lot_no, round(coalesce(m.remaining, 0) / 100.0, 2)::text,
     coalesce(round(l.remaining / 100.0, 2)::text, 'no such lot')),
    ('expired of lot ' || lot_no, round(CASE WHEN l.state = 3 THEN l.remaining ELSE 0 END / 100.0, 2)::text,
     round(coalesce(m.expired, 0) / 100.0, 2)::text)
) AS f (figure, expected, found)
WHERE f.expected <> f.found
