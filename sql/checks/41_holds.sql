-- what a card holds is what its open holds name, of live lots that have as much
SELECT coalesce(c.card_id, h.card_id) AS card_id, NULL::bigint AS order_ref, 'held by open holds' AS figure,
       round(coalesce(h.points, 0) / 100.0, 2)::text AS expected,
       coalesce(round(c.held / 100.0, 2)::text, 'no such card') AS found
FROM (SELECT * FROM loyalty_cards WHERE held > 0) c
FULL JOIN (SELECT bucket, card_id, sum(points) AS points FROM point_holds WHERE state = 1 GROUP BY bucket, card_id) h
    USING (bucket, card_id)
WHERE c.held IS DISTINCT FROM h.points
UNION ALL
SELECT h.card_id, NULL, 'held of lot ' || h.lot_no, 'at most ' || round(coalesce(l.remaining, 0) / 100.0, 2),
       round(h.points / 100.0, 2)::text
FROM (SELECT bucket, card_id, lot_no, sum(points) AS points FROM point_holds WHERE state = 1 GROUP BY bucket, card_id, lot_no) h
LEFT JOIN point_moves l ON l.bucket = h.bucket AND l.card_id = h.card_id AND l.lot_no = h.lot_no AND l.state = 1
WHERE coalesce(l.remaining, 0) < h.points
