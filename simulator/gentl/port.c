/* Ports: registers and their descriptions. The camera's description is camera.xml, the other modules share one. */
#include <stdio.h>
#include <string.h>

#include "producer.h"

#define DESCRIPTION_ADDRESS UINT64_C(0x100000)
#define DESCRIPTION_LENGTH 2048

/* camera.xml goes into the library as it is; compile in the root of the repository, where this path leads to it */
__asm__(".pushsection .rodata\n"
        ".globl camera_xml\n.hidden camera_xml\ncamera_xml:\n.incbin \"simulator/gentl/camera.xml\"\n"
        ".globl camera_xml_end\n.hidden camera_xml_end\ncamera_xml_end:\n.byte 0\n"
        ".popsection\n");
extern const char camera_xml[] __attribute__((visibility("hidden")));
extern const char camera_xml_end[] __attribute__((visibility("hidden")));

static const char module_xml[] =
    "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
    "<RegisterDescription ModelName=\"Simulated%s\" VendorName=\"datumd\" ToolTip=\"Simulated line\" "
    "StandardNameSpace=\"None\" SchemaMajorVersion=\"1\" SchemaMinorVersion=\"1\" SchemaSubMinorVersion=\"0\" "
    "MajorVersion=\"1\" MinorVersion=\"0\" SubMinorVersion=\"0\" "
    "ProductGuid=\"7C0B1B52-51C5-4A7B-9E0A-5D4E1A6F0C0%d\" VersionGuid=\"1E5F8C0A-3D2C-4B1F-8A77-0B9C3C5A2E1%d\" "
    "xmlns=\"http://www.genicam.org/GenApi/Version_1_1\">\n"
    "<Category Name=\"Root\" NameSpace=\"Standard\"><pFeature>%s</pFeature></Category>\n"
    "<StringReg Name=\"%s\" NameSpace=\"Standard\"><ToolTip>Identifier of this module.</ToolTip>"
    "<Address>0x0</Address><Length>64</Length><AccessMode>RO</AccessMode><pPort>%s</pPort></StringReg>\n"
    "<Port Name=\"%s\" NameSpace=\"Standard\"/>\n"
    "</RegisterDescription>\n";

enum module_kind { MODULE_SYSTEM, MODULE_INTERFACE, MODULE_DEVICE, MODULE_STREAM, MODULE_REMOTE, MODULE_NONE };

static const struct module_names {
    const char *name;
    const char *port;
    const char *id_feature;
    const char *module;
    const char *file;
} module_names[] = {
    [MODULE_SYSTEM] = {"System", "TLPort", "TLID", "TLSystem", "datumd_sim_system.xml"},
    [MODULE_INTERFACE] = {"Interface", "InterfacePort", "InterfaceID", "TLInterface", "datumd_sim_interface.xml"},
    [MODULE_DEVICE] = {"LocalDevice", "DevicePort", "DeviceID", "TLDevice", "datumd_sim_device.xml"},
    [MODULE_STREAM] = {"Stream", "StreamPort", "StreamID", "TLDataStream", "datumd_sim_stream.xml"},
    [MODULE_REMOTE] = {"Camera", "Device", "DeviceID", "Device", "datumd_sim_camera.xml"},
};

struct port {
    enum module_kind kind;
    struct device *device; /* NULL above the devices */
};

static struct port as_port(void *handle)
{
    struct device *device;
    struct stream *stream;

    if (is_system(handle))
        return (struct port){MODULE_SYSTEM, NULL};
    if (is_interface(handle))
        return (struct port){MODULE_INTERFACE, NULL};
    if ((device = as_device(handle)) != NULL)
        return (struct port){MODULE_DEVICE, device};
    if ((device = as_remote(handle)) != NULL)
        return (struct port){MODULE_REMOTE, device};
    if ((stream = as_stream(handle)) != NULL)
        return (struct port){MODULE_STREAM, stream->device};
    return (struct port){MODULE_NONE, NULL};
}

static const char *module_id(struct port port)
{
    if (port.kind == MODULE_SYSTEM)
        return "datumd-sim";
    if (port.kind == MODULE_INTERFACE)
        return "datumd-sim-line";
    return port.device->id;
}

static size_t describe_module(enum module_kind kind, char *text)
{
    const struct module_names *names = &module_names[kind];
    return (size_t)snprintf(text, DESCRIPTION_LENGTH, module_xml, names->name, kind, kind, names->id_feature,
                            names->id_feature, names->port, names->port);
}

static size_t description_size(struct port port)
{
    char text[DESCRIPTION_LENGTH];
    return port.kind == MODULE_REMOTE ? (size_t)(camera_xml_end - camera_xml) : describe_module(port.kind, text);
}

static GC_ERROR read_slice(const char *from, size_t length, uint64_t offset, void *bytes, size_t size)
{
    if (offset > length || size > length - offset)
        return fail(GC_ERR_INVALID_ADDRESS, "past the end");
    memcpy(bytes, from + offset, size);
    return GC_ERR_SUCCESS;
}

static GC_ERROR read_port(struct port port, uint64_t address, void *bytes, size_t size)
{
    char text[DESCRIPTION_LENGTH] = {0};

    if (address >= DESCRIPTION_ADDRESS && port.kind == MODULE_REMOTE) {
        if (device_is_lost(port.device))
            return fail(GC_ERR_IO, "the device does not answer");
        return read_slice(camera_xml, description_size(port), address - DESCRIPTION_ADDRESS, bytes, size);
    }
    if (address >= DESCRIPTION_ADDRESS)
        return read_slice(text, describe_module(port.kind, text), address - DESCRIPTION_ADDRESS, bytes, size);
    if (port.kind == MODULE_REMOTE)
        return camera_read(port.device, address, bytes, size);
    snprintf(text, TEXT_LENGTH, "%s", module_id(port));
    return read_slice(text, TEXT_LENGTH, address, bytes, size);
}

GC_ERROR GCReadPort(PORT_HANDLE handle, uint64_t address, void *bytes, size_t *size)
{
    struct port port = as_port(handle);

    if (port.kind == MODULE_NONE)
        return fail(GC_ERR_INVALID_HANDLE, "not an open port");
    if (bytes == NULL || size == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "no place for the register");
    return read_port(port, address, bytes, *size);
}

GC_ERROR GCWritePort(PORT_HANDLE handle, uint64_t address, const void *bytes, size_t *size)
{
    struct port port = as_port(handle);

    if (port.kind == MODULE_NONE)
        return fail(GC_ERR_INVALID_HANDLE, "not an open port");
    if (bytes == NULL || size == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "no value to write");
    if (port.kind != MODULE_REMOTE)
        return fail(GC_ERR_ACCESS_DENIED, "this module has no register to write");
    return camera_write(port.device, address, bytes, *size);
}

GC_ERROR GCReadPortStacked(PORT_HANDLE handle, PORT_REGISTER_STACK_ENTRY *entries, size_t *count)
{
    if (entries == NULL || count == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "no entries");
    for (size_t i = 0; i < *count; i++) {
        size_t size = entries[i].Size;
        GC_ERROR error = GCReadPort(handle, entries[i].Address, entries[i].pBuffer, &size);
        if (error != GC_ERR_SUCCESS) {
            *count = i;
            return error;
        }
    }
    return GC_ERR_SUCCESS;
}

GC_ERROR GCWritePortStacked(PORT_HANDLE handle, PORT_REGISTER_STACK_ENTRY *entries, size_t *count)
{
    if (entries == NULL || count == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "no entries");
    for (size_t i = 0; i < *count; i++) {
        size_t size = entries[i].Size;
        GC_ERROR error = GCWritePort(handle, entries[i].Address, entries[i].pBuffer, &size);
        if (error != GC_ERR_SUCCESS) {
            *count = i;
            return error;
        }
    }
    return GC_ERR_SUCCESS;
}

GC_ERROR GCGetPortInfo(PORT_HANDLE handle, PORT_INFO_CMD command, INFO_DATATYPE *type, void *value, size_t *size)
{
    struct port port = as_port(handle);

    if (port.kind == MODULE_NONE)
        return fail(GC_ERR_INVALID_HANDLE, "not an open port");
    switch (command) {
    case PORT_INFO_ID:
        return answer_string(module_id(port), type, value, size);
    case PORT_INFO_VENDOR:
        return answer_string(VENDOR, type, value, size);
    case PORT_INFO_MODEL:
        return answer_string(MODEL, type, value, size);
    case PORT_INFO_TLTYPE:
        return answer_string(TL_TYPE, type, value, size);
    case PORT_INFO_MODULE:
        return answer_string(module_names[port.kind].module, type, value, size);
    case PORT_INFO_PORTNAME:
        return answer_string(module_names[port.kind].port, type, value, size);
    case PORT_INFO_VERSION:
        return answer_string(VERSION, type, value, size);
    case PORT_INFO_LITTLE_ENDIAN:
    case PORT_INFO_ACCESS_READ:
        return answer_bool(true, type, value, size);
    case PORT_INFO_ACCESS_WRITE:
        return answer_bool(port.kind == MODULE_REMOTE, type, value, size);
    case PORT_INFO_BIG_ENDIAN:
    case PORT_INFO_ACCESS_NA:
    case PORT_INFO_ACCESS_NI:
        return answer_bool(false, type, value, size);
    default:
        return fail(GC_ERR_NOT_AVAILABLE, "no such fact about the port");
    }
}

static void describe_url(struct port port, char *url, size_t size)
{
    snprintf(url, size, "local:%s;%llx;%zx?SchemaVersion=1.1.0", module_names[port.kind].file,
             (unsigned long long)DESCRIPTION_ADDRESS, description_size(port));
}

GC_ERROR GCGetPortURL(PORT_HANDLE handle, char *url, size_t *size)
{
    char text[256];
    struct port port = as_port(handle);

    if (port.kind == MODULE_NONE)
        return fail(GC_ERR_INVALID_HANDLE, "not an open port");
    describe_url(port, text, sizeof text);
    return answer_string(text, NULL, url, size);
}

GC_ERROR GCGetNumPortURLs(PORT_HANDLE handle, uint32_t *count)
{
    if (as_port(handle).kind == MODULE_NONE)
        return fail(GC_ERR_INVALID_HANDLE, "not an open port");
    if (count == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "no place for the count");
    *count = 1;
    return GC_ERR_SUCCESS;
}

GC_ERROR GCGetPortURLInfo(PORT_HANDLE handle, uint32_t index, URL_INFO_CMD command, INFO_DATATYPE *type, void *value,
                          size_t *size)
{
    char text[256];
    struct port port = as_port(handle);

    if (port.kind == MODULE_NONE)
        return fail(GC_ERR_INVALID_HANDLE, "not an open port");
    if (index != 0)
        return fail(GC_ERR_INVALID_INDEX, "there is one description, number 0");
    switch (command) {
    case URL_INFO_URL:
        describe_url(port, text, sizeof text);
        return answer_string(text, type, value, size);
    case URL_INFO_SCHEMA_VER_MAJOR:
    case URL_INFO_SCHEMA_VER_MINOR:
    case URL_INFO_FILE_VER_MAJOR:
        return answer_i32(1, type, value, size);
    case URL_INFO_FILE_VER_MINOR:
    case URL_INFO_FILE_VER_SUBMINOR:
    case URL_INFO_SCHEME: /* local */
        return answer_i32(0, type, value, size);
    case URL_INFO_FILE_REGISTER_ADDRESS:
        return answer_u64(DESCRIPTION_ADDRESS, type, value, size);
    case URL_INFO_FILE_SIZE:
        return answer_u64(description_size(port), type, value, size);
    case URL_INFO_FILENAME:
        return answer_string(module_names[port.kind].file, type, value, size);
    default:
        return fail(GC_ERR_NOT_AVAILABLE, "no such fact about the description");
    }
}
