/* handlers.c - what each method does in a worker: one table. */
#include "store/migrate.h"
#include "wire/msgpack.h"
#include "worker/card_methods.h"
#include "worker/catalog_methods.h"
#include "worker/coupon_methods.h"
#include "worker/event_methods.h"
#include "worker/hold_methods.h"
#include "worker/job_methods.h"
#include "worker/member_methods.h"
#include "worker/membership_methods.h"
#include "worker/order_request.h"
#include "worker/referral_methods.h"
#include "render/render.h"

static int
health_execute (struct executor *executor, struct request *request)
{
    struct buf *out = &request->reply;
    const struct pg_server *server = pg_server (executor->pg);
    render_ok (out, 7);
    render_text (out, "status", STR ("ok"));
    render_text (out, "version", str_of (LOYALTY_VERSION));
    render_int (out, "schema", store_schema_version ());
    render_int (out, "catalog_version", executor->cache.catalog->version);
    render_text (out, "worker", str_of (executor->settings->name));
    wire_write_cstr (out, "database");
    wire_write_map (out, 3);
    render_text (out, "server", str_of (server->name));
    wire_write_cstr (out, "in_recovery");
    wire_write_bool (out, server->in_recovery);
    render_int (out, "timeline", server->timeline);
    render_time (out, "time", executor->unit.recorded_at);
    return 0;
}

const struct handler HANDLERS[METHOD_COUNT] = {
    [METHOD_ORDER_QUOTE] = { .prepare = order_prepare,
                             .look_up = order_look_up,
                             .want = order_want,
                             .count = order_count,
                             .execute = order_execute },
    [METHOD_ORDER_PROCESS] = { .prepare = order_prepare,
                               .look_up = order_look_up,
                               .waits_for = order_waits_for,
                               .want = order_want,
                               .count = order_count,
                               .execute = order_execute,
                               .replay = order_replay,
                               .makes_order = true },
    [METHOD_ORDER_REFUND] = { .prepare = order_prepare,
                              .look_up = order_look_up,
                              .waits_for = order_waits_for,
                              .want = order_want,
                              .count = order_count,
                              .execute = order_execute,
                              .replay = order_replay,
                              .makes_order = true },
    [METHOD_ORDER_CANCEL] = { .prepare = cancel_prepare,
                              .look_up = order_look_up,
                              .waits_for = order_waits_for,
                              .want = order_want,
                              .count = order_count,
                              .execute = cancel_execute,
                              .replay = cancel_replay,
                              .makes_order = true },
    [METHOD_ORDER_GET] = { .execute = order_get_execute, .may_be_late = true },
    [METHOD_ORDER_EXPLAIN] = { .execute = order_explain_execute, .may_be_late = true },
    [METHOD_CARD_CREATE] = { .prepare = card_create_prepare,
                             .want = card_create_want,
                             .execute = card_create_execute,
                             .replay = stored_replay },
    [METHOD_CARD_GET] = { .prepare = card_get_prepare,
                          .look_up = card_look_up,
                          .want = card_want,
                          .execute = card_get_execute },
    [METHOD_CARD_BALANCE] = { .prepare = card_get_prepare,
                              .look_up = card_look_up,
                              .want = card_want,
                              .execute = card_balance_execute },
    [METHOD_CARD_HISTORY] = { .prepare = card_get_prepare,
                              .look_up = card_look_up,
                              .want = card_want,
                              .execute = card_history_execute,
                              .may_be_late = true },
    [METHOD_CARD_ADJUST] = { .prepare = card_adjust_prepare,
                             .look_up = card_look_up,
                             .want = card_want,
                             .execute = card_adjust_execute,
                             .replay = stored_replay },
    [METHOD_PROGRAM_PUT] = { .execute = program_put_execute, .replay = stored_replay, .alone = true },
    [METHOD_PROGRAM_GET] = { .execute = program_get_execute },
    [METHOD_PROGRAM_LIST] = { .execute = program_list_execute },
    [METHOD_PROGRAM_DELETE] = { .execute = program_delete_execute, .replay = stored_replay, .alone = true },
    [METHOD_REFERENCE_PUT] = { .execute = reference_put_execute, .replay = stored_replay, .alone = true },
    [METHOD_LOAD_BEGIN] = { .execute = load_begin_execute, .replay = stored_replay, .alone = true },
    [METHOD_LOAD_PUT] = { .prepare = load_put_prepare,
                          .execute = load_put_execute,
                          .replay = stored_replay,
                          .alone = true },
    [METHOD_LOAD_COMMIT] = { .execute = load_commit_execute, .replay = stored_replay, .alone = true },
    [METHOD_CARD_BLOCK] = { .prepare = card_state_prepare,
                            .look_up = card_look_up,
                            .want = card_want,
                            .execute = card_block_execute,
                            .replay = stored_replay },
    [METHOD_CARD_UNBLOCK] = { .prepare = card_state_prepare,
                              .look_up = card_look_up,
                              .want = card_want,
                              .execute = card_unblock_execute,
                              .replay = stored_replay },
    [METHOD_CARD_TRANSFER] = { .prepare = card_transfer_prepare,
                               .look_up = card_transfer_look_up,
                               .want = card_transfer_want,
                               .execute = card_transfer_execute,
                               .replay = stored_replay },
    [METHOD_COUPON_GENERATE] = { .prepare = coupon_generate_prepare,
                                 .want = coupon_generate_want,
                                 .execute = coupon_generate_execute,
                                 .replay = stored_replay,
                                 .alone = true },
    [METHOD_COUPON_LIST] = { .execute = coupon_list_execute },
    [METHOD_COUPON_CHECK] = { .execute = coupon_check_execute },
    [METHOD_POINTS_HOLD] = { .prepare = points_hold_prepare,
                             .look_up = card_look_up,
                             .want = card_want,
                             .execute = points_hold_execute,
                             .replay = stored_replay },
    [METHOD_POINTS_CAPTURE] = { .prepare = hold_prepare,
                                .look_up = hold_look_up,
                                .want = card_want,
                                .execute = points_capture_execute,
                                .replay = stored_replay },
    [METHOD_POINTS_RELEASE] = { .prepare = hold_prepare,
                                .look_up = hold_look_up,
                                .want = card_want,
                                .execute = points_release_execute,
                                .replay = stored_replay },
    [METHOD_MEMBERSHIP_GET] = { .want = membership_want, .execute = membership_get_execute },
    [METHOD_MEMBERSHIP_CHANGE] = { .prepare = membership_prepare,
                                   .want = membership_want,
                                   .execute = membership_change_execute,
                                   .replay = stored_replay },
    [METHOD_MEMBERSHIP_EVALUATE] = { .prepare = membership_prepare,
                                     .want = membership_want,
                                     .execute = membership_evaluate_execute,
                                     .replay = stored_replay },
    [METHOD_JOB_RUN] = { .look_up = job_look_up,
                         .want = job_want,
                         .execute = job_execute,
                         .replay = stored_replay,
                         .alone = true,
                         .background = true },
    [METHOD_JOB_LIST] = { .execute = job_list_execute },
    [METHOD_JOB_STOP] = { .execute = job_stop_execute, .replay = stored_replay, .alone = true },
    [METHOD_REFERRAL_CREATE] = { .prepare = referral_create_prepare,
                                 .look_up = referral_create_look_up,
                                 .want = referral_create_want,
                                 .count = referral_create_count,
                                 .execute = referral_create_execute,
                                 .replay = stored_replay },
    [METHOD_MEMBER_FORGET] = { .want = member_forget_want,
                               .execute = member_forget_execute,
                               .replay = stored_replay,
                               .alone = true },
    [METHOD_MEMBER_MERGE] = { .want = member_merge_want,
                              .execute = member_merge_execute,
                              .replay = stored_replay,
                              .alone = true },
    [METHOD_EVENTS_READ] = { .execute = events_read_execute, .may_be_late = true },
    [METHOD_ADMIN_HEALTH] = { .execute = health_execute },
};
