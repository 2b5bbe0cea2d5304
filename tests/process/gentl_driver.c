/* Walks through the simulated cameras' GenTL producer without Python, for sanitizers, valgrind and raw speed.
 *
 *   driver PRODUCER.cti walk          every call, right and wrong; exits 0 when each answered as it must
 *   driver PRODUCER.cti devices       prints how many devices there are
 *   driver PRODUCER.cti speed FRAMES  prints frames per second of the free-running camera, images copied by the worker
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gentl.h"

#define MUST(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                                    \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)
#define OK(call) MUST((call) == GC_ERR_SUCCESS)

enum {
    SENSOR_WIDTH = 0x200,
    SENSOR_HEIGHT = 0x204,
    WIDTH = 0x208,
    HEIGHT = 0x20C,
    OFFSET_X = 0x210,
    OFFSET_Y = 0x214,
    PIXEL_FORMAT = 0x218,
    PAYLOAD_SIZE = 0x21C,
    START = 0x228,
    STOP = 0x22C,
    TRIGGER_MODE = 0x234,
    TRIGGER_SOURCE = 0x238,
    TRIGGER_SOFTWARE = 0x240,
    CHUNK_MODE = 0x250,
    LATCH = 0x28C,
    LOCKED = 0x290,
    EXPOSURE = 0x2B8,
    FRAME_RATE = 0x2C8,
};

/* every function of the producer, by its name */
#define CALLS(CALL)                                                                                                    \
    CALL(GCInitLib) CALL(GCCloseLib) CALL(GCGetInfo) CALL(GCGetLastError) CALL(GCReadPort) CALL(GCWritePort)           \
    CALL(GCReadPortStacked) CALL(GCWritePortStacked) CALL(GCGetPortURL) CALL(GCGetPortInfo) CALL(GCGetNumPortURLs)     \
    CALL(GCGetPortURLInfo) CALL(GCRegisterEvent) CALL(GCUnregisterEvent) CALL(EventGetData) CALL(EventGetDataInfo)     \
    CALL(EventGetInfo) CALL(EventFlush) CALL(EventKill) CALL(TLOpen) CALL(TLClose) CALL(TLGetInfo)                     \
    CALL(TLGetNumInterfaces) CALL(TLGetInterfaceID) CALL(TLGetInterfaceInfo) CALL(TLOpenInterface)                     \
    CALL(TLUpdateInterfaceList) CALL(IFClose) CALL(IFGetInfo) CALL(IFGetNumDevices) CALL(IFGetDeviceID)                \
    CALL(IFUpdateDeviceList) CALL(IFGetDeviceInfo) CALL(IFOpenDevice) CALL(IFGetParentTL) CALL(DevGetPort)             \
    CALL(DevGetNumDataStreams) CALL(DevGetDataStreamID) CALL(DevOpenDataStream) CALL(DevGetInfo) CALL(DevClose)        \
    CALL(DevGetParentIF) CALL(DSAnnounceBuffer) CALL(DSAllocAndAnnounceBuffer) CALL(DSFlushQueue)                      \
    CALL(DSStartAcquisition) CALL(DSStopAcquisition) CALL(DSGetInfo) CALL(DSGetBufferID) CALL(DSClose)                 \
    CALL(DSRevokeBuffer) CALL(DSQueueBuffer) CALL(DSGetBufferInfo) CALL(DSGetBufferChunkData) CALL(DSGetParentDev)     \
    CALL(DSGetNumBufferParts) CALL(DSGetBufferPartInfo) CALL(DSAnnounceCompositeBuffer) CALL(DSGetNumBufferSegments)   \
    CALL(DSGetBufferSegmentInfo) CALL(DSGetNumFlows) CALL(DSGetFlowInfo)

#define DECLARE(name) __typeof__(&name) name;
static struct {
    CALLS(DECLARE)
} gentl;

static void load(const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
#define FIND(name)                                                                                                     \
    *(void **)&gentl.name = dlsym(library, #name);                                                                     \
    MUST(gentl.name != NULL);
    CALLS(FIND)
}

static TL_HANDLE tl;
static IF_HANDLE interface;

static uint32_t open_system(void)
{
    char id[64];
    size_t size = sizeof id;
    uint32_t count;

    OK(gentl.GCInitLib());
    OK(gentl.TLOpen(&tl));
    OK(gentl.TLUpdateInterfaceList(tl, NULL, 100));
    OK(gentl.TLGetInterfaceID(tl, 0, id, &size));
    OK(gentl.TLOpenInterface(tl, id, &interface));
    OK(gentl.IFUpdateDeviceList(interface, NULL, 100));
    OK(gentl.IFGetNumDevices(interface, &count));
    return count;
}

static void set_u32(PORT_HANDLE port, uint64_t address, uint32_t value)
{
    size_t size = sizeof value;
    OK(gentl.GCWritePort(port, address, &value, &size));
}

static void set_f64(PORT_HANDLE port, uint64_t address, double value)
{
    size_t size = sizeof value;
    OK(gentl.GCWritePort(port, address, &value, &size));
}

static uint32_t get_u32(PORT_HANDLE port, uint64_t address)
{
    uint32_t value;
    size_t size = sizeof value;
    OK(gentl.GCReadPort(port, address, &value, &size));
    return value;
}

/* The camera keeps its settings over the process that made them; begin with the whole sensor in Mono8. */
static void whole_sensor(PORT_HANDLE remote)
{
    set_u32(remote, OFFSET_X, 0);
    set_u32(remote, OFFSET_Y, 0);
    set_u32(remote, WIDTH, get_u32(remote, SENSOR_WIDTH));
    set_u32(remote, HEIGHT, get_u32(remote, SENSOR_HEIGHT));
    set_u32(remote, PIXEL_FORMAT, 0x01080001);
    set_u32(remote, TRIGGER_MODE, 0);
    set_u32(remote, CHUNK_MODE, 0);
}

static GC_ERROR try_u32(PORT_HANDLE port, uint64_t address, uint32_t value)
{
    size_t size = sizeof value;
    return gentl.GCWritePort(port, address, &value, &size);
}

static uint64_t stream_fact(DS_HANDLE stream, STREAM_INFO_CMD command)
{
    uint64_t value = 0;
    size_t size = sizeof value;
    OK(gentl.DSGetInfo(stream, command, NULL, &value, &size));
    return value;
}

/* Asks for the size, then the value, then with too little room. */
#define ASK(...)                                                                                                       \
    do {                                                                                                               \
        char answer[512];                                                                                              \
        size_t size = 0, room;                                                                                         \
        INFO_DATATYPE type = 0;                                                                                        \
        void *place = NULL;                                                                                            \
        if (CALLED(__VA_ARGS__) == GC_ERR_SUCCESS) {                                                                   \
            MUST(size > 0 && size <= sizeof answer && type != 0);                                                      \
            place = answer;                                                                                            \
            room = size;                                                                                               \
            OK(CALLED(__VA_ARGS__));                                                                                   \
            size = room - 1;                                                                                           \
            MUST(CALLED(__VA_ARGS__) == GC_ERR_BUFFER_TOO_SMALL);                                                      \
        }                                                                                                              \
    } while (0)
#define CALLED(function, ...) gentl.function(__VA_ARGS__, &type, place, &size)

static void ask_modules(DEV_HANDLE device, PORT_HANDLE remote)
{
    void *ports[] = {tl, interface, device, remote};

    for (int command = 0; command < 16; command++) {
        ASK(TLGetInfo, tl, command);
        ASK(TLGetInterfaceInfo, tl, "datumd-sim-line", command);
        ASK(IFGetInfo, interface, command);
        ASK(IFGetDeviceInfo, interface, "SIM-0", command);
        ASK(DevGetInfo, device, command);
        for (int i = 0; i < 4; i++) {
            ASK(GCGetPortInfo, ports[i], command);
            ASK(GCGetPortURLInfo, ports[i], 0, command);
        }
    }
}
#undef CALLED

static void read_description(PORT_HANDLE port)
{
    char url[256], file[64];
    size_t size = sizeof url;
    unsigned long long address, length;
    uint32_t count;

    OK(gentl.GCGetNumPortURLs(port, &count));
    MUST(count == 1);
    OK(gentl.GCGetPortURL(port, url, &size));
    MUST(sscanf(url, "local:%63[^;];%llx;%llx", file, &address, &length) == 3);
    char *xml = malloc(length + 1);
    MUST(xml != NULL);
    size = length;
    OK(gentl.GCReadPort(port, address, xml, &size));
    xml[length] = '\0';
    MUST(strstr(xml, "</RegisterDescription>") != NULL);
    size = length + 1;
    MUST(gentl.GCReadPort(port, address, xml, &size) == GC_ERR_INVALID_ADDRESS);
    free(xml);
}

static void refuse_bad_registers(PORT_HANDLE remote)
{
    double exposure = 1.0;
    size_t size = sizeof exposure;
    char byte;
    size_t one = 1;

    MUST(try_u32(remote, WIDTH, 6) == GC_ERR_INVALID_VALUE);
    MUST(try_u32(remote, WIDTH, 1u << 31) == GC_ERR_INVALID_VALUE);
    MUST(try_u32(remote, OFFSET_X, 4) == GC_ERR_INVALID_VALUE); /* the image is as wide as the sensor */
    MUST(try_u32(remote, PIXEL_FORMAT, 42) == GC_ERR_INVALID_VALUE);
    MUST(try_u32(remote, PAYLOAD_SIZE, 42) == GC_ERR_INVALID_ADDRESS);
    MUST(try_u32(remote, 0xFFFFFFFFFFFFFFFE, 42) == GC_ERR_INVALID_ADDRESS);
    MUST(gentl.GCWritePort(remote, EXPOSURE, &exposure, &size) == GC_ERR_INVALID_VALUE);
    MUST(gentl.GCReadPort(remote, 4096, &byte, &one) == GC_ERR_INVALID_ADDRESS);
    MUST(gentl.GCReadPort(remote, UINT64_MAX, &byte, &one) == GC_ERR_INVALID_ADDRESS);
    MUST(gentl.GCReadPort(interface, 64, &byte, &one) == GC_ERR_INVALID_ADDRESS);
    MUST(gentl.GCWritePort(interface, 0, &byte, &one) == GC_ERR_ACCESS_DENIED);
    MUST(gentl.GCReadPort(NULL, 0, &byte, &one) == GC_ERR_INVALID_HANDLE);
}

static void stacked(PORT_HANDLE remote)
{
    uint32_t width = 64, height = 32, read_width = 0, read_height = 0;
    PORT_REGISTER_STACK_ENTRY write[] = {{WIDTH, &width, 4}, {HEIGHT, &height, 4}};
    PORT_REGISTER_STACK_ENTRY read[] = {{WIDTH, &read_width, 4}, {HEIGHT, &read_height, 4}, {9999, &width, 4}};
    size_t count = 2;

    OK(gentl.GCWritePortStacked(remote, write, &count));
    OK(gentl.GCReadPortStacked(remote, read, &count));
    MUST(read_width == 64 && read_height == 32);
    count = 3;
    MUST(gentl.GCReadPortStacked(remote, read, &count) == GC_ERR_INVALID_ADDRESS && count == 2);
}

static BUFFER_HANDLE next_buffer(EVENT_HANDLE event, uint64_t timeout_ms)
{
    EVENT_NEW_BUFFER_DATA data;
    size_t size = sizeof data;
    BUFFER_HANDLE buffer = NULL;
    size_t pointer_size = sizeof buffer;

    if (gentl.EventGetData(event, &data, &size, timeout_ms) != GC_ERR_SUCCESS)
        return NULL;
    OK(gentl.EventGetDataInfo(event, &data, size, EVENT_DATA_ID, NULL, &buffer, &pointer_size));
    MUST(buffer == data.BufferHandle);
    return buffer;
}

static void ask_buffer(DS_HANDLE stream, BUFFER_HANDLE buffer)
{
#define CALLED(function, ...) gentl.function(__VA_ARGS__, &type, place, &size)
    for (int command = 0; command < 40; command++) {
        ASK(DSGetBufferInfo, stream, buffer, command);
        ASK(DSGetInfo, stream, command);
    }
#undef CALLED
    size_t count = 0;
    OK(gentl.DSGetBufferChunkData(stream, buffer, NULL, &count));
    MUST(count == 5);
    SINGLE_CHUNK_DATA chunks[5];
    OK(gentl.DSGetBufferChunkData(stream, buffer, chunks, &count));
    count = 4;
    MUST(gentl.DSGetBufferChunkData(stream, buffer, chunks, &count) == GC_ERR_BUFFER_TOO_SMALL);
    uint8_t *base;
    size_t size = sizeof base;
    OK(gentl.DSGetBufferInfo(stream, buffer, BUFFER_INFO_BASE, NULL, &base, &size));
    for (int i = 0; i < 5; i++)
        for (size_t byte = 0; byte < chunks[i].ChunkLength; byte++)
            (void)*(volatile uint8_t *)(base + chunks[i].ChunkOffset + byte); /* a sanitizer sees a wrong offset */
}

static void grab_every_format(PORT_HANDLE remote, DS_HANDLE stream, EVENT_HANDLE event)
{
    static const uint32_t formats[] = {0x01080001, 0x010A0046, 0x010C0047, 0x01080009, 0x02180014};

    for (int i = 0; i < 5; i++) {
        void *bytes;
        BUFFER_HANDLE buffer;
        set_u32(remote, PIXEL_FORMAT, formats[i]);
        set_f64(remote, EXPOSURE, 1000.0 + 100.0 * i);
        size_t size = get_u32(remote, PAYLOAD_SIZE);
        uint8_t *place = malloc(size); /* exactly as large as asked for: one byte too many is found */
        OK(gentl.DSAnnounceBuffer(stream, place, size, &size, &buffer));
        OK(gentl.DSQueueBuffer(stream, buffer));
        OK(gentl.DSStartAcquisition(stream, 0, GENTL_INFINITE));
        set_u32(remote, START, 1);
        set_u32(remote, TRIGGER_SOFTWARE, 1);
        MUST(next_buffer(event, 2000) == buffer);
        ask_buffer(stream, buffer);
        set_u32(remote, STOP, 1);
        OK(gentl.DSStopAcquisition(stream, 1));
        OK(gentl.DSRevokeBuffer(stream, buffer, &bytes, NULL));
        MUST(bytes == place);
        free(place);
    }
}

static void *wait_for_nothing(void *event)
{
    EVENT_NEW_BUFFER_DATA data;
    size_t size = sizeof data;
    MUST(gentl.EventGetData(event, &data, &size, GENTL_INFINITE) == GC_ERR_ABORT);
    return NULL;
}

static void kill_a_wait(EVENT_HANDLE event)
{
    pthread_t waiter;
    MUST(pthread_create(&waiter, NULL, wait_for_nothing, event) == 0);
    nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    OK(gentl.EventKill(event));
    pthread_join(waiter, NULL);
}

static void queues(PORT_HANDLE remote, DS_HANDLE stream, EVENT_HANDLE event)
{
    BUFFER_HANDLE buffers[3], small;
    size_t size = get_u32(remote, PAYLOAD_SIZE);

    for (int i = 0; i < 3; i++) {
        OK(gentl.DSAllocAndAnnounceBuffer(stream, size, NULL, &buffers[i]));
        OK(gentl.DSQueueBuffer(stream, buffers[i]));
        MUST(gentl.DSQueueBuffer(stream, buffers[i]) == GC_ERR_RESOURCE_IN_USE);
    }
    MUST(gentl.DSRevokeBuffer(stream, buffers[0], NULL, NULL) == GC_ERR_BUSY);
    OK(gentl.DSStartAcquisition(stream, 0, GENTL_INFINITE));
    MUST(gentl.DSStartAcquisition(stream, 0, GENTL_INFINITE) == GC_ERR_RESOURCE_IN_USE);
    set_u32(remote, LOCKED, 1);
    MUST(try_u32(remote, WIDTH, 32) == GC_ERR_ACCESS_DENIED);
    set_u32(remote, START, 1);
    for (int i = 0; i < 5; i++) /* two more than there are buffers */
        set_u32(remote, TRIGGER_SOFTWARE, 1);
    for (int i = 0; i < 3; i++)
        MUST(next_buffer(event, 2000) == buffers[i]);
    MUST(next_buffer(event, 200) == NULL);
    MUST(stream_fact(stream, STREAM_INFO_NUM_UNDERRUN) == 2);
    OK(gentl.DSFlushQueue(stream, ACQ_QUEUE_UNQUEUED_TO_INPUT));
    MUST(stream_fact(stream, STREAM_INFO_NUM_QUEUED) == 3);
    OK(gentl.DSFlushQueue(stream, ACQ_QUEUE_INPUT_TO_OUTPUT));
    MUST(stream_fact(stream, STREAM_INFO_NUM_AWAIT_DELIVERY) == 3);
    OK(gentl.DSFlushQueue(stream, ACQ_QUEUE_ALL_TO_INPUT));
    OK(gentl.DSFlushQueue(stream, ACQ_QUEUE_ALL_DISCARD));
    OK(gentl.DSRevokeBuffer(stream, buffers[0], NULL, NULL));
    OK(gentl.DSAllocAndAnnounceBuffer(stream, 16, NULL, &small)); /* far too small for a frame */
    OK(gentl.DSQueueBuffer(stream, small));
    set_u32(remote, TRIGGER_SOFTWARE, 1);
    MUST(next_buffer(event, 2000) == small);
    bool8_t incomplete = 0;
    size_t flag_size = sizeof incomplete;
    OK(gentl.DSGetBufferInfo(stream, small, BUFFER_INFO_IS_INCOMPLETE, NULL, &incomplete, &flag_size));
    MUST(incomplete);
    OK(gentl.EventFlush(event));
    set_u32(remote, LOCKED, 0);
    OK(gentl.DSStopAcquisition(stream, 0));
    MUST(gentl.DSStopAcquisition(stream, 0) == GC_ERR_RESOURCE_IN_USE);
}

static void refuse_dead_handles(DEV_HANDLE device, DS_HANDLE stream, EVENT_HANDLE event)
{
    char text[64];
    size_t size = sizeof text;
    GC_ERROR last;
    uint32_t count;
    PORT_HANDLE port;

    MUST(gentl.DevGetPort(device, &port) == GC_ERR_INVALID_HANDLE);
    MUST(gentl.DSStartAcquisition(stream, 0, 1) == GC_ERR_INVALID_HANDLE);
    MUST(gentl.DSClose(stream) == GC_ERR_INVALID_HANDLE);
    MUST(gentl.EventKill(event) == GC_ERR_INVALID_HANDLE);
    MUST(gentl.IFGetNumDevices(interface, &count) == GC_ERR_INVALID_HANDLE);
    MUST(gentl.TLClose(tl) == GC_ERR_INVALID_HANDLE);
    OK(gentl.GCGetLastError(&last, text, &size));
    MUST(last == GC_ERR_INVALID_HANDLE);
}

static void walk(void)
{
    DEV_HANDLE device, again;
    PORT_HANDLE remote;
    DS_HANDLE stream;
    EVENT_HANDLE event;
    uint32_t count;

    MUST(open_system() >= 1);
    MUST(gentl.GCInitLib() == GC_ERR_RESOURCE_IN_USE);
    MUST(gentl.IFOpenDevice(interface, "SIM-9", 3, &device) == GC_ERR_INVALID_ID);
    OK(gentl.IFOpenDevice(interface, "SIM-0", 3, &device));
    MUST(gentl.IFOpenDevice(interface, "SIM-0", 3, &again) == GC_ERR_RESOURCE_IN_USE);
    OK(gentl.DevGetPort(device, &remote));
    OK(gentl.DevOpenDataStream(device, "SIM-0", &stream));
    ask_modules(device, remote);
    read_description(tl);
    read_description(interface);
    read_description(device);
    read_description(stream);
    read_description(remote);
    whole_sensor(remote);
    refuse_bad_registers(remote);
    stacked(remote);
    set_u32(remote, OFFSET_X, 8);
    set_u32(remote, OFFSET_Y, 6);
    set_u32(remote, TRIGGER_MODE, 1);
    set_u32(remote, TRIGGER_SOURCE, 0);
    set_u32(remote, CHUNK_MODE, 1);
    set_u32(remote, LATCH, 1);
    MUST(gentl.GCRegisterEvent(device, EVENT_ERROR, &event) == GC_ERR_NOT_IMPLEMENTED);
    OK(gentl.GCRegisterEvent(stream, EVENT_NEW_BUFFER, &event));
    MUST(gentl.DSGetNumFlows(stream, &count) == GC_ERR_NOT_IMPLEMENTED);
    grab_every_format(remote, stream, event);
    kill_a_wait(event);
    queues(remote, stream, event);
    /* leave with the worker running and buffers queued: closing the library must end it all */
    OK(gentl.DSFlushQueue(stream, ACQ_QUEUE_ALL_TO_INPUT));
    set_u32(remote, TRIGGER_MODE, 0);
    OK(gentl.DSStartAcquisition(stream, 0, GENTL_INFINITE));
    set_u32(remote, START, 1);
    OK(gentl.TLClose(tl));
    refuse_dead_handles(device, stream, event);
    OK(gentl.GCCloseLib());
    MUST(gentl.GCCloseLib() == GC_ERR_NOT_INITIALIZED);
    MUST(open_system() >= 1); /* and once more, from the start */
    OK(gentl.IFOpenDevice(interface, "SIM-0", 3, &device));
    OK(gentl.GCCloseLib());
}

static void speed(int frames)
{
    DEV_HANDLE device;
    PORT_HANDLE remote;
    DS_HANDLE stream;
    EVENT_HANDLE event;
    BUFFER_HANDLE buffer;
    struct timespec from, to;

    MUST(open_system() >= 1);
    OK(gentl.IFOpenDevice(interface, "SIM-0", 3, &device));
    OK(gentl.DevGetPort(device, &remote));
    OK(gentl.DevOpenDataStream(device, "SIM-0", &stream));
    OK(gentl.GCRegisterEvent(stream, EVENT_NEW_BUFFER, &event));
    whole_sensor(remote);
    set_f64(remote, FRAME_RATE, 10000.0);
    set_f64(remote, EXPOSURE, 10.0);
    for (int i = 0; i < 8; i++) {
        OK(gentl.DSAllocAndAnnounceBuffer(stream, get_u32(remote, PAYLOAD_SIZE), NULL, &buffer));
        OK(gentl.DSQueueBuffer(stream, buffer));
    }
    OK(gentl.DSStartAcquisition(stream, 0, GENTL_INFINITE));
    set_u32(remote, START, 1);
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (int i = 0; i < frames; i++) {
        buffer = next_buffer(event, 2000);
        MUST(buffer != NULL);
        OK(gentl.DSQueueBuffer(stream, buffer));
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    double seconds = (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
    printf("%.0f\n", frames / seconds);
    OK(gentl.GCCloseLib());
}

int main(int argc, char **argv)
{
    MUST(argc >= 3);
    load(argv[1]);
    if (strcmp(argv[2], "walk") == 0) {
        walk();
    } else if (strcmp(argv[2], "devices") == 0) {
        printf("%u\n", open_system());
        OK(gentl.GCCloseLib());
    } else {
        MUST(argc == 4);
        speed(atoi(argv[3]));
    }
    return 0;
}
