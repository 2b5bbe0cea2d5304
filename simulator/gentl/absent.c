/* Calls of GenTL 1.5 and 1.6 for multi-part, composite and flow transport, which these cameras do not use. */
#include "producer.h"

static GC_ERROR refuse(void *stream, const char *text)
{
    if (as_stream(stream) == NULL)
        return fail(GC_ERR_INVALID_HANDLE, "not an open stream");
    return fail(GC_ERR_NOT_IMPLEMENTED, text);
}

GC_ERROR DSGetNumBufferParts(DS_HANDLE stream, BUFFER_HANDLE buffer, uint32_t *count)
{
    (void)buffer;
    if (as_stream(stream) == NULL || count == NULL)
        return fail(GC_ERR_INVALID_HANDLE, "not an open stream, or no place for the count");
    *count = 0;
    return GC_ERR_SUCCESS;
}

GC_ERROR DSGetBufferPartInfo(DS_HANDLE stream, BUFFER_HANDLE buffer, uint32_t part, BUFFER_PART_INFO_CMD command,
                             INFO_DATATYPE *type, void *value, size_t *size)
{
    (void)buffer, (void)part, (void)command, (void)type, (void)value, (void)size;
    return refuse(stream, "buffers hold one image and no parts");
}

GC_ERROR DSAnnounceCompositeBuffer(DS_HANDLE stream, size_t count, void **segments, size_t *sizes, void *user,
                                   BUFFER_HANDLE *buffer)
{
    (void)count, (void)segments, (void)sizes, (void)user, (void)buffer;
    return refuse(stream, "buffers are of one piece");
}

GC_ERROR DSGetNumBufferSegments(DS_HANDLE stream, BUFFER_HANDLE buffer, uint32_t *count)
{
    (void)buffer, (void)count;
    return refuse(stream, "buffers are of one piece");
}

GC_ERROR DSGetBufferSegmentInfo(DS_HANDLE stream, BUFFER_HANDLE buffer, uint32_t segment, SEGMENT_INFO_CMD command,
                                INFO_DATATYPE *type, void *value, size_t *size)
{
    (void)buffer, (void)segment, (void)command, (void)type, (void)value, (void)size;
    return refuse(stream, "buffers are of one piece");
}

GC_ERROR DSGetNumFlows(DS_HANDLE stream, uint32_t *count)
{
    (void)count;
    return refuse(stream, "the stream has no flows");
}

GC_ERROR DSGetFlowInfo(DS_HANDLE stream, uint32_t flow, FLOW_INFO_CMD command, INFO_DATATYPE *type, void *value,
                       size_t *size)
{
    (void)flow, (void)command, (void)type, (void)value, (void)size;
    return refuse(stream, "the stream has no flows");
}
