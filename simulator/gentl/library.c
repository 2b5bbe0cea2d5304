/* Library, system and interface: the way down to the devices. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "producer.h"

#define SYSTEM_ID "datumd-sim"
#define INTERFACE_ID "datumd-sim-line"

struct producer producer = {.lock = PTHREAD_MUTEX_INITIALIZER, .line = {.file = -1}};

static void initialise_device(uint32_t index)
{
    struct device *device = &producer.devices[index];
    pthread_condattr_t monotonic;

    memset(device, 0, sizeof *device);
    device->index = index;
    device->line.file = -1;
    device->remote.device = device;
    device->stream.device = device;
    snprintf(device->id, sizeof device->id, "SIM-%u", index);
    pthread_mutex_init(&device->lock, NULL);
    pthread_mutex_init(&device->stream.lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&device->stream.delivered, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

static void forget_device(uint32_t index)
{
    struct device *device = &producer.devices[index];
    pthread_cond_destroy(&device->stream.delivered);
    pthread_mutex_destroy(&device->stream.lock);
    pthread_mutex_destroy(&device->lock);
}

GC_ERROR GCInitLib(void)
{
    Dl_info self;

    pthread_mutex_lock(&producer.lock);
    if (producer.initialised) {
        pthread_mutex_unlock(&producer.lock);
        return fail(GC_ERR_RESOURCE_IN_USE, "the library is already initialised");
    }
    for (uint32_t i = 0; i < MAX_DEVICES; i++)
        initialise_device(i);
    snprintf(producer.path, sizeof producer.path, "%s",
             dladdr(&producer, &self) != 0 && self.dli_fname != NULL ? self.dli_fname : "datumd_sim.cti");
    producer.initialised = true;
    pthread_mutex_unlock(&producer.lock);
    return GC_ERR_SUCCESS;
}

GC_ERROR GCCloseLib(void)
{
    pthread_mutex_lock(&producer.lock);
    if (!producer.initialised) {
        pthread_mutex_unlock(&producer.lock);
        return fail(GC_ERR_NOT_INITIALIZED, "the library is not initialised");
    }
    system_close();
    for (uint32_t i = 0; i < MAX_DEVICES; i++)
        forget_device(i);
    producer.initialised = false;
    pthread_mutex_unlock(&producer.lock);
    return GC_ERR_SUCCESS;
}

GC_ERROR GCGetInfo(TL_INFO_CMD command, INFO_DATATYPE *type, void *value, size_t *size)
{
    switch (command) {
    case TL_INFO_ID:
        return answer_string(SYSTEM_ID, type, value, size);
    case TL_INFO_VENDOR:
        return answer_string(VENDOR, type, value, size);
    case TL_INFO_MODEL:
        return answer_string("Simulated line", type, value, size);
    case TL_INFO_VERSION:
        return answer_string(VERSION, type, value, size);
    case TL_INFO_TLTYPE:
        return answer_string(TL_TYPE, type, value, size);
    case TL_INFO_NAME: {
        const char *slash = strrchr(producer.path, '/');
        return answer_string(slash != NULL ? slash + 1 : producer.path, type, value, size);
    }
    case TL_INFO_PATHNAME:
        return answer_string(producer.path, type, value, size);
    case TL_INFO_DISPLAYNAME:
        return answer_string("datumd simulated cameras", type, value, size);
    case TL_INFO_CHAR_ENCODING:
        return answer_i32(1, type, value, size); /* UTF-8 */
    case TL_INFO_GENTL_VER_MAJOR:
        return answer_u32(1, type, value, size);
    case TL_INFO_GENTL_VER_MINOR:
        return answer_u32(6, type, value, size);
    default:
        return fail(GC_ERR_NOT_AVAILABLE, "no such fact about the system");
    }
}

bool is_system(const void *handle)
{
    return handle == &producer.system_open && producer.system_open;
}

bool is_interface(const void *handle)
{
    return handle == &producer.interface_open && producer.interface_open;
}

GC_ERROR TLOpen(TL_HANDLE *system)
{
    GC_ERROR error = GC_ERR_SUCCESS;

    if (system == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "no place for the handle");
    pthread_mutex_lock(&producer.lock);
    if (!producer.initialised) {
        error = fail(GC_ERR_NOT_INITIALIZED, "the library is not initialised");
    } else if (producer.system_open) {
        error = fail(GC_ERR_RESOURCE_IN_USE, "the system is already open");
    } else {
        producer.system_open = true;
        *system = &producer.system_open;
    }
    pthread_mutex_unlock(&producer.lock);
    return error;
}

void system_close(void)
{
    interface_close();
    producer.system_open = false;
}

GC_ERROR TLClose(TL_HANDLE system)
{
    if (!is_system(system))
        return fail(GC_ERR_INVALID_HANDLE, "not an open system");
    pthread_mutex_lock(&producer.lock);
    system_close();
    pthread_mutex_unlock(&producer.lock);
    return GC_ERR_SUCCESS;
}

GC_ERROR TLGetInfo(TL_HANDLE system, TL_INFO_CMD command, INFO_DATATYPE *type, void *value, size_t *size)
{
    if (!is_system(system))
        return fail(GC_ERR_INVALID_HANDLE, "not an open system");
    return GCGetInfo(command, type, value, size);
}

GC_ERROR TLUpdateInterfaceList(TL_HANDLE system, bool8_t *changed, uint64_t timeout_ms)
{
    (void)timeout_ms;
    if (!is_system(system))
        return fail(GC_ERR_INVALID_HANDLE, "not an open system");
    if (changed != NULL)
        *changed = 0;
    return GC_ERR_SUCCESS;
}

GC_ERROR TLGetNumInterfaces(TL_HANDLE system, uint32_t *count)
{
    if (!is_system(system))
        return fail(GC_ERR_INVALID_HANDLE, "not an open system");
    if (count == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "no place for the count");
    *count = 1;
    return GC_ERR_SUCCESS;
}

GC_ERROR TLGetInterfaceID(TL_HANDLE system, uint32_t index, char *id, size_t *size)
{
    if (!is_system(system))
        return fail(GC_ERR_INVALID_HANDLE, "not an open system");
    if (index != 0)
        return fail(GC_ERR_INVALID_INDEX, "there is one interface, number 0");
    return answer_string(INTERFACE_ID, NULL, id, size);
}

static GC_ERROR interface_info(INTERFACE_INFO_CMD command, INFO_DATATYPE *type, void *value, size_t *size)
{
    switch (command) {
    case INTERFACE_INFO_ID:
        return answer_string(INTERFACE_ID, type, value, size);
    case INTERFACE_INFO_DISPLAYNAME:
        return answer_string("Simulated line", type, value, size);
    case INTERFACE_INFO_TLTYPE:
        return answer_string(TL_TYPE, type, value, size);
    default:
        return fail(GC_ERR_NOT_AVAILABLE, "no such fact about the interface");
    }
}

GC_ERROR TLGetInterfaceInfo(TL_HANDLE system, const char *id, INTERFACE_INFO_CMD command, INFO_DATATYPE *type,
                            void *value, size_t *size)
{
    if (!is_system(system))
        return fail(GC_ERR_INVALID_HANDLE, "not an open system");
    if (id == NULL || strcmp(id, INTERFACE_ID) != 0)
        return fail(GC_ERR_INVALID_ID, "no interface of this name");
    return interface_info(command, type, value, size);
}

GC_ERROR TLOpenInterface(TL_HANDLE system, const char *id, IF_HANDLE *interface)
{
    GC_ERROR error = GC_ERR_SUCCESS;

    if (!is_system(system))
        return fail(GC_ERR_INVALID_HANDLE, "not an open system");
    if (id == NULL || strcmp(id, INTERFACE_ID) != 0)
        return fail(GC_ERR_INVALID_ID, "no interface of this name");
    if (interface == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "no place for the handle");
    pthread_mutex_lock(&producer.lock);
    if (producer.interface_open) {
        error = fail(GC_ERR_RESOURCE_IN_USE, "the interface is already open");
    } else {
        producer.interface_open = true;
        *interface = &producer.interface_open;
    }
    pthread_mutex_unlock(&producer.lock);
    return error;
}

GC_ERROR IFGetInfo(IF_HANDLE interface, INTERFACE_INFO_CMD command, INFO_DATATYPE *type, void *value, size_t *size)
{
    if (!is_interface(interface))
        return fail(GC_ERR_INVALID_HANDLE, "not an open interface");
    return interface_info(command, type, value, size);
}

GC_ERROR IFGetParentTL(IF_HANDLE interface, TL_HANDLE *system)
{
    if (!is_interface(interface))
        return fail(GC_ERR_INVALID_HANDLE, "not an open interface");
    if (system == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "no place for the handle");
    *system = &producer.system_open;
    return GC_ERR_SUCCESS;
}
