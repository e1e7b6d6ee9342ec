// SPDX-License-Identifier: Apache-2.0
// The messages in Cap'n Proto, unpacked, which is its fastest form: with a builder as its documentation shows it, which
// allocates its first segment, and with one that is given memory. That is kept, and the builder zeroes what it used of it when
// it is done.
#include <capnp/message.h>
#include <capnp/serialize.h>
#include <cstring>

#include "schema.capnp.h"
#include "tests/perf/schema.h"

namespace
{

constexpr size_t words = SCHEMA_ROOM / sizeof(capnp::word);

void set(capnp::MallocMessageBuilder &message, const schema_container *in)
{
    auto root = message.initRoot<Container>();
    auto list = root.initList(SCHEMA_LIST);
    for (unsigned i = 0; i < SCHEMA_LIST; i++) {
        const schema_foobar &f = in->list[i];
        auto to = list[i];
        auto bar = to.initSibling();
        auto foo = bar.initParent();
        foo.setId(f.id);
        foo.setCount(f.count);
        foo.setPrefix(f.prefix);
        foo.setLength(f.length);
        bar.setTime(f.time);
        bar.setRatio(f.ratio);
        bar.setSize(f.size);
        memcpy(to.initName(static_cast<unsigned>(f.name.bytes)).begin(), f.name.at, f.name.bytes);
        to.setRating(f.rating);
        to.setPostfix(f.postfix);
    }
    root.setInitialized(in->initialized);
    root.setFruit(static_cast<Fruit>(in->fruit));
    memcpy(root.initLocation(static_cast<unsigned>(in->location.bytes)).begin(), in->location.at, in->location.bytes);
}

void set(capnp::MallocMessageBuilder &message, const schema_search *in)
{
    auto root = message.initRoot<Search>();
    root.setKey(in->key);
    root.setVector(kj::arrayPtr(in->vector, SCHEMA_DIM));
    root.setK(in->k);
}

template <typename Input> void encode(void *, const void *in)
{
    capnp::MallocMessageBuilder message;
    set(message, static_cast<const Input *>(in));
}

template <typename Input> void encode_kept(void *to, const void *in)
{
    capnp::MallocMessageBuilder message(kj::arrayPtr(static_cast<capnp::word *>(to), words));
    set(message, static_cast<const Input *>(in));
}

template <typename Input> size_t write(void *to, const void *in)
{
    capnp::MallocMessageBuilder message;
    set(message, static_cast<const Input *>(in));
    auto array = capnp::messageToFlatArray(message);
    memcpy(to, array.begin(), array.asBytes().size());
    return array.asBytes().size();
}

kj::ArrayPtr<const capnp::word> flat(const void *bytes, size_t n)
{
    return kj::arrayPtr(static_cast<const capnp::word *>(bytes), n / sizeof(capnp::word));
}

uint64_t decode_container(const void *bytes, size_t n)
{
    capnp::FlatArrayMessageReader message(flat(bytes, n));
    auto root = message.getRoot<Container>();
    auto location = root.getLocation();
    uint64_t sum =
        root.getInitialized() + static_cast<uint64_t>(root.getFruit()) + schema_text_sum(location.begin(), location.size());
    for (auto f : root.getList()) {
        auto name = f.getName();
        auto bar = f.getSibling();
        auto foo = bar.getParent();
        sum += schema_text_sum(name.begin(), name.size()) + f.getPostfix() + static_cast<uint64_t>(f.getRating());
        sum += static_cast<uint64_t>(bar.getRatio()) + bar.getSize() + static_cast<uint64_t>(bar.getTime());
        sum += static_cast<uint64_t>(foo.getCount()) + foo.getId() + foo.getLength() + static_cast<uint64_t>(foo.getPrefix());
    }
    return sum;
}

uint64_t decode_search(const void *bytes, size_t n)
{
    capnp::FlatArrayMessageReader message(flat(bytes, n));
    auto root = message.getRoot<Search>();
    auto vector = root.getVector();
    float sums[8] = {0};
    uint64_t sum = root.getKey() + root.getK();
    for (unsigned i = 0; i + 8 <= vector.size(); i += 8) {
        for (unsigned k = 0; k < 8; k++) {
            sums[k] += vector[i + k];
        }
    }
    for (float x : sums) {
        sum += static_cast<uint64_t>(x);
    }
    return sum;
}

// Cap'n Proto checks each pointer when it is followed. This follows all of them.
template <typename Root> bool verify(const void *bytes, size_t n)
{
    capnp::FlatArrayMessageReader message(flat(bytes, n));
    return message.getRoot<Root>().totalSize().wordCount > 0;
}

} // namespace

static const char capnp_name[] = "Cap'n Proto", kept_name[] = "Cap'n Proto, memory kept",
                  verify_name[] = "Cap'n Proto, all pointers";
extern const schema_format schema_capnp_container = {
    capnp_name,  nullptr, encode<schema_container>, write<schema_container>, decode_container, verify<Container>,
    verify_name, false};
extern const schema_format schema_capnp_search = {capnp_name,    nullptr,        encode<schema_search>, write<schema_search>,
                                                  decode_search, verify<Search>, verify_name,           false};
extern const schema_format schema_capnp_kept_container = {
    kept_name,   nullptr, encode_kept<schema_container>, write<schema_container>, decode_container, verify<Container>,
    verify_name, true};
extern const schema_format schema_capnp_kept_search = {
    kept_name, nullptr, encode_kept<schema_search>, write<schema_search>, decode_search, verify<Search>, verify_name, true};
