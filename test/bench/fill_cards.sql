-- fill_cards.sql - members with a card of two lots each, for the rows of docs/numbers.md about background jobs.
--
--     psql -v cards=1000000 -f test/bench/fill_cards.sql URL
--
-- The database has one bucket, no members yet, and the loyalty program 1. A tenth of the cards have a lot that ran out a day ago. Members spent
-- 200.00 each some time in the last 395 days, and stand on level 902. `loyalty fsck` finds nothing to complain about.
\set ON_ERROR_STOP on
BEGIN;
INSERT INTO members (bucket, partner_id, order_count, spending, last_order, spending_undated, membership_product_id, membership_from, membership_to)
SELECT 0, n, 1, 20000, now() - interval '20 days', 0, 902, now() - interval '100 days', 'infinity' FROM generate_series(1, :cards) n;
INSERT INTO member_spending (bucket, partner_id, day, amount)
SELECT 0, n, current_date - 20 - (n % 375), 20000 FROM generate_series(1, :cards) n;
INSERT INTO loyalty_cards (bucket, card_id, program_id, partner_id, code, single, points, lot_count, journal_count, pending_until, first_expiry, created_at)
SELECT 0, 100000000 + n, 1, n, 'FILLED-' || n, true, 5000, 2, 2, now() - interval '10 days',
       now() + CASE n % 10 WHEN 0 THEN interval '-1 day' ELSE interval '100 days' END, now()
FROM generate_series(1, :cards) n;
INSERT INTO card_codes (bucket, code, card_id) SELECT 0, 'FILLED-' || n, 100000000 + n FROM generate_series(1, :cards) n;
INSERT INTO point_moves (bucket, card_id, lot_no, state, gained, usable_from, expires, initial, remaining, origin_ref)
SELECT 0, 100000000 + n, lot, 1, now() - interval '10 days', now() - interval '10 days',
       now() + CASE WHEN lot = 1 AND n % 10 = 0 THEN interval '-1 day' ELSE interval '100 days' END, 2500, 2500, 0
FROM generate_series(1, :cards) n, generate_series(1, 2) lot;
INSERT INTO point_history (bucket, card_id, seq, recorded_at, kind, points_amount, points_balance, debt, transaction_time, order_ref, origin,
                           status_membership_product_id, lot_nos, lot_points)
SELECT 0, 100000000 + n, lot, now(), 3, 2500, 2500 * lot, 0, now() - interval '10 days', 0, 'filled', 902, ARRAY[lot], ARRAY[2500::bigint]
FROM generate_series(1, :cards) n, generate_series(1, 2) lot;
COMMIT;
VACUUM ANALYZE members, member_spending, loyalty_cards, point_moves, point_history;
SELECT count(*) AS cards FROM loyalty_cards;
