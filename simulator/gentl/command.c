/* The remote device: what happens when a register is written. */
#include <string.h>

#include "producer.h"

#define AT(field) ((uint32_t)offsetof(struct camera_registers, field))
#define WIDTH_STEP 4 /* whole groups of packed pixels */
#define HEIGHT_STEP 2 /* whole Bayer cells */

/* Registers that take any number of a range. */
static const struct number_register {
    uint32_t address;
    uint32_t least;
    uint32_t most;
    bool locked; /* while the camera grabs */
} number_registers[] = {
    {AT(acquisition_mode), ACQUIRE_SINGLE, ACQUIRE_CONTINUOUS, true},
    {AT(acquisition_frame_count), 1, 65535, true},
    {AT(trigger_selector), 0, 0, false}, /* FrameStart */
    {AT(trigger_mode), 0, 1, false},
    {AT(trigger_source), SOURCE_SOFTWARE, SOURCE_LINE1, false},
    {AT(trigger_activation), 0, 0, false}, /* RisingEdge */
    {AT(counter_selector), 0, COUNTERS - 1, false},
    {AT(chunk_mode_active), 0, 1, true},
    {AT(chunk_selector), 0, CHUNK_KINDS - 1, false},
    {AT(chunk_enable[CHUNK_FRAME_ID]), 0, 1, true},
    {AT(chunk_enable[CHUNK_TIMESTAMP]), 0, 1, true},
    {AT(chunk_enable[CHUNK_EXPOSURE]), 0, 1, true},
    {AT(chunk_enable[CHUNK_COUNTERS]), 0, 1, true},
    {AT(chunk_enable[CHUNK_LINES]), 0, 1, true},
    {AT(chunk_counter_selector), 0, COUNTERS - 1, false},
    {AT(line_selector), 0, LINES - 1, false},
    {AT(line_source[1]), LINE_OFF, LINE_USER_OUTPUT_2, false},
    {AT(line_source[2]), LINE_OFF, LINE_USER_OUTPUT_2, false},
    {AT(user_output_selector), 0, USER_OUTPUTS - 1, false},
    {AT(user_output_value[0]), 0, 1, false},
    {AT(user_output_value[1]), 0, 1, false},
    {AT(tl_params_locked), 0, 1, false},
    {AT(frame_rate_enable), 0, 1, false},
};

static const struct real_register {
    uint32_t address;
    double least;
    double most;
} real_registers[] = {
    {AT(exposure_us), 10.0, 1e6},
    {AT(gain_db), 0.0, 24.0},
    {AT(frame_rate_hz), 0.1, 1e4},
};

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

static GC_ERROR stop_acquisition(struct device *device)
{
    shared_of(device)->registers.acquiring = 0;
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

static GC_ERROR reset_line_counter(struct device *device)
{
    shared_of(device)->counter_base[COUNTER_LINE] += camera_counter(device, COUNTER_LINE);
    return GC_ERR_SUCCESS;
}

static GC_ERROR reset_software_counter(struct device *device)
{
    shared_of(device)->counter_base[COUNTER_SOFTWARE] += camera_counter(device, COUNTER_SOFTWARE);
    return GC_ERR_SUCCESS;
}

static GC_ERROR latch_timestamp(struct device *device)
{
    shared_of(device)->registers.timestamp_latch_value = monotonic_ns() - device->line.header->clock_zero_ns;
    return GC_ERR_SUCCESS;
}

static const struct command_register {
    uint32_t address;
    GC_ERROR (*execute)(struct device *device);
} command_registers[] = {
    {AT(acquisition_start), start_acquisition},
    {AT(acquisition_stop), stop_acquisition},
    {AT(trigger_software), trigger_by_software},
    {AT(counter_reset[COUNTER_LINE]), reset_line_counter},
    {AT(counter_reset[COUNTER_SOFTWARE]), reset_software_counter},
    {AT(timestamp_latch), latch_timestamp},
};

static GC_ERROR out_of_range(void)
{
    return fail(GC_ERR_INVALID_VALUE, "the value is out of the register's range");
}

static GC_ERROR set_span(uint32_t *target, uint32_t value, uint32_t least, uint32_t most, uint32_t step)
{
    if (value < least || value > most || value % step != 0)
        return out_of_range();
    *target = value;
    return GC_ERR_SUCCESS;
}

/* Size, place and format of the image. Returns false where the address is another register's. */
static bool write_image(struct camera_registers *r, uint64_t address, uint32_t value, GC_ERROR *error)
{
    if (address < AT(width) || address > AT(pixel_format) || address % 4 != 0)
        return false;
    if (r->tl_params_locked) {
        *error = fail(GC_ERR_ACCESS_DENIED, "the register is locked while the camera grabs");
        return true;
    }
    switch (address) {
    case AT(width):
        *error = set_span(&r->width, value, WIDTH_STEP, r->sensor_width - r->offset_x, WIDTH_STEP);
        break;
    case AT(height):
        *error = set_span(&r->height, value, HEIGHT_STEP, r->sensor_height - r->offset_y, HEIGHT_STEP);
        break;
    case AT(offset_x):
        *error = set_span(&r->offset_x, value, 0, r->sensor_width - r->width, WIDTH_STEP);
        break;
    case AT(offset_y):
        *error = set_span(&r->offset_y, value, 0, r->sensor_height - r->height, HEIGHT_STEP);
        break;
    default:
        *error = image_format_is_known(value) ? GC_ERR_SUCCESS : out_of_range();
        if (*error == GC_ERR_SUCCESS)
            r->pixel_format = value;
    }
    return true;
}

static GC_ERROR write_u32(struct device *device, uint64_t address, uint32_t value)
{
    struct camera_registers *registers = &shared_of(device)->registers;
    GC_ERROR error;

    if (write_image(registers, address, value, &error))
        return error;
    for (size_t i = 0; i < sizeof command_registers / sizeof *command_registers; i++)
        if (command_registers[i].address == address)
            return command_registers[i].execute(device);
    for (size_t i = 0; i < sizeof number_registers / sizeof *number_registers; i++) {
        const struct number_register *known = &number_registers[i];
        if (known->address != address)
            continue;
        if (known->locked && registers->tl_params_locked)
            return fail(GC_ERR_ACCESS_DENIED, "the register is locked while the camera grabs");
        if (value < known->least || value > known->most)
            return out_of_range();
        memcpy((uint8_t *)registers + address, &value, sizeof value);
        return GC_ERR_SUCCESS;
    }
    return fail(GC_ERR_INVALID_ADDRESS, "no register to write at this address");
}

static GC_ERROR write_f64(struct device *device, uint64_t address, double value)
{
    for (size_t i = 0; i < sizeof real_registers / sizeof *real_registers; i++) {
        const struct real_register *known = &real_registers[i];
        if (known->address != address)
            continue;
        if (!(value >= known->least && value <= known->most))
            return out_of_range();
        if (address == AT(exposure_us)) /* the shutter has steps of a microsecond: what is read back is what it does */
            value = (double)(uint64_t)(value + 0.5);
        memcpy((uint8_t *)&shared_of(device)->registers + address, &value, sizeof value);
        return GC_ERR_SUCCESS;
    }
    return fail(GC_ERR_INVALID_ADDRESS, "no register to write at this address");
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
