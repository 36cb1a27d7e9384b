// Runs the method "forward" of one ExecuTorch program on pictures that come and go through pipes.
//
// Standard input, little endian: the program (int64 bytes, then the bytes), then any number of
// tensors (int32 shape[4], then float32 values). Standard output: the shape of the tensor that the
// program takes (int32 shape[4]) once it is loaded, then one tensor for each. It ends with exit code
// 0 where the input ends, and with 1 and a line on standard error at the first fault.

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include <executorch/extension/data_loader/buffer_data_loader.h>
#include <executorch/extension/module/module.h>
#include <executorch/extension/tensor/tensor.h>

namespace {

using executorch::aten::ScalarType;
using executorch::aten::SizesType;
using executorch::aten::Tensor;
using executorch::extension::BufferDataLoader;
using executorch::extension::Module;
using executorch::runtime::Error;
using executorch::runtime::EValue;
using executorch::runtime::Program;
using Shape = std::array<int32_t, 4>;

static_assert(sizeof(float) == 4 && sizeof(SizesType) == sizeof(int32_t));

constexpr int64_t kMostBytes = int64_t{1} << 28;   // of a program
constexpr int64_t kMostValues = int64_t{1} << 28;  // of a tensor: a gigabyte

[[noreturn]] void fail(const char* what, const char* why) {
    std::fprintf(stderr, "runner: %s: %s\n", what, why);
    std::exit(1);
}

void check(Error error, const char* what) {
    if (error != Error::Ok) fail(what, executorch::runtime::to_string(error));
}

// Returns false where the input ends before the first byte, which is how it should end.
bool read(void* into, size_t bytes) {
    const size_t got = std::fread(into, 1, bytes, stdin);
    if (got == 0 && std::feof(stdin)) return false;
    if (got != bytes) fail("input", "it ends too early");
    return true;
}

void write(const void* from, size_t bytes) {
    if (std::fwrite(from, 1, bytes, stdout) != bytes) fail("output", "it cannot be written");
}

std::vector<char> read_program() {
    int64_t bytes = 0;
    if (!read(&bytes, sizeof bytes)) fail("program", "it is missing");
    if (bytes <= 0 || bytes > kMostBytes) fail("program", "its length");
    std::vector<char> program(static_cast<size_t>(bytes));
    if (!read(program.data(), program.size())) fail("program", "it is missing");
    return program;
}

size_t values_of(const Shape& shape) {
    int64_t values = 1;
    for (const int32_t side : shape) {
        if (side <= 0 || side > kMostValues / values) fail("its input", "its shape");
        values *= side;
    }
    return static_cast<size_t>(values);
}

Shape taken_by(Module& module) {
    const auto about = module.method_meta("forward");
    check(about.error(), "forward");
    if (about->num_inputs() != 1 || about->num_outputs() != 1) {
        fail("forward", "not a function of one tensor to one");
    }
    const auto input = about->input_tensor_meta(0);
    check(input.error(), "its input");
    const auto sizes = input->sizes();
    if (input->scalar_type() != ScalarType::Float || sizes.size() != 4) {
        fail("its input", "not a float32 tensor of four dimensions");
    }
    return {sizes[0], sizes[1], sizes[2], sizes[3]};
}

void answer(const EValue& value) {
    if (!value.isTensor()) fail("its output", "not a tensor");
    const Tensor output = value.toTensor();
    if (output.scalar_type() != ScalarType::Float || output.dim() != 4) {
        fail("its output", "not a float32 tensor of four dimensions");
    }
    const auto sizes = output.sizes();
    const Shape shape{sizes[0], sizes[1], sizes[2], sizes[3]};
    write(shape.data(), sizeof shape);
    write(output.const_data_ptr<float>(), output.nbytes());
    std::fflush(stdout);
}

void serve(Module& module, const Shape& takes) {
    std::vector<float> values(values_of(takes));
    const auto input = executorch::extension::from_blob(
        values.data(), std::vector<SizesType>(takes.begin(), takes.end()));
    Shape shape;
    while (read(shape.data(), sizeof shape)) {
        if (shape != takes) fail("tensor", "not of the shape that the program takes");
        if (!read(values.data(), values.size() * sizeof(float))) fail("tensor", "it is missing");
        const auto output = module.forward(input);
        check(output.error(), "forward");
        answer(output->at(0));
    }
}

}  // namespace

int main() {
    const std::vector<char> program = read_program();  // the module reads it as long as it lives
    Module module(std::make_unique<BufferDataLoader>(program.data(), program.size()));
    check(module.load(Program::Verification::InternalConsistency), "program");
    check(module.load_forward(), "forward");
    const Shape takes = taken_by(module);
    write(takes.data(), sizeof takes);
    std::fflush(stdout);
    serve(module, takes);
    return 0;
}
