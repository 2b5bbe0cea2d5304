/* The register block of one camera. camera.xml names these addresses; the assertions below hold the two together. */
#ifndef DATUMD_REGISTERS_H
#define DATUMD_REGISTERS_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define TEXT_LENGTH 64
#define REGISTERS_SIZE 4096

enum { COUNTER_LINE = 0, COUNTER_SOFTWARE = 1, COUNTERS = 2 };
enum { CHUNK_FRAME_ID = 0, CHUNK_TIMESTAMP, CHUNK_EXPOSURE, CHUNK_COUNTERS, CHUNK_LINES, CHUNK_KINDS };
enum { ACQUIRE_SINGLE = 0, ACQUIRE_MULTI = 1, ACQUIRE_CONTINUOUS = 2 };
enum { SOURCE_SOFTWARE = 0, SOURCE_LINE1 = 1 };
enum { USER_OUTPUTS = 2 };
enum { LINES = 3 };
enum { LINE_OFF = 0, LINE_EXPOSURE_ACTIVE, LINE_USER_OUTPUT_1, LINE_USER_OUTPUT_2 };

struct camera_registers {
    char vendor[TEXT_LENGTH];
    char model[TEXT_LENGTH];
    char version[TEXT_LENGTH];
    char serial[TEXT_LENGTH];
    char user_id[TEXT_LENGTH];
    uint8_t reserved0[192];
    uint32_t sensor_width; /* 0x200 */
    uint32_t sensor_height;
    uint32_t width;
    uint32_t height;
    uint32_t offset_x;
    uint32_t offset_y;
    uint32_t pixel_format;
    uint32_t payload_size;
    uint32_t acquisition_mode; /* 0x220 */
    uint32_t acquisition_frame_count;
    uint32_t acquisition_start;
    uint32_t acquisition_stop;
    uint32_t trigger_selector;
    uint32_t trigger_mode;
    uint32_t trigger_source;
    uint32_t trigger_activation;
    uint32_t trigger_software; /* 0x240 */
    uint32_t counter_selector;
    uint32_t counter_reset[COUNTERS];
    uint32_t chunk_mode_active;
    uint32_t chunk_selector;
    uint32_t chunk_enable[CHUNK_KINDS];
    uint32_t reserved1[2];
    uint32_t chunk_counter_selector; /* 0x274 */
    uint32_t line_selector;
    uint32_t line_status_all;
    uint32_t user_output_selector; /* 0x280 */
    uint32_t user_output_value[USER_OUTPUTS];
    uint32_t timestamp_latch;
    uint32_t tl_params_locked; /* 0x290 */
    uint32_t frame_rate_enable;
    uint32_t acquiring;
    uint32_t reserved2;
    uint64_t counter_value[COUNTERS]; /* 0x2A0 */
    uint64_t timestamp_latch_value;
    double exposure_us;
    double gain_db; /* 0x2C0 */
    double frame_rate_hz;
    double temperature_c;
    uint32_t line_source[LINES]; /* 0x2D8 */
    uint8_t reserved3[3356];
};

static_assert(offsetof(struct camera_registers, sensor_width) == 0x200, "sensor");
static_assert(offsetof(struct camera_registers, acquisition_mode) == 0x220, "acquisition");
static_assert(offsetof(struct camera_registers, trigger_software) == 0x240, "trigger");
static_assert(offsetof(struct camera_registers, chunk_mode_active) == 0x250, "chunk mode");
static_assert(offsetof(struct camera_registers, chunk_enable) == 0x258, "chunk enable");
static_assert(offsetof(struct camera_registers, chunk_counter_selector) == 0x274, "chunk counter");
static_assert(offsetof(struct camera_registers, user_output_selector) == 0x280, "outputs");
static_assert(offsetof(struct camera_registers, tl_params_locked) == 0x290, "lock");
static_assert(offsetof(struct camera_registers, counter_value) == 0x2A0, "counters");
static_assert(offsetof(struct camera_registers, timestamp_latch_value) == 0x2B0, "timestamp");
static_assert(offsetof(struct camera_registers, exposure_us) == 0x2B8, "exposure");
static_assert(offsetof(struct camera_registers, gain_db) == 0x2C0, "gain");
static_assert(sizeof(struct camera_registers) == REGISTERS_SIZE, "registers");

#endif
