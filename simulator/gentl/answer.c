#include <string.h>

#include "producer.h"

static _Thread_local GC_ERROR last_error = GC_ERR_SUCCESS;
static _Thread_local const char *last_text = "no error";

GC_ERROR fail(GC_ERROR code, const char *text)
{
    last_error = code;
    last_text = text;
    return code;
}

/* The standard's way: without a place for the value only its size is told. */
static GC_ERROR answer(const void *from, size_t length, INFO_DATATYPE kind, INFO_DATATYPE *type, void *value,
                       size_t *size)
{
    if (size == NULL)
        return fail(GC_ERR_INVALID_PARAMETER, "no place for the size of the answer");
    if (type != NULL)
        *type = kind;
    if (value != NULL) {
        if (*size < length)
            return fail(GC_ERR_BUFFER_TOO_SMALL, "the place for the answer is too small");
        memcpy(value, from, length);
    }
    *size = length;
    return GC_ERR_SUCCESS;
}

GC_ERROR answer_string(const char *text, INFO_DATATYPE *type, void *value, size_t *size)
{
    return answer(text, strlen(text) + 1, INFO_DATATYPE_STRING, type, value, size);
}

GC_ERROR answer_i32(int32_t number, INFO_DATATYPE *type, void *value, size_t *size)
{
    return answer(&number, sizeof number, INFO_DATATYPE_INT32, type, value, size);
}

GC_ERROR answer_u32(uint32_t number, INFO_DATATYPE *type, void *value, size_t *size)
{
    return answer(&number, sizeof number, INFO_DATATYPE_UINT32, type, value, size);
}

GC_ERROR answer_u64(uint64_t number, INFO_DATATYPE *type, void *value, size_t *size)
{
    return answer(&number, sizeof number, INFO_DATATYPE_UINT64, type, value, size);
}

GC_ERROR answer_size(size_t number, INFO_DATATYPE *type, void *value, size_t *size)
{
    return answer(&number, sizeof number, INFO_DATATYPE_SIZET, type, value, size);
}

GC_ERROR answer_bool(bool flag, INFO_DATATYPE *type, void *value, size_t *size)
{
    bool8_t byte = flag;
    return answer(&byte, sizeof byte, INFO_DATATYPE_BOOL8, type, value, size);
}

GC_ERROR answer_pointer(void *pointer, INFO_DATATYPE *type, void *value, size_t *size)
{
    return answer(&pointer, sizeof pointer, INFO_DATATYPE_PTR, type, value, size);
}

GC_ERROR GCGetLastError(GC_ERROR *error, char *text, size_t *size)
{
    if (error != NULL)
        *error = last_error;
    if (size == NULL)
        return GC_ERR_SUCCESS;
    return answer_string(last_text, NULL, text, size);
}
