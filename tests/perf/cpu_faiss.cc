// SPDX-License-Identifier: Apache-2.0
// Exact search by inner product with FAISS, on one thread.
#include <faiss/IndexFlat.h>
#include <omp.h>

#include "tests/perf/cpu.h"

static faiss::IndexFlatIP *index_of_rows;

void cpu_faiss_open(const cpu_data *data)
{
    omp_set_num_threads(1);
    index_of_rows = new faiss::IndexFlatIP(CPU_DEPTH);
    index_of_rows->add(CPU_ROWS, data->rows);
}

void cpu_faiss_search(const float *queries, size_t count, float *scores, int64_t *rows)
{
    static_assert(sizeof(faiss::Index::idx_t) == sizeof(int64_t), "row numbers");
    index_of_rows->search((faiss::Index::idx_t)count, queries, CPU_BEST, scores, (faiss::Index::idx_t *)rows);
}

void cpu_faiss_close(void)
{
    delete index_of_rows;
    index_of_rows = nullptr;
}
