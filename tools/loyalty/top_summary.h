/* top_summary.h - two looks at an engine as the figures that people want: rates, and one row for each worker. */
#ifndef LOYALTY_TOP_SUMMARY_H
#define LOYALTY_TOP_SUMMARY_H

#include <jansson.h>

/* The figures of a look (top_look); rates are those since `before`, or, where that is NULL, since the broker or the
 * worker began. What nobody knows is null. A new reference:
 *   version, uptime_ms, at (the machine's clock, RFC 3339)
 *   brokers    [{endpoint, state: ready | draining | away, rate_per_s, waiting, in_work, clients, uptime_ms, message}]
 *   rate_per_s, capacity_per_s, queue {waiting, in_work, bytes, clients, clients_waiting}, of all brokers together
 *   latency_us {p50, p90, p99, p999, max}: of the broker where p99 is the worst
 *   errors     {code: {total, rate_per_s}}
 *   limited    [{who, refused}]: clients that a bound of their own refused something in the last minute, and how often ever
 *   workers    [{name, rate_per_s, credit, in_work, batch, batch_ms, answered, overdue, state: ready | silent | draining, stats}]
 *              of all brokers together; batch: requests in one, batch_ms: how long one takes in the database
 *   feed       {state: live | silent | unknown, number, epoch, leader, heard_ms, rate_per_s, lag_ms}
 *   databases  [{server, role: primary | standby, timeline, workers, in_doubt}], or {server, role: replica, lag_ms, workers}:
 *              to which workers are connected, and the commits whose outcome they do not know; empty where none tells */
json_t *top_summary (const json_t *look, const json_t *before);

#endif
