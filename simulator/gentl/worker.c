/* The thread that exposes: waits for edges, software triggers or its own clock, and fills queued buffers. */
#include <math.h>
#include <string.h>
#include <sys/prctl.h>

#include "producer.h"

#define IDLE_NS UINT64_C(20000000) /* a wake-up that got lost costs this much at most */
#define NS_PER_US 1000.0
#define NS_PER_S 1e9

static struct camera_registers registers_now(struct stream *stream)
{
    pthread_mutex_lock(&stream->device->lock);
    struct camera_registers registers = shared_of(stream->device)->registers;
    pthread_mutex_unlock(&stream->device->lock);
    return registers;
}

/* Content that no edge names: the next image of the ring. */
static void expose_without_edge(const struct device *device, uint64_t number, struct exposure *exposure)
{
    exposure->slot = (uint32_t)((number - 1) % device->line.header->slot_count);
    exposure->counters[COUNTER_LINE] = camera_counter(device, COUNTER_LINE);
    exposure->light = 1.0;
}

/* Edges are taken in order, each with its own number, however late the worker is. */
static bool next_edge(struct device *device, struct line_device *shared, struct exposure *exposure)
{
    uint64_t count = __atomic_load_n(&shared->edge_count, __ATOMIC_ACQUIRE);

    if (count - device->edge_cursor >= EDGE_RING) {
        shared->edges_overrun += count - device->edge_cursor - (EDGE_RING - 1);
        device->edge_cursor = count - (EDGE_RING - 1);
    }
    if (device->edge_cursor == count)
        return false;
    uint64_t number = ++device->edge_cursor;
    const struct line_edge *slot = &shared->edges[(number - 1) % EDGE_RING];
    struct line_edge edge = *slot;
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (__atomic_load_n(&slot->valid, __ATOMIC_ACQUIRE) != number || edge.number != number) {
        shared->edges_overrun++;
        return false;
    }
    if (edge.faults & FAULT_IGNORED)
        return false;
    *exposure = (struct exposure){
        .start_ns = edge.monotonic_ns,
        .counters = {camera_line_number(device, number) + (edge.faults & FAULT_CORRUPT_NUMBER ? CORRUPTION : 0),
                     camera_counter(device, COUNTER_SOFTWARE)},
        .slot = edge.slot % device->line.header->slot_count,
        .faults = edge.faults,
        .by_edge = true,
        .content_sequence = edge.content_sequence,
        .light = edge.light,
    };
    return true;
}

static bool next_software(struct device *device, struct line_device *shared, struct exposure *exposure)
{
    if (device->software_cursor == shared->software_count)
        return false;
    uint64_t number = ++device->software_cursor;
    *exposure = (struct exposure){.start_ns = shared->software[(number - 1) % SOFTWARE_RING].monotonic_ns};
    exposure->counters[COUNTER_SOFTWARE] = number - shared->counter_base[COUNTER_SOFTWARE];
    expose_without_edge(device, number, exposure);
    return true;
}

static bool next_free_run(struct device *device, const struct camera_registers *registers, struct exposure *exposure)
{
    uint64_t now = monotonic_ns();
    double period = NS_PER_S / registers->frame_rate_hz;

    if (now < device->next_free_run_ns)
        return false;
    if (period < registers->exposure_us * NS_PER_US)
        period = registers->exposure_us * NS_PER_US;
    *exposure = (struct exposure){.start_ns = now};
    exposure->counters[COUNTER_SOFTWARE] = camera_counter(device, COUNTER_SOFTWARE);
    expose_without_edge(device, device->frame_id + 1, exposure);
    device->next_free_run_ns += (uint64_t)period;
    if (device->next_free_run_ns < now) /* behind: start the rhythm anew, do not catch up */
        device->next_free_run_ns = now;
    return true;
}

static bool next_exposure(struct stream *stream, struct exposure *exposure)
{
    struct device *device = stream->device;
    struct line_device *shared = shared_of(stream->device);
    bool found = false;

    pthread_mutex_lock(&device->lock);
    const struct camera_registers *registers = &shared->registers;
    bool by_line = registers->trigger_mode && registers->trigger_source == SOURCE_LINE1;
    if (registers->acquiring && !device_is_lost(device)) {
        found = by_line ? next_edge(device, shared, exposure)
                : registers->trigger_mode ? next_software(device, shared, exposure)
                                          : next_free_run(device, registers, exposure);
        if (!by_line) /* edges that pass now are not for exposing later */
            device->edge_cursor = __atomic_load_n(&shared->edge_count, __ATOMIC_ACQUIRE);
    }
    pthread_mutex_unlock(&device->lock);
    return found;
}

static bool something_waits(struct stream *stream)
{
    struct device *device = stream->device;
    struct line_device *shared = shared_of(stream->device);

    pthread_mutex_lock(&device->lock);
    const struct camera_registers *registers = &shared->registers;
    bool by_line = registers->trigger_mode && registers->trigger_source == SOURCE_LINE1;
    bool waits = registers->acquiring && !device_is_lost(device) &&
                 (by_line ? device->edge_cursor != __atomic_load_n(&shared->edge_count, __ATOMIC_ACQUIRE)
                          : registers->trigger_mode && device->software_cursor != shared->software_count);
    pthread_mutex_unlock(&device->lock);
    return waits;
}

static uint64_t idle_time(struct stream *stream)
{
    struct device *device = stream->device;
    uint64_t now = monotonic_ns();

    pthread_mutex_lock(&device->lock);
    const struct camera_registers *registers = &shared_of(stream->device)->registers;
    uint64_t due = registers->acquiring && !registers->trigger_mode ? device->next_free_run_ns : now + IDLE_NS;
    pthread_mutex_unlock(&device->lock);
    return due <= now ? 0 : due - now < IDLE_NS ? due - now : IDLE_NS;
}

static void wait_until(const struct stream *stream, uint64_t due_ns)
{
    for (uint64_t now = monotonic_ns(); now < due_ns && !stream->stop; now = monotonic_ns())
        sleep_ns(due_ns - now < IDLE_NS ? due_ns - now : IDLE_NS);
}

static double light_of(const struct stream *stream, const struct camera_registers *registers,
                       const struct exposure *exposure)
{
    double exposures = registers->exposure_us / stream->device->line.header->nominal_exposure_us;
    double gain = registers->gain_db == 0.0 ? 1.0 : pow(10.0, registers->gain_db / 20.0);
    return exposures * gain * exposure->light;
}

/* The line may be rewriting the slot while it is read: the sequence tells, before and after. */
static bool copy_content(struct stream *stream, struct buffer *buffer, const struct exposure *exposure)
{
    const struct line_device *shared = shared_of(stream->device);
    const uint64_t *word = &shared->slot_sequence[exposure->slot];

    uint64_t before = __atomic_load_n(word, __ATOMIC_ACQUIRE);
    if (before & 1 || (exposure->by_edge && before != exposure->content_sequence))
        return false;
    image_convert(&buffer->image, &stream->brightness, buffer->bytes);
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return __atomic_load_n(word, __ATOMIC_RELAXED) == before;
}

static void fill(struct stream *stream, struct buffer *buffer, const struct camera_registers *registers,
                 const struct exposure *exposure)
{
    const struct line_header *header = stream->device->line.header;
    struct line_device *shared = shared_of(stream->device);

    buffer->image = (struct image_job){
        .content = line_content(&stream->device->line, stream->device->index, exposure->slot),
        .sensor_width = header->sensor_width,
        .channels = header->channels,
        .x = registers->offset_x,
        .y = registers->offset_y,
        .width = registers->width,
        .height = registers->height,
        .pixel_format = registers->pixel_format,
    };
    buffer->image_bytes = image_size(registers->pixel_format, registers->width, registers->height);
    buffer->camera_ns = exposure->start_ns - header->clock_zero_ns;
    buffer->filled = 0;
    buffer->chunk_count = 0;
    buffer->too_small = buffer->size < buffer->image_bytes;
    buffer->incomplete = buffer->too_small || (exposure->faults & FAULT_INCOMPLETE) != 0;
    if (buffer->too_small)
        return;
    brightness_set(&stream->brightness, light_of(stream, registers, exposure), registers->pixel_format);
    if (!copy_content(stream, buffer, exposure)) {
        shared->content_torn++;
        buffer->incomplete = true;
    }
    buffer->filled = buffer->image_bytes;
    if (buffer->incomplete) { /* the second half of the packets never came, nor did the trailer with the chunks */
        buffer->filled = buffer->image_bytes / 2;
        memset(buffer->bytes + buffer->filled, 0, buffer->image_bytes - buffer->filled);
    } else if (registers->chunk_mode_active) {
        chunks_append(buffer, registers, exposure, camera_lines(stream->device, exposure->by_edge, true));
    }
}

static struct buffer *take_buffer(struct stream *stream)
{
    pthread_mutex_lock(&stream->lock);
    struct buffer *buffer = queue_take(&stream->input);
    if (buffer != NULL) {
        buffer->state = BUFFER_FILLING;
        stream->started_count++;
    } else {
        stream->underrun_count++;
    }
    pthread_mutex_unlock(&stream->lock);
    return buffer;
}

static void deliver(struct stream *stream, struct buffer *buffer)
{
    struct line_device *shared = shared_of(stream->device);

    pthread_mutex_lock(&stream->lock);
    if (stream->stop || device_is_lost(stream->device)) {
        buffer->state = BUFFER_QUEUED;
        queue_append(&stream->input, buffer);
    } else {
        buffer->new_data = true;
        buffer->state = BUFFER_DELIVERED;
        queue_append(&stream->output, buffer);
        stream->delivered_count++;
        shared->frames_delivered++;
        shared->frames_incomplete += buffer->incomplete;
        pthread_cond_signal(&stream->delivered);
    }
    pthread_mutex_unlock(&stream->lock);
}

/* Frame ids count exposures, so that a frame that is lost on the way leaves a gap. A start of acquisition resets them. */
static uint64_t next_frame_id(struct device *device)
{
    pthread_mutex_lock(&device->lock);
    uint64_t frame_id = ++device->frame_id;
    pthread_mutex_unlock(&device->lock);
    return frame_id;
}

static void expose(struct stream *stream, const struct exposure *exposure)
{
    struct line_device *shared = shared_of(stream->device);
    struct camera_registers registers = registers_now(stream);

    wait_until(stream, exposure->start_ns + (uint64_t)(registers.exposure_us * NS_PER_US));
    if (stream->stop || device_is_lost(stream->device))
        return;
    uint64_t frame_id = next_frame_id(stream->device);
    shared->frames_exposed++;
    if (exposure->faults & FAULT_DROP) {
        shared->frames_dropped++;
        return;
    }
    struct buffer *buffer = take_buffer(stream);
    if (buffer == NULL) {
        shared->frames_underrun++;
        return;
    }
    buffer->frame_id = frame_id;
    fill(stream, buffer, &registers, exposure);
    deliver(stream, buffer);
}

static void end_of_sequence(struct stream *stream)
{
    struct device *device = stream->device;

    pthread_mutex_lock(&device->lock);
    struct camera_registers *registers = &shared_of(stream->device)->registers;
    uint64_t wanted = registers->acquisition_mode == ACQUIRE_SINGLE  ? 1
                      : registers->acquisition_mode == ACQUIRE_MULTI ? registers->acquisition_frame_count
                                                                     : GENTL_INFINITE;
    if (stream->frames_wanted < wanted)
        wanted = stream->frames_wanted;
    if (device->frame_id >= wanted)
        registers->acquiring = 0;
    pthread_mutex_unlock(&device->lock);
}

static void *work(void *argument)
{
    struct stream *stream = argument;
    struct line_device *shared = shared_of(stream->device);
    struct exposure exposure;

    prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL); /* a camera's clock ends its exposure: without the 50 us of a sleeper */
    while (!stream->stop) {
        uint32_t seen = __atomic_load_n(&shared->wake, __ATOMIC_ACQUIRE);
        if (next_exposure(stream, &exposure)) {
            expose(stream, &exposure);
            end_of_sequence(stream);
        } else if (!something_waits(stream)) { /* an ignored edge gave nothing, the next one may */
            line_wait(shared, seen, idle_time(stream));
        }
    }
    return NULL;
}

bool worker_start(struct stream *stream)
{
    stream->stop = false;
    stream->brightness = (struct brightness){.factor = -1.0};
    return pthread_create(&stream->worker, NULL, work, stream) == 0;
}
