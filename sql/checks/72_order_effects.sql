-- what an order's record says it earned, redeemed, took back and gave back is what the journal booked for it
SELECT card_id, order_ref, f.figure, f.expected, f.found
FROM (
    SELECT order_ref, card_id, sum(earned)::bigint AS earned, sum(redeemed)::bigint AS redeemed,
           sum(taken_back)::bigint AS taken_back, sum(given_back)::bigint AS given_back
    FROM (
        SELECT order_ref, card_id, earned, redeemed, taken_back, given_back FROM pg_temp.fsck_effects
        UNION ALL -- what the owner of a referral code got by it was booked later, on the owner's card
        SELECT order_ref, card_id, greatest(booked, 0), 0, greatest(-booked, 0), 0 FROM referral_credits WHERE booked IS NOT NULL
    ) f GROUP BY order_ref, card_id
) e
FULL JOIN (
    SELECT order_ref, card_id, sum(CASE WHEN kind = 1 THEN points_amount ELSE 0 END)::bigint AS earned,
           sum(CASE WHEN kind = 2 THEN -points_amount ELSE 0 END)::bigint AS redeemed,
           sum(CASE WHEN kind = 4 THEN -points_amount ELSE 0 END)::bigint AS taken_back,
           sum(CASE WHEN kind = 5 THEN points_amount ELSE 0 END)::bigint AS given_back
    FROM point_history WHERE order_ref > 0 GROUP BY order_ref, card_id
) h USING (order_ref, card_id)
CROSS JOIN LATERAL (VALUES
    ('points earned', coalesce(e.earned, 0), coalesce(h.earned, 0)),
    ('points redeemed', coalesce(e.redeemed, 0), coalesce(h.redeemed, 0)),
    ('points taken back', coalesce(e.taken_back, 0), coalesce(h.taken_back, 0)),
    ('points given back', coalesce(e.given_back, 0), coalesce(h.given_back, 0))
) AS v (figure, expected_points, found_points)
CROSS JOIN LATERAL (SELECT v.figure, round(v.expected_points / 100.0, 2)::text AS expected,
                           round(v.found_points / 100.0, 2)::text AS found) AS f
WHERE v.expected_points <> v.found_points
