/* The shared file between the line process and the cameras: layout, word for word the one of simulator/line_state.py.
 *
 * The line writes the header, the edges, the faults and the content images. The camera (the process that holds the
 * device open) writes its registers, its software triggers and its tallies. Every word has one writer. */
#ifndef DATUMD_LINE_STATE_H
#define DATUMD_LINE_STATE_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "registers.h"

#define LINE_MAGIC UINT64_C(0x314D4953444D5444) /* "DTMDSIM1" read little endian */
#define LINE_LAYOUT 2
#define MAX_DEVICES 4
#define MAX_SLOTS 512
#define EDGE_RING 1024
#define SOFTWARE_RING 256

enum { FAULT_INCOMPLETE = 1, FAULT_DROP = 2, FAULT_IGNORED = 4, FAULT_CORRUPT_NUMBER = 8 };
#define CORRUPTION 1000 /* what a damaged chunk adds to the number */

struct line_header {
    uint64_t magic; /* written last */
    uint32_t layout;
    uint32_t device_count;
    uint32_t sensor_width;
    uint32_t sensor_height;
    uint32_t channels; /* 1 grey, 3 RGB */
    uint32_t slot_count;
    uint64_t content_offset; /* of device 0, slot 0 */
    uint64_t content_stride; /* from one image to the next */
    uint64_t file_size;
    uint64_t clock_zero_ns; /* CLOCK_MONOTONIC when the cameras got power: their timestamps start here */
    double nominal_exposure_us; /* exposure at which content arrives unchanged */
    uint64_t superseded; /* a new line took this file's name: these cameras are gone */
};

struct line_edge {
    uint64_t valid; /* equals `number` when the entry is whole, 0 while it is written */
    uint64_t number; /* what the camera's line counter reads after this edge, first edge 1 */
    uint64_t trigger_number; /* what the line calls it */
    uint64_t monotonic_ns;
    uint64_t content_sequence; /* of the slot below, when the edge was made */
    uint32_t slot;
    uint32_t faults;
    double light; /* lamp, 1 = as rendered */
    uint64_t reserved;
};

struct software_trigger {
    uint64_t number;
    uint64_t monotonic_ns;
};

struct line_device {
    /* the line writes */
    uint32_t wake; /* futex word: changes with every edge and fault */
    uint32_t reserved0;
    uint64_t edge_count;
    uint64_t loss_count;
    uint64_t lost_until_ns;
    uint64_t hang_until_ns;
    uint64_t line_zero; /* edges that had passed when the line counter stood at 0, modulo 2^64: counters may start apart */
    uint64_t power_losses;
    uint64_t return_width; /* of the camera that comes back from the newest loss; 0: as it was set up */
    uint64_t return_format; /* likewise */
    uint64_t reserved1[23];
    /* the camera writes */
    uint64_t software_count;
    uint64_t frames_exposed;
    uint64_t frames_delivered;
    uint64_t frames_incomplete;
    uint64_t frames_dropped;
    uint64_t frames_underrun;
    uint64_t edges_overrun; /* edges that passed before the camera could look at them */
    uint64_t content_torn;
    uint64_t counter_base[2]; /* CounterReset: what the counters showed then */
    uint64_t powered_on; /* 1 + power_losses when it was switched on last */
    uint64_t losses_seen; /* loss_count when it was opened last */
    uint64_t kept_width; /* how it was set up before it came back otherwise; 0: it did not */
    uint64_t kept_format;
    uint64_t reserved2[82];
    struct line_edge edges[EDGE_RING];
    struct software_trigger software[SOFTWARE_RING];
    struct camera_registers registers;
    uint64_t slot_sequence[MAX_SLOTS]; /* the line writes: odd while an image is being put there */
};

#define LINE_HEADER_SIZE 4096

static_assert(sizeof(struct line_header) <= LINE_HEADER_SIZE, "header");
static_assert(offsetof(struct line_device, software_count) == 256, "camera words");
static_assert(offsetof(struct line_device, edges) == 1024, "edges");
static_assert(sizeof(struct line_edge) == 64, "edge");
static_assert(offsetof(struct line_device, software) == 66560, "software triggers");
static_assert(offsetof(struct line_device, registers) == 70656, "registers");
static_assert(offsetof(struct line_device, slot_sequence) == 74752, "slots");
static_assert(sizeof(struct line_device) == 78848, "device");

#endif
