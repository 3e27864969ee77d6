/* fuzz_envelope.c - any bytes as a frame: the first picks whether as a request's header, a reply's header or a
 * reply's body. What is taken must come out the same when it is written and read again. */
#include "wire/envelope.h"
#include "wire/msgpack.h"
#include "wire/schema.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
require (bool condition)
{
    if (!condition)
        abort ();
}

static struct str
str_of_buf (const struct buf *buf)
{
    return (struct str){ (const char *)buf->data, (uint32_t)buf->size };
}

static void
request_header (struct str frame)
{
    struct request_header header, again;
    struct error err = { .code = ERROR_NONE };
    if (request_header_decode (frame, &header, &err) != 0) {
        require (err.code == ERROR_INVALID_REQUEST || err.code == ERROR_TOO_LARGE);
        return;
    }
    struct buf written = { 0 };
    request_header_encode (&header, &written);
    require (request_header_decode (str_of_buf (&written), &again, &err) == 0);
    require (header.version == PROTOCOL_VERSION && again.id == header.id);
    require (header.ttl_ms >= 1 && header.ttl_ms <= TTL_MAX_MS && again.ttl_ms == header.ttl_ms);
    require (header.method.size <= WIRE_NAME_MAX && str_equal (again.method, header.method));
    require (header.key.size <= WIRE_NAME_MAX && str_equal (again.key, header.key));
    require (header.traceparent.size <= TRACEPARENT_MAX && str_equal (again.traceparent, header.traceparent));
    require (again.affinity == header.affinity);
    buf_free (&written);
}

static void
reply_header (struct str frame)
{
    uint64_t id, again;
    struct error err = { .code = ERROR_NONE };
    if (reply_header_decode (frame, &id, &err) != 0)
        return;
    struct buf written = { 0 };
    reply_header_encode (id, &written);
    require (reply_header_decode (str_of_buf (&written), &again, &err) == 0 && again == id);
    buf_free (&written);
}

static void
reply_body (struct str frame)
{
    bool ok;
    struct str result;
    struct error failure, again, err = { .code = ERROR_NONE };
    int64_t retry_after_ms, retry_again_ms;
    if (reply_body_decode (frame, &ok, &result, &failure, &retry_after_ms, &err) != 0)
        return;
    if (ok) {
        struct wire_reader reader = wire_reader_of (result);
        require (result.data >= frame.data && result.data + result.size <= frame.data + frame.size);
        require (wire_skip (&reader, WIRE_FOREIGN_DEPTH_MAX) && reader.at == reader.end);
        return;
    }
    require (failure.code > ERROR_NONE && failure.code < ERROR_CODE_COUNT);
    struct buf written = { 0 };
    reply_error_encode (&failure, retry_after_ms, &written);
    require (reply_body_decode (str_of_buf (&written), &ok, &result, &again, &retry_again_ms, &err) == 0 && !ok);
    require (again.code == failure.code && again.detail_count == failure.detail_count);
    require (retry_again_ms == (retry_after_ms > 0 ? retry_after_ms : 0));
    buf_free (&written);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct str frame = { (const char *)data + 1, (uint32_t)(size - 1) };
    switch (data[0] % 3) {
    case 0:
        request_header (frame);
        break;
    case 1:
        reply_header (frame);
        break;
    default:
        reply_body (frame);
    }
    return 0;
}
