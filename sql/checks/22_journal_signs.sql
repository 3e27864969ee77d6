-- earning and giving back add points; redeeming, taking back, expiring and paying debt take them
SELECT card_id, order_ref, 'sign of journal row ' || seq AS figure,
       CASE WHEN kind IN (1, 5, 7) THEN '+' ELSE '-' END AS expected, round(points_amount / 100.0, 2)::text AS found
FROM point_history
WHERE (kind IN (1, 5, 7) AND points_amount <= 0) OR (kind IN (6, 8) AND points_amount >= 0)
    OR (kind IN (2, 4) AND points_amount > 0)
