/* The modules of the producer: one system, one interface, up to four devices with one stream each.
 *
 * All of them are static: a handle is the address of a module, so a stale handle is recognised, never followed. */
#ifndef DATUMD_PRODUCER_H
#define DATUMD_PRODUCER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "gentl.h"
#include "image.h"
#include "line_state.h"

#define ID_LENGTH 64
#define TL_TYPE "Custom"
#define VENDOR "datumd"
#define MODEL "Simulated camera"
#define VERSION "1.0.0"
#define STATE_VARIABLE "DATUMD_SIM_LINE"
#define STATE_DEFAULT "/dev/shm/datumd-sim-default"

/* answer.c: what every call gives back */
GC_ERROR fail(GC_ERROR code, const char *text);
GC_ERROR answer_string(const char *text, INFO_DATATYPE *type, void *value, size_t *size);
GC_ERROR answer_i32(int32_t number, INFO_DATATYPE *type, void *value, size_t *size);
GC_ERROR answer_u32(uint32_t number, INFO_DATATYPE *type, void *value, size_t *size);
GC_ERROR answer_u64(uint64_t number, INFO_DATATYPE *type, void *value, size_t *size);
GC_ERROR answer_size(size_t number, INFO_DATATYPE *type, void *value, size_t *size);
GC_ERROR answer_bool(bool flag, INFO_DATATYPE *type, void *value, size_t *size);
GC_ERROR answer_pointer(void *pointer, INFO_DATATYPE *type, void *value, size_t *size);

/* line.c: the mapped file of the line process */
struct line {
    const struct line_header *header; /* NULL while no line is attached */
    uint8_t *bytes;
    size_t size;
    uint64_t inode;
    int file;
};
bool line_attach(struct line *line);
void line_detach(struct line *line);
bool line_is_current(const struct line *line);
struct line_device *line_device(const struct line *line, uint32_t index);
const uint8_t *line_content(const struct line *line, uint32_t device, uint32_t slot);
bool line_lock_device(const struct line *line, uint32_t index);
void line_wake(struct line_device *device);
void line_wait(struct line_device *device, uint32_t seen, uint64_t at_most_ns);
uint64_t monotonic_ns(void);
void sleep_ns(uint64_t duration_ns);

/* stream.c, worker.c, event.c */
enum buffer_state { BUFFER_IDLE, BUFFER_QUEUED, BUFFER_FILLING, BUFFER_DELIVERED };

struct buffer {
    struct buffer *next_announced;
    struct buffer *next_queued; /* in the input or the output queue */
    enum buffer_state state;
    uint8_t *bytes;
    size_t size;
    void *user;
    bool owned; /* allocated by DSAllocAndAnnounceBuffer */
    bool new_data;
    bool incomplete;
    bool too_small;
    struct image_job image;
    size_t image_bytes;
    size_t filled;
    uint64_t frame_id;
    uint64_t camera_ns;
    uint32_t chunk_count;
    SINGLE_CHUNK_DATA chunks[CHUNK_KINDS];
};

struct buffer_queue {
    struct buffer *first;
    struct buffer *last;
    size_t length;
};

struct device;

struct stream {
    bool open;
    struct device *device;
    pthread_mutex_t lock; /* guards everything below but the worker's own words */
    pthread_cond_t delivered;
    struct buffer *announced;
    size_t announced_count;
    struct buffer_queue input;
    struct buffer_queue output;
    uint64_t started_count;
    uint64_t delivered_count;
    uint64_t underrun_count;
    bool event_registered;
    uint64_t event_fired;
    unsigned event_kills;
    unsigned event_waiters;
    bool running;
    pthread_t worker;
    atomic_bool stop;
    uint64_t frames_wanted;
    struct brightness brightness; /* of the worker */
};

struct remote_port {
    struct device *device;
};

struct device {
    bool open;
    uint32_t index;
    char id[ID_LENGTH];
    struct line line; /* its own mapping: outlives a line that is replaced */
    uint64_t loss_count; /* when it was opened */
    pthread_mutex_t lock; /* guards the registers and the cursors */
    uint64_t edge_cursor;
    uint64_t software_cursor;
    uint64_t frame_id;
    uint64_t next_free_run_ns;
    struct remote_port remote;
    struct stream stream;
};

struct producer {
    pthread_mutex_t lock; /* guards opening and closing */
    bool initialised;
    bool system_open;
    bool interface_open;
    struct line line; /* for listing devices */
    bool listed[MAX_DEVICES];
    uint32_t listed_count;
    struct device devices[MAX_DEVICES];
    char path[4096];
};
extern struct producer producer;

/* What the line and this camera share. */
static inline struct line_device *shared_of(const struct device *device)
{
    return line_device(&device->line, device->index);
}

bool is_system(const void *handle);
bool is_interface(const void *handle);
struct device *as_device(void *handle);
struct stream *as_stream(void *handle);
struct device *as_remote(void *handle);

GC_ERROR device_info(uint32_t index, DEVICE_INFO_CMD command, INFO_DATATYPE *type, void *value, size_t *size);
bool device_is_present(const struct line *line, uint32_t index);
bool device_is_lost(const struct device *device);
void device_close(struct device *device);
void interface_close(void);
void system_close(void);

void camera_power_on(struct device *device);
void camera_come_back(struct device *device);
void camera_reset_session(struct device *device);
GC_ERROR camera_read(struct device *device, uint64_t address, void *bytes, size_t size);
GC_ERROR camera_write(struct device *device, uint64_t address, const void *bytes, size_t size);
size_t camera_payload_size(const struct camera_registers *registers);
uint64_t camera_counter(const struct device *device, int counter);
uint64_t camera_line_number(const struct device *device, uint64_t edge);
uint32_t camera_lines(const struct device *device, bool trigger_high, bool exposing);

/* chunk.c */
struct exposure {
    uint64_t start_ns; /* host's monotonic clock */
    uint64_t counters[COUNTERS];
    uint32_t slot;
    uint32_t faults;
    bool by_edge;
    uint64_t content_sequence; /* of the edge */
    double light;
};
size_t chunk_length(int kind);
size_t chunk_start(size_t image_bytes);
void chunks_append(struct buffer *buffer, const struct camera_registers *registers, const struct exposure *exposure,
                   uint32_t lines);

void queue_append(struct buffer_queue *queue, struct buffer *buffer);
struct buffer *queue_take(struct buffer_queue *queue);
struct buffer *find_buffer(struct stream *stream, const void *handle);
void stream_stop(struct stream *stream);
void stream_close(struct stream *stream);
bool worker_start(struct stream *stream);

#endif
