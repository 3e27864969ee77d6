-- the lots that a journal row names gained or lost, each something, together its amount
SELECT card_id, order_ref, 'lots of journal row ' || seq AS figure,
       round(abs(points_amount) / 100.0, 2)::text AS expected,
       CASE WHEN u.least <= 0 THEN 'a share of ' || round(u.least / 100.0, 2) ELSE round(coalesce(u.points, 0) / 100.0, 2)::text END
           AS found
FROM point_history h
CROSS JOIN LATERAL (SELECT sum(p) AS points, min(p) AS least FROM unnest(h.lot_points) AS p) u
WHERE coalesce(u.points, 0) <> abs(h.points_amount) OR u.least <= 0
