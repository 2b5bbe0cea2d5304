/* The part of the GenTL 1.6 interface that this producer offers.
 *
 * Written from the GenICam GenTL standard 1.6 (EMVA): names, numbers and layouts are the
 * standard's; the text is ours. Values can be checked against `genicam.gentl` in Python. */
#ifndef DATUMD_GENTL_H
#define DATUMD_GENTL_H

#include <stddef.h>
#include <stdint.h>

#define GENTL_CALL GC_ERROR __attribute__((visibility("default")))
#define GENTL_INFINITE UINT64_MAX

typedef int32_t GC_ERROR;
typedef uint8_t bool8_t;

typedef void *TL_HANDLE;
typedef void *IF_HANDLE;
typedef void *DEV_HANDLE;
typedef void *DS_HANDLE;
typedef void *PORT_HANDLE;
typedef void *BUFFER_HANDLE;
typedef void *EVENTSRC_HANDLE;
typedef void *EVENT_HANDLE;

typedef int32_t INFO_DATATYPE;
typedef int32_t TL_INFO_CMD;
typedef int32_t INTERFACE_INFO_CMD;
typedef int32_t DEVICE_INFO_CMD;
typedef int32_t DEVICE_ACCESS_FLAGS;
typedef int32_t STREAM_INFO_CMD;
typedef int32_t BUFFER_INFO_CMD;
typedef int32_t BUFFER_PART_INFO_CMD;
typedef int32_t SEGMENT_INFO_CMD;
typedef int32_t FLOW_INFO_CMD;
typedef int32_t PORT_INFO_CMD;
typedef int32_t URL_INFO_CMD;
typedef int32_t EVENT_TYPE;
typedef int32_t EVENT_INFO_CMD;
typedef int32_t EVENT_DATA_INFO_CMD;
typedef int32_t ACQ_QUEUE_TYPE;
typedef int32_t ACQ_START_FLAGS;
typedef int32_t ACQ_STOP_FLAGS;

enum {
    GC_ERR_SUCCESS = 0,
    GC_ERR_ERROR = -1001,
    GC_ERR_NOT_INITIALIZED = -1002,
    GC_ERR_NOT_IMPLEMENTED = -1003,
    GC_ERR_RESOURCE_IN_USE = -1004,
    GC_ERR_ACCESS_DENIED = -1005,
    GC_ERR_INVALID_HANDLE = -1006,
    GC_ERR_INVALID_ID = -1007,
    GC_ERR_NO_DATA = -1008,
    GC_ERR_INVALID_PARAMETER = -1009,
    GC_ERR_IO = -1010,
    GC_ERR_TIMEOUT = -1011,
    GC_ERR_ABORT = -1012,
    GC_ERR_INVALID_BUFFER = -1013,
    GC_ERR_NOT_AVAILABLE = -1014,
    GC_ERR_INVALID_ADDRESS = -1015,
    GC_ERR_BUFFER_TOO_SMALL = -1016,
    GC_ERR_INVALID_INDEX = -1017,
    GC_ERR_INVALID_VALUE = -1019,
    GC_ERR_OUT_OF_MEMORY = -1021,
    GC_ERR_BUSY = -1022,
};

enum {
    INFO_DATATYPE_STRING = 1,
    INFO_DATATYPE_INT32 = 5,
    INFO_DATATYPE_UINT32 = 6,
    INFO_DATATYPE_UINT64 = 8,
    INFO_DATATYPE_PTR = 10,
    INFO_DATATYPE_BOOL8 = 11,
    INFO_DATATYPE_SIZET = 12,
    INFO_DATATYPE_BUFFER = 13,
};

enum {
    TL_INFO_ID = 0,
    TL_INFO_VENDOR,
    TL_INFO_MODEL,
    TL_INFO_VERSION,
    TL_INFO_TLTYPE,
    TL_INFO_NAME,
    TL_INFO_PATHNAME,
    TL_INFO_DISPLAYNAME,
    TL_INFO_CHAR_ENCODING,
    TL_INFO_GENTL_VER_MAJOR,
    TL_INFO_GENTL_VER_MINOR,
};

enum { INTERFACE_INFO_ID = 0, INTERFACE_INFO_DISPLAYNAME, INTERFACE_INFO_TLTYPE };

enum {
    DEVICE_INFO_ID = 0,
    DEVICE_INFO_VENDOR,
    DEVICE_INFO_MODEL,
    DEVICE_INFO_TLTYPE,
    DEVICE_INFO_DISPLAYNAME,
    DEVICE_INFO_ACCESS_STATUS,
    DEVICE_INFO_USER_DEFINED_NAME,
    DEVICE_INFO_SERIAL_NUMBER,
    DEVICE_INFO_VERSION,
    DEVICE_INFO_TIMESTAMP_FREQUENCY,
};

enum { DEVICE_ACCESS_NONE = 1 };

enum {
    DEVICE_ACCESS_STATUS_READWRITE = 1,
    DEVICE_ACCESS_STATUS_NOACCESS = 3,
    DEVICE_ACCESS_STATUS_BUSY = 4,
    DEVICE_ACCESS_STATUS_OPEN_READWRITE = 5,
};

enum {
    STREAM_INFO_ID = 0,
    STREAM_INFO_NUM_DELIVERED,
    STREAM_INFO_NUM_UNDERRUN,
    STREAM_INFO_NUM_ANNOUNCED,
    STREAM_INFO_NUM_QUEUED,
    STREAM_INFO_NUM_AWAIT_DELIVERY,
    STREAM_INFO_NUM_STARTED,
    STREAM_INFO_PAYLOAD_SIZE,
    STREAM_INFO_IS_GRABBING,
    STREAM_INFO_DEFINES_PAYLOADSIZE,
    STREAM_INFO_TLTYPE,
    STREAM_INFO_NUM_CHUNKS_MAX,
    STREAM_INFO_BUF_ANNOUNCE_MIN,
    STREAM_INFO_BUF_ALIGNMENT,
};

enum {
    BUFFER_INFO_BASE = 0,
    BUFFER_INFO_SIZE,
    BUFFER_INFO_USER_PTR,
    BUFFER_INFO_TIMESTAMP,
    BUFFER_INFO_NEW_DATA,
    BUFFER_INFO_IS_QUEUED,
    BUFFER_INFO_IS_ACQUIRING,
    BUFFER_INFO_IS_INCOMPLETE,
    BUFFER_INFO_TLTYPE,
    BUFFER_INFO_SIZE_FILLED,
    BUFFER_INFO_WIDTH,
    BUFFER_INFO_HEIGHT,
    BUFFER_INFO_XOFFSET,
    BUFFER_INFO_YOFFSET,
    BUFFER_INFO_XPADDING,
    BUFFER_INFO_YPADDING,
    BUFFER_INFO_FRAMEID,
    BUFFER_INFO_IMAGEPRESENT,
    BUFFER_INFO_IMAGEOFFSET,
    BUFFER_INFO_PAYLOADTYPE,
    BUFFER_INFO_PIXELFORMAT,
    BUFFER_INFO_PIXELFORMAT_NAMESPACE,
    BUFFER_INFO_DELIVERED_IMAGEHEIGHT,
    BUFFER_INFO_DELIVERED_CHUNKPAYLOADSIZE,
    BUFFER_INFO_CHUNKLAYOUTID,
    BUFFER_INFO_FILENAME,
    BUFFER_INFO_PIXEL_ENDIANNESS,
    BUFFER_INFO_DATA_SIZE,
    BUFFER_INFO_TIMESTAMP_NS,
    BUFFER_INFO_DATA_LARGER_THAN_BUFFER,
    BUFFER_INFO_CONTAINS_CHUNKDATA,
    BUFFER_INFO_IS_COMPOSITE,
};

enum { PAYLOAD_TYPE_IMAGE = 1 };
enum { PIXELFORMAT_NAMESPACE_PFNC_32BIT = 4 };
enum { PIXELENDIANNESS_LITTLE = 1 };

enum {
    PORT_INFO_ID = 0,
    PORT_INFO_VENDOR,
    PORT_INFO_MODEL,
    PORT_INFO_TLTYPE,
    PORT_INFO_MODULE,
    PORT_INFO_LITTLE_ENDIAN,
    PORT_INFO_BIG_ENDIAN,
    PORT_INFO_ACCESS_READ,
    PORT_INFO_ACCESS_WRITE,
    PORT_INFO_ACCESS_NA,
    PORT_INFO_ACCESS_NI,
    PORT_INFO_VERSION,
    PORT_INFO_PORTNAME,
};

enum {
    URL_INFO_URL = 0,
    URL_INFO_SCHEMA_VER_MAJOR,
    URL_INFO_SCHEMA_VER_MINOR,
    URL_INFO_FILE_VER_MAJOR,
    URL_INFO_FILE_VER_MINOR,
    URL_INFO_FILE_VER_SUBMINOR,
    URL_INFO_FILE_SHA1_HASH,
    URL_INFO_FILE_REGISTER_ADDRESS,
    URL_INFO_FILE_SIZE,
    URL_INFO_SCHEME,
    URL_INFO_FILENAME,
};

enum { EVENT_ERROR = 0, EVENT_NEW_BUFFER = 1 };
enum { EVENT_EVENT_TYPE = 0, EVENT_NUM_IN_QUEUE, EVENT_NUM_FIRED, EVENT_SIZE_MAX, EVENT_INFO_DATA_SIZE_MAX };
enum { EVENT_DATA_ID = 0, EVENT_DATA_VALUE };

enum {
    ACQ_QUEUE_INPUT_TO_OUTPUT = 0,
    ACQ_QUEUE_OUTPUT_DISCARD,
    ACQ_QUEUE_ALL_TO_INPUT,
    ACQ_QUEUE_UNQUEUED_TO_INPUT,
    ACQ_QUEUE_ALL_DISCARD,
};

#pragma pack(push, 1)
typedef struct {
    BUFFER_HANDLE BufferHandle;
    void *pUserPointer;
} EVENT_NEW_BUFFER_DATA;

typedef struct {
    uint64_t ChunkID;
    ptrdiff_t ChunkOffset;
    size_t ChunkLength;
} SINGLE_CHUNK_DATA;

typedef struct {
    uint64_t Address;
    void *pBuffer;
    size_t Size;
} PORT_REGISTER_STACK_ENTRY;
#pragma pack(pop)

/* library */
GENTL_CALL GCInitLib(void);
GENTL_CALL GCCloseLib(void);
GENTL_CALL GCGetInfo(TL_INFO_CMD command, INFO_DATATYPE *type, void *value, size_t *size);
GENTL_CALL GCGetLastError(GC_ERROR *error, char *text, size_t *size);

/* ports */
GENTL_CALL GCReadPort(PORT_HANDLE port, uint64_t address, void *bytes, size_t *size);
GENTL_CALL GCWritePort(PORT_HANDLE port, uint64_t address, const void *bytes, size_t *size);
GENTL_CALL GCReadPortStacked(PORT_HANDLE port, PORT_REGISTER_STACK_ENTRY *entries, size_t *count);
GENTL_CALL GCWritePortStacked(PORT_HANDLE port, PORT_REGISTER_STACK_ENTRY *entries, size_t *count);
GENTL_CALL GCGetPortURL(PORT_HANDLE port, char *url, size_t *size);
GENTL_CALL GCGetPortInfo(PORT_HANDLE port, PORT_INFO_CMD command, INFO_DATATYPE *type, void *value, size_t *size);
GENTL_CALL GCGetNumPortURLs(PORT_HANDLE port, uint32_t *count);
GENTL_CALL GCGetPortURLInfo(PORT_HANDLE port, uint32_t index, URL_INFO_CMD command, INFO_DATATYPE *type, void *value,
                            size_t *size);

/* events */
GENTL_CALL GCRegisterEvent(EVENTSRC_HANDLE source, EVENT_TYPE type, EVENT_HANDLE *event);
GENTL_CALL GCUnregisterEvent(EVENTSRC_HANDLE source, EVENT_TYPE type);
GENTL_CALL EventGetData(EVENT_HANDLE event, void *bytes, size_t *size, uint64_t timeout_ms);
GENTL_CALL EventGetDataInfo(EVENT_HANDLE event, const void *bytes, size_t bytes_size, EVENT_DATA_INFO_CMD command,
                            INFO_DATATYPE *type, void *value, size_t *size);
GENTL_CALL EventGetInfo(EVENT_HANDLE event, EVENT_INFO_CMD command, INFO_DATATYPE *type, void *value, size_t *size);
GENTL_CALL EventFlush(EVENT_HANDLE event);
GENTL_CALL EventKill(EVENT_HANDLE event);

/* system */
GENTL_CALL TLOpen(TL_HANDLE *system);
GENTL_CALL TLClose(TL_HANDLE system);
GENTL_CALL TLGetInfo(TL_HANDLE system, TL_INFO_CMD command, INFO_DATATYPE *type, void *value, size_t *size);
GENTL_CALL TLGetNumInterfaces(TL_HANDLE system, uint32_t *count);
GENTL_CALL TLGetInterfaceID(TL_HANDLE system, uint32_t index, char *id, size_t *size);
GENTL_CALL TLGetInterfaceInfo(TL_HANDLE system, const char *id, INTERFACE_INFO_CMD command, INFO_DATATYPE *type,
                              void *value, size_t *size);
GENTL_CALL TLOpenInterface(TL_HANDLE system, const char *id, IF_HANDLE *interface);
GENTL_CALL TLUpdateInterfaceList(TL_HANDLE system, bool8_t *changed, uint64_t timeout_ms);

/* interface */
GENTL_CALL IFClose(IF_HANDLE interface);
GENTL_CALL IFGetInfo(IF_HANDLE interface, INTERFACE_INFO_CMD command, INFO_DATATYPE *type, void *value, size_t *size);
GENTL_CALL IFGetNumDevices(IF_HANDLE interface, uint32_t *count);
GENTL_CALL IFGetDeviceID(IF_HANDLE interface, uint32_t index, char *id, size_t *size);
GENTL_CALL IFUpdateDeviceList(IF_HANDLE interface, bool8_t *changed, uint64_t timeout_ms);
GENTL_CALL IFGetDeviceInfo(IF_HANDLE interface, const char *id, DEVICE_INFO_CMD command, INFO_DATATYPE *type,
                           void *value, size_t *size);
GENTL_CALL IFOpenDevice(IF_HANDLE interface, const char *id, DEVICE_ACCESS_FLAGS flags, DEV_HANDLE *device);
GENTL_CALL IFGetParentTL(IF_HANDLE interface, TL_HANDLE *system);

/* device */
GENTL_CALL DevGetPort(DEV_HANDLE device, PORT_HANDLE *remote);
GENTL_CALL DevGetNumDataStreams(DEV_HANDLE device, uint32_t *count);
GENTL_CALL DevGetDataStreamID(DEV_HANDLE device, uint32_t index, char *id, size_t *size);
GENTL_CALL DevOpenDataStream(DEV_HANDLE device, const char *id, DS_HANDLE *stream);
GENTL_CALL DevGetInfo(DEV_HANDLE device, DEVICE_INFO_CMD command, INFO_DATATYPE *type, void *value, size_t *size);
GENTL_CALL DevClose(DEV_HANDLE device);
GENTL_CALL DevGetParentIF(DEV_HANDLE device, IF_HANDLE *interface);

/* data stream */
GENTL_CALL DSAnnounceBuffer(DS_HANDLE stream, void *bytes, size_t size, void *user, BUFFER_HANDLE *buffer);
GENTL_CALL DSAllocAndAnnounceBuffer(DS_HANDLE stream, size_t size, void *user, BUFFER_HANDLE *buffer);
GENTL_CALL DSFlushQueue(DS_HANDLE stream, ACQ_QUEUE_TYPE operation);
GENTL_CALL DSStartAcquisition(DS_HANDLE stream, ACQ_START_FLAGS flags, uint64_t frames);
GENTL_CALL DSStopAcquisition(DS_HANDLE stream, ACQ_STOP_FLAGS flags);
GENTL_CALL DSGetInfo(DS_HANDLE stream, STREAM_INFO_CMD command, INFO_DATATYPE *type, void *value, size_t *size);
GENTL_CALL DSGetBufferID(DS_HANDLE stream, uint32_t index, BUFFER_HANDLE *buffer);
GENTL_CALL DSClose(DS_HANDLE stream);
GENTL_CALL DSRevokeBuffer(DS_HANDLE stream, BUFFER_HANDLE buffer, void **bytes, void **user);
GENTL_CALL DSQueueBuffer(DS_HANDLE stream, BUFFER_HANDLE buffer);
GENTL_CALL DSGetBufferInfo(DS_HANDLE stream, BUFFER_HANDLE buffer, BUFFER_INFO_CMD command, INFO_DATATYPE *type,
                           void *value, size_t *size);
GENTL_CALL DSGetBufferChunkData(DS_HANDLE stream, BUFFER_HANDLE buffer, SINGLE_CHUNK_DATA *chunks, size_t *count);
GENTL_CALL DSGetParentDev(DS_HANDLE stream, DEV_HANDLE *device);

/* calls of GenTL 1.5 and 1.6 that a camera of plain images has no use for */
GENTL_CALL DSGetNumBufferParts(DS_HANDLE stream, BUFFER_HANDLE buffer, uint32_t *count);
GENTL_CALL DSGetBufferPartInfo(DS_HANDLE stream, BUFFER_HANDLE buffer, uint32_t part, BUFFER_PART_INFO_CMD command,
                               INFO_DATATYPE *type, void *value, size_t *size);
GENTL_CALL DSAnnounceCompositeBuffer(DS_HANDLE stream, size_t count, void **segments, size_t *sizes, void *user,
                                     BUFFER_HANDLE *buffer);
GENTL_CALL DSGetNumBufferSegments(DS_HANDLE stream, BUFFER_HANDLE buffer, uint32_t *count);
GENTL_CALL DSGetBufferSegmentInfo(DS_HANDLE stream, BUFFER_HANDLE buffer, uint32_t segment, SEGMENT_INFO_CMD command,
                                  INFO_DATATYPE *type, void *value, size_t *size);
GENTL_CALL DSGetNumFlows(DS_HANDLE stream, uint32_t *count);
GENTL_CALL DSGetFlowInfo(DS_HANDLE stream, uint32_t flow, FLOW_INFO_CMD command, INFO_DATATYPE *type, void *value,
                         size_t *size);

#endif
