#include "image.h"

#include <string.h>

static unsigned bits_per_pixel(uint32_t pixel_format)
{
    return (pixel_format >> 16) & 0xFF; /* PFNC keeps the size there */
}

bool image_format_is_known(uint32_t pixel_format)
{
    switch (pixel_format) {
    case PIXEL_MONO8:
    case PIXEL_MONO10P:
    case PIXEL_MONO12P:
    case PIXEL_BAYER_RG8:
    case PIXEL_RGB8:
        return true;
    default:
        return false;
    }
}

size_t image_size(uint32_t pixel_format, uint32_t width, uint32_t height)
{
    return ((size_t)width * height * bits_per_pixel(pixel_format) + 7) / 8;
}

/* Levels scale with light and saturate at full scale. A content level v is v * 4 in 10 bits and v * 16 in 12. */
void brightness_set(struct brightness *brightness, double factor, uint32_t pixel_format)
{
    double step = pixel_format == PIXEL_MONO10P ? 4.0 : pixel_format == PIXEL_MONO12P ? 16.0 : 1.0;
    double full_scale = 256.0 * step - 1.0;

    if (brightness->factor == factor && brightness->pixel_format == pixel_format)
        return;
    for (int level = 0; level < 256; level++) {
        double light = level * step * factor + 0.5; /* the cast rounds it */
        brightness->levels[level] = (uint16_t)(light < full_scale ? light : full_scale);
    }
    brightness->factor = factor;
    brightness->pixel_format = pixel_format;
    brightness->unchanged = factor == 1.0;
}

static uint8_t grey(const uint8_t *rgb)
{
    return (uint8_t)((77 * rgb[0] + 150 * rgb[1] + 29 * rgb[2] + 128) >> 8); /* Rec. 601, in 1/256 */
}

/* One row of sensor levels: a plane of grey, or of the Bayer filter over each pixel. */
static void sample_row(const struct image_job *job, const uint8_t *row, uint32_t y, uint8_t *levels)
{
    const uint8_t *pixel = row + (size_t)job->x * job->channels;

    if (job->channels == 1) {
        memcpy(levels, pixel, job->width);
        return;
    }
    for (uint32_t i = 0; i < job->width; i++, pixel += 3) {
        if (job->pixel_format == PIXEL_BAYER_RG8)
            levels[i] = pixel[((job->x + i) & 1) + (y & 1)]; /* rows RGRG and GBGB: red + green + blue = 0 + 1 + 2 */
        else
            levels[i] = grey(pixel);
    }
}

static void write_rgb_row(const struct image_job *job, const uint8_t *row, const uint16_t *levels, uint8_t *out)
{
    const uint8_t *pixel = row + (size_t)job->x * job->channels;
    uint32_t green = job->channels == 3 ? 1 : 0;

    for (uint32_t i = 0; i < job->width; i++, pixel += job->channels, out += 3) {
        out[0] = (uint8_t)levels[pixel[0]];
        out[1] = (uint8_t)levels[pixel[green]];
        out[2] = (uint8_t)levels[pixel[2 * green]];
    }
}

/* Mono10p: four pixels in five bytes, least significant bit first. Width is a multiple of four. */
static void pack10(const uint8_t *in, uint32_t width, const uint16_t *levels, uint8_t *out)
{
    for (uint32_t i = 0; i + 3 < width; i += 4, out += 5) {
        uint64_t four = (uint64_t)levels[in[i]] | (uint64_t)levels[in[i + 1]] << 10 |
                        (uint64_t)levels[in[i + 2]] << 20 | (uint64_t)levels[in[i + 3]] << 30;
        for (int byte = 0; byte < 5; byte++)
            out[byte] = (uint8_t)(four >> (8 * byte));
    }
}

/* Mono12p: two pixels in three bytes, least significant bit first. */
static void pack12(const uint8_t *in, uint32_t width, const uint16_t *levels, uint8_t *out)
{
    for (uint32_t i = 0; i + 1 < width; i += 2, out += 3) {
        uint32_t two = (uint32_t)levels[in[i]] | (uint32_t)levels[in[i + 1]] << 12;
        out[0] = (uint8_t)two;
        out[1] = (uint8_t)(two >> 8);
        out[2] = (uint8_t)(two >> 16);
    }
}

static void write_grey_row(const struct image_job *job, const struct brightness *brightness, uint8_t *samples,
                           uint8_t *out)
{
    switch (job->pixel_format) {
    case PIXEL_MONO10P:
        pack10(samples, job->width, brightness->levels, out);
        break;
    case PIXEL_MONO12P:
        pack12(samples, job->width, brightness->levels, out);
        break;
    default:
        for (uint32_t i = 0; i < job->width; i++)
            out[i] = (uint8_t)brightness->levels[samples[i]];
    }
}

void image_convert(const struct image_job *job, const struct brightness *brightness, uint8_t *out)
{
    size_t pitch = (size_t)job->sensor_width * job->channels;
    size_t out_pitch = image_size(job->pixel_format, job->width, 1);
    bool eight_bits = job->pixel_format == PIXEL_MONO8 || job->pixel_format == PIXEL_BAYER_RG8;
    uint8_t samples[IMAGE_MAX_WIDTH];

    for (uint32_t i = 0; i < job->height; i++, out += out_pitch) {
        const uint8_t *row = job->content + (job->y + i) * pitch;
        if (job->pixel_format == PIXEL_RGB8) {
            write_rgb_row(job, row, brightness->levels, out);
        } else if (eight_bits && brightness->unchanged) {
            sample_row(job, row, job->y + i, out);
        } else {
            sample_row(job, row, job->y + i, samples);
            write_grey_row(job, brightness, samples, out);
        }
    }
}
