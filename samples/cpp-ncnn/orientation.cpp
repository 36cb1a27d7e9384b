#include "orientation.h"

#include <cstring>
#include <utility>

namespace {

// TIFF's numbers, in the order of bytes that the file chose; 0 beyond its end.
class Tiff {
  public:
    Tiff(const unsigned char* data, std::size_t size)
        : data_(data), size_(size), big_(size > 0 && data[0] == 'M') {}

    unsigned u16(std::size_t at) const {
        if (at + 2 > size_) return 0;
        return big_ ? data_[at] << 8 | data_[at + 1] : data_[at + 1] << 8 | data_[at];
    }
    std::size_t u32(std::size_t at) const {
        const std::size_t first = u16(at), second = u16(at + 2);
        return big_ ? first << 16 | second : second << 16 | first;
    }

  private:
    const unsigned char* data_;
    std::size_t size_;
    bool big_;
};

}  // namespace

int exif_orientation(const unsigned char* segment, std::size_t size) {
    if (size < 6 || std::memcmp(segment, "Exif\0\0", 6) != 0) return 0;
    const Tiff tiff(segment + 6, size - 6);
    const std::size_t directory = tiff.u32(4);
    for (unsigned entry = 0; entry < tiff.u16(directory); ++entry) {
        const std::size_t at = directory + 2 + 12 * std::size_t(entry);
        if (tiff.u16(at) != 0x0112) continue;
        const unsigned value = tiff.u16(at + 8);
        return value >= 1 && value <= 8 ? int(value) : 0;
    }
    return 0;
}

Picture upright(Picture picture, int orientation) {
    if (orientation < 2 || orientation > 8) return picture;
    const bool swapped = orientation >= 5;
    const bool from_right = orientation == 2 || orientation == 3 || orientation >= 7;
    const bool from_below =
        orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    Picture turned{picture.width, picture.height, std::vector<std::uint8_t>(picture.rgb.size())};
    if (swapped) std::swap(turned.width, turned.height);
    for (int y = 0; y < turned.height; ++y) {
        std::uint8_t* to = turned.row(y);
        for (int x = 0; x < turned.width; ++x, to += 3) {
            const int column = swapped ? y : x, row = swapped ? x : y;
            const int from_x = from_right ? picture.width - 1 - column : column;
            const int from_y = from_below ? picture.height - 1 - row : row;
            std::memcpy(to, picture.row(from_y) + std::size_t(3) * from_x, 3);
        }
    }
    return turned;
}
