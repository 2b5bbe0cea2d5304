/* The remote device: what its registers mean. */
#include <string.h>

#include "producer.h"

#define AT(field) ((uint32_t)offsetof(struct camera_registers, field))
#define WIDTH_STEP 4 /* whole groups of packed pixels */
#define HEIGHT_STEP 2 /* whole Bayer cells */
#define EXPOSURE_MIN_US 10.0
#define EXPOSURE_MAX_US 1e6
#define GAIN_MAX_DB 24.0
#define FRAME_RATE_MIN_HZ 0.1
#define FRAME_RATE_MAX_HZ 10000.0

static struct line_device *shared_of(const struct device *device)
{
    return line_device(&device->line, device->index);
}

static uint64_t camera_clock(const struct device *device)
{
    return monotonic_ns() - device->line.header->clock_zero_ns;
}

/* Registers live in the shared file: they survive the process that set them, as in a camera with power. */
void camera_power_on(struct device *device)
{
    struct line_device *shared = shared_of(device);
    struct camera_registers *registers = &shared->registers;
    const struct line_header *header = device->line.header;

    if (shared->powered_on)
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
    shared->powered_on = 1;
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

uint64_t camera_counter(const struct device *device, int counter)
{
    struct line_device *shared = shared_of(device);
    uint64_t raw = counter == COUNTER_LINE ? __atomic_load_n(&shared->edge_count, __ATOMIC_ACQUIRE)
                                           : shared->software_count;
    return raw - shared->counter_base[counter];
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

static GC_ERROR set_number(uint32_t *target, uint32_t value, uint32_t least, uint32_t most, uint32_t step)
{
    if (value < least || value > most || value % step != 0)
        return fail(GC_ERR_INVALID_VALUE, "the value is out of the register's range");
    *target = value;
    return GC_ERR_SUCCESS;
}

static GC_ERROR set_pixel_format(struct camera_registers *registers, uint32_t value)
{
    if (!image_format_is_known(value))
        return fail(GC_ERR_INVALID_VALUE, "the camera has no such pixel format");
    registers->pixel_format = value;
    return GC_ERR_SUCCESS;
}

static GC_ERROR start_acquisition(struct device *device)
{
    struct line_device *shared = shared_of(device);

    /* edges from before are counted, but this acquisition never saw them */
    device->edge_cursor = __atomic_load_n(&shared->edge_count, __ATOMIC_ACQUIRE);
    device->software_cursor = shared->software_count;
    device->frame_id = 0;
    device->next_free_run_ns = monotonic_ns();
    shared->registers.acquiring = 1;
    line_wake(shared);
    return GC_ERR_SUCCESS;
}

static GC_ERROR trigger_by_software(struct device *device)
{
    struct line_device *shared = shared_of(device);
    const struct camera_registers *registers = &shared->registers;

    if (!registers->acquiring || !registers->trigger_mode || registers->trigger_source != SOURCE_SOFTWARE)
        return GC_ERR_SUCCESS; /* without effect, as the SFNC has it */
    uint64_t number = shared->software_count + 1;
    shared->software[(number - 1) % SOFTWARE_RING] =
        (struct software_trigger){.number = number, .monotonic_ns = monotonic_ns()};
    __atomic_store_n(&shared->software_count, number, __ATOMIC_RELEASE);
    line_wake(shared);
    return GC_ERR_SUCCESS;
}

static GC_ERROR reset_counter(struct device *device, int counter)
{
    struct line_device *shared = shared_of(device);
    shared->counter_base[counter] += camera_counter(device, counter);
    return GC_ERR_SUCCESS;
}

static bool is_locked_while_grabbing(uint64_t address)
{
    return (address >= AT(width) && address <= AT(pixel_format)) || address == AT(acquisition_mode) ||
           address == AT(acquisition_frame_count) || address == AT(chunk_mode_active) ||
           (address >= AT(chunk_enable) && address < AT(chunk_enable) + 4 * CHUNK_KINDS);
}

static GC_ERROR write_u32(struct device *device, uint64_t address, uint32_t value)
{
    struct camera_registers *r = &shared_of(device)->registers;

    if (r->tl_params_locked && is_locked_while_grabbing(address))
        return fail(GC_ERR_ACCESS_DENIED, "the register is locked while the camera grabs");
    switch (address) {
    case AT(width):
        return set_number(&r->width, value, WIDTH_STEP, r->sensor_width - r->offset_x, WIDTH_STEP);
    case AT(height):
        return set_number(&r->height, value, HEIGHT_STEP, r->sensor_height - r->offset_y, HEIGHT_STEP);
    case AT(offset_x):
        return set_number(&r->offset_x, value, 0, r->sensor_width - r->width, WIDTH_STEP);
    case AT(offset_y):
        return set_number(&r->offset_y, value, 0, r->sensor_height - r->height, HEIGHT_STEP);
    case AT(pixel_format):
        return set_pixel_format(r, value);
    case AT(acquisition_mode):
        return set_number(&r->acquisition_mode, value, ACQUIRE_SINGLE, ACQUIRE_CONTINUOUS, 1);
    case AT(acquisition_frame_count):
        return set_number(&r->acquisition_frame_count, value, 1, 65535, 1);
    case AT(acquisition_start):
        return start_acquisition(device);
    case AT(acquisition_stop):
        r->acquiring = 0;
        return GC_ERR_SUCCESS;
    case AT(trigger_selector):
    case AT(trigger_activation):
        return value == 0 ? GC_ERR_SUCCESS : fail(GC_ERR_INVALID_VALUE, "FrameStart on RisingEdge only");
    case AT(trigger_mode):
        return set_number(&r->trigger_mode, value, 0, 1, 1);
    case AT(trigger_source):
        return set_number(&r->trigger_source, value, SOURCE_SOFTWARE, SOURCE_LINE1, 1);
    case AT(trigger_software):
        return trigger_by_software(device);
    case AT(counter_selector):
        return set_number(&r->counter_selector, value, 0, COUNTERS - 1, 1);
    case AT(counter_reset[COUNTER_LINE]):
        return reset_counter(device, COUNTER_LINE);
    case AT(counter_reset[COUNTER_SOFTWARE]):
        return reset_counter(device, COUNTER_SOFTWARE);
    case AT(chunk_mode_active):
        return set_number(&r->chunk_mode_active, value, 0, 1, 1);
    case AT(chunk_selector):
        return set_number(&r->chunk_selector, value, 0, CHUNK_KINDS - 1, 1);
    case AT(chunk_counter_selector):
        return set_number(&r->chunk_counter_selector, value, 0, COUNTERS - 1, 1);
    case AT(line_selector):
        return set_number(&r->line_selector, value, 0, LINES - 1, 1);
    case AT(line_source[1]):
    case AT(line_source[2]):
        return set_number(&r->line_source[(address - AT(line_source)) / 4], value, LINE_OFF, LINE_USER_OUTPUT_2, 1);
    case AT(user_output_selector):
        return set_number(&r->user_output_selector, value, 0, USER_OUTPUTS - 1, 1);
    case AT(user_output_value[0]):
    case AT(user_output_value[1]):
        return set_number(&r->user_output_value[(address - AT(user_output_value)) / 4], value, 0, 1, 1);
    case AT(timestamp_latch):
        r->timestamp_latch_value = camera_clock(device);
        return GC_ERR_SUCCESS;
    case AT(tl_params_locked):
        return set_number(&r->tl_params_locked, value, 0, 1, 1);
    case AT(frame_rate_enable):
        return set_number(&r->frame_rate_enable, value, 0, 1, 1);
    default:
        if (address >= AT(chunk_enable) && address < AT(chunk_enable) + 4 * CHUNK_KINDS && address % 4 == 0)
            return set_number(&r->chunk_enable[(address - AT(chunk_enable)) / 4], value, 0, 1, 1);
        return fail(GC_ERR_INVALID_ADDRESS, "no register to write at this address");
    }
}

static GC_ERROR write_f64(struct device *device, uint64_t address, double value)
{
    struct camera_registers *r = &shared_of(device)->registers;
    double *target;
    double least = 0.0;
    double most;

    switch (address) {
    case AT(exposure_us):
        target = &r->exposure_us;
        least = EXPOSURE_MIN_US;
        most = EXPOSURE_MAX_US;
        break;
    case AT(gain_db):
        target = &r->gain_db;
        most = GAIN_MAX_DB;
        break;
    case AT(frame_rate_hz):
        target = &r->frame_rate_hz;
        least = FRAME_RATE_MIN_HZ;
        most = FRAME_RATE_MAX_HZ;
        break;
    default:
        return fail(GC_ERR_INVALID_ADDRESS, "no register to write at this address");
    }
    if (!(value >= least && value <= most))
        return fail(GC_ERR_INVALID_VALUE, "the value is out of the register's range");
    /* the shutter has steps of a microsecond: what is read back is what the camera does */
    *target = address == AT(exposure_us) ? (double)(uint64_t)(value + 0.5) : value;
    return GC_ERR_SUCCESS;
}

GC_ERROR camera_write(struct device *device, uint64_t address, const void *bytes, size_t size)
{
    GC_ERROR error = GC_ERR_SUCCESS;
    uint32_t word;
    double real;

    if (device_is_lost(device))
        return fail(GC_ERR_IO, "the device does not answer");
    pthread_mutex_lock(&device->lock);
    if (size == sizeof word) {
        memcpy(&word, bytes, sizeof word);
        error = write_u32(device, address, word);
    } else if (size == sizeof real) {
        memcpy(&real, bytes, sizeof real);
        error = write_f64(device, address, real);
    } else if (address == AT(user_id) && size <= TEXT_LENGTH) {
        memset(shared_of(device)->registers.user_id, 0, TEXT_LENGTH);
        memcpy(shared_of(device)->registers.user_id, bytes, size);
    } else {
        error = fail(GC_ERR_INVALID_ADDRESS, "no register of this size at this address");
    }
    pthread_mutex_unlock(&device->lock);
    return error;
}
