#include "stylizer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>

namespace {

constexpr auto kInput = "in0", kOutput = "out0";  // pnnx's names
constexpr int kSmallestSide = 32;                 // reflection wants more pixels than it pads

void check_readable(const std::string& path) {
    if (!std::ifstream(path)) throw InputError(path + ": cannot be read");
}

}  // namespace

Stylizer::Stylizer(const std::string& param, const std::string& bin, int threads) {
    if (threads > 0) net_.opt.num_threads = threads;
    // All other options are ncnn's own: the model says which layers must not compute in float16.
    check_readable(param);
    check_readable(bin);
    if (net_.load_param(param.c_str()) != 0) throw InputError(param + ": not ncnn's .param");
    if (net_.load_model(bin.c_str()) != 0) throw InputError(bin + ": does not belong to " + param);
}

ncnn::Mat Stylizer::run(const ncnn::Mat& image, double& milliseconds) const {
    const auto before = std::chrono::steady_clock::now();
    ncnn::Extractor extractor = net_.create_extractor();
    ncnn::Mat stylized;
    if (extractor.input(kInput, image) != 0 || extractor.extract(kOutput, stylized) != 0) {
        throw std::runtime_error("the net did not run: out of memory, or not a style net");
    }
    const std::chrono::duration<double, std::milli> passed =
        std::chrono::steady_clock::now() - before;
    milliseconds = passed.count();
    return stylized;
}

ncnn::Mat Stylizer::to_mat(const Picture& picture) {
    if (std::min(picture.width, picture.height) < kSmallestSide) {
        throw InputError("a side is under 32 pixels");
    }
    // Three planes of float32, 0 to 255: no mean and no scale, the net has its own.
    return ncnn::Mat::from_pixels(picture.rgb.data(), ncnn::Mat::PIXEL_RGB, picture.width,
                                  picture.height);
}

Picture Stylizer::to_picture(const ncnn::Mat& stylized, int width, int height) {
    if (stylized.c != 3 || stylized.w < width || stylized.h < height) {
        throw std::runtime_error("the net's output is no picture of this size");
    }
    Picture picture{width, height, std::vector<std::uint8_t>(std::size_t(3) * width * height)};
    for (int channel = 0; channel < 3; ++channel) {
        const ncnn::Mat plane = stylized.channel(channel);
        for (int y = 0; y < height; ++y) {
            const float* from = plane.row(y);
            std::uint8_t* to = picture.row(y) + channel;
            // Rounded: Mat::to_pixels() cuts the fractions off.
            for (int x = 0; x < width; ++x) {
                to[3 * x] = std::uint8_t(std::lround(std::clamp(from[x], 0.f, 255.f)));
            }
        }
    }
    return picture;
}
