/* The remote device: what its registers show. */
#include <string.h>

#include "producer.h"

/* Registers live in the shared file: they survive the process that set them, as in a camera with power. */
void camera_power_on(struct device *device)
{
    struct line_device *shared = shared_of(device);
    struct camera_registers *registers = &shared->registers;
    const struct line_header *header = device->line.header;

    uint64_t power = 1 + __atomic_load_n(&shared->power_losses, __ATOMIC_ACQUIRE);
    if (shared->powered_on == power)
        return;
    memset(registers, 0, sizeof *registers);
    memcpy(registers->vendor, VENDOR, sizeof VENDOR);
    memcpy(registers->model, MODEL, sizeof MODEL);
    memcpy(registers->version, VERSION, sizeof VERSION);
    memcpy(registers->serial, device->id, sizeof device->id);
    registers->sensor_width = registers->width = header->sensor_width;
    registers->sensor_height = registers->height = header->sensor_height;
    registers->pixel_format = PIXEL_MONO8;
    registers->acquisition_mode = ACQUIRE_CONTINUOUS;
    registers->acquisition_frame_count = 1;
    registers->trigger_source = SOURCE_LINE1;
    registers->exposure_us = header->nominal_exposure_us;
    registers->frame_rate_hz = 30.0;
    registers->temperature_c = 41.5;
    for (int i = 0; i < CHUNK_KINDS; i++)
        registers->chunk_enable[i] = 1;
    shared->counter_base[COUNTER_LINE] = 0;
    shared->counter_base[COUNTER_SOFTWARE] = shared->software_count;
    shared->kept_width = 0;
    shared->powered_on = power;
}

/* After a loss: the camera that was set up, or one at its place that gives other pictures, until the next loss. */
void camera_come_back(struct device *device)
{
    struct line_device *shared = shared_of(device);
    struct camera_registers *registers = &shared->registers;

    if (shared->losses_seen == device->loss_count)
        return;
    shared->losses_seen = device->loss_count;
    if (shared->kept_width != 0) {
        registers->width = (uint32_t)shared->kept_width;
        registers->pixel_format = (uint32_t)shared->kept_format;
        shared->kept_width = 0;
    }
    if (shared->return_width == 0 && shared->return_format == 0)
        return;
    shared->kept_width = registers->width;
    shared->kept_format = registers->pixel_format;
    if (shared->return_width != 0 && shared->return_width < registers->width)
        registers->width = (uint32_t)shared->return_width;
    if (shared->return_format != 0)
        registers->pixel_format = (uint32_t)shared->return_format;
}

void camera_reset_session(struct device *device)
{
    struct camera_registers *registers = &shared_of(device)->registers;
    registers->tl_params_locked = 0;
    registers->acquiring = 0;
}

static size_t chunk_bytes(const struct camera_registers *registers)
{
    size_t bytes = 0;
    for (int i = 0; i < CHUNK_KINDS; i++)
        bytes += registers->chunk_enable[i] ? chunk_length(i) : 0;
    return bytes;
}

size_t camera_payload_size(const struct camera_registers *registers)
{
    size_t image = image_size(registers->pixel_format, registers->width, registers->height);
    if (!registers->chunk_mode_active)
        return image;
    return chunk_start(image) + chunk_bytes(registers);
}

/* What the line counter shows after this edge, the line's first edge being 1. */
uint64_t camera_line_number(const struct device *device, uint64_t edge)
{
    const struct line_device *shared = shared_of(device);
    return edge - __atomic_load_n(&shared->line_zero, __ATOMIC_ACQUIRE) - shared->counter_base[COUNTER_LINE];
}

uint64_t camera_counter(const struct device *device, int counter)
{
    const struct line_device *shared = shared_of(device);

    if (counter == COUNTER_LINE)
        return camera_line_number(device, __atomic_load_n(&shared->edge_count, __ATOMIC_ACQUIRE));
    return shared->software_count - shared->counter_base[COUNTER_SOFTWARE];
}

/* Bit 0 is Line1, the trigger input; bits 1 and 2 are the outputs Line2 and Line3. */
uint32_t camera_lines(const struct device *device, bool trigger_high, bool exposing)
{
    const struct camera_registers *registers = &shared_of(device)->registers;
    uint32_t lines = trigger_high ? 1 : 0;

    for (int line = 1; line < LINES; line++) {
        uint32_t source = registers->line_source[line];
        bool high = source == LINE_EXPOSURE_ACTIVE ? exposing
                    : source == LINE_USER_OUTPUT_1 ? registers->user_output_value[0] != 0
                    : source == LINE_USER_OUTPUT_2 ? registers->user_output_value[1] != 0
                                                   : false;
        lines |= high ? 1u << line : 0;
    }
    return lines;
}

static void refresh(struct device *device)
{
    struct camera_registers *registers = &shared_of(device)->registers;

    registers->payload_size = (uint32_t)camera_payload_size(registers);
    registers->line_status_all = camera_lines(device, false, false);
    for (int i = 0; i < COUNTERS; i++)
        registers->counter_value[i] = camera_counter(device, i);
}

GC_ERROR camera_read(struct device *device, uint64_t address, void *bytes, size_t size)
{
    if (device_is_lost(device))
        return fail(GC_ERR_IO, "the device does not answer");
    if (address > REGISTERS_SIZE || size > REGISTERS_SIZE - address)
        return fail(GC_ERR_INVALID_ADDRESS, "no register at this address");
    pthread_mutex_lock(&device->lock);
    refresh(device);
    memcpy(bytes, (const uint8_t *)&shared_of(device)->registers + address, size);
    pthread_mutex_unlock(&device->lock);
    return GC_ERR_SUCCESS;
}
