/* commands.h - the commands of `loyalty`, each in a file of its own, and the exit codes they share.
 *
 * A command gets its arguments as a main does (argv[0] is its name), prints its result on standard output and
 * what went wrong on standard error, and returns the exit code. With --json the last line it prints is one JSON object. */
#ifndef LOYALTY_COMMANDS_H
#define LOYALTY_COMMANDS_H

enum exit_code {
    EXIT_DONE = 0,   /* it did what was asked */
    EXIT_FAILED = 1, /* the engine, the database or the system said no */
    EXIT_USAGE = 2,  /* the command line is wrong */
};

int command_bench (int argc, char **argv);
int command_call (int argc, char **argv);
int command_coupons (int argc, char **argv);
int command_drain (int argc, char **argv);
int command_events (int argc, char **argv);
int command_fsck (int argc, char **argv);
int command_job (int argc, char **argv);
int command_keys (int argc, char **argv);
int command_load (int argc, char **argv);
int command_migrate (int argc, char **argv);
int command_top (int argc, char **argv);
int command_up (int argc, char **argv);

#endif
