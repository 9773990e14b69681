// SPDX-License-Identifier: MIT
/* What an access to a register costs through SystemC: a model in C and the same in SystemC by
 * turns, in one engine. */
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include <algorithm>
#include <vector>

#include <trestle/sim.h>
#include <trestle/systemc.h>

static const unsigned rounds = 9, accesses = 300000;

/* --- the model in C --------------------------------------------------------------------------- */

static int read_c(struct trestle_device *dev, struct trestle_request *,
                  const struct trestle_access *access, uint64_t *ret_data)
{
    *ret_data = static_cast<uint32_t *>(trestle_device_state(dev))[access->offset / 4];
    return 0;
}

static int write_c(struct trestle_device *dev, struct trestle_request *,
                   const struct trestle_access *access)
{
    static_cast<uint32_t *>(trestle_device_state(dev))[access->offset / 4] =
        static_cast<uint32_t>(access->data);
    return 0;
}

/* --- the model in SystemC --------------------------------------------------------------------- */

struct Registers : sc_core::sc_module {
    trestle::device<> guest{"guest"};
    tlm_utils::simple_target_socket<Registers> bus{"bus"};

    explicit Registers(const sc_core::sc_module_name &name) : sc_module(name)
    {
        bus.register_b_transport(this, &Registers::transport);
        guest.bus.bind(bus);
    }

  private:
    uint32_t regs_[4] = {};

    void transport(tlm::tlm_generic_payload &payload, sc_core::sc_time &)
    {
        uint32_t *reg = &regs_[payload.get_address() / 4 % 4];
        uint32_t *data = reinterpret_cast<uint32_t *>(payload.get_data_ptr());
        (payload.is_write() ? *reg : *data) = payload.is_write() ? *data : *reg;
        payload.set_response_status(tlm::TLM_OK_RESPONSE);
    }
};

/* --- by turns --------------------------------------------------------------------------------- */

static struct trestle_sim *sim;
static trestle_time now;

/* Nanoseconds of the processor per access. The guest's time goes on by 100 ns with each. */
static double measure(struct trestle_device *dev, bool write)
{
    struct timespec begin, end;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
    for (unsigned i = 0; i < accesses; i++) {
        struct trestle_request request = {};
        request.access.offset = 4;
        request.access.size = 4;
        request.access.data = i;
        request.write = write;
        now += 100 * TRESTLE_NS;
        trestle_sim_run_until(sim, now);
        if (trestle_device_submit(dev, &request) != 0 || request.status != 0)
            std::abort();
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    return (static_cast<double>(end.tv_sec - begin.tv_sec) * 1e9 +
            static_cast<double>(end.tv_nsec - begin.tv_nsec)) /
           accesses;
}

static struct trestle_device *create(const struct trestle_model *model, const char *name)
{
    struct trestle_device_options options = {};
    struct trestle_device *dev;
    char *error = nullptr;
    options.size = sizeof(options);
    options.name = name;
    if (trestle_device_create(sim, model, &options, &dev, &error) < 0 ||
        trestle_device_start(dev, &error) < 0) {
        std::fprintf(stderr, "%s\n", error ? error : "no device");
        std::exit(1);
    }
    return dev;
}

int sc_main(int, char **)
{
    struct trestle_model in_c = {};
    in_c.size = sizeof(in_c);
    in_c.name = "c";
    in_c.region_size = 16;
    in_c.access_sizes = 4;
    in_c.state_size = 16;
    in_c.read = read_c;
    in_c.write = write_c;
    const struct trestle_model in_systemc =
        trestle::systemc::loadable<Registers>::model("systemc", 16, 0, nullptr);
    if (trestle_sim_create(&sim) < 0)
        return 1;
    struct trestle_device *devices[] = {create(&in_c, "c"), create(&in_systemc, "systemc")};
    std::vector<double> times[2][2];
    for (unsigned round = 0; round < rounds; round++)
        for (unsigned which = 0; which < 2; which++)
            for (unsigned write = 0; write < 2; write++)
                times[which][write].push_back(measure(devices[which], write));
    for (unsigned write = 0; write < 2; write++) {
        double medians[2];
        for (unsigned which = 0; which < 2; which++) {
            std::vector<double> &list = times[which][write];
            std::nth_element(list.begin(), list.begin() + rounds / 2, list.end());
            medians[which] = list[rounds / 2];
        }
        std::printf("%-5s  C %6.1f ns, %5.2f million/s  SystemC %6.1f ns, %5.2f million/s\n",
                    write ? "write" : "read", medians[0], 1e3 / medians[0], medians[1],
                    1e3 / medians[1]);
    }
    for (struct trestle_device *dev : devices)
        trestle_device_destroy(dev);
    trestle_sim_destroy(sim);
    return 0;
}
