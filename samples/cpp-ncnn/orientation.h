#pragma once

#include <cstddef>

#include "picture.h"

// 1 to 8, as a JPEG's APP1 segment says in EXIF; 0 where it says nothing.
int exif_orientation(const unsigned char* segment, std::size_t size);

// The picture as it is meant to be seen.
Picture upright(Picture picture, int orientation);
