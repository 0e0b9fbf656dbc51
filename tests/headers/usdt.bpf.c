// USDT probes.
#include "kernel.h"
#define BPF_USDT_MAX_SPEC_CNT 8
#include <bpf/usdt.bpf.h>

SEC("usdt")
int BPF_USDT(three, int first, const char *second, long third)
{
	return first + (second != NULL) + third + bpf_usdt_cookie(ctx);
}

SEC("usdt")
int BPF_USDT(none)
{
	return bpf_usdt_arg_cnt(ctx) + bpf_usdt_arg_size(ctx, 1) - ESRCH - ENOENT - EINVAL;
}

char _license[] SEC("license") = "GPL";
