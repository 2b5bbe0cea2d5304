/* Finding, opening and closing the cameras. */
#include <stdio.h>
#include <string.h>

#include "producer.h"

bool device_is_present(const struct line *line, uint32_t index)
{
    if (line->header == NULL || index >= line->header->device_count)
        return false;
    return monotonic_ns() >= __atomic_load_n(&line_device(line, index)->lost_until_ns, __ATOMIC_ACQUIRE);
}

/* Once lost, a handle stays lost: the camera that comes back must be opened again, as on a real bus. */
bool device_is_lost(const struct device *device)
{
    const struct line_device *shared = shared_of(device);
    return __atomic_load_n(&shared->loss_count, __ATOMIC_ACQUIRE) != device->loss_count ||
           __atomic_load_n(&device->line.header->superseded, __ATOMIC_ACQUIRE) != 0;
}

struct device *as_device(void *handle)
{
    for (uint32_t i = 0; i < MAX_DEVICES; i++)
        if (handle == &producer.devices[i] && producer.devices[i].open)
            return &producer.devices[i];
    return NULL;
}

struct device *as_remote(void *handle)
{
    for (uint32_t i = 0; i < MAX_DEVICES; i++)
        if (handle == &producer.devices[i].remote && producer.devices[i].open)
            return &producer.devices[i];
    return NULL;
}

static int index_of(const char *id)
{
    for (int i = 0; id != NULL && i < MAX_DEVICES; i++)
        if (strcmp(id, producer.devices[i].id) == 0 && producer.listed[i])
            return i;
    return -1;
}

GC_ERROR IFUpdateDeviceList(IF_HANDLE interface, bool8_t *changed, uint64_t timeout_ms)
{
    bool differs = false;

    (void)timeout_ms;
    if (!is_interface(interface))
        return fail(GC_ERR_INVALID_HANDLE, "not an open interface");
    pthread_mutex_lock(&producer.lock);
    if (!line_is_current(&producer.line)) {
        line_detach(&producer.line);
        line_attach(&producer.line); /* no line: no devices, which is no error */
    }
    producer.listed_count = 0;
    for (uint32_t i = 0; i < MAX_DEVICES; i++) {
        bool present = device_is_present(&producer.line, i);
        differs = differs || present != producer.listed[i];
        producer.listed[i] = present;
        producer.listed_count += present;
    }
    pthread_mutex_unlock(&producer.lock);
    if (changed != NULL)
        *changed = differs;
    return GC_ERR_SUCCESS;
}

GC_ERROR IFGetNumDevices(IF_HANDLE interface, uint32_t *count)
{
    if (!is_interface(interface))
        return fail(GC_ERR_INVALID_HANDLE, "not an open interface");
    if (count == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "no place for the count");
    *count = producer.listed_count;
    return GC_ERR_SUCCESS;
}

GC_ERROR IFGetDeviceID(IF_HANDLE interface, uint32_t index, char *id, size_t *size)
{
    if (!is_interface(interface))
        return fail(GC_ERR_INVALID_HANDLE, "not an open interface");
    for (uint32_t i = 0; i < MAX_DEVICES; i++)
        if (producer.listed[i] && index-- == 0)
            return answer_string(producer.devices[i].id, NULL, id, size);
    return fail(GC_ERR_INVALID_INDEX, "no device of this number");
}

static int32_t access_status(uint32_t index)
{
    if (producer.devices[index].open)
        return DEVICE_ACCESS_STATUS_OPEN_READWRITE;
    return device_is_present(&producer.line, index) ? DEVICE_ACCESS_STATUS_READWRITE : DEVICE_ACCESS_STATUS_NOACCESS;
}

GC_ERROR device_info(uint32_t index, DEVICE_INFO_CMD command, INFO_DATATYPE *type, void *value, size_t *size)
{
    const char *id = producer.devices[index].id;
    char name[ID_LENGTH * 2];

    switch (command) {
    case DEVICE_INFO_ID:
    case DEVICE_INFO_SERIAL_NUMBER:
        return answer_string(id, type, value, size);
    case DEVICE_INFO_VENDOR:
        return answer_string(VENDOR, type, value, size);
    case DEVICE_INFO_MODEL:
        return answer_string(MODEL, type, value, size);
    case DEVICE_INFO_TLTYPE:
        return answer_string(TL_TYPE, type, value, size);
    case DEVICE_INFO_DISPLAYNAME:
        snprintf(name, sizeof name, "%s %s", MODEL, id);
        return answer_string(name, type, value, size);
    case DEVICE_INFO_ACCESS_STATUS:
        return answer_i32(access_status(index), type, value, size);
    case DEVICE_INFO_USER_DEFINED_NAME:
        return answer_string("", type, value, size);
    case DEVICE_INFO_VERSION:
        return answer_string(VERSION, type, value, size);
    case DEVICE_INFO_TIMESTAMP_FREQUENCY:
        return answer_u64(UINT64_C(1000000000), type, value, size);
    default:
        return fail(GC_ERR_NOT_AVAILABLE, "no such fact about the device");
    }
}

GC_ERROR IFGetDeviceInfo(IF_HANDLE interface, const char *id, DEVICE_INFO_CMD command, INFO_DATATYPE *type,
                         void *value, size_t *size)
{
    if (!is_interface(interface))
        return fail(GC_ERR_INVALID_HANDLE, "not an open interface");
    int index = index_of(id);
    if (index < 0)
        return fail(GC_ERR_INVALID_ID, "no device of this name");
    return device_info((uint32_t)index, command, type, value, size);
}

static GC_ERROR open_device(struct device *device)
{
    if (device->open)
        return fail(GC_ERR_RESOURCE_IN_USE, "the device is already open in this process");
    if (!line_attach(&device->line))
        return fail(GC_ERR_NOT_AVAILABLE, "the simulated line is gone");
    if (!device_is_present(&device->line, device->index)) {
        line_detach(&device->line);
        return fail(GC_ERR_NOT_AVAILABLE, "the device does not answer");
    }
    if (!line_lock_device(&device->line, device->index)) {
        line_detach(&device->line);
        return fail(GC_ERR_ACCESS_DENIED, "the device is open in another process");
    }
    device->loss_count = __atomic_load_n(&shared_of(device)->loss_count, __ATOMIC_ACQUIRE);
    camera_power_on(device);
    camera_come_back(device);
    camera_reset_session(device);
    device->open = true;
    return GC_ERR_SUCCESS;
}

GC_ERROR IFOpenDevice(IF_HANDLE interface, const char *id, DEVICE_ACCESS_FLAGS flags, DEV_HANDLE *device)
{
    if (!is_interface(interface))
        return fail(GC_ERR_INVALID_HANDLE, "not an open interface");
    if (device == NULL || flags == DEVICE_ACCESS_NONE)
        return fail(GC_ERR_INVALID_PARAMETER, "no place for the handle, or no access asked for");
    pthread_mutex_lock(&producer.lock);
    int index = index_of(id);
    GC_ERROR error = index < 0 ? fail(GC_ERR_INVALID_ID, "no device of this name")
                               : open_device(&producer.devices[index]);
    if (error == GC_ERR_SUCCESS)
        *device = &producer.devices[index];
    pthread_mutex_unlock(&producer.lock);
    return error;
}

void device_close(struct device *device)
{
    if (!device->open)
        return;
    stream_close(&device->stream);
    if (!device_is_lost(device))
        camera_reset_session(device);
    device->open = false;
    line_detach(&device->line);
}

void interface_close(void)
{
    for (uint32_t i = 0; i < MAX_DEVICES; i++) {
        device_close(&producer.devices[i]);
        producer.listed[i] = false;
    }
    producer.listed_count = 0;
    line_detach(&producer.line);
    producer.interface_open = false;
}

GC_ERROR IFClose(IF_HANDLE interface)
{
    if (!is_interface(interface))
        return fail(GC_ERR_INVALID_HANDLE, "not an open interface");
    pthread_mutex_lock(&producer.lock);
    interface_close();
    pthread_mutex_unlock(&producer.lock);
    return GC_ERR_SUCCESS;
}

GC_ERROR DevClose(DEV_HANDLE handle)
{
    struct device *device = as_device(handle);
    if (device == NULL)
        return fail(GC_ERR_INVALID_HANDLE, "not an open device");
    pthread_mutex_lock(&producer.lock);
    device_close(device);
    pthread_mutex_unlock(&producer.lock);
    return GC_ERR_SUCCESS;
}

GC_ERROR DevGetPort(DEV_HANDLE handle, PORT_HANDLE *remote)
{
    struct device *device = as_device(handle);
    if (device == NULL)
        return fail(GC_ERR_INVALID_HANDLE, "not an open device");
    if (remote == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "no place for the handle");
    *remote = &device->remote;
    return GC_ERR_SUCCESS;
}

GC_ERROR DevGetInfo(DEV_HANDLE handle, DEVICE_INFO_CMD command, INFO_DATATYPE *type, void *value, size_t *size)
{
    const struct device *device = as_device(handle);
    if (device == NULL)
        return fail(GC_ERR_INVALID_HANDLE, "not an open device");
    return device_info(device->index, command, type, value, size);
}

GC_ERROR DevGetNumDataStreams(DEV_HANDLE handle, uint32_t *count)
{
    if (as_device(handle) == NULL)
        return fail(GC_ERR_INVALID_HANDLE, "not an open device");
    if (count == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "no place for the count");
    *count = 1;
    return GC_ERR_SUCCESS;
}

GC_ERROR DevGetDataStreamID(DEV_HANDLE handle, uint32_t index, char *id, size_t *size)
{
    const struct device *device = as_device(handle);
    if (device == NULL)
        return fail(GC_ERR_INVALID_HANDLE, "not an open device");
    if (index != 0)
        return fail(GC_ERR_INVALID_INDEX, "there is one stream, number 0");
    return answer_string(device->id, NULL, id, size);
}

GC_ERROR DevGetParentIF(DEV_HANDLE handle, IF_HANDLE *interface)
{
    if (as_device(handle) == NULL)
        return fail(GC_ERR_INVALID_HANDLE, "not an open device");
    if (interface == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "no place for the handle");
    *interface = &producer.interface_open;
    return GC_ERR_SUCCESS;
}
