/* SPDX-License-Identifier: Apache-2.0 */
/* Variants as DLPack tensors and the other way round, without a copy: how array libraries hand memory to each other
 * (https://dmlc.github.io/dlpack, versions 0.5 to 1.x; what is laid out here is its ABI).
 *
 *   DLTensor t;   psy_dlpack_axes axes;
 *   psy_dlpack_from_view(&t, &axes, &view);                    // for a call that takes a DLTensor
 *
 *   const char *why;                                           // what is wrong with a tensor from elsewhere
 *   if (psy_dlpack_to_view(&t, &view, &why) != PSY_OK) { ... }
 *
 *   psy_dlpack_loan *loan = &loans[reply.slot];                // a framework keeps the reply until it is done with it
 *   DLManagedTensor *m = psy_dlpack_lend(loan, &view, give_back, loan);
 *   void give_back(void *owner) { ... }                        // called once: now the slot can be released
 *
 * The types are those of <dlpack/dlpack.h>, where it was included before or can be found; else they are declared here, under
 * their own names. A copy of that header in another place (<ATen/dlpack.h>) is included before this one.
 *
 * Nothing allocates, nothing blocks, nothing is kept but what the caller gives room for. Any thread may use any of it. */
#ifndef PSYNE_DLPACK_H
#define PSYNE_DLPACK_H

#include <psyne/variant.h>

#if !defined(DLPACK_DLPACK_H_) && !defined(PSYNE_DLPACK_TYPES) && defined(__has_include)
#if __has_include(<dlpack/dlpack.h>)
#include <dlpack/dlpack.h>
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

#ifdef DLPACK_DLPACK_H_
#if defined(DLPACK_VERSION) && DLPACK_VERSION < 50
#error "psyne/dlpack.h: dlpack.h is older than 0.5"
#endif
#else
typedef int32_t DLDeviceType;
typedef struct {
    DLDeviceType device_type;
    int32_t device_id;
} DLDevice;
typedef struct {
    uint8_t code, bits;
    uint16_t lanes;
} DLDataType;
typedef struct {
    void *data;
    DLDevice device;
    int32_t ndim;
    DLDataType dtype;
    int64_t *shape;
    int64_t *strides; /* in elements; NULL: row-major */
    uint64_t byte_offset;
} DLTensor;
typedef struct DLManagedTensor {
    DLTensor dl_tensor;
    void *manager_ctx;
    void (*deleter)(struct DLManagedTensor *self);
} DLManagedTensor;
#endif

/* Since 1.0. */
#ifndef DLPACK_MAJOR_VERSION
typedef struct {
    uint32_t major, minor;
} DLPackVersion;
typedef struct DLManagedTensorVersioned {
    DLPackVersion version;
    void *manager_ctx;
    void (*deleter)(struct DLManagedTensorVersioned *self);
    uint64_t flags;
    DLTensor dl_tensor;
} DLManagedTensorVersioned;
#endif

static_assert(sizeof(DLDevice) == 8 && sizeof(DLDataType) == 4, "DLPack's layout is ABI");
static_assert(offsetof(DLTensor, device) == sizeof(void *) && offsetof(DLTensor, ndim) == sizeof(void *) + 8 &&
                  offsetof(DLTensor, dtype) == sizeof(void *) + 12 && offsetof(DLTensor, shape) == sizeof(void *) + 16 &&
                  offsetof(DLTensor, strides) == 2 * sizeof(void *) + 16 &&
                  offsetof(DLTensor, byte_offset) == 3 * sizeof(void *) + 16,
              "DLPack's layout is ABI");
static_assert(offsetof(DLManagedTensor, manager_ctx) == sizeof(DLTensor) &&
                  offsetof(DLManagedTensor, deleter) == sizeof(DLTensor) + sizeof(void *),
              "DLPack's layout is ABI");
static_assert(offsetof(DLManagedTensorVersioned, manager_ctx) == 8 &&
                  offsetof(DLManagedTensorVersioned, deleter) == 8 + sizeof(void *) &&
                  offsetof(DLManagedTensorVersioned, flags) == 8 + 2 * sizeof(void *) &&
                  offsetof(DLManagedTensorVersioned, dl_tensor) == 16 + 2 * sizeof(void *),
              "DLPack's layout is ABI");

enum {
    PSY_DLPACK_CPU = 1,       /* DLDevice.device_type */
    PSY_DLPACK_READ_ONLY = 1, /* DLManagedTensorVersioned.flags */
    PSY_DLPACK_MAJOR = 1,     /* what is handed over says that it is of 1.0 */
    /* DLDataType.code, by the class of a type in dtypes.def */
    PSY__DLPACK_SINT = 0,
    PSY__DLPACK_UINT = 1,
    PSY__DLPACK_FLOAT = 2,
    PSY__DLPACK_BFLOAT = 4,
    PSY__DLPACK_BOOL = 6
};

/* What the types are called there; bits 0: there is no such type. */
static inline DLDataType psy__dlpack_type(unsigned dtype)
{
    DLDataType type;
    type.code = 0;
    type.bits = 0;
    type.lanes = 1;
    switch (dtype) {
#define DTYPE(NAME, number, text, bytes, ctype, class, compute)                                                                \
    case number:                                                                                                               \
        type.code = number == PSY_BF16 ? PSY__DLPACK_BFLOAT : PSY__DLPACK_##class;                                             \
        type.bits = 8 * bytes;                                                                                                 \
        break;
#include <psyne/dtypes.def>
#undef DTYPE
    default: break;
    }
    return type;
}

/* ---- from a view ---- */

/* The room for what a DLTensor points to. */
typedef struct psy_dlpack_axes {
    int64_t shape[PSY_VARIANT_RANK_MAX], strides[PSY_VARIANT_RANK_MAX];
} psy_dlpack_axes;

/* Shows the view's elements as a tensor, which is good for as long as they and `axes` are. A DLTensor does not say that it may
 * not be written: who gets it must know. */
static inline void psy_dlpack_from_view(DLTensor *t, psy_dlpack_axes *axes, const psy_variant_view *v)
{
    uint32_t i;
    for (i = 0; i < PSY_VARIANT_RANK_MAX; i++) {
        axes->shape[i] = i < v->rank ? (int64_t)v->dims[i] : 0;
        axes->strides[i] = i < v->rank ? v->strides[i] : 0;
    }
    t->data = psy_variant_count(v) > 0 ? psy__variant_writable(v->data) : NULL;
    t->device.device_type = (DLDeviceType)PSY_DLPACK_CPU;
    t->device.device_id = 0;
    t->ndim = (int32_t)v->rank;
    t->dtype = psy__dlpack_type(v->dtype);
    t->shape = axes->shape;
    t->strides = axes->strides;
    t->byte_offset = 0;
}

/* ---- to a view ---- */

static inline psy_status psy__dlpack_refuse(const char **to, psy_status status, const char *why)
{
    if (to != NULL) {
        *to = why;
    }
    return status;
}

/* Shows a tensor's elements; what is to be written goes to the view of a psy_variant_mutable_view. Any strides will do,
 * negative ones and 0 too. Refused, and `v` stays as it was: INVALID      a size below 0, sizes or elements that should be
 * there and are NULL UNSUPPORTED  elsewhere than in the CPU's memory, types that there are not (lanes, complex, of 8 bits),
 * elements that do not lie at a multiple of their size TOO_LARGE    more than eight axes, a size above 2^32 - 1, or elements
 * further apart than 2^63 bytes `why`, which may be NULL, gets a sentence about it. The tensor's pointers are trusted: those
 * who hand over addresses share a process. */
static inline psy_status psy_dlpack_to_view(const DLTensor *t, psy_variant_view *v, const char **why)
{
    uint32_t dims[PSY_VARIANT_RANK_MAX] = {0}, i;
    unsigned dtype = 0, bytes;
    uint64_t left, count = 1, apart;
    psy_variant_view r;
    if (t->device.device_type != (DLDeviceType)PSY_DLPACK_CPU) {
        return psy__dlpack_refuse(why, PSY_UNSUPPORTED, "the tensor is not in the memory of the CPU");
    }
    if (t->dtype.lanes != 1) {
        return psy__dlpack_refuse(why, PSY_UNSUPPORTED, "the elements have several lanes");
    }
#define DTYPE(NAME, number, text, size, ctype, class, compute)                                                                 \
    dtype = t->dtype.code == psy__dlpack_type(number).code && t->dtype.bits == 8 * size ? (unsigned)number : dtype;
#include <psyne/dtypes.def>
#undef DTYPE
    if (dtype == 0) {
        return psy__dlpack_refuse(why, PSY_UNSUPPORTED, "no variant has elements of this type");
    }
    if (t->ndim < 0 || (t->ndim > 0 && t->shape == NULL)) {
        return psy__dlpack_refuse(why, PSY_INVALID, "the tensor does not say its shape");
    }
    if (t->ndim > PSY_VARIANT_RANK_MAX) {
        return psy__dlpack_refuse(why, PSY_TOO_LARGE, "the tensor has more than eight axes");
    }
    for (i = 0; i < (uint32_t)t->ndim; i++) {
        if (t->shape[i] < 0) {
            return psy__dlpack_refuse(why, PSY_INVALID, "a size of the tensor is below 0");
        }
        if (t->shape[i] > (int64_t)UINT32_MAX) {
            return psy__dlpack_refuse(why, PSY_TOO_LARGE, "a size of the tensor has more than 32 bits");
        }
        dims[i] = (uint32_t)t->shape[i];
        count = dims[i] == 0 ? 0 : count;
    }
    bytes = psy_dtype_bytes(dtype);
    left = (uint64_t)INT64_MAX / bytes;
    for (i = 0; i < (uint32_t)t->ndim && count > 0; i++) {
        if (dims[i] > left / count) {
            return psy__dlpack_refuse(why, PSY_TOO_LARGE, "the tensor has more than 2^63 bytes");
        }
        count *= dims[i];
    }
    if (count > 0 && (t->data == NULL || t->byte_offset > UINTPTR_MAX - (uintptr_t)t->data)) {
        return psy__dlpack_refuse(why, PSY_INVALID, "the tensor has no data");
    }
    psy__variant_pack(&r, count > 0 ? (const unsigned char *)t->data + t->byte_offset : NULL, (psy_dtype)dtype,
                      (uint32_t)t->ndim, dims);
    if ((uintptr_t)r.data % bytes != 0) {
        return psy__dlpack_refuse(why, PSY_UNSUPPORTED, "the elements do not lie at a multiple of their size");
    }
    for (i = 0; i < (uint32_t)t->ndim && count > 0 && t->strides != NULL; i++) {
        /* Of one element nobody needs to know how far the next one would be. */
        if (dims[i] > 1) {
            r.strides[i] = t->strides[i];
            apart = t->strides[i] < 0 ? UINT64_C(0) - (uint64_t)t->strides[i] : (uint64_t)t->strides[i];
            if (apart > left / (dims[i] - 1)) {
                return psy__dlpack_refuse(why, PSY_TOO_LARGE, "elements of the tensor are further apart than 2^63 bytes");
            }
            left -= apart * (dims[i] - 1);
        }
    }
    *v = r;
    return PSY_OK;
}

/* The same of a managed tensor of DLPack 1.x. VERSION: of another major version, of which only the deleter may be used. What is
 * read-only (flags & PSY_DLPACK_READ_ONLY) must not be written. */
static inline psy_status psy_dlpack_versioned_to_view(const DLManagedTensorVersioned *m, psy_variant_view *v, const char **why)
{
    return m->version.major != PSY_DLPACK_MAJOR
               ? psy__dlpack_refuse(why, PSY_VERSION, "the tensor is of another version of DLPack")
               : psy_dlpack_to_view(&m->dl_tensor, v, why);
}

/* ---- lending ---- */

/* Elements that somebody else uses until he calls the deleter. The caller's memory, which stays where it is until `release` is
 * called. */
typedef struct psy_dlpack_loan {
    union {
        DLManagedTensor tensor;
        DLManagedTensorVersioned versioned;
    } managed;
    psy_dlpack_axes axes;
    void (*release)(void *owner);
    void *owner;
} psy_dlpack_loan;

static inline void psy__dlpack_return(psy_dlpack_loan *loan)
{
    /* What is called may use the loan's memory for something else. */
    void (*release)(void *owner) = loan->release;
    void *owner = loan->owner;
    loan->release = NULL;
    if (release != NULL) {
        release(owner);
    }
}

static inline void psy__dlpack_delete(DLManagedTensor *self) { psy__dlpack_return((psy_dlpack_loan *)self->manager_ctx); }

static inline void psy__dlpack_delete_versioned(DLManagedTensorVersioned *self)
{
    psy__dlpack_return((psy_dlpack_loan *)self->manager_ctx);
}

/* Lends the view's elements: what comes back is for a framework ("dltensor" is its name as a capsule of Python), which calls
 * the deleter when it is done, once, from any of its threads; that calls release(owner). A channel belongs to one thread: there
 * `release` notes that the slot is free, for that thread to give it back. */
static inline DLManagedTensor *psy_dlpack_lend(psy_dlpack_loan *loan, const psy_variant_view *v, void (*release)(void *owner),
                                               void *owner)
{
    DLManagedTensor *m = &loan->managed.tensor;
    psy_dlpack_from_view(&m->dl_tensor, &loan->axes, v);
    m->manager_ctx = loan;
    m->deleter = psy__dlpack_delete;
    loan->release = release;
    loan->owner = owner;
    return m;
}

/* The same for those who know DLPack 1.x ("dltensor_versioned"), to whom it can be said that nothing may be written. */
static inline DLManagedTensorVersioned *psy_dlpack_lend_versioned(psy_dlpack_loan *loan, const psy_variant_view *v,
                                                                  bool read_only, void (*release)(void *owner), void *owner)
{
    DLManagedTensorVersioned *m = &loan->managed.versioned;
    psy_dlpack_from_view(&m->dl_tensor, &loan->axes, v);
    m->version.major = PSY_DLPACK_MAJOR;
    m->version.minor = 0;
    m->manager_ctx = loan;
    m->deleter = psy__dlpack_delete_versioned;
    m->flags = read_only ? PSY_DLPACK_READ_ONLY : 0;
    loan->release = release;
    loan->owner = owner;
    return m;
}

#ifdef __cplusplus
}
#endif
#endif
