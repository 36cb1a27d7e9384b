// What the snippet uses of TensorRT's C++ interface, as docs.nvidia.com declares it: enough for a
// compiler to check the snippet's syntax and types where the real headers are not installed.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cuda_runtime_api.h"

namespace nvinfer1 {

struct Dims64 {
    std::int32_t nbDims;
    std::int64_t d[8];
};
using Dims = Dims64;
struct Dims4 : Dims {
    Dims4(std::int64_t d0, std::int64_t d1, std::int64_t d2, std::int64_t d3) : Dims{4, {d0, d1, d2, d3}} {}
};

struct ILogger {
    enum class Severity : std::int32_t { kINTERNAL_ERROR, kERROR, kWARNING, kINFO, kVERBOSE };
    virtual void log(Severity severity, const char* text) noexcept = 0;
    virtual ~ILogger() = default;
};

struct IExecutionContext {
    virtual ~IExecutionContext() noexcept = default;
    bool setInputShape(const char* name, const Dims& shape) noexcept;
    Dims getTensorShape(const char* name) const noexcept;
    bool setTensorAddress(const char* name, void* data) noexcept;
    bool enqueueV3(cudaStream_t stream) noexcept;
};

struct ICudaEngine {
    virtual ~ICudaEngine() noexcept = default;
    IExecutionContext* createExecutionContext() noexcept;
};

struct IRuntime {
    virtual ~IRuntime() noexcept = default;
    ICudaEngine* deserializeCudaEngine(const void* blob, std::size_t size) noexcept;
};

IRuntime* createInferRuntime(ILogger& logger) noexcept;

}  // namespace nvinfer1
