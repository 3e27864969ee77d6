/* coupons.c - `loyalty coupons`: a batch of coupons with unique codes, made in parts, several at once, and written as CSV.
 *
 * Number n of a batch is one coupon for ever (coupon.generate), so that a run that was cut short is repeated with the same batch:
 * what is there is written, and the rest made. */
#include "base/clock.h"
#include "commands.h"
#include "connect.h"
#include "loyalty/json.h"
#include "options.h"
#include "output.h"
#include "wire/schemas.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct command_help HELP = {
    "coupons --program ID --pattern PATTERN --count N [OPTION]...",
    "Makes a batch of coupons of a program, whose codes are unique for ever, and writes them as CSV (number,code) to\n"
    "standard output or a file. Each # of the pattern becomes one of 32 letters and digits: SUMMER-######; it needs\n"
    "1,000 times as many codes as are wanted. Ctrl-C stops it after the parts in hand; run again with the same\n"
    "--batch it goes on from there, and writes all codes. A file is there when it is whole.",
};

enum { PARTS_MAX = 16, COUNT_MAX = 100000000, POLL_MS = 200, SUFFIX_SIZE = 8 };

/* A part of the batch, in the order of numbers: asked for, and perhaps answered. */
struct part {
    long offset;
    bool is_done;
    json_t *codes;
};

struct coupons {
    struct loyalty_client *client;
    const char *pattern, *batch, *points, *expires, *output;
    long program_id, count, part_size, at_once;
    bool json;
    FILE *file;
    struct part parts[PARTS_MAX]; /* a ring: number n lies at (n / part_size) % PARTS_MAX */
    long asked, written;          /* coupons, from number 0 on */
    json_int_t made;              /* that were not there before */
    int64_t from_us;
    char new_batch[LOYALTY_KEY_SIZE];
};

static volatile sig_atomic_t stopped;

static void
stop (int number)
{
    (void)number;
    stopped = 1;
}

/* ---- asking */

static json_t *
part_body (const struct coupons *coupons, long offset)
{
    long left = coupons->count - offset;
    json_t *body = json_pack ("{s:I, s:s, s:s, s:I, s:I, s:I}", "program_id", (json_int_t)coupons->program_id,
                              "pattern", coupons->pattern, "batch", coupons->batch, "offset", (json_int_t)offset,
                              "count", (json_int_t)(left < coupons->part_size ? left : coupons->part_size), "total",
                              (json_int_t)coupons->count);
    if (coupons->points != NULL)
        json_object_set_new (body, "points", json_string (coupons->points));
    if (coupons->expires != NULL)
        json_object_set_new (body, "expires", json_string (coupons->expires));
    return body;
}

static struct part *
part_of (struct coupons *coupons, long offset)
{
    return &coupons->parts[offset / coupons->part_size % PARTS_MAX];
}

static int
ask (struct coupons *coupons)
{
    struct loyalty_error failure;
    struct part *part = part_of (coupons, coupons->asked);
    size_t size = 0;
    json_t *body = part_body (coupons, coupons->asked);
    void *bytes = loyalty_json_encode (body, &size, &failure);
    json_decref (body);
    if (bytes != NULL) {
        *part = (struct part){ .offset = coupons->asked };
        struct loyalty_request request = { .method = "coupon.generate", .body = bytes, .body_size = size };
        uint64_t handle = loyalty_submit (coupons->client, &request, NULL, part, &failure);
        free (bytes);
        if (handle != 0) {
            coupons->asked += coupons->part_size;
            return 0;
        }
    }
    output_failure (&failure, NULL, coupons->json, false);
    return -1;
}

/* ---- answers */

/* A code may hold what CSV gives a meaning. */
static void
write_code (FILE *file, long number, const char *code)
{
    fprintf (file, "%ld,", number);
    if (strpbrk (code, ",\"") == NULL) {
        fprintf (file, "%s\n", code);
        return;
    }
    fputc ('"', file);
    for (; *code != '\0'; code++) {
        if (*code == '"')
            fputc ('"', file);
        fputc (*code, file);
    }
    fputs ("\"\n", file);
}

/* Writes the parts that came, as far as none is missing before them. */
static void
write_parts (struct coupons *coupons)
{
    while (coupons->written < coupons->count) {
        struct part *part = part_of (coupons, coupons->written);
        size_t index;
        json_t *code;
        if (!part->is_done || part->offset != coupons->written)
            return;
        json_array_foreach (part->codes, index, code)
            write_code (coupons->file, coupons->written++, json_string_value (code));
        json_decref (part->codes);
        *part = (struct part){ .offset = -1 };
    }
}

static void
show_progress (const struct coupons *coupons)
{
    if (output_progress ())
        fprintf (stderr, "\rcoupons: %ld of %ld%s", coupons->written, coupons->count,
                 coupons->written == coupons->count ? "\n" : "");
}

/* Takes an answer. -1: it says no, which is printed. */
static int
take (struct coupons *coupons, const struct loyalty_reply *reply)
{
    struct part *part = reply->context;
    struct loyalty_error failure = reply->error;
    long left = coupons->count - part->offset;
    size_t expected = (size_t)(left < coupons->part_size ? left : coupons->part_size);
    if (!reply->ok) {
        json_t *details =
            reply->details != NULL ? loyalty_json_decode (reply->details, reply->details_size, NULL) : NULL;
        output_failure (&failure, details, coupons->json, false);
        json_decref (details);
        return -1;
    }
    json_t *result = loyalty_json_decode (reply->result, reply->result_size, &failure);
    json_t *codes = json_object_get (result, "codes");
    if (json_array_size (codes) != expected) {
        struct error err;
        json_decref (result);
        error_set (&err, ERROR_INTERNAL, "the engine answered with other coupons than those that were asked for");
        return output_error (&err, coupons->json), -1;
    }
    coupons->made += json_integer_value (json_object_get (result, "made"));
    part->codes = json_incref (codes);
    part->is_done = true;
    json_decref (result);
    write_parts (coupons);
    show_progress (coupons);
    return 0;
}

/* ---- to the end */

/* Asks for parts as long as there is room for their answers, and takes these. */
static int
run_parts (struct coupons *coupons)
{
    long window = coupons->at_once * coupons->part_size;
    int status = 0;
    while (status == 0 && coupons->written < coupons->count) {
        while (status == 0 && !stopped && coupons->asked < coupons->count && coupons->asked - coupons->written < window)
            status = ask (coupons);
        struct loyalty_reply reply;
        if (status == 0 && loyalty_in_flight (coupons->client) == 0)
            break; /* stopped */
        if (status == 0 && loyalty_next (coupons->client, POLL_MS, &reply) == 1) {
            status = take (coupons, &reply);
            loyalty_reply_free (&reply);
        }
    }
    return status;
}

static int
file_error (const struct coupons *coupons, const char *doing)
{
    struct error err;
    error_set (&err, ERROR_UNAVAILABLE, "%s: %.150s cannot be %s", strerror (errno),
               coupons->output == NULL ? "standard output" : coupons->output, doing);
    return output_error (&err, coupons->json);
}

static int
tell (struct coupons *coupons)
{
    double seconds = (double)(clock_monotonic_us () - coupons->from_us) / 1e6;
    if (coupons->json)
        output_json (json_pack ("{s:s, s:I, s:s, s:I, s:I, s:f, s:s?}", "batch", coupons->batch, "program_id",
                                (json_int_t)coupons->program_id, "pattern", coupons->pattern, "count",
                                (json_int_t)coupons->written, "made", coupons->made, "seconds", seconds, "output",
                                coupons->output),
                     false);
    else
        fprintf (stderr, "batch %s: %ld codes, %lld of them new, in %.1f s\n", coupons->batch, coupons->written,
                 (long long)coupons->made, seconds);
    return EXIT_DONE;
}

/* Into a file beside it that takes its place when all is there. */
static int
run_to_file (struct coupons *coupons)
{
    char *part = coupons->output != NULL ? malloc (strlen (coupons->output) + SUFFIX_SIZE) : NULL;
    int code = EXIT_FAILED;
    coupons->file = stdout;
    if (coupons->output != NULL) {
        if (part != NULL)
            strcat (strcpy (part, coupons->output), ".part");
        coupons->file = part != NULL ? fopen (part, "we") : NULL;
        if (coupons->file == NULL) {
            free (part);
            return file_error (coupons, "written");
        }
    }
    fputs ("number,code\n", coupons->file);
    int status = run_parts (coupons);
    bool is_whole = status == 0 && coupons->written == coupons->count;
    bool is_written = fflush (coupons->file) == 0 && !ferror (coupons->file);
    if (part != NULL)
        is_written = fclose (coupons->file) == 0 && is_written && (!is_whole || rename (part, coupons->output) == 0);
    if (part != NULL && !(is_whole && is_written))
        unlink (part);
    free (part);
    if (status == 0 && !is_whole)
        fprintf (stderr, "\nstopped: the same command with --batch %s goes on from here\n", coupons->batch);
    else if (status == 0)
        code = is_written ? tell (coupons) : file_error (coupons, "written");
    return code;
}

static int
check_usage (struct coupons *coupons, int left, char **argv)
{
    if (left > 0)
        return options_wrong (&HELP, "coupons takes no argument (%s)", argv[1]);
    if (coupons->program_id == 0 || coupons->pattern == NULL || coupons->count == 0)
        return options_wrong (&HELP, "which --program, --pattern and --count?");
    return EXIT_DONE;
}

int
command_coupons (int argc, char **argv)
{
    struct connect_options where = { .timeout_ms = 60000 };
    struct coupons coupons = { .part_size = COUPONS_MAX, .at_once = 4 };
    const struct option_spec specs[] = {
        CONNECT_OPTIONS (where),
        { "program", OPTION_NUMBER, &coupons.program_id, "ID", "the program whose cards they are", 1, LONG_MAX },
        { "pattern", OPTION_TEXT, &coupons.pattern, "PATTERN", "SUMMER-######", 0, 0 },
        { "count", OPTION_NUMBER, &coupons.count, "N", "how many", 1, COUNT_MAX },
        { "batch", OPTION_TEXT, &coupons.batch, "ID", "the batch's id (default: a new one)", 0, 0 },
        { "points", OPTION_TEXT, &coupons.points, "POINTS", "points of each (default 1)", 0, 0 },
        { "expires", OPTION_TEXT, &coupons.expires, "TIME", "when they expire (default: as the program says)", 0, 0 },
        { "output", OPTION_TEXT, &coupons.output, "FILE", "where to (default: standard output)", 0, 0 },
        { "part", OPTION_NUMBER, &coupons.part_size, "N", "coupons of one request (default 5000)", 1, COUPONS_MAX },
        { "at-once", OPTION_NUMBER, &coupons.at_once, "N", "requests in flight (default 4)", 1, PARTS_MAX },
        { "json", OPTION_FLAG, &coupons.json, NULL, "print what was done as JSON, after the codes", 0, 0 },
        { NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0 },
    };
    int left, code;
    struct error err;
    if (!options_parse (&HELP, specs, argc, argv, &left, &code))
        return code;
    if ((code = check_usage (&coupons, left, argv)) != EXIT_DONE)
        return code;
    if (coupons.batch == NULL) {
        if (loyalty_key_make (coupons.new_batch) < 0)
            return output_error ((error_set (&err, ERROR_INTERNAL, "the system gave no random numbers"), &err),
                                 coupons.json);
        coupons.batch = coupons.new_batch;
    }
    coupons.client = connect_engine (&where, &err);
    if (coupons.client == NULL)
        return output_error (&err, coupons.json);
    struct sigaction action = { .sa_handler = stop, .sa_flags = (int)SA_RESETHAND };
    sigaction (SIGINT, &action, NULL);
    sigaction (SIGTERM, &action, NULL);
    coupons.from_us = clock_monotonic_us ();
    code = run_to_file (&coupons);
    for (unsigned i = 0; i < PARTS_MAX; i++)
        json_decref (coupons.parts[i].codes);
    loyalty_client_destroy (&coupons.client);
    return code;
}
