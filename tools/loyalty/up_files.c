/* up_files.c - see up_files.h. */
#include "up_files.h"
#include "locate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PORT_DEFAULT = 7600 };

int
folders_make (const char *path, mode_t mode, struct error *err)
{
    char part[PATH_MAX];
    snprintf (part, sizeof part, "%s", path);
    for (char *slash = strchr (part + 1, '/');; slash = strchr (slash + 1, '/')) {
        if (slash != NULL)
            *slash = 0;
        if (mkdir (part, slash != NULL ? 0755 : mode) < 0 && errno != EEXIST)
            return error_set (err, ERROR_UNAVAILABLE, "cannot make the folder %.180s: %s", part, strerror (errno));
        if (slash == NULL)
            return 0;
        *slash = '/';
    }
}

static void
path_of (const char *data, const char *name, char path[PATH_MAX])
{
    snprintf (path, PATH_MAX, "%s/%s", data, name);
}

/* A lock of the open file (not of the process), which ends with it however the process ends. */
static const struct flock WHOLE_FILE = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

int
up_lock (const char *data, struct error *err)
{
    char path[PATH_MAX], pid[32] = "";
    struct flock lock = WHOLE_FILE;
    path_of (data, "up.lock", path);
    int fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return error_set (err, ERROR_UNAVAILABLE, "cannot write %.180s: %s", path, strerror (errno));
    if (fcntl (fd, F_OFD_SETLK, &lock) < 0) {
        ssize_t length = read (fd, pid, sizeof pid - 1);
        close (fd);
        pid[length > 0 ? length : 0] = 0;
        pid[strcspn (pid, "\n")] = 0;
        return error_set (err, ERROR_UNAVAILABLE, "%.150s is in use: another `loyalty up` runs there, process %s", data,
                          pid[0] != 0 ? pid : "unknown");
    }
    int length = snprintf (pid, sizeof pid, "%d\n", (int)getpid ());
    if (ftruncate (fd, 0) < 0 || write (fd, pid, (size_t)length) != length) {
        close (fd);
        return error_set (err, ERROR_UNAVAILABLE, "cannot write %.180s: %s", path, strerror (errno));
    }
    return 0; /* fd stays open for as long as this process lives. */
}

bool
up_is_locked (const char *data)
{
    char path[PATH_MAX];
    struct flock lock = WHOLE_FILE;
    path_of (data, "up.lock", path);
    int fd = open (path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool locked = fcntl (fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    close (fd);
    return locked;
}

int
up_file_write (const char *data, const char *name, const char *text, struct error *err)
{
    char path[PATH_MAX], beside[PATH_MAX + 8];
    path_of (data, name, path);
    snprintf (beside, sizeof beside, "%s.new", path);
    FILE *file = fopen (beside, "we");
    bool written = file != NULL && fputs (text, file) >= 0;
    if (file != NULL && fclose (file) != 0)
        written = false;
    if (!written || rename (beside, path) < 0)
        return error_set (err, ERROR_UNAVAILABLE, "cannot write %.180s: %s", path, strerror (errno));
    return 0;
}

/* A line for each endpoint: its port, 0 where it has none. */
static void
ports_of (const char *endpoints, char *text, size_t size)
{
    size_t used = 0;
    for (const char *at = endpoints; at != NULL && used + 16 < size; at = strchr (at, ',')) {
        at += *at == ',';
        size_t length = strcspn (at, ",");
        const char *colon = memrchr (at, ':', length);
        bool is_tcp = strncmp (at, "tcp://", 6) == 0 && colon != NULL;
        used += (size_t)snprintf (text + used, size - used, "%d\n", is_tcp ? atoi (colon + 1) : 0);
    }
}

int
up_files_write (const char *data, const char *endpoints, const json_t *up, struct error *err)
{
    char line[ENDPOINTS_MAX + 2], ports[BROKERS_MAX * 16] = "";
    char *text = json_dumps (up, JSON_INDENT (2));
    int status =
        text != NULL ? up_file_write (data, "up.json", text, err) : error_set (err, ERROR_INTERNAL, "out of memory");
    free (text);
    snprintf (line, sizeof line, "%s\n", endpoints);
    ports_of (endpoints, ports, sizeof ports);
    if (status == 0)
        status = up_file_write (data, "endpoint", line, err);
    return status == 0 ? up_file_write (data, "port", ports, err) : status;
}

void
up_files_remove (const char *data)
{
    static const char *const NAMES[] = { "up.json", "endpoint" };
    char path[PATH_MAX];
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        path_of (data, NAMES[i], path);
        unlink (path);
    }
}

int
up_broker_config (const char *data, char *path, size_t size, struct error *err)
{
    if (snprintf (path, size, "%s/broker.conf", data) >= (int)size)
        return error_set (err, ERROR_INVALID_REQUEST, "the path of the data folder is too long");
    if (access (path, F_OK) == 0)
        return 0;
    return up_file_write (data, "broker.conf",
                          "# Settings of the broker, one `name = value` a line; loyalty-broker --help lists them.\n"
                          "# Read when the broker starts, and again when it gets SIGHUP.\n",
                          err);
}

static bool
port_is_free (int port)
{
    int on = 1;
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons ((uint16_t)port),
                                   .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
    int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_free = fd >= 0 && setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
                   bind (fd, (struct sockaddr *)&address, sizeof address) == 0;
    if (fd >= 0)
        close (fd);
    return is_free;
}

/* The port that a broker had the last time; 0: none. */
static int
port_of_last_time (const char *data, unsigned broker)
{
    char path[PATH_MAX];
    int port = 0;
    path_of (data, "port", path);
    FILE *file = fopen (path, "re");
    if (file == NULL)
        return 0;
    for (unsigned line = 0; line <= broker; line++)
        if (fscanf (file, "%d", &port) != 1)
            port = 0;
    fclose (file);
    return port > 0 && port <= 65535 ? port : 0;
}

void
up_listen_default (const char *data, unsigned broker, char *endpoint, size_t size)
{
    int port = port_of_last_time (data, broker);
    if (port == 0)
        port = PORT_DEFAULT + (int)broker;
    if (port_is_free (port))
        snprintf (endpoint, size, "tcp://127.0.0.1:%d", port);
    else
        snprintf (endpoint, size, "tcp://127.0.0.1:*");
}

void
up_feed_listen (const char *client_endpoint, unsigned feed, char *endpoint, size_t size)
{
    const char *colon = strrchr (client_endpoint, ':');
    bool is_tcp = strncmp (client_endpoint, "tcp://", 6) == 0 && colon > client_endpoint + 5;
    int port = is_tcp ? atoi (colon + 1) : 0;
    if (!is_tcp) {
        snprintf (endpoint, size, "%s.feed-%u", client_endpoint, feed + 1);
        return;
    }
    port = port == 0 ? 0 : port + FEED_PORTS_ABOVE + (int)feed;
    if (port > 0 && port <= 65535 && port_is_free (port))
        snprintf (endpoint, size, "%.*s:%d", (int)(colon - client_endpoint), client_endpoint, port);
    else
        snprintf (endpoint, size, "%.*s:*", (int)(colon - client_endpoint), client_endpoint);
}
