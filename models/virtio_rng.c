/* SPDX-License-Identifier: MIT */
/*
 * virtio-rng: a source of random numbers, as virtio's device 4.
 *
 * The numbers follow from the seed, so that a run can be repeated: they are for tests, and no
 * secret. Each buffer is filled at once, up to 4096 bytes of it.
 *
 * Parameters: seed (0).
 */
#include "trestle/le.h"
#include "trestle/virtio.h"

#define PIECE 4096u

struct rng {
    struct trestle_virtio *virtio;
    uint64_t seed, state;
};

/* splitmix64 */
static uint64_t next_number(struct rng *rng)
{
    uint64_t z = rng->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* A driver may make new ones available without end: as many as a queue holds, and then it has to
 * notify again. */
static void rng_notify(struct trestle_device *dev, uint32_t queue)
{
    struct rng *rng = trestle_device_state(dev);
    struct trestle_virtio_chain chain;
    uint8_t bytes[PIECE];
    for (unsigned i = 0; i < TRESTLE_VIRTIO_QUEUE_SIZE; i++) {
        if (trestle_virtio_pop(dev, queue, &chain) <= 0)
            break;
        size_t size = chain.in_bytes < PIECE ? (size_t)chain.in_bytes : PIECE;
        for (size_t at = 0; at < size; at += 8)
            trestle_put_le64(bytes + at, next_number(rng));
        int64_t written = trestle_virtio_write(dev, &chain, 0, bytes, size);
        if (written < 0)
            break;
        trestle_virtio_push(dev, queue, &chain, (uint32_t)written);
    }
    trestle_virtio_signal(dev, queue);
}

static void rng_reset(struct trestle_device *dev)
{
    struct rng *rng = trestle_device_state(dev);
    rng->state = rng->seed;
}

static const struct trestle_virtio_kind kind = {
    .size = sizeof(kind), .id = 4, .num_queues = 1, .notify = rng_notify, .reset = rng_reset};

static int rng_init(struct trestle_device *dev, const struct trestle_params *params)
{
    struct rng *rng = trestle_device_state(dev);
    int r = trestle_params_u64(params, "seed", 0, &rng->seed);
    rng->state = rng->seed;
    return r < 0 ? r : trestle_virtio_create(dev, &kind, 0);
}

const struct trestle_model trestle_virtio_rng_model = {
    .size = sizeof(trestle_virtio_rng_model),
    .name = "virtio-rng",
    .doc = "Random numbers that follow from a seed, by virtio.",
    TRESTLE_VIRTIO_MODEL(1),
    .pci = TRESTLE_VIRTIO_PCI(4, 0x00ff00),
    .state_size = sizeof(struct rng),
    .init = rng_init,
    .reset = trestle_virtio_reset,
    .fini = trestle_virtio_fini,
};
