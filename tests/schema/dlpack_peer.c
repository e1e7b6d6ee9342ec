/* SPDX-License-Identifier: Apache-2.0 */
/* What dlpack.py calls: elements that are lent to NumPy, and NumPy's as views. */
#include <psyne/dlpack.h>

enum { LOANS = 5 };

static psy_dlpack_loan loans[LOANS];
static int lent[LOANS];
static _Alignas(64) unsigned char bytes[LOANS][256];

static void give_back(void *owner) { --*(int *)owner; }

/* The elements of loan `i`. */
void *peer_bytes(unsigned i);
/* How often loan `i` is out. */
int peer_lent(unsigned i);
/* [2, 3, 4] elements of a type, the axes in reverse where `turned`, every second along the last; NULL where a view of them
 * fails. */
void *peer_lend(unsigned i, unsigned dtype, int turned, int versioned, int read_only);
/* Adds 1 to each element of an f64 tensor, and gives their sum before; a status above 1000 where it is refused. */
double peer_take(const DLManagedTensor *m);
const char *peer_why(void);

static const char *why = "";

void *peer_bytes(unsigned i) { return bytes[i]; }
int peer_lent(unsigned i) { return lent[i]; }
const char *peer_why(void) { return why; }

void *peer_lend(unsigned i, unsigned dtype, int turned, int versioned, int read_only)
{
    static const uint32_t dims[3] = {2, 3, 4};
    psy_variant_view v;
    if (psy_variant_view_init(&v, bytes[i], sizeof bytes[i], dtype, 3, dims) != PSY_OK ||
        (turned && (psy_variant_transpose(&v, NULL, &v) != PSY_OK || psy_variant_slice(&v, 0, 3, 2, -2, &v) != PSY_OK))) {
        return NULL;
    }
    lent[i]++;
    return versioned ? (void *)psy_dlpack_lend_versioned(&loans[i], &v, read_only != 0, give_back, &lent[i])
                     : (void *)psy_dlpack_lend(&loans[i], &v, give_back, &lent[i]);
}

double peer_take(const DLManagedTensor *m)
{
    psy_variant_mutable_view t;
    double sum = 0;
    uint32_t index[2];
    const psy_status status = psy_dlpack_to_view(&m->dl_tensor, &t.view, &why);
    if (status != PSY_OK || t.view.rank != 2 || t.view.dtype != PSY_F64) {
        return 1000 + (double)status;
    }
    for (index[0] = 0; index[0] < t.view.dims[0]; index[0]++) {
        for (index[1] = 0; index[1] < t.view.dims[1]; index[1]++) {
            const double x = *psy_variant_f64_at(&t.view, index);
            sum += psy_variant_set_f64(&t, index, x + 1) ? x : 0;
        }
    }
    return sum;
}
