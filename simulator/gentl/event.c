/* The new-buffer event of a stream. Its handle is the stream's own: one stream has one such event. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "producer.h"

#define NS_PER_S UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)
#define FOREVER_NS (UINT64_C(1) << 62)

static struct stream *as_event(void *handle)
{
    for (uint32_t i = 0; i < MAX_DEVICES; i++) {
        struct stream *stream = &producer.devices[i].stream;
        if (handle == &stream->event_registered && stream->event_registered)
            return stream;
    }
    return NULL;
}

GC_ERROR GCRegisterEvent(EVENTSRC_HANDLE source, EVENT_TYPE type, EVENT_HANDLE *event)
{
    struct stream *stream = as_stream(source);
    GC_ERROR error = GC_ERR_SUCCESS;

    if (stream == NULL && !is_system(source) && !is_interface(source) && as_device(source) == NULL &&
        as_remote(source) == NULL)
        return fail(GC_ERR_INVALID_HANDLE, "not an open module");
    if (event == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "no place for the handle");
    if (stream == NULL || type != EVENT_NEW_BUFFER)
        return fail(GC_ERR_NOT_IMPLEMENTED, "streams report new buffers; there are no other events");
    pthread_mutex_lock(&stream->lock);
    if (stream->event_registered) {
        error = fail(GC_ERR_RESOURCE_IN_USE, "the event is already registered");
    } else {
        stream->event_registered = true;
        *event = &stream->event_registered;
    }
    pthread_mutex_unlock(&stream->lock);
    return error;
}

GC_ERROR GCUnregisterEvent(EVENTSRC_HANDLE source, EVENT_TYPE type)
{
    struct stream *stream = as_stream(source);

    if (stream == NULL)
        return fail(GC_ERR_INVALID_HANDLE, "not an open stream");
    if (type != EVENT_NEW_BUFFER || !stream->event_registered)
        return fail(GC_ERR_INVALID_PARAMETER, "the event is not registered");
    pthread_mutex_lock(&stream->lock);
    stream->event_registered = false;
    stream->event_kills = stream->event_waiters;
    pthread_cond_broadcast(&stream->delivered);
    pthread_mutex_unlock(&stream->lock);
    return GC_ERR_SUCCESS;
}

/* The injected hang: a producer that does not come back from its call, whatever timeout it was given. */
static void hang(const struct stream *stream)
{
    struct line_device *shared = shared_of(stream->device);

    for (;;) {
        uint64_t until = __atomic_load_n(&shared->hang_until_ns, __ATOMIC_ACQUIRE);
        uint64_t now = monotonic_ns();
        if (now >= until)
            return;
        sleep_ns(until - now < 20 * NS_PER_MS ? until - now : 20 * NS_PER_MS);
    }
}

/* Called with the lock held. */
static struct buffer *wait_for_buffer(struct stream *stream, uint64_t timeout_ms, GC_ERROR *error)
{
    uint64_t wait_ns = timeout_ms < FOREVER_NS / NS_PER_MS ? timeout_ms * NS_PER_MS : FOREVER_NS;
    uint64_t due = monotonic_ns() + wait_ns;
    struct timespec until = {.tv_sec = (time_t)(due / NS_PER_S), .tv_nsec = (long)(due % NS_PER_S)};
    struct buffer *buffer;

    stream->event_waiters++;
    for (;;) {
        if (stream->event_kills > 0) {
            stream->event_kills--;
            *error = fail(GC_ERR_ABORT, "the wait was ended");
            buffer = NULL;
            break;
        }
        buffer = queue_take(&stream->output);
        if (buffer != NULL)
            break;
        if (pthread_cond_timedwait(&stream->delivered, &stream->lock, &until) == ETIMEDOUT && monotonic_ns() >= due) {
            *error = fail(GC_ERR_TIMEOUT, "no new buffer in time");
            break;
        }
    }
    stream->event_waiters--;
    return buffer;
}

GC_ERROR EventGetData(EVENT_HANDLE event, void *bytes, size_t *size, uint64_t timeout_ms)
{
    struct stream *stream = as_event(event);
    GC_ERROR error = GC_ERR_SUCCESS;
    EVENT_NEW_BUFFER_DATA data = {0};

    if (stream == NULL)
        return fail(GC_ERR_INVALID_HANDLE, "not a registered event");
    if (size == NULL || (bytes != NULL && *size < sizeof data))
        return fail(GC_ERR_BUFFER_TOO_SMALL, "no place for the event");
    hang(stream);
    pthread_mutex_lock(&stream->lock);
    struct buffer *buffer = wait_for_buffer(stream, timeout_ms, &error);
    if (buffer != NULL) {
        buffer->state = BUFFER_IDLE;
        stream->event_fired++;
        data = (EVENT_NEW_BUFFER_DATA){.BufferHandle = buffer, .pUserPointer = buffer->user};
    }
    pthread_mutex_unlock(&stream->lock);
    if (error != GC_ERR_SUCCESS)
        return error;
    if (bytes != NULL)
        memcpy(bytes, &data, sizeof data);
    *size = sizeof data;
    return GC_ERR_SUCCESS;
}

GC_ERROR EventGetDataInfo(EVENT_HANDLE event, const void *bytes, size_t bytes_size, EVENT_DATA_INFO_CMD command,
                          INFO_DATATYPE *type, void *value, size_t *size)
{
    EVENT_NEW_BUFFER_DATA data;

    if (as_event(event) == NULL)
        return fail(GC_ERR_INVALID_HANDLE, "not a registered event");
    if (bytes == NULL || bytes_size < sizeof data)
        return fail(GC_ERR_INVALID_PARAMETER, "not the data of this event");
    memcpy(&data, bytes, sizeof data);
    if (command == EVENT_DATA_ID)
        return answer_pointer(data.BufferHandle, type, value, size);
    if (command == EVENT_DATA_VALUE)
        return answer_pointer(data.pUserPointer, type, value, size);
    return fail(GC_ERR_NOT_AVAILABLE, "no such fact about the event");
}

GC_ERROR EventGetInfo(EVENT_HANDLE event, EVENT_INFO_CMD command, INFO_DATATYPE *type, void *value, size_t *size)
{
    struct stream *stream = as_event(event);

    if (stream == NULL)
        return fail(GC_ERR_INVALID_HANDLE, "not a registered event");
    pthread_mutex_lock(&stream->lock);
    const size_t waiting = stream->output.length;
    const uint64_t fired = stream->event_fired;
    pthread_mutex_unlock(&stream->lock);
    switch (command) {
    case EVENT_EVENT_TYPE:
        return answer_i32(EVENT_NEW_BUFFER, type, value, size);
    case EVENT_NUM_IN_QUEUE:
        return answer_size(waiting, type, value, size);
    case EVENT_NUM_FIRED:
        return answer_u64(fired, type, value, size);
    case EVENT_SIZE_MAX:
        return answer_size(sizeof(EVENT_NEW_BUFFER_DATA), type, value, size);
    case EVENT_INFO_DATA_SIZE_MAX:
        return answer_size(sizeof(void *), type, value, size);
    default:
        return fail(GC_ERR_NOT_AVAILABLE, "no such fact about the event");
    }
}

GC_ERROR EventFlush(EVENT_HANDLE event)
{
    struct stream *stream = as_event(event);

    if (stream == NULL)
        return fail(GC_ERR_INVALID_HANDLE, "not a registered event");
    pthread_mutex_lock(&stream->lock);
    for (struct buffer *buffer = queue_take(&stream->output); buffer != NULL; buffer = queue_take(&stream->output))
        buffer->state = BUFFER_IDLE;
    pthread_mutex_unlock(&stream->lock);
    return GC_ERR_SUCCESS;
}

GC_ERROR EventKill(EVENT_HANDLE event)
{
    struct stream *stream = as_event(event);

    if (stream == NULL)
        return fail(GC_ERR_INVALID_HANDLE, "not a registered event");
    pthread_mutex_lock(&stream->lock);
    if (stream->event_kills < stream->event_waiters)
        stream->event_kills++;
    pthread_cond_broadcast(&stream->delivered);
    pthread_mutex_unlock(&stream->lock);
    return GC_ERR_SUCCESS;
}
