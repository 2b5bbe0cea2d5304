/* Data stream: its life, and the buffers that are announced to it. */
#include <stdlib.h>
#include <string.h>

#include "producer.h"

struct stream *as_stream(void *handle)
{
    for (uint32_t i = 0; i < MAX_DEVICES; i++)
        if (handle == &producer.devices[i].stream && producer.devices[i].stream.open)
            return &producer.devices[i].stream;
    return NULL;
}

struct buffer *find_buffer(struct stream *stream, const void *handle)
{
    for (struct buffer *buffer = stream->announced; buffer != NULL; buffer = buffer->next_announced)
        if (buffer == handle)
            return buffer;
    return NULL;
}

GC_ERROR DevOpenDataStream(DEV_HANDLE handle, const char *id, DS_HANDLE *opened)
{
    struct device *device = as_device(handle);
    GC_ERROR error = GC_ERR_SUCCESS;

    if (device == NULL)
        return fail(GC_ERR_INVALID_HANDLE, "not an open device");
    if (id == NULL || strcmp(id, device->id) != 0)
        return fail(GC_ERR_INVALID_ID, "no stream of this name");
    if (opened == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "no place for the handle");
    pthread_mutex_lock(&producer.lock);
    if (device->stream.open) {
        error = fail(GC_ERR_RESOURCE_IN_USE, "the stream is already open");
    } else {
        device->stream.open = true;
        device->stream.delivered_count = device->stream.underrun_count = device->stream.started_count = 0;
        device->stream.event_fired = 0;
        *opened = &device->stream;
    }
    pthread_mutex_unlock(&producer.lock);
    return error;
}

void stream_stop(struct stream *stream)
{
    if (!stream->running)
        return;
    stream->stop = true;
    line_wake(shared_of(stream->device));
    pthread_join(stream->worker, NULL);
    stream->running = false;
}

static void free_buffer(struct buffer *buffer)
{
    if (buffer->owned)
        free(buffer->bytes);
    free(buffer);
}

void stream_close(struct stream *stream)
{
    if (!stream->open)
        return;
    stream_stop(stream);
    pthread_mutex_lock(&stream->lock);
    stream->open = false;
    stream->event_registered = false;
    stream->event_kills = stream->event_waiters;
    pthread_cond_broadcast(&stream->delivered);
    while (stream->announced != NULL) {
        struct buffer *buffer = stream->announced;
        stream->announced = buffer->next_announced;
        free_buffer(buffer);
    }
    stream->announced_count = 0;
    stream->input = stream->output = (struct buffer_queue){0};
    pthread_mutex_unlock(&stream->lock);
}

GC_ERROR DSClose(DS_HANDLE handle)
{
    struct stream *stream = as_stream(handle);
    if (stream == NULL)
        return fail(GC_ERR_INVALID_HANDLE, "not an open stream");
    pthread_mutex_lock(&producer.lock);
    stream_close(stream);
    pthread_mutex_unlock(&producer.lock);
    return GC_ERR_SUCCESS;
}

static GC_ERROR announce(struct stream *stream, struct buffer prototype, BUFFER_HANDLE *handle)
{
    struct buffer *buffer = malloc(sizeof *buffer);
    if (buffer == NULL)
        return fail(GC_ERR_OUT_OF_MEMORY, "no memory for a buffer");
    *buffer = prototype;
    pthread_mutex_lock(&stream->lock);
    struct buffer **end = &stream->announced;
    while (*end != NULL)
        end = &(*end)->next_announced;
    *end = buffer;
    stream->announced_count++;
    pthread_mutex_unlock(&stream->lock);
    *handle = buffer;
    return GC_ERR_SUCCESS;
}

GC_ERROR DSAnnounceBuffer(DS_HANDLE handle, void *bytes, size_t size, void *user, BUFFER_HANDLE *buffer)
{
    struct stream *stream = as_stream(handle);
    if (stream == NULL)
        return fail(GC_ERR_INVALID_HANDLE, "not an open stream");
    if (bytes == NULL || size == 0 || buffer == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "no bytes, or no place for the handle");
    return announce(stream, (struct buffer){.bytes = bytes, .size = size, .user = user}, buffer);
}

GC_ERROR DSAllocAndAnnounceBuffer(DS_HANDLE handle, size_t size, void *user, BUFFER_HANDLE *buffer)
{
    struct stream *stream = as_stream(handle);
    if (stream == NULL)
        return fail(GC_ERR_INVALID_HANDLE, "not an open stream");
    if (size == 0 || buffer == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "no size, or no place for the handle");
    uint8_t *bytes = calloc(1, size);
    if (bytes == NULL)
        return fail(GC_ERR_OUT_OF_MEMORY, "no memory for a buffer");
    struct buffer prototype = {.bytes = bytes, .size = size, .user = user, .owned = true};
    GC_ERROR error = announce(stream, prototype, buffer);
    if (error != GC_ERR_SUCCESS)
        free(bytes);
    return error;
}

GC_ERROR DSRevokeBuffer(DS_HANDLE handle, BUFFER_HANDLE buffer_handle, void **bytes, void **user)
{
    struct stream *stream = as_stream(handle);
    GC_ERROR error = GC_ERR_SUCCESS;

    if (stream == NULL)
        return fail(GC_ERR_INVALID_HANDLE, "not an open stream");
    pthread_mutex_lock(&stream->lock);
    struct buffer **link = &stream->announced;
    while (*link != NULL && *link != buffer_handle)
        link = &(*link)->next_announced;
    struct buffer *buffer = *link;
    if (buffer == NULL) {
        error = fail(GC_ERR_INVALID_HANDLE, "not an announced buffer");
    } else if (buffer->state != BUFFER_IDLE) {
        error = fail(GC_ERR_BUSY, "the buffer is queued; flush the queues first");
    } else {
        if (bytes != NULL)
            *bytes = buffer->owned ? NULL : buffer->bytes;
        if (user != NULL)
            *user = buffer->user;
        *link = buffer->next_announced;
        stream->announced_count--;
        free_buffer(buffer);
    }
    pthread_mutex_unlock(&stream->lock);
    return error;
}

GC_ERROR DSStartAcquisition(DS_HANDLE handle, ACQ_START_FLAGS flags, uint64_t frames)
{
    struct stream *stream = as_stream(handle);
    GC_ERROR error = GC_ERR_SUCCESS;

    (void)flags;
    if (stream == NULL)
        return fail(GC_ERR_INVALID_HANDLE, "not an open stream");
    pthread_mutex_lock(&producer.lock);
    if (stream->running) {
        error = fail(GC_ERR_RESOURCE_IN_USE, "the stream is already running");
    } else if (device_is_lost(stream->device)) {
        error = fail(GC_ERR_IO, "the device does not answer");
    } else {
        stream->frames_wanted = frames;
        stream->running = worker_start(stream);
        if (!stream->running)
            error = fail(GC_ERR_ERROR, "the worker thread did not start");
    }
    pthread_mutex_unlock(&producer.lock);
    return error;
}

GC_ERROR DSStopAcquisition(DS_HANDLE handle, ACQ_STOP_FLAGS flags)
{
    struct stream *stream = as_stream(handle);
    GC_ERROR error = GC_ERR_SUCCESS;

    (void)flags;
    if (stream == NULL)
        return fail(GC_ERR_INVALID_HANDLE, "not an open stream");
    pthread_mutex_lock(&producer.lock);
    if (!stream->running)
        error = fail(GC_ERR_RESOURCE_IN_USE, "the stream is not running");
    stream_stop(stream);
    pthread_mutex_unlock(&producer.lock);
    return error;
}

GC_ERROR DSGetParentDev(DS_HANDLE handle, DEV_HANDLE *device)
{
    struct stream *stream = as_stream(handle);
    if (stream == NULL)
        return fail(GC_ERR_INVALID_HANDLE, "not an open stream");
    if (device == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "no place for the handle");
    *device = stream->device;
    return GC_ERR_SUCCESS;
}
