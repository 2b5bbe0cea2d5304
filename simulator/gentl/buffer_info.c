/* What a consumer may ask about a stream, a buffer and its chunks. */
#include <string.h>

#include "producer.h"

GC_ERROR DSGetInfo(DS_HANDLE handle, STREAM_INFO_CMD command, INFO_DATATYPE *type, void *value, size_t *size)
{
    struct stream *stream = as_stream(handle);

    if (stream == NULL)
        return fail(GC_ERR_INVALID_HANDLE, "not an open stream");
    pthread_mutex_lock(&stream->lock);
    const uint64_t delivered = stream->delivered_count;
    const uint64_t underrun = stream->underrun_count;
    const uint64_t started = stream->started_count;
    const size_t announced = stream->announced_count;
    const size_t queued = stream->input.length;
    const size_t waiting = stream->output.length;
    pthread_mutex_unlock(&stream->lock);
    switch (command) {
    case STREAM_INFO_ID:
        return answer_string(stream->device->id, type, value, size);
    case STREAM_INFO_NUM_DELIVERED:
        return answer_u64(delivered, type, value, size);
    case STREAM_INFO_NUM_UNDERRUN:
        return answer_u64(underrun, type, value, size);
    case STREAM_INFO_NUM_STARTED:
        return answer_u64(started, type, value, size);
    case STREAM_INFO_NUM_ANNOUNCED:
        return answer_size(announced, type, value, size);
    case STREAM_INFO_NUM_QUEUED:
        return answer_size(queued, type, value, size);
    case STREAM_INFO_NUM_AWAIT_DELIVERY:
        return answer_size(waiting, type, value, size);
    case STREAM_INFO_PAYLOAD_SIZE:
        return answer_size(camera_payload_size(&shared_of(stream->device)->registers),
                           type, value, size);
    case STREAM_INFO_IS_GRABBING:
        return answer_bool(stream->running, type, value, size);
    case STREAM_INFO_DEFINES_PAYLOADSIZE:
        return answer_bool(false, type, value, size); /* the camera's PayloadSize does */
    case STREAM_INFO_TLTYPE:
        return answer_string(TL_TYPE, type, value, size);
    case STREAM_INFO_NUM_CHUNKS_MAX:
        return answer_size(CHUNK_KINDS, type, value, size);
    case STREAM_INFO_BUF_ANNOUNCE_MIN:
        return answer_size(1, type, value, size);
    case STREAM_INFO_BUF_ALIGNMENT:
        return answer_size(1, type, value, size);
    default:
        return fail(GC_ERR_NOT_AVAILABLE, "no such fact about the stream");
    }
}

GC_ERROR DSGetBufferID(DS_HANDLE handle, uint32_t index, BUFFER_HANDLE *found)
{
    struct stream *stream = as_stream(handle);

    if (stream == NULL)
        return fail(GC_ERR_INVALID_HANDLE, "not an open stream");
    if (found == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "no place for the handle");
    pthread_mutex_lock(&stream->lock);
    struct buffer *buffer = stream->announced;
    while (buffer != NULL && index-- > 0)
        buffer = buffer->next_announced;
    pthread_mutex_unlock(&stream->lock);
    if (buffer == NULL)
        return fail(GC_ERR_INVALID_INDEX, "no buffer of this number");
    *found = buffer;
    return GC_ERR_SUCCESS;
}

/* Facts that hold for a buffer at any time. Returns false where the command asks about its image. */
static bool buffer_fact(const struct buffer *buffer, BUFFER_INFO_CMD command, INFO_DATATYPE *type, void *value,
                        size_t *size, GC_ERROR *error)
{
    switch (command) {
    case BUFFER_INFO_BASE:
        *error = answer_pointer(buffer->bytes, type, value, size);
        return true;
    case BUFFER_INFO_SIZE:
        *error = answer_size(buffer->size, type, value, size);
        return true;
    case BUFFER_INFO_USER_PTR:
        *error = answer_pointer(buffer->user, type, value, size);
        return true;
    case BUFFER_INFO_NEW_DATA:
        *error = answer_bool(buffer->new_data, type, value, size);
        return true;
    case BUFFER_INFO_IS_QUEUED:
        *error = answer_bool(buffer->state == BUFFER_QUEUED || buffer->state == BUFFER_DELIVERED, type, value, size);
        return true;
    case BUFFER_INFO_IS_ACQUIRING:
        *error = answer_bool(buffer->state == BUFFER_FILLING, type, value, size);
        return true;
    case BUFFER_INFO_IS_INCOMPLETE:
        *error = answer_bool(buffer->incomplete, type, value, size);
        return true;
    case BUFFER_INFO_DATA_LARGER_THAN_BUFFER:
        *error = answer_bool(buffer->too_small, type, value, size);
        return true;
    case BUFFER_INFO_TLTYPE:
        *error = answer_string(TL_TYPE, type, value, size);
        return true;
    case BUFFER_INFO_IS_COMPOSITE:
        *error = answer_bool(false, type, value, size);
        return true;
    default:
        return false;
    }
}

static GC_ERROR image_fact(const struct buffer *buffer, BUFFER_INFO_CMD command, INFO_DATATYPE *type, void *value,
                           size_t *size)
{
    switch (command) {
    case BUFFER_INFO_TIMESTAMP:
    case BUFFER_INFO_TIMESTAMP_NS:
        return answer_u64(buffer->camera_ns, type, value, size);
    case BUFFER_INFO_SIZE_FILLED:
    case BUFFER_INFO_DATA_SIZE:
        return answer_size(buffer->filled, type, value, size);
    case BUFFER_INFO_WIDTH:
        return answer_size(buffer->image.width, type, value, size);
    case BUFFER_INFO_HEIGHT:
    case BUFFER_INFO_DELIVERED_IMAGEHEIGHT:
        return answer_size(buffer->image.height, type, value, size);
    case BUFFER_INFO_XOFFSET:
        return answer_size(buffer->image.x, type, value, size);
    case BUFFER_INFO_YOFFSET:
        return answer_size(buffer->image.y, type, value, size);
    case BUFFER_INFO_XPADDING:
    case BUFFER_INFO_YPADDING:
    case BUFFER_INFO_IMAGEOFFSET:
        return answer_size(0, type, value, size);
    case BUFFER_INFO_FRAMEID:
        return answer_u64(buffer->frame_id, type, value, size);
    case BUFFER_INFO_IMAGEPRESENT:
        return answer_bool(buffer->filled > 0, type, value, size);
    case BUFFER_INFO_PAYLOADTYPE:
        return answer_size(PAYLOAD_TYPE_IMAGE, type, value, size);
    case BUFFER_INFO_PIXELFORMAT:
        return answer_u64(buffer->image.pixel_format, type, value, size);
    case BUFFER_INFO_PIXELFORMAT_NAMESPACE:
        return answer_u64(PIXELFORMAT_NAMESPACE_PFNC_32BIT, type, value, size);
    case BUFFER_INFO_PIXEL_ENDIANNESS:
        return answer_i32(PIXELENDIANNESS_LITTLE, type, value, size);
    case BUFFER_INFO_DELIVERED_CHUNKPAYLOADSIZE:
        return answer_size(buffer->chunk_count == 0 ? 0 : buffer->filled, type, value, size);
    case BUFFER_INFO_CHUNKLAYOUTID:
        return answer_u64(1, type, value, size);
    case BUFFER_INFO_CONTAINS_CHUNKDATA:
        return answer_bool(buffer->chunk_count > 0, type, value, size);
    default:
        return fail(GC_ERR_NOT_AVAILABLE, "no such fact about the buffer");
    }
}

GC_ERROR DSGetBufferInfo(DS_HANDLE handle, BUFFER_HANDLE buffer_handle, BUFFER_INFO_CMD command, INFO_DATATYPE *type,
                         void *value, size_t *size)
{
    struct stream *stream = as_stream(handle);
    GC_ERROR error = GC_ERR_SUCCESS;

    if (stream == NULL)
        return fail(GC_ERR_INVALID_HANDLE, "not an open stream");
    pthread_mutex_lock(&stream->lock);
    const struct buffer *buffer = find_buffer(stream, buffer_handle);
    if (buffer == NULL)
        error = fail(GC_ERR_INVALID_HANDLE, "not an announced buffer");
    else if (buffer_fact(buffer, command, type, value, size, &error))
        ; /* answered */
    else if (buffer->state == BUFFER_FILLING)
        error = fail(GC_ERR_BUSY, "the buffer is being filled");
    else
        error = image_fact(buffer, command, type, value, size);
    pthread_mutex_unlock(&stream->lock);
    return error;
}

GC_ERROR DSGetBufferChunkData(DS_HANDLE handle, BUFFER_HANDLE buffer_handle, SINGLE_CHUNK_DATA *chunks, size_t *count)
{
    struct stream *stream = as_stream(handle);
    GC_ERROR error = GC_ERR_SUCCESS;

    if (stream == NULL)
        return fail(GC_ERR_INVALID_HANDLE, "not an open stream");
    if (count == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "no place for the count");
    pthread_mutex_lock(&stream->lock);
    const struct buffer *buffer = find_buffer(stream, buffer_handle);
    if (buffer == NULL) {
        error = fail(GC_ERR_INVALID_HANDLE, "not an announced buffer");
    } else if (chunks != NULL && *count < buffer->chunk_count) {
        error = fail(GC_ERR_BUFFER_TOO_SMALL, "the place for the chunks is too small");
    } else {
        if (chunks != NULL)
            memcpy(chunks, buffer->chunks, buffer->chunk_count * sizeof *chunks);
        *count = buffer->chunk_count;
    }
    pthread_mutex_unlock(&stream->lock);
    return error;
}
