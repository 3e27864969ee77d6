-- a coupon of a batch is a card of the batch's program, with that code
SELECT u.card_id, NULL::bigint AS order_ref, 'coupon ' || u.number || ' of batch ' || u.batch AS figure,
       b.program_id || ' ' || u.code AS expected, coalesce(c.program_id || ' ' || c.code, 'no such card') AS found
FROM coupons u
JOIN coupon_batches b USING (batch)
LEFT JOIN loyalty_cards c ON c.card_id = u.card_id
WHERE c.program_id IS DISTINCT FROM b.program_id OR c.code IS DISTINCT FROM u.code
