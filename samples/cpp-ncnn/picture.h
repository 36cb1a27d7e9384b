#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

// Rows from the top, pixels of three bytes: red, green, blue.
struct Picture {
    int width = 0;
    int height = 0;
    std::vector<std::uint8_t> rgb;

    std::uint8_t* row(int y) { return rgb.data() + std::size_t(3) * width * y; }
    const std::uint8_t* row(int y) const { return rgb.data() + std::size_t(3) * width * y; }
};

// What was given cannot be read: exit code 2, where other failures are 1.
struct InputError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// JPEG or PNG, told apart by their first bytes. A JPEG is turned upright, as its EXIF says;
// what is transparent in a PNG becomes white.
Picture read_picture(const std::string& path);

void write_png(const std::string& path, const Picture& picture);
