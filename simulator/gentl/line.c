#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "producer.h"

#define NS_PER_S UINT64_C(1000000000)

/* A GenTL producer is given no arguments, so the line is named by an environment variable. */
static const char *state_path(void)
{
    const char *named = getenv(STATE_VARIABLE);
    return named != NULL && named[0] != '\0' ? named : STATE_DEFAULT;
}

static bool header_is_sound(const struct line_header *header, size_t size)
{
    if (__atomic_load_n(&header->magic, __ATOMIC_ACQUIRE) != LINE_MAGIC || header->layout != LINE_LAYOUT)
        return false;
    if (header->device_count < 1 || header->device_count > MAX_DEVICES || header->slot_count < 1 ||
        header->slot_count > MAX_SLOTS || header->file_size > size)
        return false;
    if ((header->channels != 1 && header->channels != 3) || header->sensor_width < 4 ||
        header->sensor_width > IMAGE_MAX_WIDTH || header->sensor_height < 2 || header->sensor_height > IMAGE_MAX_WIDTH)
        return false;
    if (header->content_stride < (uint64_t)header->sensor_width * header->sensor_height * header->channels ||
        header->content_stride > size)
        return false;
    return header->content_offset >= LINE_HEADER_SIZE + header->device_count * sizeof(struct line_device) &&
           header->content_offset + header->device_count * header->slot_count * header->content_stride <= size;
}

bool line_attach(struct line *line)
{
    struct stat status;
    int file = open(state_path(), O_RDWR | O_CLOEXEC);

    if (file < 0)
        return false;
    if (fstat(file, &status) != 0 || status.st_size < LINE_HEADER_SIZE) {
        close(file);
        return false;
    }
    size_t size = (size_t)status.st_size;
    void *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (bytes == MAP_FAILED) {
        close(file);
        return false;
    }
    *line = (struct line){.header = bytes, .bytes = bytes, .size = size, .inode = status.st_ino, .file = file};
    if (!header_is_sound(line->header, size)) {
        line_detach(line);
        return false;
    }
    return true;
}

void line_detach(struct line *line)
{
    if (line->bytes == NULL)
        return;
    munmap(line->bytes, line->size);
    close(line->file);
    *line = (struct line){.file = -1};
}

bool line_is_current(const struct line *line)
{
    struct stat status;
    if (line->header == NULL || line->header->superseded != 0 || stat(state_path(), &status) != 0)
        return false;
    return status.st_ino == line->inode && (size_t)status.st_size == line->size;
}

struct line_device *line_device(const struct line *line, uint32_t index)
{
    return (struct line_device *)(void *)(line->bytes + LINE_HEADER_SIZE + index * sizeof(struct line_device));
}

const uint8_t *line_content(const struct line *line, uint32_t device, uint32_t slot)
{
    const struct line_header *header = line->header;
    return line->bytes + header->content_offset +
           ((uint64_t)device * header->slot_count + slot) * header->content_stride;
}

/* One owner per camera, over all processes; the kernel lets go when the owner dies. */
bool line_lock_device(const struct line *line, uint32_t index)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = index, .l_len = 1};
    return fcntl(line->file, F_OFD_SETLK, &lock) == 0;
}

static struct timespec as_timespec(uint64_t duration_ns)
{
    return (struct timespec){.tv_sec = (time_t)(duration_ns / NS_PER_S), .tv_nsec = (long)(duration_ns % NS_PER_S)};
}

void line_wake(struct line_device *device)
{
    __atomic_add_fetch(&device->wake, 1, __ATOMIC_SEQ_CST);
    syscall(SYS_futex, &device->wake, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void line_wait(struct line_device *device, uint32_t seen, uint64_t at_most_ns)
{
    struct timespec timeout = as_timespec(at_most_ns);
    syscall(SYS_futex, &device->wake, FUTEX_WAIT, seen, &timeout, NULL, 0);
}

uint64_t monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

void sleep_ns(uint64_t duration_ns)
{
    struct timespec left = as_timespec(duration_ns);
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        continue;
}
