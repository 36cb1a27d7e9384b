// A picture through a style net, on a CPU: see README.md.
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <string>
#include <vector>

#include "picture.h"
#include "stylizer.h"

namespace {

constexpr auto kUsage = "stylize MODEL.param MODEL.bin IN.jpg OUT.png [--threads N] [--runs N]";

struct Arguments {
    std::vector<std::string> files;
    int threads = 0;
    int runs = 1;
};

int number(const char* text) {
    int value = 0;
    const char* end = text + std::strlen(text);
    const auto [rest, error] = std::from_chars(text, end, value);
    if (error != std::errc() || rest != end || value < 1 || value > 1000) {
        throw InputError(std::string(text) + ": not a number from 1 to 1000");
    }
    return value;
}

Arguments parse(int count, char** texts) {
    Arguments arguments;
    for (int i = 1; i < count; ++i) {
        const std::string text = texts[i];
        const bool valued = i + 1 < count;
        if (text == "--threads" && valued) {
            arguments.threads = number(texts[++i]);
        } else if (text == "--runs" && valued) {
            arguments.runs = number(texts[++i]);
        } else if (text.size() > 1 && text[0] == '-') {
            throw InputError(std::string("usage: ") + kUsage);
        } else {
            arguments.files.push_back(text);
        }
    }
    if (arguments.files.size() != 4) throw InputError(std::string("usage: ") + kUsage);
    const std::string& out = arguments.files[3];
    if (std::filesystem::path(out).extension() != ".png") {
        throw InputError(out + ": only .png is written");
    }
    return arguments;
}

void stylize(const Arguments& arguments) {
    const auto& files = arguments.files;
    const Stylizer stylizer(files[0], files[1], arguments.threads);
    const Picture photo = read_picture(files[2]);
    const ncnn::Mat image = Stylizer::to_mat(photo);
    std::vector<double> times(arguments.runs);
    ncnn::Mat stylized;
    for (double& time : times) stylized = stylizer.run(image, time);
    write_png(files[3], Stylizer::to_picture(stylized, photo.width, photo.height));

    std::sort(times.begin(), times.end());
    const double median = times[times.size() / 2];
    std::printf("%s: %dx%d, net %.1f ms, %.1f FPS, %d threads\n", files[3].c_str(), photo.width,
                photo.height, median, 1000 / median, stylizer.threads());
}

}  // namespace

int main(int count, char** texts) {
    try {
        stylize(parse(count, texts));
    } catch (const std::exception& error) {
        std::fprintf(stderr, "stylize: %s\n", error.what());
        return dynamic_cast<const InputError*>(&error) ? 2 : 1;
    }
    return 0;
}
