/* call.c - `loyalty call`: one request from the command line or a pipe, its answer as JSON. */
#include "commands.h"
#include "connect.h"
#include "json_input.h"
#include "loyalty/json.h"
#include "options.h"
#include "output.h"

#include <string.h>
#include <unistd.h>

static const struct command_help HELP = {
    "call METHOD [JSON or -] [OPTION]...",
    "Sends one request and prints its answer: the result as JSON, or {\"error\": …} and exit code 1. The body is\n"
    "an argument, or read from standard input (-); without one it is empty. docs/protocol.md lists the methods.\n"
    "A request that changes something has one effect per key: with the same --key it is answered again.",
};

/* The body that argv names; NULL with `err`. */
static json_t *
body_read (int argc, char **argv, struct error *err)
{
    if (argc < 3)
        return json_object ();
    if (strcmp (argv[2], "-") == 0)
        return json_input_file (stdin, "standard input", err);
    return json_input_text (argv[2], strlen (argv[2]), "the body", err);
}

int
command_call (int argc, char **argv)
{
    struct connect_options where = { 0 };
    const char *key = NULL;
    bool json = false;
    const struct option_spec specs[] = {
        CONNECT_OPTIONS (where),
        { "key", OPTION_TEXT, &key, "KEY", "the request's key (default: a new one where the method needs it)", 0, 0 },
        { "json", OPTION_FLAG, &json, NULL, "one line also on a terminal", 0, 0 },
        { NULL, OPTION_FLAG, NULL, NULL, NULL, 0, 0 },
    };
    int left, code;
    struct error err;
    if (!options_parse (&HELP, specs, argc, argv, &left, &code))
        return code;
    if (left < 1 || left > 2)
        return options_wrong (&HELP, left < 1 ? "which method?" : "more than a method and a body");
    bool pretty = !json && isatty (STDOUT_FILENO) == 1;
    json_t *body = body_read (left + 1, argv, &err);
    if (body == NULL)
        return output_error (&err, true);
    struct loyalty_client *client = connect_engine (&where, &err);
    if (client == NULL) {
        json_decref (body);
        return output_error (&err, true);
    }
    struct loyalty_request request = { .method = argv[1], .key = key };
    struct loyalty_error failure;
    json_t *details = NULL;
    json_t *result = loyalty_call_json (client, &request, body, &details, &failure);
    code = EXIT_DONE;
    if (result != NULL)
        output_json (result, pretty);
    else
        code = output_failure (&failure, details, true, pretty);
    json_decref (details);
    json_decref (body);
    loyalty_client_destroy (&client);
    return code;
}
