#pragma once

#include <net.h>  // ncnn

#include <string>

#include "picture.h"

// A style net that sttk exported to ncnn. Keep it: loading takes longer than a small picture does.
class Stylizer {
  public:
    // `threads` 0: as many as ncnn thinks best, which on phones are the big cores.
    Stylizer(const std::string& param, const std::string& bin, int threads);

    int threads() const { return net_.opt.num_threads; }

    // What comes back has sides that are rounded up to the net's multiple; `milliseconds` is
    // the net's own time.
    ncnn::Mat run(const ncnn::Mat& image, double& milliseconds) const;

    static ncnn::Mat to_mat(const Picture& picture);
    static Picture to_picture(const ncnn::Mat& stylized, int width, int height);

  private:
    ncnn::Net net_;
};
