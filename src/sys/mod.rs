//! The only door to the kernel: typed wrappers over system calls, and nothing that could be computed without one.
