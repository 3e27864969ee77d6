/* certificate.h - the file that holds one peer's secret: its own CURVE keys, and the public key of the server that
 * it talks to. Made by `loyalty keys`; whoever can read it is that peer, so it must be its owner's alone.
 *
 *     name = "till-1"
 *     public-key = "…"
 *     secret-key = "…"
 *     server-key = "…"      of brokers and feeds; not in the server's own file
 */
#ifndef NET_CERTIFICATE_H
#define NET_CERTIFICATE_H

#include "net/key_list.h"

struct certificate {
    char name[KEY_NAME_MAX + 1];
    char public_key[KEY_TEXT_SIZE], secret_key[KEY_TEXT_SIZE];
    char server_key[KEY_TEXT_SIZE]; /* empty in the server's own */
};

/* New keys of that name; `server_key` may be NULL. -1: no random numbers, or a libzmq without CURVE. */
int certificate_make (struct certificate *certificate, const char *name, const char *server_key, struct error *err);

/* Reads a file. -1 with `err`: not_found (there is none), forbidden (others than its owner can read it; a group may
 * where it belongs to root), invalid_request (the line and what is wrong with it; no word of what stands there). */
int certificate_load (struct certificate *certificate, const char *file, struct error *err);

/* Writes a new file that its owner alone can read; one that is there is replaced whole. Written by root it belongs to the
 * owner of its folder. */
int certificate_save (const struct certificate *certificate, const char *file, struct error *err);

/* Forgets the secret. */
void certificate_wipe (struct certificate *certificate);

#endif
