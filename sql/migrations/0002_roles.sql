-- Database roles, with no more rights than each program uses: test/integration/test_database_roles.py derives what that is
-- from the statements themselves. They are made without the right to log in: the operator (or `loyalty up`) grants them to
-- the users that the programs connect as. Where the migrating user may not make roles, the operator makes them before the
-- first `loyalty migrate` (docs/operations.md). The feed's tables and their grants are in 0003_feed.sql.
DO $$
DECLARE
    role_name text;
    roles text[] := ARRAY['loyalty_worker', 'loyalty_feed', 'loyalty_sync', 'loyalty_collector', 'loyalty_fsck'];
BEGIN
    FOREACH role_name IN ARRAY roles LOOP
        IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = role_name) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
            EXCEPTION
                WHEN insufficient_privilege THEN
                    RAISE WARNING 'role % is not made, since there is no right to make roles: nothing is granted to it', role_name;
                WHEN duplicate_object OR unique_violation THEN
                    NULL;
            END;
        END IF;
        -- What every program asks for when it connects.
        IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = role_name) THEN
            EXECUTE format('GRANT SELECT ON schema_state, settings TO %I', role_name);
        END IF;
    END LOOP;

    -- What everyone may do in a new database of PostgreSQL 14, and temporary tables in any.
    REVOKE CREATE ON SCHEMA public FROM PUBLIC;
    EXECUTE format('REVOKE CREATE, TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
    REVOKE EXECUTE ON FUNCTION partitions_ensure(timestamptz, integer), partitions_missed(), time_zone_ensure(text), time_zone_offset(text, timestamptz)
        FROM PUBLIC;

    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'loyalty_worker') THEN
        -- The catalog and what orders refer to.
        GRANT SELECT ON time_zones, catalog_state, catalog_versions, promotion_programs, promotion_drafts, stores, product_categories,
            membership_levels, products, partners, loads, load_parts TO loyalty_worker;
        GRANT INSERT ON time_zones, catalog_versions, promotion_programs, promotion_drafts, stores, product_categories,
            membership_levels, products, partners, loads, load_parts TO loyalty_worker;
        GRANT UPDATE (version, reference_version) ON catalog_state TO loyalty_worker;
        GRANT UPDATE (version_to) ON promotion_programs, stores, product_categories, membership_levels TO loyalty_worker;
        GRANT UPDATE (name, definition, updated_at) ON promotion_drafts TO loyalty_worker;
        GRANT UPDATE (name, reference, category_id, tags, active, row_version) ON products TO loyalty_worker;
        GRANT UPDATE (name, birthday, active, row_version) ON partners TO loyalty_worker;
        GRANT UPDATE (state) ON loads TO loyalty_worker;
        GRANT UPDATE (body) ON load_parts TO loyalty_worker;
        GRANT DELETE ON promotion_drafts, load_parts TO loyalty_worker;
        -- The ledger. Nothing of it is deleted but keys and codes of what failed, and what is counted by day or use where it moves.
        GRANT SELECT, INSERT ON request_keys, member_replies, card_codes, coupon_batches, coupons, members, membership_history,
            member_spending, loyalty_cards, point_moves, program_usage, point_holds, lot_transfers, referral_credits, job_runs,
            point_history, orders, order_refunds TO loyalty_worker;
        GRANT UPDATE (reply, order_ref) ON request_keys TO loyalty_worker;
        GRANT UPDATE (total) ON coupon_batches TO loyalty_worker;
        GRANT UPDATE (order_count, spending, last_order, membership_product_id, membership_from, membership_to, below_since,
            spending_undated, merged_into, absorbed) ON members TO loyalty_worker;
        GRANT UPDATE (amount) ON member_spending TO loyalty_worker;
        GRANT UPDATE (partner_id, code, single, state, state_reason, points, held, debt, lot_count, journal_count, pending_until,
            first_expiry, booked_until, merged_into, odoo_card_id, version) ON loyalty_cards TO loyalty_worker;
        GRANT UPDATE (state, remaining, expires) ON point_moves TO loyalty_worker;
        GRANT UPDATE (used, amount) ON program_usage TO loyalty_worker;
        GRANT UPDATE (state, moved_to) ON point_holds TO loyalty_worker;
        GRANT UPDATE (booked, seq, lot_no) ON referral_credits TO loyalty_worker;
        GRANT UPDATE (period, step, cursor_bucket, cursor_id, examined, changed, failed, started_at, updated_at, is_done, is_stopped)
            ON job_runs TO loyalty_worker;
        GRANT UPDATE (state) ON orders TO loyalty_worker;
        GRANT DELETE ON request_keys, card_codes, member_spending, program_usage, point_holds TO loyalty_worker;
        -- What is never changed but where a member is forgotten (docs/decisions/010-forgotten-members.md).
        GRANT DELETE ON member_replies, members, membership_history, partners TO loyalty_worker;
        GRANT UPDATE (partner_id, pseudonym) ON members TO loyalty_worker;
        GRANT UPDATE (partner_id) ON member_spending TO loyalty_worker;
        GRANT UPDATE (subject) ON program_usage TO loyalty_worker;
        GRANT UPDATE (origin) ON point_history TO loyalty_worker;
        GRANT UPDATE (partner_id, origin) ON membership_history TO loyalty_worker;
        GRANT UPDATE (partner_id, record) ON orders TO loyalty_worker;
        GRANT UPDATE (code) ON coupons TO loyalty_worker;
        GRANT USAGE ON order_blocks, card_blocks, membership_positions TO loyalty_worker;
        GRANT EXECUTE ON FUNCTION partitions_ensure(timestamptz, integer), partitions_missed(), time_zone_ensure(text), time_zone_offset(text, timestamptz)
            TO loyalty_worker;
    END IF;

    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'loyalty_fsck') THEN
        GRANT SELECT ON request_keys, card_codes, coupon_batches, coupons, members, member_spending, loyalty_cards, point_moves,
            program_usage, point_holds, lot_transfers, referral_credits, point_history, orders, order_refunds TO loyalty_fsck;
        EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO loyalty_fsck', current_database());
    END IF;
END $$;
