#include "picture.h"

#include <png.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <utility>

// jpeglib.h needs size_t and FILE, and does not include them itself.
#include <jerror.h>
#include <jpeglib.h>

#include "orientation.h"

namespace {

constexpr std::size_t kMostPixels = 100'000'000;  // a small file can claim any size

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

Picture blank(std::size_t width, std::size_t height) {
    if (width * height > kMostPixels) throw InputError("more than 100 megapixels");
    return {int(width), int(height), std::vector<std::uint8_t>(3 * width * height)};
}

// libjpeg may not return from an error, and longjmp would skip destructors: this app can just end.
[[noreturn]] void end(j_common_ptr jpeg) {
    char text[JMSG_LENGTH_MAX];
    jpeg->err->format_message(jpeg, text);
    std::fprintf(stderr, "stylize: %s: %s\n", static_cast<char*>(jpeg->client_data), text);
    std::exit(2);
}

Picture read_jpeg(std::FILE* file, std::string path) {
    jpeg_error_mgr errors;
    jpeg_decompress_struct jpeg{};
    jpeg.err = jpeg_std_error(&errors);
    jpeg.client_data = path.data();
    errors.error_exit = end;
    errors.emit_message = [](j_common_ptr warned, int) {
        // What is missing of a file that was cut off would come out grey, with just a warning.
        if (warned->err->msg_code == JWRN_JPEG_EOF) end(warned);
    };
    jpeg_create_decompress(&jpeg);
    const std::unique_ptr<jpeg_decompress_struct, decltype(&jpeg_destroy_decompress)> freed(
        &jpeg, jpeg_destroy_decompress);
    jpeg_stdio_src(&jpeg, file);
    jpeg_save_markers(&jpeg, JPEG_APP0 + 1, 0xFFFF);
    jpeg_read_header(&jpeg, TRUE);
    jpeg.out_color_space = JCS_RGB;
    jpeg_start_decompress(&jpeg);
    Picture picture = blank(jpeg.output_width, jpeg.output_height);
    while (jpeg.output_scanline < jpeg.output_height) {
        JSAMPROW row = picture.row(int(jpeg.output_scanline));
        jpeg_read_scanlines(&jpeg, &row, 1);
    }
    int turned = 0;
    for (auto* marker = jpeg.marker_list; marker && !turned; marker = marker->next) {
        turned = exif_orientation(marker->data, marker->data_length);
    }
    return upright(std::move(picture), turned);
}

Picture read_png(std::FILE* file) {
    png_image png{};
    png.version = PNG_IMAGE_VERSION;
    const std::unique_ptr<png_image, void (*)(png_image*)> freed(&png, png_image_free);
    if (!png_image_begin_read_from_stdio(&png, file)) throw InputError(png.message);
    png.format = PNG_FORMAT_RGB;
    Picture picture = blank(png.width, png.height);
    const png_color white{255, 255, 255};
    if (!png_image_finish_read(&png, &white, picture.rgb.data(), 0, nullptr)) {
        throw InputError(png.message);
    }
    return picture;
}

Picture read_any(std::FILE* file, const std::string& path) {
    unsigned char start[8] = {};
    const std::size_t got = std::fread(start, 1, sizeof start, file);
    std::rewind(file);
    if (got >= 2 && start[0] == 0xFF && start[1] == 0xD8) return read_jpeg(file, path);
    if (got == 8 && png_sig_cmp(start, 0, 8) == 0) return read_png(file);
    throw InputError("neither JPEG nor PNG");
}

}  // namespace

Picture read_picture(const std::string& path) {
    const File file(std::fopen(path.c_str(), "rb"), std::fclose);
    if (!file) throw InputError(path + ": " + std::strerror(errno));
    try {
        return read_any(file.get(), path);
    } catch (const InputError& error) {
        throw InputError(path + ": " + error.what());
    }
}

void write_png(const std::string& path, const Picture& picture) {
    png_image png{};
    png.version = PNG_IMAGE_VERSION;
    png.format = PNG_FORMAT_RGB;
    png.width = png_uint_32(picture.width);
    png.height = png_uint_32(picture.height);
    // Beside, then renamed: whoever stops this leaves the old file, not half a new one.
    const std::string part = path + ".part";
    if (!png_image_write_to_file(&png, part.c_str(), 0, picture.rgb.data(), 0, nullptr)) {
        throw std::runtime_error(path + ": " + png.message);
    }
    std::filesystem::rename(part, path);
}
