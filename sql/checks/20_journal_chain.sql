-- a card's journal is numbered from 1 without gaps, and each balance is the one before plus the amount
SELECT card_id, order_ref, f.figure, f.expected, f.found
FROM (
    SELECT card_id, order_ref, seq, points_amount, points_balance,
           lag(seq, 1, 0) OVER card AS seq_before, lag(points_balance, 1, 0::bigint) OVER card AS balance_before
    FROM point_history
    WINDOW card AS (PARTITION BY bucket, card_id ORDER BY seq)
) h
CROSS JOIN LATERAL (VALUES
    ('journal row', (h.seq_before + 1)::text, h.seq::text),
    ('balance of journal row ' || h.seq, round((h.balance_before + h.points_amount) / 100.0, 2)::text,
     round(h.points_balance / 100.0, 2)::text)
) AS f (figure, expected, found)
WHERE f.expected <> f.found
