-- a card's points are what remains of its lots that are not booked as expired
SELECT card_id, NULL::bigint AS order_ref, 'points' AS figure,
       round(coalesce(l.remaining, 0) / 100.0, 2)::text AS expected, round(c.points / 100.0, 2)::text AS found
FROM loyalty_cards c
FULL JOIN (
    SELECT bucket, card_id, sum(remaining) AS remaining FROM point_moves WHERE state IN (1, 2) GROUP BY bucket, card_id
) l USING (bucket, card_id)
WHERE c.points IS DISTINCT FROM coalesce(l.remaining, 0)
