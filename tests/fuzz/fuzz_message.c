/* SPDX-License-Identifier: Apache-2.0 */
/* The fuzz targets of all message types in one program. An input is the name of a type, a NUL, and what is taken as a message
 * and as JSON; PSYNE_FUZZ_TYPE names the only type that new inputs are of. The fuzzer begins with random messages. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <psyne/json.h>

#include "tests/fuzz/messages.h"
#include "tests/message/random_types.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t n, size_t most);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t n, size_t most, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *one, size_t one_n, const uint8_t *other, size_t other_n, uint8_t *out,
                                 size_t most, unsigned seed);

/* Bytes of the name with its NUL; 0: it is none. */
static size_t head_of(const uint8_t *bytes, size_t n, message_target *target)
{
    const uint8_t *end = n > 0 ? memchr(bytes, 0, n) : NULL;
    return end && message_target_find((const char *)bytes, target) ? (size_t)(end - bytes) + 1 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    message_target target;
    const size_t head = head_of(bytes, n, &target);
    if (head > 0) {
        message_target_run(&target, bytes + head, n - head);
    }
    return 0;
}

#ifdef PSY_FUZZER
/* A new input: a message of any type, or its JSON. */
static size_t new_input(uint8_t *out, size_t most, unsigned seed)
{
    static random_types types;
    static _Alignas(64) unsigned char room[1 << 20];
    const char *only = getenv("PSYNE_FUZZ_TYPE");
    uint64_t state = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    message_target target;
    size_t count = 0, n, size;
    char *text = NULL;
    while (message_target_at(count, &target)) {
        count++;
    }
    if (only ? !message_target_find(only, &target) : !message_target_at(random_next(&state) % count, &target)) {
        fprintf(stderr, "there is no message %s\n", only);
        exit(1);
    }
    random_types_take(&types, target.type->reflection, random_next(&state));
    FILE *to = open_memstream(&text, &n);
    random_message_write(&types, target.type->index, to);
    fclose(to);
    const void *body = text;
    if (random_next(&state) % 4 && psy_message_parse(target.type, text, n, room, sizeof room, &size) == PSY_OK) {
        body = room;
        n = size;
    }
    const size_t head = strlen(target.type->name) + 1;
    n = head + n <= most ? n : 0;
    if (head <= most) {
        memcpy(out, target.type->name, head);
        memcpy(out + head, body, n);
    }
    free(text);
    return head <= most ? head + n : 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t n, size_t most, unsigned seed)
{
    message_target target;
    const size_t head = head_of(bytes, n, &target);
    if (head == 0 || head == n || seed % 32 == 0) {
        return new_input(bytes, most, seed);
    }
    return head + LLVMFuzzerMutate(bytes + head, n - head, most - head);
}

/* The beginning of one with the end of another, both of a multiple of 4 bytes. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *one, size_t one_n, const uint8_t *other, size_t other_n, uint8_t *out,
                                 size_t most, unsigned seed)
{
    message_target target, from;
    const size_t head = head_of(one, one_n, &target), skip = head_of(other, other_n, &from);
    if (head == 0 || skip == 0 || head > most) {
        return 0;
    }
    uint64_t state = seed + UINT64_C(1);
    const size_t left = one_n - head < other_n - skip ? one_n - head : other_n - skip;
    const size_t cut = left ? random_next(&state) % left / 4 * 4 : 0, room = most - head;
    const size_t first = cut < room ? cut : room,
                 rest = other_n - skip - cut < room - first ? other_n - skip - cut : room - first;
    memcpy(out, one, head + first);
    memcpy(out + head + first, other + skip + cut, rest);
    return head + first + rest;
}
#endif
