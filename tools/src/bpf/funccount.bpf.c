// Counts the calls of kernel functions: one program on all of them, or, on kernels older than 5.18, on one after the other.
#include "registers.h"

// Where the function starts that the program was called for.
HELPER(173, u64, bpf_get_func_ip, void *ctx);

// Set before loading: count only calls of this process; zero counts all.
const volatile u32 targ_tgid = 0;

struct {
	__uint(type, MAP_PERCPU_HASH);
	__uint(max_entries, 65536);
	__type(key, u64);
	__type(value, u64);
} counts SEC(".maps");

static __inline int count(u64 address)
{
	u64 one = 1, *count;

	if (targ_tgid && targ_tgid != current_tgid())
		return 0;
	count = bpf_map_lookup_elem(&counts, &address);
	if (count)
		*count += 1;
	else
		bpf_map_update_elem(&counts, &address, &one, 0);
	return 0;
}

SEC("?kprobe.multi")
int of_many(void *ctx)
{
	return count(bpf_get_func_ip(ctx));
}

SEC("?kprobe")
int of_one(void *ctx)
{
	return count(instruction(ctx));
}

LICENSE("GPL");
