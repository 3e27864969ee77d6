/* statements.h - every SQL statement that the workers run, once: X (identifier, text). All are prepared when
 * a connection opens. Those of the batch name one bucket ($1) and take arrays; DESIGN section 5 gives their order.
 *
 * Rows are found by one probe of their key's index for each element: CROSS JOIN LATERAL (… LIMIT 1), or OFFSET 0, which the planner
 * does not turn into a join. It plans once, perhaps while a table is empty or a month's partition new, and would take a scan of all
 * of a bucket for cheaper then (docs/decisions/007-plans-that-cannot-go-wrong.md). Rows that are updated are locked by the
 * transaction already, so that their ctid stays what it was. */
#ifndef STORE_STATEMENTS_H
#define STORE_STATEMENTS_H

/* The last one is a hint that the owner of a referral code has points to be booked: what is to be booked is read again under the lock. */
#define CARD_COLUMNS                                                                                           \
    "c.card_id, c.program_id, c.partner_id, c.code, c.state, c.points, c.held, c.debt, c.lot_count, c.journal_count, c.pending_until, c.first_expiry, c.booked_until, c.merged_into, c.single, " \
    "(SELECT true FROM referral_credits p WHERE p.bucket = $1::int2 AND p.card_id = c.card_id AND p.booked IS NULL LIMIT 1) AS owed "
#define MEMBER_COLUMNS                                                                                         \
    "r.partner_id, r.order_count, r.spending, r.last_order, r.membership_product_id, r.membership_from, r.membership_to, " \
    "r.below_since, r.spending_undated, r.merged_into, r.absorbed "
#define LOT_COLUMNS "l.card_id, l.lot_no, l.state, l.gained, l.usable_from, l.expires, l.initial, l.remaining, l.origin_ref "
#define ORDER_COLUMNS "o.order_ref, o.recorded_at, o.kind, o.state, o.partner_id, o.record "
#define HISTORY_COLUMNS "seq, kind, points_amount, points_balance, debt, transaction_time, origin, order_ref, status_membership_product_id "
/* A version of a catalog row that is in force at $1. */
#define IN_FORCE "version_from <= $1::int8 AND (version_to IS NULL OR version_to > $1::int8)"

#define STATEMENTS(X)                                                                                          \
    X (BEGIN, "BEGIN ISOLATION LEVEL READ COMMITTED")                                                          \
    X (BEGIN_SNAPSHOT, "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")                                     \
    X (COMMIT, "COMMIT")                                                                                       \
    X (ROLLBACK, "ROLLBACK")                                                                                   \
    /* For this transaction only. */                                                                           \
    X (LOCKS_BRIEFLY, "SELECT set_config('lock_timeout', '100', true)")                                        \
    /* How late a standby is, in ms: null where it cannot tell, since nobody sends to it. A primary is never late. */ \
    X (REPLICA_LAG,                                                                                            \
       "SELECT CASE WHEN NOT pg_is_in_recovery() THEN 0 "                                                      \
       "WHEN NOT EXISTS (SELECT FROM pg_stat_wal_receiver WHERE pid IS NOT NULL) THEN NULL "                   \
       "WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0 "                                     \
       "ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) * 1000 END::int8")        \
    X (CONFIRM_STORED,                                                                                         \
       "SELECT CASE WHEN current_setting('synchronous_standby_names') <> '' THEN pg_logical_emit_message(true, 'loyalty', '') END") \
    /* -------- start */                                                                                       \
    X (SETTINGS, "SELECT name, value FROM settings")                                                           \
    X (SCHEMA_STATE, "SELECT version, compatible_from FROM schema_state")                                      \
    X (PARTITIONS_ENSURE, "SELECT partitions_ensure(clock_timestamp(), 3)")                                    \
    X (PARTITIONS_MISSED, "SELECT partitions_missed()")                                                        \
    X (ORDER_BLOCK, "SELECT nextval('order_blocks')")                                                          \
    X (CARD_BLOCK, "SELECT nextval('card_blocks')")                                                            \
    /* Ends what idle_in_transaction_session_timeout does not see: transactions of workers that stopped for $1 ms while they  \
     * sent (the server waits for the rest) or while they were sent to. */                                     \
    X (SESSIONS_END, /* those of application $2 */                                                             \
       "WITH stopped AS MATERIALIZED (" /* who is chosen first, and ended then: a WHERE has no order */        \
       "SELECT pid FROM pg_stat_activity WHERE usename = current_user AND application_name = $2::text "              \
       "AND pid <> pg_backend_pid() AND xact_start IS NOT NULL AND wait_event_type = 'Client' "                \
       "AND state_change < clock_timestamp() - $1::int4 * interval '1 ms') "                                   \
       "SELECT pid FROM stopped WHERE pg_terminate_backend(pid)")                                              \
    /* -------- keys and codes: $1 the directory's bucket */                                                   \
    X (KEYS_CLAIM,                                                                                             \
       "INSERT INTO request_keys (bucket, scope, key, method, body_hash, member_bucket, order_ref, recorded_at) "    \
       "SELECT $1::int2, t.scope, t.key, t.method, t.hash, t.member_bucket, t.order_ref, $8::timestamptz "     \
       "FROM unnest($2::int2[], $3::text[], $4::int2[], $5::bytea[], $6::int2[], $7::int8[]) "                 \
       "AS t(scope, key, method, hash, member_bucket, order_ref) ON CONFLICT DO NOTHING RETURNING scope, key") \
    X (KEYS_READ,                                                                                              \
       "SELECT k.* FROM unnest($2::int2[], $3::text[]) AS t(scope, key) CROSS JOIN LATERAL ("                  \
       "SELECT r.scope, r.key, r.method, r.body_hash, r.member_bucket, r.order_ref, r.recorded_at, r.reply "   \
       "FROM request_keys r WHERE r.bucket = $1::int2 AND r.scope = t.scope AND r.key = t.key LIMIT 1) k")     \
    X (KEYS_DELETE,                                                                                            \
       "DELETE FROM request_keys k USING (SELECT r.ctid AS place FROM unnest($2::int2[], $3::text[]) AS t(scope, key) "\
       "CROSS JOIN LATERAL (SELECT ctid FROM request_keys r WHERE r.bucket = $1::int2 AND r.scope = t.scope AND r.key = t.key LIMIT 1) r) s "\
       "WHERE k.ctid = s.place")                                                                               \
    X (KEYS_REPLY,                                                                                             \
       "UPDATE request_keys k SET reply = s.reply, order_ref = 0 FROM (SELECT t.reply, r.ctid AS place "       \
       "FROM unnest($2::int2[], $3::text[], $4::bytea[]) AS t(scope, key, reply) CROSS JOIN LATERAL ("         \
       "SELECT ctid FROM request_keys r WHERE r.bucket = $1::int2 AND r.scope = t.scope AND r.key = t.key LIMIT 1) r) s "\
       "WHERE k.ctid = s.place")                                                                               \
    X (CODES_CLAIM,                                                                                            \
       "INSERT INTO card_codes (bucket, code, card_id) SELECT $1::int2, t.code, t.card_id "                    \
       "FROM unnest($2::text[], $3::int8[]) AS t(code, card_id) ON CONFLICT DO NOTHING RETURNING code")        \
    X (CODES_DELETE,                                                                                           \
       "DELETE FROM card_codes k USING (SELECT r.ctid AS place FROM unnest($2::text[]) AS t(code) "            \
       "CROSS JOIN LATERAL (SELECT ctid FROM card_codes r WHERE r.bucket = $1::int2 AND r.code = t.code LIMIT 1) r) s WHERE k.ctid = s.place") \
    X (CODES_READ,                                                                                             \
       "SELECT c.* FROM unnest($2::text[]) AS t(code) CROSS JOIN LATERAL ("                                    \
       "SELECT r.code, r.card_id FROM card_codes r WHERE r.bucket = $1::int2 AND r.code = t.code LIMIT 1) c")  \
    X (CARD_OF_ODOO, "SELECT card_id FROM loyalty_cards WHERE bucket = $1::int2 AND odoo_card_id = $2::int8")  \
    X (CARD_REASON, "SELECT state_reason FROM loyalty_cards WHERE bucket = $1::int2 AND card_id = $2::int8")   \
    /* -------- locks, and what is read under them */                                                          \
    X (MEMBERS_INSERT,                                                                                         \
       "INSERT INTO members (bucket, partner_id) SELECT $1::int2, t.id FROM unnest($2::int8[]) AS t(id) ON CONFLICT DO NOTHING") \
    X (MEMBERS_LOCK,                                                                                           \
       "SELECT m.* FROM unnest($2::int8[]) AS t(id) CROSS JOIN LATERAL (SELECT " MEMBER_COLUMNS\
       "FROM members r WHERE r.bucket = $1::int2 AND r.partner_id = t.id LIMIT 1 FOR NO KEY UPDATE) m")        \
    X (MEMBERS_READ,                                                                                           \
       "SELECT m.* FROM unnest($2::int8[]) AS t(id) CROSS JOIN LATERAL (SELECT " MEMBER_COLUMNS\
       "FROM members r WHERE r.bucket = $1::int2 AND r.partner_id = t.id LIMIT 1) m")                          \
    X (CARDS_LOCK,                                                                                             \
       "SELECT c.* FROM unnest($2::int8[]) AS t(id) CROSS JOIN LATERAL (SELECT " CARD_COLUMNS "FROM loyalty_cards c "\
       "WHERE c.bucket = $1::int2 AND c.partner_id = t.id ORDER BY c.card_id FOR NO KEY UPDATE) c")            \
    X (CARDS_READ,                                                                                             \
       "SELECT c.* FROM unnest($2::int8[]) AS t(id) CROSS JOIN LATERAL (SELECT " CARD_COLUMNS "FROM loyalty_cards c "\
       "WHERE c.bucket = $1::int2 AND c.partner_id = t.id ORDER BY c.card_id OFFSET 0) c")                     \
    X (CARDS_LOCK_BY_ID,                                                                                       \
       "SELECT c.* FROM unnest($2::int8[]) AS t(id) CROSS JOIN LATERAL (SELECT " CARD_COLUMNS "FROM loyalty_cards c "\
       "WHERE c.bucket = $1::int2 AND c.card_id = t.id LIMIT 1 FOR NO KEY UPDATE) c")                          \
    X (CARDS_READ_BY_ID,                                                                                       \
       "SELECT c.* FROM unnest($2::int8[]) AS t(id) CROSS JOIN LATERAL (SELECT " CARD_COLUMNS "FROM loyalty_cards c "\
       "WHERE c.bucket = $1::int2 AND c.card_id = t.id LIMIT 1) c")                                            \
    /* The first $3 live lots of each card that may be spent from, in the order in which they are consumed. */ \
    X (LOTS_OF_MEMBERS,                                                                                        \
       "SELECT " LOT_COLUMNS "FROM unnest($2::int8[]) AS t(id) CROSS JOIN LATERAL ("                           \
       "SELECT card_id, first_expiry FROM loyalty_cards r WHERE r.bucket = $1::int2 AND r.partner_id = t.id AND r.points > 0 OFFSET 0) c "\
       "CROSS JOIN LATERAL (SELECT * FROM point_moves m WHERE m.bucket = $1::int2 AND m.card_id = c.card_id AND m.state = 1 AND m.expires >= c.first_expiry "\
       "ORDER BY m.expires, m.gained, m.lot_no LIMIT $3::int4) l")                                             \
    X (LOTS_OF_CARDS,                                                                                          \
       "SELECT " LOT_COLUMNS "FROM unnest($2::int8[]) AS c(card_id) "                                          \
       "CROSS JOIN LATERAL (SELECT * FROM point_moves m WHERE m.bucket = $1::int2 AND m.card_id = c.card_id AND m.state = 1 "\
       "ORDER BY m.expires, m.gained, m.lot_no LIMIT $3::int4) l")                                             \
    X (LOTS_MORE,                                                                                              \
       "SELECT " LOT_COLUMNS "FROM point_moves l WHERE l.bucket = $1::int2 AND l.card_id = $2::int8 AND l.state = 1 " \
       "AND (l.expires, l.gained, l.lot_no) > ($3::timestamptz, $4::timestamptz, $5::int4) "                   \
       "ORDER BY l.expires, l.gained, l.lot_no LIMIT $6::int4")                                                \
    X (LOTS_PENDING,                                                                                           \
       "SELECT " LOT_COLUMNS "FROM point_moves l WHERE l.bucket = $1::int2 AND l.card_id = $2::int8 AND l.state = 1 " \
       "AND l.usable_from > $3::timestamptz ORDER BY l.lot_no")                                                \
    X (LOTS_BOOKED,                                                                                            \
       "SELECT " LOT_COLUMNS "FROM point_moves l WHERE l.bucket = $1::int2 AND l.card_id = $2::int8 AND l.state = 3 " \
       "AND l.expires > $3::timestamptz AND l.remaining > 0 ORDER BY l.lot_no")                                \
    X (LOT_BY_NO,                                                                                              \
       "SELECT " LOT_COLUMNS "FROM point_moves l WHERE l.bucket = $1::int2 AND l.card_id = $2::int8 AND l.lot_no = $3::int4") \
    X (LOTS_EXPIRED,                                                                                           \
       "SELECT coalesce(sum(remaining), 0)::int8 FROM point_moves WHERE bucket = $1::int2 AND card_id = $2::int8 AND state = 3") \
    /* The open holds of cards, a row for each lot. */                                                         \
    X (HOLDS_READ,                                                                                             \
       "SELECT " LOT_COLUMNS ", h.hold_id, h.until, h.points FROM unnest($2::int8[]) AS t(id) "                \
       "CROSS JOIN LATERAL (SELECT * FROM point_holds r WHERE r.bucket = $1::int2 AND r.card_id = t.id AND r.state = 1 OFFSET 0) h " \
       "CROSS JOIN LATERAL (SELECT * FROM point_moves m WHERE m.bucket = $1::int2 AND m.card_id = h.card_id AND m.lot_no = h.lot_no LIMIT 1) l " \
       "ORDER BY h.card_id, h.hold_id, l.expires, l.gained, l.lot_no")                                         \
    /* What is to be booked on cards, in the order in which it came, each with the lot that its original's credit became. */ \
    X (REFERRALS_PENDING,                                                                                      \
       "SELECT r.card_id, r.original_ref, r.order_ref, r.order_id, r.points, r.forgives, r.gained, r.usable_from, r.expires, " \
       "(SELECT o.lot_no FROM referral_credits o WHERE o.bucket = $1::int2 AND o.card_id = r.card_id AND o.original_ref = r.original_ref " \
       "AND o.lot_no IS NOT NULL ORDER BY o.recorded_at DESC LIMIT 1) AS lot_no "                              \
       "FROM unnest($2::int8[]) AS t(id) CROSS JOIN LATERAL (SELECT * FROM referral_credits p "                \
       "WHERE p.bucket = $1::int2 AND p.card_id = t.id AND p.booked IS NULL "                                  \
       "ORDER BY p.recorded_at, p.points < 0, p.order_ref LIMIT $3::int4) r")                                  \
    X (REFERRALS_INSERT,                                                                                       \
       "INSERT INTO referral_credits (bucket, card_id, original_ref, order_ref, order_id, points, forgives, gained, usable_from, expires, recorded_at) " \
       "SELECT $1::int2, t.* FROM unnest($2::int8[], $3::int8[], $4::int8[], $5::text[], $6::int8[], $7::bool[], " \
       "$8::timestamptz[], $9::timestamptz[], $10::timestamptz[], $11::timestamptz[]) AS t")                   \
    X (REFERRALS_BOOKED,                                                                                       \
       "UPDATE referral_credits c SET booked = s.booked, seq = s.seq, lot_no = s.lot_no FROM (SELECT t.*, r.ctid AS place " \
       "FROM unnest($2::int8[], $3::int8[], $4::int8[], $5::int8[], $6::int4[], $7::int4[]) "                  \
       "AS t(card_id, original_ref, order_ref, booked, seq, lot_no) CROSS JOIN LATERAL (SELECT ctid FROM referral_credits r " \
       "WHERE r.bucket = $1::int2 AND r.card_id = t.card_id AND r.original_ref = t.original_ref AND r.order_ref = t.order_ref LIMIT 1) r) s " \
       "WHERE c.ctid = s.place")                                                                               \
    /* One that moved away and came back is where it is, not where it was. */                                  \
    X (HOLD_STATE,                                                                                             \
       "SELECT state, moved_to FROM point_holds WHERE bucket = $1::int2 AND card_id = $2::int8 AND hold_id = $3::text ORDER BY state LIMIT 1") \
    X (SPENDING_SINCE,                                                                                         \
       "SELECT day - date '1970-01-01', amount FROM member_spending WHERE bucket = $1::int2 AND partner_id = $2::int8 " \
       "AND day >= date '1970-01-01' + $3::int4")                                                              \
    /* What was held at $3, or ended before. */                                                                \
    X (MEMBERSHIP_AT,                                                                                          \
       "SELECT membership_product_id, since, until FROM membership_history WHERE bucket = $1::int2 AND partner_id = $2::int8 " \
       "AND since <= $3::timestamptz ORDER BY recorded_at DESC, position DESC LIMIT 1")                        \
    X (LOT_TRANSFERS_READ,                                                                                     \
       "SELECT to_card_id, to_lot_no FROM lot_transfers WHERE bucket = $1::int2 AND card_id = $2::int8 AND lot_no = $3::int4 " \
       "ORDER BY to_card_id, to_lot_no")                                                                       \
    X (ORDERS_READ,                                                                                            \
       "SELECT " ORDER_COLUMNS "FROM unnest($2::int8[], $3::timestamptz[]) AS t(order_ref, recorded_at) "      \
       "CROSS JOIN LATERAL (SELECT * FROM orders r WHERE r.bucket = $1::int2 AND r.order_ref = t.order_ref "   \
       "AND r.recorded_at = t.recorded_at LIMIT 1) o")                                                         \
    X (ORDERS_LOCK,                                                                                            \
       "SELECT " ORDER_COLUMNS "FROM unnest($2::int8[], $3::timestamptz[]) AS t(order_ref, recorded_at) "      \
       "CROSS JOIN LATERAL (SELECT * FROM orders r WHERE r.bucket = $1::int2 AND r.order_ref = t.order_ref "   \
       "AND r.recorded_at = t.recorded_at LIMIT 1 FOR NO KEY UPDATE) o")                                       \
    X (REFUNDS_READ,                                                                                           \
       "SELECT original_ref, refund_ref, refund_bucket, refund_recorded_at FROM order_refunds "                \
       "WHERE bucket = $1::int2 AND original_ref = ANY ($2::int8[]) ORDER BY original_ref, refund_ref")        \
    X (BIRTHDAYS_READ,                                                                                         \
       "SELECT p.* FROM unnest($1::int8[]) AS t(id) CROSS JOIN LATERAL (SELECT r.partner_id, r.birthday - date '1970-01-01' AS day "\
       "FROM partners r WHERE r.partner_id = t.id AND r.birthday IS NOT NULL LIMIT 1) p")                      \
    /* Counters of uses: made where they are missing, then locked; after members and cards. */                 \
    X (USAGES_INSERT,                                                                                          \
       "INSERT INTO program_usage (bucket, program_id, kind, subject, period) SELECT $1::int2, t.* "           \
       "FROM unnest($2::int8[], $3::int2[], $4::int8[], $5::int4[]) AS t ON CONFLICT DO NOTHING")              \
    X (USAGES_LOCK,                                                                                            \
       "SELECT u.* FROM unnest($2::int8[], $3::int2[], $4::int8[], $5::int4[]) AS t(program_id, kind, subject, period) " \
       "CROSS JOIN LATERAL (SELECT r.bucket, r.program_id, r.kind, r.subject, r.period, r.used, r.amount FROM program_usage r "\
       "WHERE r.bucket = $1::int2 AND r.program_id = t.program_id AND r.kind = t.kind AND r.subject = t.subject AND r.period = t.period "\
       "LIMIT 1 FOR NO KEY UPDATE) u")                                                                         \
    X (USAGES_READ,                                                                                            \
       "SELECT u.* FROM unnest($2::int8[], $3::int2[], $4::int8[], $5::int4[]) AS t(program_id, kind, subject, period) " \
       "CROSS JOIN LATERAL (SELECT r.bucket, r.program_id, r.kind, r.subject, r.period, r.used, r.amount FROM program_usage r "\
       "WHERE r.bucket = $1::int2 AND r.program_id = t.program_id AND r.kind = t.kind AND r.subject = t.subject AND r.period = t.period "\
       "LIMIT 1) u")                                                                                           \
    X (USAGES_UPDATE,                                                                                          \
       "UPDATE program_usage u SET used = s.used, amount = s.amount FROM (SELECT t.*, r.ctid AS place "        \
       "FROM unnest($2::int8[], $3::int2[], $4::int8[], $5::int4[], $6::int8[], $7::int8[]) "                  \
       "AS t(program_id, kind, subject, period, used, amount) CROSS JOIN LATERAL (SELECT ctid FROM program_usage r "\
       "WHERE r.bucket = $1::int2 AND r.program_id = t.program_id AND r.kind = t.kind AND r.subject = t.subject AND r.period = t.period "\
       "LIMIT 1) r) s WHERE u.ctid = s.place")                                                                 \
    X (CATALOG_STATE, "SELECT version, reference_version, (SELECT last_value FROM outbox_slot), " \
       "(SELECT compatible_from FROM schema_state) FROM catalog_state") \
    X (PRODUCTS_READ, "SELECT product_id, category_id, tags, active FROM products WHERE product_id = ANY ($1::int8[])") \
    X (PRODUCTS_CHANGED, "SELECT product_id FROM products WHERE row_version > $1::int8 LIMIT $2::int4")        \
    /* -------- writes of the batch */                                                                         \
    X (MEMBERS_UPDATE,                                                                                         \
       "UPDATE members m SET order_count = s.order_count, spending = s.spending, last_order = s.last_order FROM (SELECT t.*, r.ctid AS place "\
       "FROM unnest($2::int8[], $3::int8[], $4::int8[], $5::timestamptz[]) AS t(id, order_count, spending, last_order) "\
       "CROSS JOIN LATERAL (SELECT ctid FROM members r WHERE r.bucket = $1::int2 AND r.partner_id = t.id LIMIT 1) r) s WHERE m.ctid = s.place")\
    X (MEMBERSHIPS_UPDATE,                                                                                     \
       "UPDATE members m SET membership_product_id = s.level, membership_from = s.level_from, membership_to = s.level_to, " \
       "below_since = s.below_since, spending_undated = s.undated FROM (SELECT t.*, r.ctid AS place " \
       "FROM unnest($2::int8[], $3::int8[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[], $7::int8[]) " \
       "AS t(id, level, level_from, level_to, below_since, undated) "                            \
       "CROSS JOIN LATERAL (SELECT ctid FROM members r WHERE r.bucket = $1::int2 AND r.partner_id = t.id LIMIT 1) r) s WHERE m.ctid = s.place")\
    X (MEMBERS_MERGE,                                                                                          \
       "UPDATE members m SET merged_into = s.merged_into, absorbed = s.absorbed FROM (SELECT t.merged_into, t.absorbed::int8[] AS absorbed, r.ctid AS place "\
       "FROM unnest($2::int8[], $3::int8[], $4::text[]) AS t(id, merged_into, absorbed) "                      \
       "CROSS JOIN LATERAL (SELECT ctid FROM members r WHERE r.bucket = $1::int2 AND r.partner_id = t.id LIMIT 1) r) s WHERE m.ctid = s.place")\
    /* What is counted of a member by day, and of its uses of programs: taken out, to be added to another. */  \
    X (SPENDING_TAKE,                                                                                          \
       "DELETE FROM member_spending WHERE bucket = $1::int2 AND partner_id = $2::int8 "                        \
       "RETURNING day - date '1970-01-01', amount")                                                            \
    X (USAGES_TAKE,                                                                                            \
       "DELETE FROM program_usage WHERE bucket = $1::int2 AND subject = $2::int8 AND kind IN (2, 4, 5, 6, 7, 8) " \
       "RETURNING program_id, kind, period, used, amount")                                                     \
    X (USAGES_ADD,                                                                                             \
       "INSERT INTO program_usage AS u (bucket, program_id, kind, subject, period, used, amount) "             \
       "SELECT $1::int2, t.program_id, t.kind, $2::int8, t.period, t.used, t.amount "                          \
       "FROM unnest($3::int8[], $4::int2[], $5::int4[], $6::int8[], $7::int8[]) AS t(program_id, kind, period, used, amount) " \
       "ON CONFLICT (bucket, program_id, kind, subject, period) DO UPDATE SET used = u.used + excluded.used, amount = u.amount + excluded.amount") \
    X (SPENDING_ADD,                                                                                           \
       "INSERT INTO member_spending AS s (bucket, partner_id, day, amount) "                                   \
       "SELECT $1::int2, t.id, date '1970-01-01' + t.day, sum(t.amount)::int8 "                                \
       "FROM unnest($2::int8[], $3::int4[], $4::int8[]) AS t(id, day, amount) GROUP BY t.id, t.day ORDER BY t.id, t.day " \
       "ON CONFLICT (bucket, partner_id, day) DO UPDATE SET amount = s.amount + excluded.amount")              \
    X (MEMBERSHIP_HISTORY_INSERT,                                                                              \
       "INSERT INTO membership_history (bucket, partner_id, membership_product_id, since, until, order_ref, origin, recorded_at) " \
       "SELECT $1::int2, t.*, $8::timestamptz FROM unnest($2::int8[], $3::int8[], $4::timestamptz[], $5::timestamptz[], " \
       "$6::int8[], $7::text[]) AS t")                                                                         \
    X (LOT_TRANSFERS_INSERT,                                                                                   \
       "INSERT INTO lot_transfers (bucket, card_id, lot_no, to_card_id, to_lot_no, points, recorded_at) "      \
       "SELECT $1::int2, t.*, $7::timestamptz FROM unnest($2::int8[], $3::int4[], $4::int8[], $5::int4[], $6::int8[]) AS t") \
    X (CARDS_INSERT,                                                                                           \
       "INSERT INTO loyalty_cards (bucket, card_id, program_id, partner_id, code, single, points, held, debt, lot_count, " \
       "journal_count, pending_until, first_expiry, booked_until, odoo_card_id, created_at) "                  \
       "SELECT $1::int2, t.*, $16::timestamptz FROM unnest($2::int8[], $3::int8[], $4::int8[], $5::text[], $6::bool[], $7::int8[], " \
       "$8::int8[], $9::int8[], $10::int4[], $11::int4[], $12::timestamptz[], $13::timestamptz[], $14::timestamptz[], $15::int8[]) AS t")              \
    X (CARDS_UPDATE,                                                                                           \
       "UPDATE loyalty_cards c SET points = s.points, held = s.held, debt = s.debt, lot_count = s.lot_count, journal_count = s.journal_count, "\
       "pending_until = s.pending_until, first_expiry = s.first_expiry, booked_until = s.booked_until, version = c.version + 1 FROM (SELECT t.*, r.ctid AS place "\
       "FROM unnest($2::int8[], $3::int8[], $4::int8[], $5::int8[], $6::int4[], $7::int4[], $8::timestamptz[], $9::timestamptz[], $10::timestamptz[]) "\
       "AS t(id, points, held, debt, lot_count, journal_count, pending_until, first_expiry, booked_until) "                  \
       "CROSS JOIN LATERAL (SELECT ctid FROM loyalty_cards r WHERE r.bucket = $1::int2 AND r.card_id = t.id LIMIT 1) r) s WHERE c.ctid = s.place")\
    X (CARDS_STATE,                                                                                            \
       "UPDATE loyalty_cards c SET state = s.state, state_reason = s.reason, version = c.version + 1 FROM (SELECT t.*, r.ctid AS place "\
       "FROM unnest($2::int8[], $3::int2[], $4::text[]) AS t(id, state, reason) "                              \
       "CROSS JOIN LATERAL (SELECT ctid FROM loyalty_cards r WHERE r.bucket = $1::int2 AND r.card_id = t.id LIMIT 1) r) s "\
       "WHERE c.ctid = s.place")                                                                               \
    X (CARDS_OWNER,                                                                                            \
       "UPDATE loyalty_cards c SET partner_id = s.partner_id, single = s.single, merged_into = s.merged_into, version = c.version + 1 FROM (SELECT t.*, r.ctid AS place "\
       "FROM unnest($2::int8[], $3::int8[], $4::bool[], $5::int8[]) AS t(id, partner_id, single, merged_into) " \
       "CROSS JOIN LATERAL (SELECT ctid FROM loyalty_cards r WHERE r.bucket = $1::int2 AND r.card_id = t.id LIMIT 1) r) s WHERE c.ctid = s.place")\
    X (LOTS_INSERT,                                                                                            \
       "INSERT INTO point_moves (bucket, card_id, lot_no, state, gained, usable_from, expires, initial, remaining, origin_ref) " \
       "SELECT $1::int2, t.* FROM unnest($2::int8[], $3::int4[], $4::int2[], $5::timestamptz[], $6::timestamptz[], " \
       "$7::timestamptz[], $8::int8[], $9::int8[], $10::int8[]) AS t")                                         \
    X (LOTS_UPDATE,                                                                                            \
       "UPDATE point_moves m SET state = s.state, remaining = s.remaining, expires = s.expires FROM (SELECT t.*, r.ctid AS place "\
       "FROM unnest($2::int8[], $3::int4[], $4::int2[], $5::int8[], $6::timestamptz[]) AS t(card_id, lot_no, state, remaining, expires) "\
       "CROSS JOIN LATERAL (SELECT ctid FROM point_moves r WHERE r.bucket = $1::int2 AND r.card_id = t.card_id AND r.lot_no = t.lot_no LIMIT 1) r) s "\
       "WHERE m.ctid = s.place")                                                                               \
    X (HOLDS_INSERT,                                                                                           \
       "INSERT INTO point_holds (bucket, card_id, hold_id, lot_no, points, until, state, moved_to, held_at) "  \
       "SELECT $1::int2, t.*, $9::timestamptz "                                                                \
       "FROM unnest($2::int8[], $3::text[], $4::int4[], $5::int8[], $6::timestamptz[], $7::int2[], $8::int8[]) AS t")                                                 \
    X (HOLDS_CLOSE,                                                                                            \
       "UPDATE point_holds h SET state = s.state, moved_to = s.moved_to FROM (SELECT t.state, t.moved_to, r.ctid AS place " \
       "FROM unnest($2::int8[], $3::text[], $4::int2[], $5::int8[]) AS t(card_id, hold_id, state, moved_to) CROSS JOIN LATERAL (" \
       "SELECT ctid FROM point_holds r WHERE r.bucket = $1::int2 AND r.card_id = t.card_id AND r.hold_id = t.hold_id AND r.state = 1 OFFSET 0) r) s " \
       "WHERE h.ctid = s.place")                                                                               \
    X (HISTORY_INSERT,                                                                                         \
       "INSERT INTO point_history (bucket, card_id, seq, recorded_at, kind, points_amount, points_balance, debt, " \
       "transaction_time, order_ref, origin, status_membership_product_id, lot_nos, lot_points) "              \
       "SELECT $1::int2, t.card_id, t.seq, $2::timestamptz, t.kind, t.amount, t.balance, t.debt, t.time, t.order_ref, t.origin, " \
       "t.status, t.lot_nos::int4[], t.lot_points::int8[] "                                                              \
       "FROM unnest($3::int8[], $4::int4[], $5::int2[], $6::int8[], $7::int8[], $8::int8[], $9::timestamptz[], " \
       "$10::int8[], $11::text[], $12::int8[], $13::text[], $14::text[]) "                                     \
       "AS t(card_id, seq, kind, amount, balance, debt, time, order_ref, origin, status, lot_nos, lot_points)")        \
    X (ORDERS_INSERT,                                                                                          \
       "INSERT INTO orders (bucket, order_ref, recorded_at, kind, partner_id, record) "                        \
       "SELECT $1::int2, t.order_ref, $2::timestamptz, t.kind, t.partner_id, t.record "                        \
       "FROM unnest($3::int8[], $4::int2[], $5::int8[], $6::bytea[]) AS t(order_ref, kind, partner_id, record)") \
    X (ORDERS_CANCEL,                                                                                          \
       "UPDATE orders o SET state = 2 FROM unnest($2::int8[], $3::timestamptz[]) AS t(order_ref, recorded_at) " \
       "WHERE o.bucket = $1::int2 AND o.order_ref = t.order_ref AND o.recorded_at = t.recorded_at")            \
    X (REFUNDS_INSERT,                                                                                         \
       "INSERT INTO order_refunds (bucket, original_ref, refund_ref, refund_bucket, refund_recorded_at) "      \
       "SELECT $1::int2, t.original_ref, t.refund_ref, t.refund_bucket, $5::timestamptz "                      \
       "FROM unnest($2::int8[], $3::int8[], $4::int2[]) AS t(original_ref, refund_ref, refund_bucket)")        \
    X (OUTBOX_INSERT,                                                                                          \
       /* One number is drawn for all of a statement's rows, 1024 at most: the sequence is the only one that all workers share. */ \
       "INSERT INTO outbox (slot, bucket, position, recorded_at, topics, order_ref, card_id, partner_id, body) " \
       "SELECT $3::int2, $1::int2, (SELECT nextval('outbox_positions')) * 1024 + t.place - 1, $2::timestamptz, " \
       "t.topics, t.order_ref, t.card_id, t.partner_id, t.body "                                               \
       "FROM unnest($4::int4[], $5::int8[], $6::int8[], $7::int8[], $8::bytea[]) "                             \
       "WITH ORDINALITY AS t(topics, order_ref, card_id, partner_id, body, place)")                            \
    X (MEMBER_REPLIES_INSERT,                                                                                  \
       "INSERT INTO member_replies (bucket, partner_id, key) SELECT $1::int2, t.partner_id, t.key "            \
       "FROM unnest($2::int8[], $3::text[]) AS t(partner_id, key) ON CONFLICT DO NOTHING")                     \
    /* -------- a member that is forgotten: $1 a bucket, $2 the member (or cards), $3 its pseudonym */         \
    X (FORGET_PSEUDONYM,                                                                                       \
       "UPDATE members SET pseudonym = coalesce(pseudonym, $3::int8) WHERE bucket = $1::int2 AND partner_id = $2::int8 RETURNING pseudonym") \
    X (FORGET_ORDERS,                                                                                          \
       "SELECT " ORDER_COLUMNS "FROM orders o WHERE o.bucket = $1::int2 AND o.partner_id = $2::int8 LIMIT $3::int4 FOR NO KEY UPDATE") \
    X (FORGET_ORDER_IDS,                                                                                       \
       "SELECT origin FROM point_history WHERE bucket = $1::int2 AND card_id = ANY ($2::int8[]) AND order_ref > 0 " \
       "UNION SELECT order_id FROM referral_credits WHERE bucket = $1::int2 AND card_id = ANY ($2::int8[])")   \
    X (FORGET_ORDERS_OF_OTHERS,                                                                                \
       "SELECT o.* FROM unnest($2::int8[], $3::timestamptz[]) AS t(order_ref, recorded_at) "                   \
       "CROSS JOIN LATERAL (SELECT order_ref, recorded_at, partner_id FROM orders r WHERE r.bucket = $1::int2 "\
       "AND r.order_ref = t.order_ref AND r.recorded_at = t.recorded_at LIMIT 1) o WHERE o.partner_id IS DISTINCT FROM $4::int8") \
    X (ORDERS_REWRITE,                                                                                         \
       "UPDATE orders o SET partner_id = t.partner_id, record = t.record "                                     \
       "FROM unnest($2::int8[], $3::timestamptz[], $4::int8[], $5::bytea[]) AS t(order_ref, recorded_at, partner_id, record) " \
       "WHERE o.bucket = $1::int2 AND o.order_ref = t.order_ref AND o.recorded_at = t.recorded_at")            \
    X (FORGET_CARDS,                                                                                           \
       "UPDATE loyalty_cards c SET partner_id = t.partner_id, code = t.code, state = t.state, state_reason = 'forgotten', odoo_card_id = NULL, " \
       "version = c.version + 1 FROM unnest($2::int8[], $3::int8[], $4::text[], $5::int2[]) AS t(id, partner_id, code, state) " \
       "WHERE c.bucket = $1::int2 AND c.card_id = t.id")                                                       \
    X (FORGET_COUPONS,                                                                                         \
       "UPDATE coupons c SET code = t.code FROM unnest($2::int8[], $3::text[]) AS t(id, code) "                \
       "WHERE c.bucket = $1::int2 AND c.card_id = t.id")                                                       \
    X (FORGET_REASONS,                                                                                         \
       "UPDATE point_history SET origin = 'forgotten' WHERE bucket = $1::int2 AND card_id = ANY ($2::int8[]) AND order_ref = 0") \
    X (FORGET_MEMBER,                                                                                          \
       "UPDATE members SET partner_id = $3::int8, absorbed = NULL, pseudonym = NULL WHERE bucket = $1::int2 AND partner_id = $2::int8") \
    X (FORGET_SPENDING, "UPDATE member_spending SET partner_id = $3::int8 WHERE bucket = $1::int2 AND partner_id = $2::int8") \
    X (FORGET_USAGES,                                                                                          \
       "UPDATE program_usage SET subject = $3::int8 WHERE bucket = $1::int2 AND subject = $2::int8 AND kind IN (2, 4, 5, 6, 7, 8)") \
    X (FORGET_LEVELS,                                                                                          \
       "UPDATE membership_history SET partner_id = $3::int8, origin = CASE WHEN order_ref = 0 THEN 'forgotten' ELSE origin END " \
       "WHERE bucket = $1::int2 AND partner_id = $2::int8")                                                    \
    /* What the feed takes meanwhile is found in it by the second. */                                          \
    /* First the outbox, then the feed: what is moved meanwhile waits, or is found there. */                   \
    X (FORGET_CHANGES,                                                                                         \
       "UPDATE outbox SET partner_id = $3::int8 WHERE bucket = $1::int2 AND partner_id = ANY ($2::int8[]) RETURNING position, body") \
    X (FORGET_CHANGE_BODIES,                                                                                   \
       "UPDATE outbox o SET body = (SELECT t.body FROM unnest($2::int8[], $3::bytea[]) AS t(place, body) WHERE t.place = o.position) " \
       "WHERE o.bucket = $1::int2 AND o.position = ANY ($2::int8[])")                                          \
    X (FORGET_EVENTS,                                                                                          \
       "UPDATE feed SET partner_id = $3::int8 WHERE bucket = $1::int2 AND partner_id = ANY ($2::int8[]) RETURNING number, body") \
    X (FORGET_EVENT_BODIES,                                                                                    \
       "UPDATE feed f SET body = (SELECT t.body FROM unnest($2::int8[], $3::bytea[]) AS t(place, body) WHERE t.place = f.number) " \
       "WHERE f.bucket = $1::int2 AND f.number = ANY ($2::int8[])")                                            \
    X (FORGET_REPLIES, "DELETE FROM member_replies WHERE bucket = $1::int2 AND partner_id = $2::int8 RETURNING key") \
    X (FORGET_ABSORBED, "DELETE FROM members WHERE bucket = $1::int2 AND partner_id = $2::int8")               \
    X (FORGET_ABSORBED_LEVELS, "DELETE FROM membership_history WHERE bucket = $1::int2 AND partner_id = $2::int8") \
    X (FORGET_PARTNER, "DELETE FROM partners WHERE partner_id = $1::int8")                                     \
    /* -------- catalog */                                                                                     \
    X (CATALOG_LOCK, "SELECT version, reference_version FROM catalog_state FOR UPDATE")                        \
    X (CATALOG_BUMP,                                                                                           \
       "WITH state AS (UPDATE catalog_state SET version = version + 1 RETURNING version) "                     \
       "INSERT INTO catalog_versions (version) SELECT version FROM state RETURNING version")                   \
    X (REFERENCE_BUMP, "UPDATE catalog_state SET reference_version = reference_version + 1 RETURNING reference_version") \
    X (CATALOG_SINCE, "SELECT created_at FROM catalog_versions WHERE version = $1::int8")                      \
    X (CATALOG_AT, "SELECT version FROM catalog_versions WHERE created_at <= $1::timestamptz ORDER BY version DESC LIMIT 1") \
    X (CATALOG_PROGRAMS, "SELECT definition FROM promotion_programs WHERE " IN_FORCE " AND state = 1 ORDER BY program_id") \
    X (CATALOG_STORES,                                                                                         \
       "SELECT s.store_id, z.name, z.utc_us, z.offset_s FROM stores s JOIN time_zones z ON z.name = s.time_zone " \
       "WHERE s.version_from <= $1::int8 AND (s.version_to IS NULL OR s.version_to > $1::int8) ORDER BY s.store_id") \
    X (CATALOG_CATEGORIES, "SELECT category_id, parent_id FROM product_categories WHERE " IN_FORCE " ORDER BY category_id") \
    X (CATALOG_LEVELS,                                                                                         \
       "SELECT membership_product_id, sequence, threshold, earn_multiplier_micro, is_upgradable, is_downgradable, " \
       "spending_window, window_months, grace_days, on_change "                                                \
       "FROM membership_levels WHERE " IN_FORCE " ORDER BY sequence")                                          \
    X (TIME_ZONE, "SELECT name, utc_us, offset_s FROM time_zones WHERE name = $1::text")                       \
    X (TIME_ZONE_ENSURE, "SELECT time_zone_ensure($1::text)")                                                  \
    X (DRAFTS_READ, "SELECT definition FROM promotion_drafts WHERE program_id = ANY ($1::int8[]) ORDER BY program_id") \
    X (PROGRAM_CLOSE,                                                                                          \
       "UPDATE promotion_programs SET version_to = $2::int8 WHERE program_id = $1::int8 AND version_to IS NULL RETURNING state, definition, name, program_type") \
    X (PROGRAM_INSERT,                                                                                         \
       "INSERT INTO promotion_programs (program_id, version_from, name, program_type, state, membership_product_id, is_primary_loyalty, definition) " \
       "VALUES ($1::int8, $2::int8, $3::text, $4::int2, $5::int2, $6::int8, $7::bool, $8::bytea)")             \
    X (DRAFT_PUT,                                                                                              \
       "INSERT INTO promotion_drafts (program_id, name, definition) VALUES ($1::int8, $2::text, $3::bytea) "   \
       "ON CONFLICT (program_id) DO UPDATE SET name = excluded.name, definition = excluded.definition, updated_at = clock_timestamp()") \
    X (DRAFT_DELETE, "DELETE FROM promotion_drafts WHERE program_id = $1::int8")                               \
    X (PROGRAM_GET,                                                                                            \
       "SELECT version_from, state, definition FROM promotion_programs WHERE program_id = $1::int8 "           \
       "AND version_from <= $2::int8 AND (version_to IS NULL OR version_to > $2::int8)")                       \
    X (DRAFT_GET, "SELECT definition FROM promotion_drafts WHERE program_id = $1::int8")                       \
    X (PROGRAM_LIST,                                                                                           \
       "SELECT * FROM (SELECT program_id, name, program_type, state, version_from FROM promotion_programs WHERE version_to IS NULL " \
       "UNION ALL SELECT program_id, name, NULL, 0, NULL FROM promotion_drafts) p "                            \
       "WHERE program_id > $1::int8 AND ($2::int2 IS NULL OR state = $2::int2) ORDER BY program_id, state DESC LIMIT $3::int4") \
    X (STORES_CLOSE, "UPDATE stores SET version_to = $2::int8 WHERE store_id = ANY ($1::int8[]) AND version_to IS NULL") \
    X (STORES_INSERT,                                                                                          \
       "INSERT INTO stores (store_id, version_from, name, time_zone) "                                         \
       "SELECT t.id, $1::int8, t.name, t.zone FROM unnest($2::int8[], $3::text[], $4::text[]) AS t(id, name, zone)") \
    X (CATEGORIES_CLOSE, "UPDATE product_categories SET version_to = $2::int8 WHERE category_id = ANY ($1::int8[]) AND version_to IS NULL") \
    X (CATEGORIES_INSERT,                                                                                      \
       "INSERT INTO product_categories (category_id, version_from, name, parent_id) "                          \
       "SELECT t.id, $1::int8, t.name, t.parent FROM unnest($2::int8[], $3::text[], $4::int8[]) AS t(id, name, parent)") \
    X (LEVELS_CLOSE, "UPDATE membership_levels SET version_to = $2::int8 WHERE membership_product_id = ANY ($1::int8[]) AND version_to IS NULL") \
    X (LEVELS_INSERT,                                                                                          \
       "INSERT INTO membership_levels (membership_product_id, version_from, name, sequence, threshold, earn_multiplier_micro, " \
       "is_upgradable, is_downgradable, spending_window, window_months, grace_days, on_change) "               \
       "SELECT t.id, $1::int8, t.name, t.sequence, t.threshold, t.multiplier, t.up, t.down, t.spending, t.months, t.grace, t.change " \
       "FROM unnest($2::int8[], $3::text[], $4::int4[], $5::int8[], $6::int8[], $7::bool[], $8::bool[], $9::int2[], $10::int4[], " \
       "$11::int4[], $12::int2[]) AS t(id, name, sequence, threshold, multiplier, up, down, spending, months, grace, change)")                                            \
    X (PRODUCTS_UPSERT,                                                                                        \
       "INSERT INTO products (product_id, name, reference, category_id, tags, active, row_version) "           \
       "SELECT t.id, t.name, t.reference, t.category_id, t.tags::text[], t.active, $1::int8 "                  \
       "FROM unnest($2::int8[], $3::text[], $4::text[], $5::int8[], $6::text[], $7::bool[]) "                  \
       "AS t(id, name, reference, category_id, tags, active) "                                                 \
       "ON CONFLICT (product_id) DO UPDATE SET name = excluded.name, reference = excluded.reference, "         \
       "category_id = excluded.category_id, tags = excluded.tags, active = excluded.active, row_version = excluded.row_version") \
    X (PARTNERS_UPSERT,                                                                                        \
       "INSERT INTO partners (partner_id, name, birthday, active, row_version) "                               \
       "SELECT t.id, t.name, t.birthday::date, t.active, $1::int8 "                                            \
       "FROM unnest($2::int8[], $3::text[], $4::text[], $5::bool[]) AS t(id, name, birthday, active) "         \
       "ON CONFLICT (partner_id) DO UPDATE SET name = excluded.name, birthday = excluded.birthday, "           \
       "active = excluded.active, row_version = excluded.row_version")                                         \
    X (LOAD_BEGIN, "INSERT INTO loads (note) VALUES ($1::text) RETURNING load_id")                             \
    X (LOAD_LOCK, "SELECT state FROM loads WHERE load_id = $1::int8 FOR UPDATE")                               \
    X (LOAD_PUT,                                                                                               \
       "INSERT INTO load_parts (load_id, part, body) VALUES ($1::int8, $2::int4, $3::bytea) "                  \
       "ON CONFLICT (load_id, part) DO UPDATE SET body = excluded.body")                                       \
    X (LOAD_PARTS, "SELECT part, body FROM load_parts WHERE load_id = $1::int8 ORDER BY part")                 \
    X (LOAD_FINISH, "UPDATE loads SET state = 2 WHERE load_id = $1::int8")                                     \
    X (LOAD_PARTS_DELETE, "DELETE FROM load_parts WHERE load_id = $1::int8")                                   \
    /* -------- coupons: a batch has no bucket, its coupons lie in that of its name */                         \
    X (PARTNER_KNOWN,                                                                                          \
       "SELECT EXISTS (SELECT FROM members WHERE bucket = $1::int2 AND partner_id = $2::int8) "                \
       "OR EXISTS (SELECT FROM partners WHERE partner_id = $2::int8)")                                         \
    X (COUPON_BATCH_PUT,                                                                                       \
       "INSERT INTO coupon_batches AS b (batch, program_id, pattern, points, expires, total, created_at) "     \
       "VALUES ($1::text, $2::int8, $3::text, $4::int8, $5::timestamptz, $6::int4, $7::timestamptz) "          \
       "ON CONFLICT (batch) DO UPDATE SET total = greatest(b.total, excluded.total) "                          \
       "RETURNING program_id, pattern, points, expires")                                                       \
    X (COUPON_TOTAL, "SELECT coalesce(sum(total), 0)::int8 FROM coupon_batches WHERE pattern = $1::text")      \
    X (COUPON_BATCH_GET, "SELECT program_id, pattern, points, expires, total FROM coupon_batches WHERE batch = $1::text") \
    X (COUPONS_READ,                                                                                           \
       "SELECT number, card_id, code FROM coupons WHERE bucket = $1::int2 AND batch = $2::text AND number >= $3::int4 " \
       "ORDER BY number LIMIT $4::int4")                                                                       \
    X (COUPONS_INSERT,                                                                                         \
       "INSERT INTO coupons (bucket, batch, number, card_id, code) "                                           \
       "SELECT $1::int2, $2::text, t.number, t.card_id, t.code FROM unnest($3::int4[], $4::int8[], $5::text[]) AS t(number, card_id, code)") \
    /* What cards are worth at $3, from all their lots. */                                                     \
    X (COUPON_CARDS,                                                                                           \
       "SELECT c.card_id, c.program_id, c.partner_id, c.code, c.state, c.held, l.usable, l.pending, l.expired, l.expires " \
       "FROM unnest($2::int8[]) AS t(id) "                                                                     \
       "CROSS JOIN LATERAL (SELECT * FROM loyalty_cards r WHERE r.bucket = $1::int2 AND r.card_id = t.id LIMIT 1) c " \
       "CROSS JOIN LATERAL (SELECT "                                                                           \
       "coalesce(sum(remaining) FILTER (WHERE state = 1 AND usable_from <= $3::timestamptz AND expires > $3::timestamptz), 0)::int8 AS usable, " \
       "coalesce(sum(remaining) FILTER (WHERE state = 1 AND usable_from > $3::timestamptz AND expires > $3::timestamptz), 0)::int8 AS pending, " \
       "coalesce(sum(remaining) FILTER (WHERE state = 3 OR (state = 1 AND expires <= $3::timestamptz)), 0)::int8 AS expired, " \
       "max(expires) AS expires FROM point_moves m WHERE m.bucket = $1::int2 AND m.card_id = t.id OFFSET 0) l") \
    /* -------- jobs: a page of keys after $2, and which of its rows are to be worked on; the last is always told */ \
    X (JOB_READ, "SELECT period, step, cursor_bucket, cursor_id, examined, changed, failed, is_done, is_stopped FROM job_runs WHERE job = $1::text") \
    /* Only from the step that was read: of two at once one writes nothing. */                                 \
    X (JOB_SAVE,                                                                                               \
       "INSERT INTO job_runs AS j (job, period, step, cursor_bucket, cursor_id, examined, changed, failed, started_at, updated_at, is_done) " \
       "VALUES ($1::text, $2::text, $3::int8 + 1, $4::int2, $5::int8, $6::int8, $7::int8, $8::int8, $9::timestamptz, $9::timestamptz, $10::bool) " \
       "ON CONFLICT (job) DO UPDATE SET period = excluded.period, step = excluded.step, cursor_bucket = excluded.cursor_bucket, " \
       "cursor_id = excluded.cursor_id, examined = excluded.examined, changed = excluded.changed, failed = excluded.failed, " \
       "started_at = CASE WHEN $11::bool THEN excluded.started_at ELSE j.started_at END, "                     \
       "updated_at = excluded.updated_at, is_done = excluded.is_done, is_stopped = j.is_stopped AND NOT $12::bool " \
       "WHERE j.step = $3::int8 RETURNING step")                                                               \
    X (JOB_STOP,                                                                                               \
       "INSERT INTO job_runs AS j (job, period, step, cursor_bucket, cursor_id, started_at, updated_at, is_done, is_stopped) " \
       "VALUES ($1::text, '', 0, 0, 0, $2::timestamptz, $2::timestamptz, true, true) "                         \
       "ON CONFLICT (job) DO UPDATE SET is_stopped = true RETURNING is_done")                                  \
    X (JOB_LIST,                                                                                               \
       "SELECT job, period, examined, changed, failed, started_at, updated_at, is_done, is_stopped, step FROM job_runs") \
    X (EXPIRE_PAGE,                                                                                            \
       "WITH page AS MATERIALIZED (SELECT card_id, partner_id, first_expiry <= $4::timestamptz AS due FROM loyalty_cards " \
       "WHERE bucket = $1::int2 AND card_id > $2::int8 ORDER BY card_id LIMIT $3::int4), "                     \
       "numbered AS (SELECT *, row_number() OVER (ORDER BY card_id) AS n, count(*) OVER () AS total FROM page) " \
       "SELECT card_id, partner_id, due, n FROM numbered WHERE due OR n = total ORDER BY n")                   \
    X (REFERRALS_PAGE,                                                                                         \
       "WITH page AS MATERIALIZED (SELECT DISTINCT card_id FROM referral_credits "                             \
       "WHERE bucket = $1::int2 AND card_id > $2::int8 AND booked IS NULL ORDER BY card_id LIMIT $3::int4) "   \
       "SELECT p.card_id, c.partner_id, true AS due, row_number() OVER (ORDER BY p.card_id) FROM page p CROSS JOIN LATERAL (" \
       "SELECT partner_id FROM loyalty_cards r WHERE r.bucket = $1::int2 AND r.card_id = p.card_id LIMIT 1) c ORDER BY p.card_id") \
    X (HOLDS_PAGE,                                                                                             \
       "WITH page AS MATERIALIZED (SELECT card_id FROM point_holds "                                           \
       "WHERE bucket = $1::int2 AND card_id > $2::int8 ORDER BY card_id LIMIT $3::int4), "                     \
       "cards AS (SELECT card_id, row_number() OVER (ORDER BY card_id) AS n FROM page GROUP BY card_id), "     \
       "judged AS (SELECT c.card_id, l.partner_id, h.late OR h.old AS due, c.n, count(*) OVER () AS total, h.old FROM cards c " \
       "CROSS JOIN LATERAL (SELECT partner_id FROM loyalty_cards r WHERE r.bucket = $1::int2 AND r.card_id = c.card_id LIMIT 1) l " \
       "CROSS JOIN LATERAL (SELECT coalesce(bool_or(state = 1 AND until <= $4::timestamptz), false) AS late, " \
       "coalesce(bool_or(state <> 1 AND until < $5::timestamptz), false) AS old "                              \
       "FROM point_holds r WHERE r.bucket = $1::int2 AND r.card_id = c.card_id OFFSET 0) h) "                  \
       "SELECT card_id, partner_id, due, n, old FROM judged WHERE due OR n = total ORDER BY n")                \
    X (HOLDS_FORGET,                                                                                           \
       "DELETE FROM point_holds h USING (SELECT r.ctid AS place FROM unnest($2::int8[]) AS t(card_id) "        \
       "CROSS JOIN LATERAL (SELECT ctid FROM point_holds r WHERE r.bucket = $1::int2 AND r.card_id = t.card_id AND r.state <> 1 " \
       "AND r.until < $3::timestamptz OFFSET 0) r LIMIT $4::int4) s WHERE h.ctid = s.place")                   \
    X (MEMBERS_PAGE,                                                                                           \
       "SELECT partner_id FROM members WHERE bucket = $1::int2 AND partner_id > $2::int8 ORDER BY partner_id LIMIT $3::int4") \
    X (SPENDING_OF_MEMBERS,                                                                                    \
       "SELECT t.id, s.day - date '1970-01-01', s.amount FROM unnest($2::int8[]) AS t(id) CROSS JOIN LATERAL (" \
       "SELECT day, amount FROM member_spending r WHERE r.bucket = $1::int2 AND r.partner_id = t.id "          \
       "AND r.day >= date '1970-01-01' + $3::int4 OFFSET 0) s ORDER BY t.id")                                  \
    /* -------- the feed: functions of 0003_feed.sql */                                                        \
    X (FEED_TAKE, "SELECT epoch, last FROM feed_take($1::text, $2::int4)")                                     \
    X (FEED_RENEW, "SELECT feed_renew($1::int8, $2::int4)")                                                    \
    X (FEED_MOVE,                                                                                              \
       "SELECT number, topics, recorded_at, bucket, order_ref, card_id, partner_id, body, record "             \
       "FROM feed_move($1::int8, $2::int8, $3::int4, $4::bool)")                                               \
    X (FEED_ROTATE, "SELECT slots, is_stuck FROM outbox_rotate($1::int8, $2::int8, $3::int4)")                 \
    X (FEED_PARTITIONS, "SELECT made, dropped FROM feed_partitions($1::int8, $2::int4)")                       \
    /* -------- reads */                                                                                       \
    X (HISTORY_PAGE,                                                                                           \
       "SELECT " HISTORY_COLUMNS "FROM point_history WHERE bucket = $1::int2 AND card_id = $2::int8 AND seq < $3::int4 " \
       "ORDER BY seq DESC LIMIT $4::int4")                                                                     \
    /* -------- the feed */                                                                                    \
    X (EVENTS_STATE, "SELECT oldest, last FROM feed_state")                                                    \
    /* Changes of which an event may lie after $1 and none after $2, and that have a topic of $3. */           \
    X (EVENTS_PAGE,                                                                                            \
       "SELECT f.number, f.topics, f.recorded_at, f.bucket, f.order_ref, f.card_id, f.partner_id, f.body, r.record " \
       "FROM (SELECT * FROM feed WHERE number > $1::int8 - 32 AND number <= $2::int8 AND topics & $3::int4 <> 0 " \
       "AND number + bit_count(topics::bit(32)) - 1 > $1::int8 ORDER BY number LIMIT $4::int4) f "             \
       "LEFT JOIN LATERAL (SELECT record FROM orders o WHERE f.order_ref > 0 AND o.bucket = f.bucket "         \
       "AND o.order_ref = f.order_ref AND o.recorded_at = f.recorded_at LIMIT 1) r ON true ORDER BY f.number")

enum statement {
#define X(id, sql) STATEMENT_##id,
    STATEMENTS (X)
#undef X
    STATEMENT_COUNT
};

#endif
