/* bench.c - `loyalty bench`: orders at full speed or at a fixed rate through the whole engine, and what came of it. */
#include "bench.h"
#include "commands.h"
#include "connect.h"
#include "locate.h"
#include "options.h"
#include "output.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const struct command_help HELP = {
    "bench [OPTION]...",
    "Sends orders to a running engine and measures. Without --rate as many as it takes with --concurrency of them in\n"
    "flight (closed loop); with --rate on a fixed schedule, where latency counts from when an order was due. Baskets "
    "have 1 to\n"
    "9 lines (mean 5) with products and prices of real orders; --orders takes whole baskets from a file of JSON "
    "lines.\n"
    "It puts programs, products and members of its own (ids from 900000001 and 4000000000 on) and leaves them there.",
};

/* The most memory that one of the workers holds, in MiB; 0 when there is no telling. */
static double
worker_rss_mb (const char *data)
{
    struct error err;
    json_t *up = locate_up (data, &err), *pid;
    const char *name;
    long most_kb = 0;
    if (up == NULL)
        return 0;
    json_object_foreach (json_object_get (up, "processes"), name, pid)
    {
        char path[64], line[256];
        long kb;
        if (strncmp (name, "worker", 6) != 0)
            continue;
        snprintf (path, sizeof path, "/proc/%lld/status", (long long)json_integer_value (pid));
        FILE *status = fopen (path, "r");
        while (status != NULL && fgets (line, sizeof line, status) != NULL)
            if (sscanf (line, "VmRSS: %ld", &kb) == 1 && kb > most_kb)
                most_kb = kb;
        if (status != NULL)
            fclose (status);
    }
    json_decref (up);
    return (double)most_kb / 1024;
}

static json_t *
rounded (double value, double steps)
{
    return json_real (round (value * steps) / steps);
}

static double
percentile_ms (const struct bench_result *result, double percent)
{
    return (double)histogram_percentile (&result->latency, percent) / 1000;
}

static json_t *
report (const struct bench_settings *settings, const struct bench_baskets *baskets, const struct bench_result *result,
        double pgbench_tps, const char *data)
{
    double rate = (double)result->orders / result->seconds;
    json_t *json = json_object ();
    json_object_set_new (json, "orders_per_s", rounded (rate, 10));
    json_object_set_new (json, "p50_ms", rounded (percentile_ms (result, 50), 1000));
    json_object_set_new (json, "p99_ms", rounded (percentile_ms (result, 99), 1000));
    json_object_set_new (json, "p999_ms", rounded (percentile_ms (result, 99.9), 1000));
    json_object_set_new (json, "max_ms", rounded ((double)result->latency.max_us / 1000, 1000));
    json_object_set_new (json, "errors", json_integer ((json_int_t)result->errors));
    json_object_set_new (json, "pgbench_tps", pgbench_tps > 0 ? rounded (pgbench_tps, 10) : json_null ());
    json_object_set_new (json, "ratio", pgbench_tps > 0 ? rounded (rate / pgbench_tps, 1000) : json_null ());
    json_object_set_new (json, "worker_rss_mb", rounded (worker_rss_mb (data), 10));
    json_object_set_new (json, "orders", json_integer ((json_int_t)result->orders));
    json_object_set_new (json, "redemptions", json_integer ((json_int_t)result->redeemed));
    json_object_set_new (json, "resent", json_integer ((json_int_t)result->resent));
    json_object_set_new (json, "seconds", json_integer (settings->seconds));
    json_object_set_new (json, "warmup_seconds", json_integer (settings->warmup_seconds));
    json_object_set_new (json, "method", json_string (settings->method));
    json_object_set_new (json, "rate", settings->rate > 0 ? json_integer (settings->rate) : json_null ());
    json_object_set_new (json, "concurrency", json_integer (settings->concurrency));
    json_object_set_new (json, "cards", json_integer (settings->hot_card ? 1 : settings->cards));
    json_object_set_new (json, "programs", json_integer (3 + settings->programs));
    json_object_set_new (json, "products", json_integer (baskets->product_count));
    json_object_set_new (json, "redeem_percent", json_integer (settings->redeem_percent));
    if (result->first_error[0] != '\0')
        json_object_set_new (json, "first_error", json_string (result->first_error));
    return json;
}

static void
print_for_people (const json_t *report_json)
{
    const char *name;
    json_t *value;
    json_object_foreach ((json_t *)report_json, name, value)
    {
        if (json_is_real (value))
            printf ("%-16s %.3f\n", name, json_real_value (value));
        else if (json_is_integer (value))
            printf ("%-16s %lld\n", name, (long long)json_integer_value (value));
        else if (json_is_string (value))
            printf ("%-16s %s\n", name, json_string_value (value));
    }
}

static int
bench (struct loyalty_client *client, const struct bench_settings *settings, const char *database, long pgbench_seconds,
       const char *data, json_t **out, struct error *err)
{
    struct bench_baskets baskets;
    static struct bench_result result; /* 7 KB of histogram */
    double tps = 0;
    int status = bench_baskets_read (settings->orders_path, &baskets, err);
    if (status == 0)
        status = bench_prepare (client, settings, &baskets, err);
    if (status == 0 && database != NULL)
        status = bench_pgbench (database, 100, pgbench_seconds, &tps, err);
    if (status == 0)
        status = bench_load (client, settings, &baskets, &result, err);
    if (status == 0)
        *out = report (settings, &baskets, &result, tps, data);
    bench_baskets_free (&baskets);
    return status;
}

int
command_bench (int argc, char **argv)
{
    struct connect_options where = { 0 };
    struct bench_settings settings = { .seconds = 10,
                                       .warmup_seconds = 3,
                                       .concurrency = 256,
                                       .cards = 100000,
                                       .redeem_percent = 20,
                                       .method = "order.process" };
    const char *database = NULL;
    bool vs_pgbench = false, json = false;
    long seed = 0, pgbench_seconds = 30;
    const struct option_spec specs[] = {
        CONNECT_OPTIONS (where),
        { "seconds", OPTION_NUMBER, &settings.seconds, "N", "how long to measure (default 10)", 1, 86400 },
        { "warmup", OPTION_NUMBER, &settings.warmup_seconds, "N", "seconds before that, not counted (default 3)", 0,
          3600 },
        { "rate", OPTION_NUMBER, &settings.rate, "N", "orders a second on a fixed schedule (open loop)", 1, 1000000 },
        { "concurrency", OPTION_NUMBER, &settings.concurrency, "N", "orders in flight, at most (default 256)", 1,
          32768 },
        { "cards", OPTION_NUMBER, &settings.cards, "N", "members, each with a card (default 100000)", 1, 10000000 },
        { "programs", OPTION_NUMBER, &settings.programs, "N",
          "active programs beside the bench's own three (default 0)", 0, 10000 },
        { "hot-card", OPTION_FLAG, &settings.hot_card, NULL, "every order is one member's", 0, 0 },
        { "hot-code", OPTION_FLAG, &settings.hot_code, NULL, "every order spends from one card, shown by its code", 0,
          0 },
        { "hot-limit", OPTION_FLAG, &settings.hot_limit, NULL, "every order is one use of one program with a limit", 0,
          0 },
        { "redeem", OPTION_NUMBER, &settings.redeem_percent, "PERCENT", "orders that spend 100 points (default 20)", 0,
          100 },
        { "orders", OPTION_TEXT, &settings.orders_path, "FILE", "baskets of real orders, as JSON lines", 0, 0 },
        { "method", OPTION_TEXT, &settings.method, "METHOD", "order.process (default) or order.quote", 0, 0 },
        { "seed", OPTION_NUMBER, &seed, "N", "of the baskets (default: the time)", 0, 2147483647 },
        { "vs-pgbench", OPTION_FLAG, &vs_pgbench, NULL,
          "first pgbench -s 100 -c 8 -j 2 -M prepared on the same server, alone", 0, 0 },
        { "pgbench-seconds", OPTION_NUMBER, &pgbench_seconds, "N", "of that (default 30)", 1, 3600 },
        { "database", OPTION_TEXT, &database, "URL", "for --vs-pgbench (default: LOYALTY_DATABASE, or that of --data)",
          0, 0 },
        { "json", OPTION_FLAG, &json, NULL, "the figures as one JSON object", 0, 0 },
        { NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0 },
    };
    int left, code;
    struct error err;
    char url[DATABASE_MAX];
    json_t *result = NULL;

    if (!options_parse (&HELP, specs, argc, argv, &left, &code))
        return code;
    if (left > 0)
        return options_wrong (&HELP, "%s is not an option", argv[1]);
    if (strcmp (settings.method, "order.process") != 0 && strcmp (settings.method, "order.quote") != 0)
        return options_wrong (&HELP, "--method is order.process or order.quote");
    settings.seed = seed != 0 ? (uint64_t)seed : (uint64_t)time (NULL);
    if (settings.rate > 0 && settings.concurrency == 256)
        settings.concurrency = 4096; /* an open loop must not wait for answers */
    if (vs_pgbench && locate_database (database, where.data, url, &err) < 0)
        return output_error (&err, json);
    where.in_flight_max = settings.concurrency > 512 ? settings.concurrency : 512;
    struct loyalty_client *client = connect_engine (&where, &err);
    if (client == NULL)
        return output_error (&err, json);
    int status = bench (client, &settings, vs_pgbench ? url : NULL, pgbench_seconds, where.data, &result, &err);
    loyalty_client_destroy (&client);
    if (status < 0)
        return output_error (&err, json);
    if (!json)
        print_for_people (result);
    output_json (result, false);
    return EXIT_DONE;
}
