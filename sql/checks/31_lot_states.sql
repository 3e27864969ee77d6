-- a lot's state says what is left of it: active lots have something, depleted ones nothing, none more than at first
SELECT card_id, CASE WHEN origin_ref > 0 THEN origin_ref END AS order_ref, f.figure, f.expected, f.found
FROM point_moves
CROSS JOIN LATERAL (VALUES
    ('state of lot ' || lot_no,
     CASE WHEN state IN (3, 4) THEN state ELSE CASE WHEN remaining = 0 THEN 2 ELSE 1 END END, state::bigint),
    ('remaining of lot ' || lot_no, least(greatest(remaining, 0), initial), remaining),
    ('initial of lot ' || lot_no, greatest(initial, 1), initial)
) AS v (figure, expected_value, found_value)
CROSS JOIN LATERAL (SELECT v.figure, v.expected_value::text AS expected, v.found_value::text AS found) AS f
WHERE v.expected_value <> v.found_value
