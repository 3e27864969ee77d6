-- Database roles, with no more rights than each program uses. They are made without the right to log in:
-- the operator (or `loyalty up`) grants them to the users that the programs connect as. Where the migrating
-- user may not make roles, this is left to the operator (docs/operations.md).
DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['loyalty_worker', 'loyalty_fsck'] LOOP
        IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = role_name) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
            EXCEPTION
                WHEN insufficient_privilege THEN
                    RAISE NOTICE 'role % is left to the operator: no right to make roles', role_name;
                WHEN duplicate_object OR unique_violation THEN
                    NULL;
            END;
        END IF;
    END LOOP;

    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'loyalty_worker') THEN
        GRANT SELECT ON ALL TABLES IN SCHEMA public TO loyalty_worker;
        GRANT INSERT, UPDATE, DELETE ON request_keys, card_codes TO loyalty_worker;
        GRANT INSERT, UPDATE ON members, member_spending, program_usage, loyalty_cards, point_moves, orders, products, partners, catalog_state,
            promotion_programs, stores, product_categories, membership_levels, loads, load_parts TO loyalty_worker;
        GRANT INSERT, UPDATE ON coupon_batches, job_runs, referral_credits TO loyalty_worker;
        GRANT INSERT, UPDATE, DELETE ON point_holds TO loyalty_worker;
        GRANT INSERT ON coupons TO loyalty_worker;
        GRANT INSERT, UPDATE, DELETE ON promotion_drafts TO loyalty_worker;
        GRANT DELETE ON load_parts, member_spending, program_usage TO loyalty_worker;
        GRANT INSERT ON point_history, membership_history, lot_transfers, order_refunds, outbox, catalog_versions, time_zones TO loyalty_worker;
        -- What is never changed but where a member is forgotten (docs/decisions/010-forgotten-members.md).
        GRANT INSERT, DELETE ON member_replies TO loyalty_worker;
        GRANT DELETE ON members, membership_history, partners TO loyalty_worker;
        GRANT UPDATE (origin) ON point_history TO loyalty_worker;
        GRANT UPDATE (partner_id, origin) ON membership_history TO loyalty_worker;
        GRANT UPDATE (partner_id) ON outbox TO loyalty_worker;
        GRANT UPDATE (code) ON coupons TO loyalty_worker;
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO loyalty_worker;
    END IF;
    IF EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'loyalty_fsck') THEN
        GRANT SELECT ON ALL TABLES IN SCHEMA public TO loyalty_fsck;
    END IF;
END $$;
