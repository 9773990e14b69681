// SPDX-License-Identifier: MIT
/*
 * The names under which SST finds the components: this library's own, and those of the older
 * component, whose configurations run as they are. One file is all of these libraries: it is
 * installed under each of their names, and SST asks it for the one it looked for.
 */
#include "device.h"
#include "memory.h"
#include "qemu.h"

namespace Trestle
{

#define VERSION SST_ELI_ELEMENT_VERSION(0, 1, 0)

#define QEMU_TEXT "An unmodified QEMU whose memory-mapped devices are components of the simulation"

class QEMU : public QEMUHost
{
  public:
    SST_ELI_REGISTER_COMPONENT(QEMU, "trestle", "QEMU", VERSION, QEMU_TEXT,
                               COMPONENT_CATEGORY_PROCESSOR)
    using QEMUHost::QEMUHost;
};

class QEMUBinary : public QEMUHost
{
  public:
    SST_ELI_REGISTER_COMPONENT(QEMUBinary, "qemubinary", "QEMUBinary", VERSION,
                               QEMU_TEXT " (as trestle.QEMU)", COMPONENT_CATEGORY_PROCESSOR)
    using QEMUHost::QEMUHost;
};

class Device : public ModelDevice
{
  public:
    SST_ELI_REGISTER_COMPONENT(
        Device, "trestle", "Device", VERSION,
        "Any Trestle model, unchanged; what is not listed here is a parameter of the model",
        COMPONENT_CATEGORY_MEMORY)
    SST_ELI_DOCUMENT_PARAMS(
        {"model",
         "A bundled model ('trestle models' lists them), or the path of a .so with a '/' in it",
         NULL})
    Device(SST::ComponentId_t id, SST::Params &params) : ModelDevice(id, params)
    {
    }
};

class Memory : public MemoryBase
{
  public:
    SST_ELI_REGISTER_COMPONENT(Memory, "trestle", "Memory", VERSION,
                               "A device of the guest that lies in SST's memory system",
                               COMPONENT_CATEGORY_MEMORY)
    using MemoryBase::MemoryBase;
};

// A bundled model under a name of its own, with its parameters.
#define MODEL_COMPONENT(Class, Library, Name, Model, Text, ...)                                    \
    class Class : public ModelDevice                                                               \
    {                                                                                              \
      public:                                                                                      \
        SST_ELI_REGISTER_COMPONENT(Class, Library, Name, VERSION, Text, COMPONENT_CATEGORY_MEMORY) \
        SST_ELI_DOCUMENT_PARAMS(__VA_ARGS__)                                                       \
        Class(SST::ComponentId_t id, SST::Params &params) : ModelDevice(id, params, Model)         \
        {                                                                                          \
        }                                                                                          \
    }

#define CLOCK_PARAM                                               \
    {                                                             \
        "clock", "Clock whose cycles the latencies count", "1GHz" \
    }
#define ECHO_TEXT "Gives back what was written to it, some cycles later"
#define ECHO_PARAMS                                                                    \
    CLOCK_PARAM, {"echo_latency", "Cycles from a write of DATA_IN to DATA_OUT", "10"}, \
    {                                                                                  \
        "access_latency", "Cycles until each access is answered", "0"                  \
    }
#define COMPUTE_TEXT "Adds, subtracts, multiplies and divides, and asks its peer for data"
#define COMPUTE_PARAMS                                            \
    CLOCK_PARAM,                                                  \
    {                                                             \
        "compute_latency", "Cycles from trigger to result", "100" \
    }
#define DMA_TEXT "Copies guest memory and interrupts"
#define DMA_PARAMS                                                                         \
    CLOCK_PARAM,                                                                           \
        {"default_latency", "What LATENCY is at first: cycles from start to copy", "100"}, \
        {"max_length", "Longest copy, in bytes", "16777216"},                              \
    {                                                                                      \
        "irq_num", "Accepted for older configurations; the host knows the interrupt", "1"  \
    }

MODEL_COMPONENT(QEMUDevice, "trestle", "QEMUDevice", "echo", ECHO_TEXT, ECHO_PARAMS);
MODEL_COMPONENT(ComputeDevice, "trestle", "ComputeDevice", "compute", COMPUTE_TEXT, COMPUTE_PARAMS);
MODEL_COMPONENT(MMIODevice, "trestle", "MMIODevice", "dma", DMA_TEXT, DMA_PARAMS);
MODEL_COMPONENT(OlderQEMUDevice, "acalsim", "QEMUDevice", "echo", ECHO_TEXT, ECHO_PARAMS);
MODEL_COMPONENT(OlderComputeDevice, "acalsim", "ComputeDevice", "compute", COMPUTE_TEXT,
                COMPUTE_PARAMS);
MODEL_COMPONENT(OlderMMIODevice, "acalsim", "MMIODevice", "dma", DMA_TEXT, DMA_PARAMS);

} // namespace Trestle
