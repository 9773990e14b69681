/* SPDX-License-Identifier: MIT */
/* A bridge whose QEMU keeps it waiting, on a clock that runs only while somebody looks or waits. */
#include "v2_client.h"

static void test_dma_that_nobody_answers(void **state)
{
    struct fixture *f = *state;
    post(&client, 0, write_at(REG_DMA, 100, 10));
    wait_for_log(f, "ended: QEMU did not answer a DMA");
}

static int run(const char *name, uint32_t carrier, enum trestle_wait wait)
{
    const struct CMUnitTest tests[] = {CLIENT_TEST(test_dma_that_nobody_answers)};
    features = FEATURES_GUEST | carrier;
    fixture_wait = wait;
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int main(void)
{
    int failed = run("sockets, asleep", 0, TRESTLE_WAIT_SLEEP);
    failed += run("shared memory, asleep", TRESTLE_V2_FEATURE_SHM, TRESTLE_WAIT_SLEEP);
    failed += run("shared memory, spinning", TRESTLE_V2_FEATURE_SHM, TRESTLE_WAIT_SPIN);
    return failed;
}
