// A header with nothing before it but the types of its maps.
#include "kernel.h"
#include HEADER

char _license[] __attribute__((section("license"), used)) = "GPL";
