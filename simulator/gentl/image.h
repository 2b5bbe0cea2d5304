/* What the sensor sees, made into the pixel format that was asked for. */
#ifndef DATUMD_IMAGE_H
#define DATUMD_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMAGE_MAX_WIDTH 16384

/* Pixel Format Naming Convention (EMVA PFNC), 32 bit values */
enum {
    PIXEL_MONO8 = 0x01080001,
    PIXEL_BAYER_RG8 = 0x01080009,
    PIXEL_MONO10P = 0x010A0046,
    PIXEL_MONO12P = 0x010C0047,
    PIXEL_RGB8 = 0x02180014,
};

struct image_job {
    const uint8_t *content; /* sensor image, rows of `sensor_width` pixels of `channels` bytes */
    uint32_t sensor_width;
    uint32_t channels;
    uint32_t x, y, width, height; /* region of interest in sensor pixels */
    uint32_t pixel_format;
};

/* Content level (0..255) to output level, for one exposure, gain and pixel format. */
struct brightness {
    double factor;
    uint32_t pixel_format;
    bool unchanged;
    uint16_t levels[256];
};

bool image_format_is_known(uint32_t pixel_format);
size_t image_size(uint32_t pixel_format, uint32_t width, uint32_t height);
void brightness_set(struct brightness *brightness, double factor, uint32_t pixel_format);
void image_convert(const struct image_job *job, const struct brightness *brightness, uint8_t *out);

#endif
