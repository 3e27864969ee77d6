-- the order that a journal row or a lot names is there
SELECT card_id, order_ref, 'order of journal row ' || seq AS figure, 'an order' AS expected, 'none' AS found
FROM point_history h
WHERE order_ref > 0 AND NOT EXISTS (SELECT FROM orders o WHERE o.order_ref = h.order_ref)
UNION ALL
SELECT card_id, origin_ref, 'order of lot ' || lot_no, 'an order', 'none'
FROM point_moves m
WHERE origin_ref > 0 AND NOT EXISTS (SELECT FROM orders o WHERE o.order_ref = m.origin_ref)
