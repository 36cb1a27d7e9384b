"""ExecuTorch programs on an emulated ARM64 CPU, whose float16 kernels few other hosts have.

ExecuTorch's Python package needs torch, whose wheel for ARM64 needs CUDA's libraries. So a small
program in C++, ``runner.cpp``, is compiled for ARM64 against the libraries in ExecuTorch's own
wheel, and run by qemu. A host that is ARM64 itself needs none of this.
"""
