/* certificate.c - see certificate.h. */
#include "net/certificate.h"
#include "net/zpl.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

enum { FILE_BYTES_MAX = 4096 };

int
certificate_make (struct certificate *certificate, const char *name, const char *server_key, struct error *err)
{
    *certificate = (struct certificate){ 0 };
    snprintf (certificate->name, sizeof certificate->name, "%s", name);
    if (server_key != NULL)
        snprintf (certificate->server_key, sizeof certificate->server_key, "%s", server_key);
    if (zmq_curve_keypair (certificate->public_key, certificate->secret_key) == 0)
        return 0;
    return error_set (err, ERROR_INTERNAL, "cannot make a CURVE key: %s", zmq_strerror (errno));
}

void
certificate_wipe (struct certificate *certificate)
{
    explicit_bzero (certificate, sizeof *certificate);
}

/* --- reading --- */

/* As PostgreSQL has it for its own: the owner's alone, or root's and readable for a group. */
static int
check_mode (int fd, const char *file, struct error *err)
{
    struct stat status;
    if (fstat (fd, &status) != 0 || !S_ISREG (status.st_mode))
        return error_set (err, ERROR_INVALID_REQUEST, "%.200s is no file", file);
    mode_t denied = status.st_uid == 0 ? S_IWGRP | S_IXGRP | S_IRWXO : S_IRWXG | S_IRWXO;
    if ((status.st_mode & denied) != 0)
        return error_set (err, ERROR_FORBIDDEN, "others can read the secret in %.150s: chmod 600 it, and make new keys",
                          file);
    return 0;
}

static int
take_text (const struct zpl_item *item, char *to, size_t size, struct error *err)
{
    bool is_key = size == KEY_TEXT_SIZE;
    if (is_key ? !key_text_is_valid (item->value) : !key_name_is_valid (item->value))
        return error_set (err, ERROR_INVALID_REQUEST, "line %u: %s", item->line,
                          is_key ? "not a CURVE key in Z85 (40 characters)" : "not the name of a key");
    memcpy (to, item->value.data, item->value.size);
    to[item->value.size] = '\0';
    return 0;
}

static int
take_item (struct certificate *certificate, const struct zpl_item *item, struct error *err)
{
    const struct {
        struct str name;
        char *to;
        size_t size;
    } fields[] = {
        { STR ("name"), certificate->name, sizeof certificate->name },
        { STR ("public-key"), certificate->public_key, KEY_TEXT_SIZE },
        { STR ("secret-key"), certificate->secret_key, KEY_TEXT_SIZE },
        { STR ("server-key"), certificate->server_key, KEY_TEXT_SIZE },
    };
    for (unsigned i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (item->depth == 0 && str_equal (item->name, fields[i].name))
            return take_text (item, fields[i].to, fields[i].size, err);
    return error_set (err, ERROR_INVALID_REQUEST, "line %u: none of name, public-key, secret-key and server-key",
                      item->line);
}

static int
read_text (struct certificate *certificate, struct str text, struct error *err)
{
    struct zpl_reader reader = zpl_begin (text);
    struct zpl_item item;
    char public_key[KEY_TEXT_SIZE];
    int got;
    *certificate = (struct certificate){ 0 };
    while ((got = zpl_next (&reader, &item, err)) > 0)
        if (take_item (certificate, &item, err) != 0)
            return -1;
    if (got < 0)
        return -1;
    if (certificate->name[0] == '\0' || certificate->secret_key[0] == '\0')
        return error_set (err, ERROR_INVALID_REQUEST, "it has no %s",
                          certificate->name[0] == '\0' ? "name" : "secret-key");
    if (zmq_curve_public (public_key, certificate->secret_key) != 0 ||
        strcmp (public_key, certificate->public_key) != 0)
        return error_set (err, ERROR_INVALID_REQUEST, "public-key and secret-key do not belong together");
    return 0;
}

static int
read_open_file (struct certificate *certificate, int fd, const char *file, struct error *err)
{
    char text[FILE_BYTES_MAX];
    struct error inner;
    if (check_mode (fd, file, err) != 0)
        return -1;
    ssize_t size = read (fd, text, sizeof text);
    if (size < 0)
        return error_set (err, ERROR_INVALID_REQUEST, "cannot read %.150s: %s", file, strerror (errno));
    int result = size == (ssize_t)sizeof text
                     ? error_set (&inner, ERROR_INVALID_REQUEST, "it is too large for the file of one key")
                     : read_text (certificate, (struct str){ text, (uint32_t)size }, &inner);
    explicit_bzero (text, sizeof text);
    if (result == 0)
        return 0;
    certificate_wipe (certificate);
    return error_set (err, inner.code, "%.130s: %.120s", file, inner.message);
}

int
certificate_load (struct certificate *certificate, const char *file, struct error *err)
{
    int fd = open (file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set (err, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_FORBIDDEN, "cannot read the key %.150s: %s",
                          file, strerror (errno));
    int result = read_open_file (certificate, fd, file, err);
    close (fd);
    return result;
}

/* --- writing --- */

static int
write_open_file (int fd, const struct certificate *certificate)
{
    char text[FILE_BYTES_MAX];
    bool is_server = certificate->server_key[0] == '\0';
    int size = snprintf (text, sizeof text,
                         "# Loyalty Engine: the secret key of \"%s\". Whoever can read this file is %s.\n"
                         "name = \"%s\"\npublic-key = \"%s\"\nsecret-key = \"%s\"\n",
                         certificate->name, certificate->name, certificate->name, certificate->public_key,
                         certificate->secret_key);
    if (!is_server)
        size += snprintf (text + size, sizeof text - (size_t)size, "server-key = \"%s\"\n", certificate->server_key);
    bool written = write (fd, text, (size_t)size) == size && fsync (fd) == 0;
    explicit_bzero (text, sizeof text);
    return written ? 0 : -1;
}

/* Made by root, in the folder of the user whom programs run as, it is to be that user's. */
static int
give_to_owner (int fd, const char *file)
{
    char folder[PATH_MAX];
    struct stat status;
    const char *slash = strrchr (file, '/');
    if (geteuid () != 0)
        return 0;
    snprintf (folder, sizeof folder, "%.*s", slash != NULL ? (int)(slash - file) + 1 : 1, slash != NULL ? file : ".");
    return stat (folder, &status) == 0 ? fchown (fd, status.st_uid, status.st_gid) : -1;
}

int
certificate_save (const struct certificate *certificate, const char *file, struct error *err)
{
    char beside[PATH_MAX];
    if (snprintf (beside, sizeof beside, "%s.new", file) >= (int)sizeof beside)
        return error_set (err, ERROR_INVALID_REQUEST, "the path of the key is too long");
    unlink (beside);
    int fd = open (beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int result = fd >= 0 && give_to_owner (fd, file) == 0 ? write_open_file (fd, certificate) : -1;
    if (fd >= 0 && close (fd) != 0)
        result = -1;
    if (result == 0 && rename (beside, file) == 0)
        return 0;
    error_set (err, ERROR_UNAVAILABLE, "cannot write the key %.150s: %s", file, strerror (errno));
    unlink (beside);
    return -1;
}
