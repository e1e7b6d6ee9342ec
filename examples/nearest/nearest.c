/* SPDX-License-Identifier: Apache-2.0 */
/* Spelling search: the words whose vectors are nearest to a misspelt one's. Run without arguments it starts a service of a
 * broker and two shards, searches for every misspelling that it has the answer of, and says how good and how fast that was.
 * `nearest --help` lists what else it does. */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <psyne/module.h>
#include <psyne/status.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "search.h"
#include "service.h"

typedef struct options {
    const char *words, *misspellings, *module, *engine, *device, *socket;
    uint32_t shards, shard, in_flight, k, sample, kill_after_ms;
    int quiet, verbose, count;
} options;

static const char help_text[] =
    "usage: nearest [options]               start a service, search for all misspellings, report\n"
    "       nearest serve [options]         run the broker in this terminal\n"
    "       nearest shard [options]         run one shard in this terminal\n"
    "       nearest query [options] WORD... search\n"
    "       nearest here [options] WORD...  search with the service in this process; with --socket only\n"
    "                                       its broker, which shards of other terminals join\n"
    "  --engine NAME        cpu, vulkan, or both: vulkan on a sample, then cpu on all (default both)\n"
    "  --device NAME        the vulkan device: a name or number\n"
    "  --shards N           how many shards (default 2)\n"
    "  --shard N            which one this is, from 0\n"
    "  --k N                words per search, 1 to 64 (default 10)\n"
    "  --in-flight N        requests in flight (default 256); 1 shows the latency without queueing\n"
    "  --sample N           search for so many misspellings only, evenly spread\n"
    "  --words FILE         list of words (default " WORDS_PATH ")\n"
    "  --misspellings FILE  lines of wrong->right (default codespell's dictionary)\n"
    "  --module FILE        the compiled pipelines (default gen/nearest.psm)\n"
    "  --socket PATH        the service's socket, for serve, shard, query and here\n"
    "  --no-counters        no counters for `psyne counters` to show\n"
    "  --quiet              the last line only\n"
    "  --verbose            also say which device each shard uses\n";

static char folder[512]; /* of the private socket; empty: none */
static char socket_path[560];

static void remove_folder(void)
{
    if (folder[0]) {
        char lock[sizeof socket_path + 16]; /* a broker that was killed leaves both */
        snprintf(lock, sizeof lock, "%s.psyne-lock", socket_path);
        unlink(socket_path);
        unlink(lock);
        rmdir(folder);
        folder[0] = '\0';
    }
}

static int complain(const char *text)
{
    fprintf(stderr, "nearest: %s\n", text);
    return 1;
}

/* Of how it is called. */
static int misused(const char *what, const char *why)
{
    fprintf(stderr, "nearest: %s: %s; `nearest --help` lists roles and options\n", what, why);
    return 2;
}

/* ---- what is loaded ---- */

static int load_words(const options *o, words *w)
{
    char error[600];
    return words_load(o->words, w, error, sizeof error) ? complain(error) : 0;
}

/* ---- one engine: a service, and all queries through it ---- */

typedef struct outcome {
    measure measured;
    hits *found; /* of the sample */
} outcome;

/* Waits for the service; a process that ends meanwhile says why. */
static int wait_connected(service *service_, const char *uri, searcher *s, char *error, size_t n)
{
    for (int tries = 0; tries < 240; tries++) {
        int again;
        if (search_connect(uri, UINT64_C(250000000), s, &again, error, n) == 0) {
            return 0;
        }
        char ended[600];
        int status = service_check(service_, ended, sizeof ended);
        if (status != 0) {
            snprintf(error, n, "%s", ended);
            return status;
        }
        if (!again) {
            return -1;
        }
    }
    return -1;
}

static int show(searcher *s, char *error, size_t n)
{
    static const char *const wrong[] = {"recieve",   "definately", "seperate",   "occured",  "accomodate", "wierd",
                                        "goverment", "tommorow",   "neccessary", "begining", "embarass",   "rythm"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        hits found;
        if (search_one(s, wrong[i], &found, error, n)) {
            return -1;
        }
        printf("  %-12s ->", wrong[i]);
        for (uint32_t k = 0; k < found.count && k < 5; k++) {
            printf("%s %s", k ? "," : "", found.word[k]);
        }
        putchar('\n');
    }
    return 0;
}

static int run_engine(const options *o, const char *engine, const words *w, const misspellings *m, const size_t *picked,
                      size_t count, int talk, outcome *out, char *error, size_t n)
{
    char uri[600];
    snprintf(uri, sizeof uri, "ipc://%s", socket_path);
    service_options so = {.uri = uri,
                          .module = o->module,
                          .engine = engine,
                          .device = o->device,
                          .shards = o->shards,
                          .words = w,
                          .verbose = o->verbose,
                          .count = o->count};
    service *running;
    if (service_start(&so, &running, error, n)) {
        return -1;
    }
    searcher s = {.k = (uint16_t)o->k, .in_flight = o->in_flight, .counters = o->count ? service_counters() : NULL};
    int status = wait_connected(running, uri, &s, error, n);
    if (status == 0 && talk) {
        status = show(&s, error, n);
    }
    if (status == 0) {
        status = search_stored(&s, w, w->count < 64 ? w->count : 64, error, n);
        if (status == 0 && talk) {
            printf("  %zu stored vectors came back as they were, each from the shard that owns its word's key\n",
                   w->count < 64 ? w->count : (size_t)64);
        }
    }
    if (status == 0 && o->kill_after_ms) {
        service_kill_later(running, o->kill_after_ms);
    }
    if (status == 0) {
        status = search_all(&s, m, picked, count, out->found, &out->measured, error, n);
    }
    search_close(&s);
    psy_counters_destroy(s.counters);
    if (status == 0 && out->measured.failed) {
        char why[600] = "";
        (void)service_check(running, why, sizeof why);
        fprintf(stderr, "nearest: %" PRIu64 " of %zu queries failed: %s%s%s\n", out->measured.failed, count, error,
                why[0] ? ": " : "", why);
        status = -2;
    }
    service_stop(running);
    return status;
}

static void print_line(const outcome *r, const options *o, const char *engine)
{
    const measure *m = &r->measured;
    double n = m->queries ? (double)m->queries : 1;
    printf("nearest: queries=%" PRIu64 " recall@1=%.2f recall@10=%.2f qps=%.0f p50_us=%.0f p99_us=%.0f shards=%u engine=%s\n",
           m->queries, (double)m->first / n, (double)m->tenth / n, m->seconds > 0 ? (double)m->queries / m->seconds : 0,
           m->p50_us, m->p99_us, o->shards, engine);
    fflush(stdout);
}

/* ---- two engines give the same hits ---- */

static const float tolerance = 1e-5f;

static const float *score_of(const hits *h, uint64_t index)
{
    for (uint32_t i = 0; i < h->count; i++) {
        if (h->index[i] == index) {
            return &h->score[i];
        }
    }
    return NULL;
}

/* Every hit of a is one of b with nearly the same score, or its score is as good as that of b's last. */
static int covers(const hits *a, const hits *b)
{
    for (uint32_t i = 0; i < a->count; i++) {
        const float *other = score_of(b, a->index[i]);
        float cut = b->count ? b->score[b->count - 1] : 0;
        if (fabsf(a->score[i] - (other ? *other : cut)) > tolerance) {
            return 0;
        }
    }
    return a->count == b->count;
}

static int compare(const hits *a, const hits *b, const misspellings *m, const size_t *picked, size_t n)
{
    int different = 0;
    for (size_t i = 0; i < n; i++) {
        if (!covers(&a[i], &b[i]) || !covers(&b[i], &a[i])) {
            fprintf(stderr, "nearest: the engines find different words for %s\n", m->entry[picked[i]].wrong);
            different = 1;
        }
    }
    return different;
}

/* ---- the demonstration ---- */

static size_t *pick(size_t all, size_t n)
{
    size_t *picked = malloc((n + 1) * sizeof *picked);
    for (size_t i = 0; picked && i < n; i++) {
        picked[i] = i * all / n;
    }
    return picked;
}

/* What the demonstration works on. */
typedef struct stage {
    words words;
    misspellings misspellings;
    size_t count, few;       /* of the queries, and of the sample that both engines are asked */
    size_t *picked, *sample; /* indices of misspellings */
    hits *by_vulkan, *by_cpu;
} stage;

static int prepare(const options *o, stage *s, char *error, size_t n)
{
    enum { VULKAN_SAMPLE = 96 };
    psy_module *module;
    if (psy_module_open(o->module, &module) != PSY_OK) { /* every process opens it: one error is enough */
        snprintf(error, n, "%s", psy_detail());
        return -1;
    }
    psy_module_close(module);
    if (words_load(o->words, &s->words, error, n) ||
        misspellings_load(o->misspellings, &s->words, &s->misspellings, error, n)) {
        return -1;
    }
    size_t all = s->misspellings.count;
    s->count = o->sample && o->sample < all ? o->sample : all;
    s->few = s->count < VULKAN_SAMPLE ? s->count : VULKAN_SAMPLE;
    s->picked = pick(all, s->count);
    s->sample = pick(all, s->few);
    s->by_vulkan = calloc(s->few + 1, sizeof *s->by_vulkan);
    s->by_cpu = calloc(s->few + 1, sizeof *s->by_cpu);
    if (!s->picked || !s->sample || !s->by_vulkan || !s->by_cpu) {
        snprintf(error, n, "no memory");
        return -1;
    }
    return 0;
}

static void clear(stage *s)
{
    free(s->picked);
    free(s->sample);
    free(s->by_vulkan);
    free(s->by_cpu);
    misspellings_free(&s->misspellings);
    words_free(&s->words);
}

/* The same sample through both engines. A machine without any usable device skips it. */
static int show_both(const options *o, stage *s, char *error, size_t n)
{
    enum { IN_FLIGHT = 8 }; /* where the device is this CPU, a search takes a while, and each has a deadline */
    outcome vulkan = {.found = s->by_vulkan}, cpu = {.found = s->by_cpu};
    options few = *o;
    few.in_flight = o->in_flight < IN_FLIGHT ? o->in_flight : IN_FLIGHT;
    int status = run_engine(&few, "vulkan", &s->words, &s->misspellings, s->sample, s->few, 0, &vulkan, error, n);
    if (status == SERVICE_NO_ENGINE && !o->device) {
        printf("engine vulkan is skipped: %s\n", error);
        return 0;
    }
    if (status == 0) {
        print_line(&vulkan, o, "vulkan");
        status = run_engine(&few, "cpu", &s->words, &s->misspellings, s->sample, s->few, 0, &cpu, error, n);
    }
    if (status == 0) {
        status = compare(s->by_vulkan, s->by_cpu, &s->misspellings, s->sample, s->few) ? -2 : 0;
    }
    if (status == 0 && !o->quiet) {
        printf("both engines find the same words for a sample of %zu\n", s->few);
    }
    return status;
}

static int demonstrate(const options *o)
{
    stage s = {.count = 0};
    char error[700] = "";
    int both = strcmp(o->engine, "both") == 0, status = prepare(o, &s, error, sizeof error);
    if (status == 0 && !o->quiet) {
        printf("%zu words, %zu misspellings with a known correction, %u shards\n", s.words.count, s.misspellings.count,
               o->shards);
    }
    if (status == 0 && both) {
        status = show_both(o, &s, error, sizeof error);
    }
    if (status == 0) {
        const char *engine = both ? "cpu" : o->engine;
        outcome all = {.found = NULL};
        status = run_engine(o, engine, &s.words, &s.misspellings, s.picked, s.count, !o->quiet, &all, error, sizeof error);
        if (status == 0) {
            print_line(&all, o, engine);
        }
    }
    if (status != 0 && status != -2) { /* -2: said already */
        complain(error);
    }
    clear(&s);
    return status ? 1 : 0;
}

static int query(const options *o, const char *uri, psy_agent agent, char **word, int n)
{
    char error[700];
    int again;
    searcher s = {
        .k = (uint16_t)o->k, .in_flight = o->in_flight, .counters = o->count ? service_counters() : NULL, .agent = agent};
    int status = search_connect(uri, UINT64_C(2000000000), &s, &again, error, sizeof error);
    for (int i = 0; status == 0 && i < n; i++) {
        hits found;
        status = search_one(&s, word[i], &found, error, sizeof error);
        if (status == 0) {
            printf("%s ->", word[i]);
            for (uint32_t k = 0; k < found.count; k++) {
                printf("%s %s (%.4f)", k ? "," : "", found.word[k], (double)found.score[k]);
            }
            putchar('\n');
        }
    }
    search_close(&s);
    psy_counters_destroy(s.counters);
    return status ? complain(error) : 0;
}

/* The same without any service but this process, or with the shards of one. */
static int query_here(const options *o, const service_options *so, char **word, int n)
{
    char error[700];
    words w = {0};
    psy_service *service_;
    service_options here = *so;
    here.words = &w;
    if (!so->uri && load_words(o, &w)) {
        return 1;
    }
    int status = service_here(&here, &service_, error, sizeof error) ? complain(error) : 0;
    if (status == 0) {
        status = query(o, psy_service_uri(service_), psy_service_agent(service_), word, n);
        psy_service_destroy(service_);
    }
    words_free(&w);
    return status;
}

/* ---- options ---- */

static uint32_t number(const char *name, const char *text, uint32_t least, uint32_t most)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (errno || *end || end == text || *text == '-' || value < least || value > most) {
        fprintf(stderr, "nearest: --%s takes a number from %u to %u, not %s\n", name, least, most, text);
        exit(2);
    }
    return (uint32_t)value;
}

static void parse(int argc, char **argv, options *o)
{
    static const struct option known[] = {{"engine", 1, 0, 'e'},
                                          {"device", 1, 0, 'd'},
                                          {"shards", 1, 0, 's'},
                                          {"shard", 1, 0, 'i'},
                                          {"k", 1, 0, 'k'},
                                          {"in-flight", 1, 0, 'f'},
                                          {"sample", 1, 0, 'n'},
                                          {"words", 1, 0, 'w'},
                                          {"misspellings", 1, 0, 'm'},
                                          {"module", 1, 0, 'p'},
                                          {"socket", 1, 0, 'u'},
                                          {"no-counters", 0, 0, 'c'},
                                          {"quiet", 0, 0, 'q'},
                                          {"verbose", 0, 0, 'v'},
                                          {"help", 0, 0, 'h'},
                                          {"kill-after", 1, 0, 'x'},
                                          {0, 0, 0, 0}};
    int c;
    while ((c = getopt_long(argc, argv, ":h", known, NULL)) != -1) {
        switch (c) {
        case 'e': o->engine = optarg; break;
        case 'd': o->device = optarg; break;
        case 's': o->shards = number("shards", optarg, 1, SHARDS_MAX); break;
        case 'i': o->shard = number("shard", optarg, 0, SHARDS_MAX - 1); break;
        case 'k': o->k = number("k", optarg, 1, HITS_MAX); break;
        case 'f': o->in_flight = number("in-flight", optarg, 1, 65536); break;
        case 'n': o->sample = number("sample", optarg, 1, UINT32_MAX); break;
        case 'x': o->kill_after_ms = number("kill-after", optarg, 1, 60000); break;
        case 'w': o->words = optarg; break;
        case 'm': o->misspellings = optarg; break;
        case 'p': o->module = optarg; break;
        case 'u': o->socket = optarg; break;
        case 'c': o->count = 0; break;
        case 'q': o->quiet = 1; break;
        case 'v': o->verbose = 1; break;
        case 'h': fputs(help_text, stdout); exit(0);
        default: exit(misused(argv[optind - 1], c == ':' ? "it takes a value" : "there is no such option"));
        }
    }
}

static void clean_up(int signal_number)
{
    remove_folder();
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

/* The service of a demonstration has a socket that nobody else finds. */
static int in_private_folder(const options *o)
{
    const char *temporary = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/nearest-XXXXXX", temporary && *temporary ? temporary : "/tmp");
    if (!mkdtemp(folder)) {
        folder[0] = '\0';
        return complain("a temporary folder cannot be made");
    }
    snprintf(socket_path, sizeof socket_path, "%s/nearest.sock", folder);
    signal(SIGINT, clean_up);
    signal(SIGTERM, clean_up);
    int status = demonstrate(o);
    remove_folder();
    return status;
}

/* Addresses are absolute. */
static int address_of(const char *path, char *uri, size_t n)
{
    char here[1024] = "";
    if (path[0] != '/' && !getcwd(here, sizeof here)) {
        return -1;
    }
    snprintf(uri, n, "ipc://%s%s%s", here, here[0] ? "/" : "", path);
    return 0;
}

int main(int argc, char **argv)
{
    options o = {.words = WORDS_PATH,
                 .misspellings = MISSPELLINGS_PATH,
                 .module = "gen/nearest.psm",
                 .engine = "both",
                 .shards = 2,
                 .in_flight = 256,
                 .k = 10,
                 .count = 1};
    const char *role = argc > 1 && argv[1][0] != '-' ? argv[1] : NULL;
    int is_serve = role && strcmp(role, "serve") == 0, is_shard = role && strcmp(role, "shard") == 0,
        is_here = role && strcmp(role, "here") == 0, is_query = role && (is_here || strcmp(role, "query") == 0);
    if (role && !is_serve && !is_shard && !is_query) {
        return misused(role, "the roles are serve, shard, query and here");
    }
    optind = role ? 2 : 1;
    parse(argc, argv, &o);
    if (optind < argc && !is_query) {
        return misused(argv[optind], "nothing is expected there");
    }
    if (!role) {
        return in_private_folder(&o);
    }
    if (!o.socket && !is_here) {
        return misused(role, "say where the service is: --socket PATH");
    }
    if (is_query && optind == argc) {
        return misused(role, "say which words to search for");
    }
    char uri[1200];
    if (o.socket && address_of(o.socket, uri, sizeof uri)) {
        return complain("the current folder has no name");
    }
    service_options so = {.uri = o.socket ? uri : NULL,
                          .module = o.module,
                          .engine = strcmp(o.engine, "both") == 0 ? "cpu" : o.engine,
                          .device = o.device,
                          .shards = o.shards,
                          .verbose = 1,
                          .count = o.count};
    if (is_serve) {
        return serve(&so);
    }
    if (is_query) {
        return is_here ? query_here(&o, &so, argv + optind, argc - optind)
                       : query(&o, uri, (psy_agent){0}, argv + optind, argc - optind);
    }
    words w;
    if (load_words(&o, &w)) {
        return 1;
    }
    so.words = &w;
    int status = shard(&so, o.shard);
    words_free(&w);
    return status;
}
