/* The two queues between the consumer and the worker: input, empty buffers; output, filled ones. */
#include "producer.h"

void queue_append(struct buffer_queue *queue, struct buffer *buffer)
{
    buffer->next_queued = NULL;
    if (queue->last != NULL)
        queue->last->next_queued = buffer;
    else
        queue->first = buffer;
    queue->last = buffer;
    queue->length++;
}

struct buffer *queue_take(struct buffer_queue *queue)
{
    struct buffer *buffer = queue->first;
    if (buffer == NULL)
        return NULL;
    queue->first = buffer->next_queued;
    if (queue->first == NULL)
        queue->last = NULL;
    queue->length--;
    buffer->next_queued = NULL;
    return buffer;
}

GC_ERROR DSQueueBuffer(DS_HANDLE handle, BUFFER_HANDLE buffer_handle)
{
    struct stream *stream = as_stream(handle);
    GC_ERROR error = GC_ERR_SUCCESS;

    if (stream == NULL)
        return fail(GC_ERR_INVALID_HANDLE, "not an open stream");
    pthread_mutex_lock(&stream->lock);
    struct buffer *buffer = find_buffer(stream, buffer_handle);
    if (buffer == NULL) {
        error = fail(GC_ERR_INVALID_HANDLE, "not an announced buffer");
    } else if (buffer->state != BUFFER_IDLE) {
        error = fail(GC_ERR_RESOURCE_IN_USE, "the buffer is already queued");
    } else {
        buffer->state = BUFFER_QUEUED;
        buffer->new_data = false;
        queue_append(&stream->input, buffer);
    }
    pthread_mutex_unlock(&stream->lock);
    return error;
}

static void discard_all(struct buffer_queue *queue)
{
    for (struct buffer *buffer = queue_take(queue); buffer != NULL; buffer = queue_take(queue))
        buffer->state = BUFFER_IDLE;
}

static void move_all(struct buffer_queue *from, struct buffer_queue *to, enum buffer_state state)
{
    for (struct buffer *buffer = queue_take(from); buffer != NULL; buffer = queue_take(from)) {
        buffer->state = state;
        queue_append(to, buffer);
    }
}

static void queue_idle(struct stream *stream)
{
    for (struct buffer *buffer = stream->announced; buffer != NULL; buffer = buffer->next_announced)
        if (buffer->state == BUFFER_IDLE) {
            buffer->state = BUFFER_QUEUED;
            queue_append(&stream->input, buffer);
        }
}

GC_ERROR DSFlushQueue(DS_HANDLE handle, ACQ_QUEUE_TYPE operation)
{
    struct stream *stream = as_stream(handle);
    GC_ERROR error = GC_ERR_SUCCESS;

    if (stream == NULL)
        return fail(GC_ERR_INVALID_HANDLE, "not an open stream");
    pthread_mutex_lock(&stream->lock);
    switch (operation) {
    case ACQ_QUEUE_INPUT_TO_OUTPUT:
        move_all(&stream->input, &stream->output, BUFFER_DELIVERED);
        pthread_cond_broadcast(&stream->delivered);
        break;
    case ACQ_QUEUE_OUTPUT_DISCARD:
        discard_all(&stream->output);
        break;
    case ACQ_QUEUE_ALL_TO_INPUT:
        move_all(&stream->output, &stream->input, BUFFER_QUEUED);
        queue_idle(stream);
        break;
    case ACQ_QUEUE_UNQUEUED_TO_INPUT:
        queue_idle(stream);
        break;
    case ACQ_QUEUE_ALL_DISCARD:
        discard_all(&stream->input);
        discard_all(&stream->output);
        break;
    default:
        error = fail(GC_ERR_INVALID_PARAMETER, "no such flush");
    }
    pthread_mutex_unlock(&stream->lock);
    return error;
}
