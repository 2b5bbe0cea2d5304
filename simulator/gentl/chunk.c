/* Chunk data: facts of one exposure, appended to its image. */
#include <string.h>

#include "producer.h"

#define CHUNK_ID_FIRST UINT64_C(0xDA700001) /* camera.xml: one chunk port per kind */
#define CHUNK_ALIGNMENT 8

size_t chunk_length(int kind)
{
    return kind == CHUNK_COUNTERS ? COUNTERS * sizeof(uint64_t) : sizeof(uint64_t);
}

size_t chunk_start(size_t image_bytes)
{
    return (image_bytes + CHUNK_ALIGNMENT - 1) / CHUNK_ALIGNMENT * CHUNK_ALIGNMENT;
}

static const void *chunk_value(int kind, const struct buffer *buffer, const struct camera_registers *registers,
                               const struct exposure *exposure, const uint64_t *lines)
{
    switch (kind) {
    case CHUNK_FRAME_ID:
        return &buffer->frame_id;
    case CHUNK_TIMESTAMP:
        return &buffer->camera_ns;
    case CHUNK_EXPOSURE:
        return &registers->exposure_us;
    case CHUNK_COUNTERS:
        return exposure->counters;
    default:
        return lines;
    }
}

void chunks_append(struct buffer *buffer, const struct camera_registers *registers, const struct exposure *exposure,
                   uint32_t lines)
{
    size_t offset = chunk_start(buffer->image_bytes);
    uint64_t wide_lines = lines;

    for (int kind = 0; kind < CHUNK_KINDS; kind++) {
        if (!registers->chunk_enable[kind] || offset + chunk_length(kind) > buffer->size)
            continue;
        memcpy(buffer->bytes + offset, chunk_value(kind, buffer, registers, exposure, &wide_lines), chunk_length(kind));
        buffer->chunks[buffer->chunk_count++] = (SINGLE_CHUNK_DATA){
            .ChunkID = CHUNK_ID_FIRST + (uint64_t)kind,
            .ChunkOffset = (ptrdiff_t)offset,
            .ChunkLength = chunk_length(kind),
        };
        offset += chunk_length(kind);
    }
    buffer->filled = offset;
}
