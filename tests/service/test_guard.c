/* SPDX-License-Identifier: Apache-2.0 */
/* Who may do what: rules, the socket's mode and group, limits of users. Strangers are processes of other users, which only root
 * can start. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "service/guard.h"
#include "tests/service/by_hand.h"

enum { STRANGER = 61001, OTHER = 61002, GROUP = 61003 };

/* ---- rules ---- */

Test(guard, rules_that_say_nothing_are_refused)
{
    psy__guard guard = {0};
    const psy_rule good = {.uid = STRANGER, .gid = PSY_ANYBODY, .may = PSY_MAY_CONNECT},
                   unknown = {.uid = STRANGER, .gid = PSY_ANYBODY, .may = 64},
                   outside = {.uid = STRANGER, .gid = PSY_ANYBODY, .may = PSY_MAY_PROGRAM};
    cr_assert_eq(psy__guard_set(&guard, &good, 1), PSY_OK);
    const psy_rule rules[2] = {good, unknown};
    cr_assert_eq(psy__guard_set(&guard, rules, 2), PSY_INVALID);
    cr_assert_not_null(strstr(psy_detail(), "rule 1"), "%s", psy_detail());
    cr_assert_eq(psy__guard_set(&guard, &outside, 1), PSY_INVALID);
    cr_assert_not_null(strstr(psy_detail(), "PSY_MAY_CONNECT"), "%s", psy_detail());
    cr_assert_eq(psy__guard_set(&guard, NULL, 1), PSY_INVALID);
    cr_assert_eq(psy__guard_set(&guard, rules, PSY_RULES_MAX + 1), PSY_INVALID);
    cr_assert_eq(guard.rule_count, 1u, "what was refused has changed something");
    cr_assert_eq(guard.rules[0].uid, (uint32_t)STRANGER);
    cr_assert_eq(psy__guard_set(&guard, NULL, 0), PSY_OK);
    psy__guard_fini(&guard);
}

Test(guard, groups_by_name_and_number)
{
    gid_t gid = 77;
    cr_assert_eq(psy__guard_group("61003", &gid), PSY_OK);
    cr_assert_eq(gid, (gid_t)GROUP);
    cr_assert_eq(psy__guard_group("no such group", &gid), PSY_NOT_FOUND);
    cr_assert_not_null(strstr(psy_detail(), "no such group"), "%s", psy_detail());
    cr_assert_eq(psy__guard_group("4294967295", &gid), PSY_NOT_FOUND);
    cr_assert_eq(gid, (gid_t)GROUP);
    const struct group *known = getgrgid(0);
    if (known) {
        char name[64];
        snprintf(name, sizeof name, "%s", known->gr_name);
        cr_assert_eq(psy__guard_group(name, &gid), PSY_OK);
        cr_assert_eq(gid, (gid_t)0);
    }
}

static psy_status create(const psy_broker_options *options)
{
    psy_broker *broker = NULL;
    psy_status status = psy_broker_create(options, &broker);
    if (status == PSY_OK) {
        psy_broker_destroy(broker);
    }
    return status;
}

Test(guard, options_that_cannot_be)
{
    char uri[96];
    snprintf(uri, sizeof uri, "%s", own_ipc_address());
    const psy_rule bad = {.may = 1024};
    psy_broker_options o = {.uri = uri, .module = &stand_in_module, .rules = &bad, .rule_count = 1};
    cr_assert_eq(create(&o), PSY_INVALID);
    o = (psy_broker_options){.uri = uri, .module = &stand_in_module, .mode = 01777};
    cr_assert_eq(create(&o), PSY_INVALID);
    o = (psy_broker_options){.uri = uri, .module = &stand_in_module, .group = "no such group"};
    cr_assert_eq(create(&o), PSY_NOT_FOUND);
    o = (psy_broker_options){.uri = "inproc://moded", .module = &stand_in_module, .mode = 0660};
    cr_assert_eq(create(&o), PSY_UNSUPPORTED);
    cr_assert_neq(access(uri + strlen("ipc://"), F_OK), 0, "the socket is left");
    o = (psy_broker_options){.uri = uri, .module = &stand_in_module, .mode = 0660};
    cr_assert_eq(create(&o), PSY_OK, "%s", psy_detail());
}

/* The limits of the first rule that fits hold for the service's own user too; its rights are its own. */
Test(guard, limits_of_the_service_s_own_user)
{
    psy_rule rules[2] = {{.uid = PSY_ANYBODY, .gid = PSY_ANYBODY, .connections_max = 2, .memory_max_bytes = 1 << 20},
                         {.uid = PSY_ANYBODY, .gid = PSY_ANYBODY, .may = PSY_MAY_ALL}};
    static told_log t;
    told_init(&t);
    psy_broker_options o = {.rules = rules, .rule_count = 2, .clients = CLIENTS_ROOM};
    by_hand h = by_hand_open("inproc://limits", &o, 16, &t);
    psy_pipeline lanes[LANES];
    psy_status status;
    cr_assert_null(by_hand_connect(&h, &(psy_channel_options){.in_flight = 16384}, lanes, &status));
    cr_assert_eq(status, PSY_LIMIT, "%s", psy_status_name(status));
    cr_assert_not_null(strstr(psy_detail(), "memory_max_bytes"), "%s", psy_detail());
    psy_channel *channels[2];
    for (int i = 0; i < 2; i++) {
        channels[i] = by_hand_connect(&h, &(psy_channel_options){.in_flight = 4}, lanes, NULL);
    }
    cr_assert_null(by_hand_connect(&h, &(psy_channel_options){.in_flight = 4}, lanes, &status));
    cr_assert_eq(status, PSY_LIMIT, "%s", psy_status_name(status));
    cr_assert_not_null(strstr(psy_detail(), "connections_max"), "%s", psy_detail());
    psy_broker_counts counts;
    psy_broker_get_counts(h.broker, &counts);
    cr_assert_eq(counts.limited, 2u);
    cr_assert_eq(counts.denied, 0u);
    cr_assert_eq(told_count(&t, "client.dropped", "status", "LIMIT", 0), 1u);
    cr_assert_eq(told_count(&t, "client.refused", "status", "LIMIT", 0), 1u);
    psy_channel_close(channels[0]); /* makes room for another */
    for (int i = 0; i < 1000 && counts.clients == 2; i++) {
        by_hand_round(&h);
        psy_broker_get_counts(h.broker, &counts);
        usleep(1000);
    }
    channels[0] = by_hand_connect(&h, &(psy_channel_options){.in_flight = 4}, lanes, NULL);
    psy_channel_close(channels[0]);
    psy_channel_close(channels[1]);
    by_hand_close(&h);
}

/* ---- strangers ---- */

/* A folder that others may pass through, and the address in it. Whoever goes there as another user does so from a descriptor,
 * since the folders above may be closed to them. */
typedef struct place {
    char folder[96], uri[128];
    int fd;
} place;

static place make_place(void)
{
    place p;
    snprintf(p.folder, sizeof p.folder, "%s-XXXXXX", own_ipc_address() + strlen("ipc://"));
    cr_assert_not_null(mkdtemp(p.folder), "%s", p.folder);
    cr_assert_eq(chmod(p.folder, 0711), 0);
    snprintf(p.uri, sizeof p.uri, "ipc://%s/s", p.folder);
    p.fd = open(p.folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    cr_assert_geq(p.fd, 0);
    return p;
}

static void remove_place(place *p)
{
    close(p->fd);
    cr_assert_eq(rmdir(p->folder), 0, "%s is not empty", p->folder);
}

typedef struct verdict {
    psy_status status;
    char detail[400];
} verdict;

typedef struct stranger {
    pid_t pid;
    int go[2], said[2];
} stranger;

static const psy_channel_options short_wait = {.in_flight = 4, .connect_timeout_ns = 2000000000};

/* What a child does as another user: what came of it. */
typedef psy_status attempt(const char *uri);

static psy_status call_once(const char *uri)
{
    psy_channel *channel;
    psy_pipeline lane;
    psy_reply reply;
    question q = {.number = 1};
    psy_status status = psy_channel_connect(uri, &short_wait, &channel);
    if (status != PSY_OK) {
        return status;
    }
    status = psy_channel_open(channel, lane_names[LANE_ALL], &question_type, &answer_type, &lane);
    status = status == PSY_OK ? psy_channel_call(channel, &lane, &q, &reply) : status;
    psy_channel_close(channel);
    return status;
}

static psy_status call_and_stay(const char *uri)
{
    psy_channel *channel;
    psy_status status = psy_channel_connect(uri, &short_wait, &channel);
    psy_reply reply;
    uint32_t n;
    while (status == PSY_OK && psy_channel_poll(channel, &reply, 1, &n) == PSY_EMPTY) {
        usleep(1000);
    }
    return status == PSY_OK ? psy_channel_poll(channel, &reply, 1, &n) : status;
}

/* The right is asked for before the module is looked at: no module at all is sent. */
static psy_status send_a_program(const char *uri)
{
    static const char bytes[64] = "no module";
    psy_channel *channel;
    psy_status status = psy_channel_connect(uri, &short_wait, &channel);
    if (status == PSY_OK) {
        status = psy_channel_send_program(channel, bytes, sizeof bytes, "mine", NULL);
        psy_channel_close(channel);
    }
    return status;
}

static psy_status work(const char *uri)
{
    psy_worker *w;
    psy_worker_options o = {.uri = uri, .module = &stand_in_module, .shard = 0, .connect_timeout_ns = second_ns};
    psy_status status = psy_worker_create(&o, &w);
    if (status == PSY_OK) {
        psy_worker_destroy(w);
    }
    return status;
}

/* Starts before there are threads, waits for its turn as root, then becomes the user. */
static stranger start_stranger(const place *p, uid_t uid, gid_t gid, gid_t also, attempt *try)
{
    stranger s;
    cr_assert_eq(pipe(s.go), 0);
    cr_assert_eq(pipe(s.said), 0);
    s.pid = fork();
    cr_assert_geq(s.pid, 0);
    if (s.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(s.go[1]);
        char byte, uri[64];
        verdict v = {.status = PSY_INVALID};
        snprintf(uri, sizeof uri, "ipc:///proc/self/fd/%d/s", p->fd);
        if (read(s.go[0], &byte, 1) == 1 && setgroups(also != 0, &also) == 0 && setgid(gid) == 0 && setuid(uid) == 0) {
            v.status = try(uri);
            snprintf(v.detail, sizeof v.detail, "%s", psy_detail());
        }
        (void)!write(s.said[1], &v, sizeof v);
        _exit(0);
    }
    close(s.go[0]);
    close(s.said[1]);
    return s;
}

static void let_go(stranger *s) { cr_assert_eq(write(s->go[1], "x", 1), 1); }

static verdict hear(stranger *s)
{
    verdict v;
    cr_assert_eq(read(s->said[0], &v, sizeof v), (ssize_t)sizeof v, "it did not come so far");
    close(s->go[1]);
    close(s->said[0]);
    cr_assert_eq(waitpid(s->pid, NULL, 0), s->pid);
    return v;
}

static verdict run_stranger(stranger *s)
{
    let_go(s);
    return hear(s);
}

#define ONLY_AS_ROOT()                                                                                                         \
    do {                                                                                                                       \
        if (PSY_THIN_RUNNER_ACTIVE) {                                                                                          \
            cr_skip_test("it forks, which takes the runner of Criterion");                                                                                             \
        }                                                                                                                      \
        if (geteuid() != 0) {                                                                                                  \
            cr_skip_test("only root can be other users");                                                                      \
        }                                                                                                                      \
    } while (0)

static service open_guarded(const char *uri, const psy_broker_options *options)
{
    service s = {.shards = SHARDS};
    snprintf(s.uri, sizeof s.uri, "%s", uri);
    psy_broker_options o = *options;
    o.uri = s.uri;
    o.module = &stand_in_module;
    o.shards = SHARDS;
    cr_assert_eq(psy_broker_create(&o, &s.broker), PSY_OK, "%s", psy_detail());
    run_broker_of(&s);
    hire(&s, 0, 16);
    hire(&s, 1, 16);
    return s;
}

/* Closes the service with what it counted. */
static psy_broker_counts close_guarded(service *s)
{
    psy_broker_counts counts;
    fire(s, 0);
    fire(s, 1);
    halt_broker(s);
    psy_broker_get_counts(s->broker, &counts);
    psy_broker_destroy(s->broker);
    return counts;
}

Test(strangers, nobody_else_without_a_rule)
{
    ONLY_AS_ROOT();
    place p = make_place();
    stranger s = start_stranger(&p, STRANGER, STRANGER, 0, call_once);
    stranger kept_out = start_stranger(&p, STRANGER, STRANGER, 0, call_once);
    static told_log t;
    told_init(&t);
    service closed = open_guarded(p.uri, &(psy_broker_options){.mode = 0});
    verdict v = run_stranger(&kept_out); /* by the socket's mode */
    cr_assert_eq(v.status, PSY_DENIED, "%s: %s", psy_status_name(v.status), v.detail);
    psy_broker_counts counts = close_guarded(&closed);
    cr_assert_eq(counts.denied, 0u, "it never came so far");
    service open = open_guarded(p.uri, &(psy_broker_options){.mode = 0666, .log = &t.log});
    v = run_stranger(&s); /* by the rules */
    cr_assert_eq(v.status, PSY_DENIED, "%s: %s", psy_status_name(v.status), v.detail);
    cr_assert_not_null(strstr(v.detail, "user 61001 may not connect"), "%s", v.detail);
    cr_assert_not_null(strstr(v.detail, "PSY_MAY_CONNECT"), "%s", v.detail);
    counts = close_guarded(&open);
    cr_assert_eq(counts.denied, 1u);
    cr_assert_eq(told_number(&t, "guest.refused", "uid"), (uint64_t)STRANGER);
    cr_assert_str_eq(told_text(&t, "guest.refused", "status"), "DENIED");
    remove_place(&p);
}

Test(strangers, are_let_in_by_user_and_by_group)
{
    ONLY_AS_ROOT();
    place p = make_place();
    const psy_rule rules[] = {{.uid = OTHER, .gid = PSY_ANYBODY, .may = 0},
                              {.uid = STRANGER, .gid = PSY_ANYBODY, .may = PSY_MAY_CONNECT},
                              {.uid = PSY_ANYBODY, .gid = GROUP, .may = PSY_MAY_CONNECT}};
    stranger by_user = start_stranger(&p, STRANGER, STRANGER, 0, call_once),
             by_group = start_stranger(&p, 61004, GROUP, 0, call_once),
             by_other_group = start_stranger(&p, 61005, 61005, GROUP, call_once),
             neither = start_stranger(&p, 61006, 61006, 61007, call_once),
             kept_out = start_stranger(&p, OTHER, GROUP, 0, call_once),
             worker = start_stranger(&p, STRANGER, STRANGER, 0, work);
    service s = open_guarded(p.uri, &(psy_broker_options){.mode = 0666, .rules = rules, .rule_count = 3});
    verdict v = run_stranger(&by_user);
    cr_assert_eq(v.status, PSY_OK, "%s", v.detail);
    v = run_stranger(&by_group);
    cr_assert_eq(v.status, PSY_OK, "%s", v.detail);
    v = run_stranger(&by_other_group);
    cr_assert_eq(v.status, PSY_OK, "%s", v.detail);
    v = run_stranger(&neither);
    cr_assert_eq(v.status, PSY_DENIED, "%s", psy_status_name(v.status));
    v = run_stranger(&kept_out); /* the first rule that fits */
    cr_assert_eq(v.status, PSY_DENIED, "%s", psy_status_name(v.status));
    v = run_stranger(&worker);
    cr_assert_eq(v.status, PSY_DENIED, "%s", psy_status_name(v.status));
    cr_assert_not_null(strstr(v.detail, "PSY_MAY_WORK"), "%s", v.detail);
    client c = {.uri = s.uri, .in_flight = 8, .calls = 100, .timeout_ms = 5000};
    run_client(&c); /* root is served whatever the rules say */
    cr_assert_eq(c.ok, c.calls);
    psy_broker_counts counts = close_guarded(&s);
    cr_assert_eq(counts.denied, 3u);
    remove_place(&p);
}

Test(strangers, the_socket_has_mode_and_group)
{
    ONLY_AS_ROOT();
    place p = make_place();
    const psy_rule rule = {.uid = PSY_ANYBODY, .gid = PSY_ANYBODY, .may = PSY_MAY_CONNECT};
    stranger member = start_stranger(&p, STRANGER, STRANGER, GROUP, call_once),
             outsider = start_stranger(&p, OTHER, OTHER, 0, call_once);
    service s = open_guarded(p.uri, &(psy_broker_options){.mode = 0660, .group = "61003", .rules = &rule, .rule_count = 1});
    struct stat st;
    cr_assert_eq(stat(p.uri + strlen("ipc://"), &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0660u);
    cr_assert_eq(st.st_gid, (gid_t)GROUP);
    verdict v = run_stranger(&member);
    cr_assert_eq(v.status, PSY_OK, "%s", v.detail);
    v = run_stranger(&outsider);
    cr_assert_eq(v.status, PSY_DENIED, "%s", psy_status_name(v.status));
    (void)close_guarded(&s);
    remove_place(&p);
}

Test(strangers, send_programs_only_where_a_rule_says_so)
{
    ONLY_AS_ROOT();
    place p = make_place();
    const psy_rule rules[] = {{.uid = STRANGER, .gid = PSY_ANYBODY, .may = PSY_MAY_CONNECT},
                              {.uid = OTHER, .gid = PSY_ANYBODY, .may = PSY_MAY_CONNECT | PSY_MAY_PROGRAM}};
    stranger may_not = start_stranger(&p, STRANGER, STRANGER, 0, send_a_program),
             may = start_stranger(&p, OTHER, OTHER, 0, send_a_program);
    static told_log t;
    told_init(&t);
    service s = open_guarded(
        p.uri, &(psy_broker_options){.mode = 0666, .rules = rules, .rule_count = 2, .client_programs = 4, .log = &t.log});
    verdict v = run_stranger(&may_not);
    cr_assert_eq(v.status, PSY_DENIED, "%s: %s", psy_status_name(v.status), v.detail);
    cr_assert_not_null(strstr(v.detail, "user 61001 may not send programs"), "%s", v.detail);
    v = run_stranger(&may); /* its right is not what is wrong with it */
    cr_assert_eq(v.status, PSY_CORRUPT, "%s: %s", psy_status_name(v.status), v.detail);
    psy_broker_counts counts = close_guarded(&s);
    cr_assert_eq(counts.denied, 1u);
    cr_assert_eq(counts.programs_refused, 2u);
    cr_assert_eq(told_number(&t, "client.refused", "uid"), (uint64_t)STRANGER);
    remove_place(&p);
}

/* Rules can change while the service runs: who may no longer be there is told why, and goes. */
Test(strangers, lose_their_right)
{
    ONLY_AS_ROOT();
    place p = make_place();
    const psy_rule rule = {.uid = STRANGER, .gid = PSY_ANYBODY, .may = PSY_MAY_CONNECT};
    stranger one = start_stranger(&p, STRANGER, STRANGER, 0, call_and_stay);
    static told_log t;
    told_init(&t);
    psy_broker_options o = {.mode = 0666, .rules = &rule, .rule_count = 1};
    by_hand h = by_hand_open(p.uri, &o, 16, &t);
    psy_pipeline lanes[LANES];
    psy_channel *ours = by_hand_connect(&h, &(psy_channel_options){.in_flight = 4}, lanes, NULL);
    psy_broker_counts counts = {0};
    let_go(&one);
    for (int i = 0; i < 5000 && counts.clients != 2; i++) {
        by_hand_round(&h);
        psy_broker_get_counts(h.broker, &counts);
        usleep(1000);
    }
    cr_assert_eq(counts.clients, 2u);
    const psy_rule bad = {.may = 1024};
    cr_assert_eq(psy_broker_set_rules(h.broker, &bad, 1), PSY_INVALID);
    psy_broker_get_counts(h.broker, &counts);
    cr_assert_eq(counts.clients, 2u, "the old rules hold");
    cr_assert_eq(psy_broker_set_rules(h.broker, NULL, 0), PSY_OK, "%s", psy_detail());
    psy_broker_get_counts(h.broker, &counts);
    cr_assert_eq(counts.clients, 1u);
    verdict v = hear(&one);
    cr_assert_eq(v.status, PSY_CLOSED, "%s", psy_status_name(v.status));
    cr_assert_not_null(strstr(v.detail, "user 61001 may not connect"), "%s", v.detail);
    cr_assert_eq(told_number(&t, "rules.changed", "dropped"), 1u);
    cr_assert_str_eq(told_text(&t, "client.dropped", "status"), "DENIED");
    question q = {.number = 1};
    cr_assert_eq(ask(ours, &lanes[LANE_ALL], &q), PSY_OK);
    uint32_t back = 0;
    for (int i = 0; i < 1000 && back == 0; i++) {
        psy_channel_flush(ours);
        by_hand_round(&h);
        back = by_hand_take(ours, PSY_OK);
    }
    cr_assert_eq(back, 1u);
    psy_channel_close(ours);
    by_hand_close(&h);
    remove_place(&p);
}
