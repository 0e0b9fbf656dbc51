// Counts the stacks that lead to a function or a tracepoint.
//
// A stack-trace map keeps each stack once and gives it a number; the counts are by those numbers. Keys and values are those of
// fixtures/src/profile.bpf.c, so that the same code shows both.
#include "bpf.h"

enum { MAP_STACK_TRACE = 7, DEPTH = 127, USER_STACK = 1 << 8 };

HELPER(27, long, bpf_get_stackid, void *ctx, void *map, u64 flags);

struct sample {
	u32 tgid;
	s32 kernel_stack; // negative: there is none
	s32 user_stack;
	char comm[16];
};
KEEP_TYPE(sample);

// Set before loading: the process to look at; zero looks at all.
const volatile u32 targ_tgid = 0;
// Whether to count by process and user-space stack, too.
const volatile bool each_process = false;

struct {
	__uint(type, MAP_STACK_TRACE);
	__uint(max_entries, 16384);
	__uint(key_size, 4);
	__uint(value_size, DEPTH * 8);
} stacks SEC(".maps");

struct {
	__uint(type, MAP_HASH);
	__uint(max_entries, 16384);
	__type(key, struct sample);
	__type(value, u64);
} counts SEC(".maps");

static __inline int count(void *ctx)
{
	struct sample sample = { .user_stack = -1 };
	u64 one = 1, *count;

	if (targ_tgid && targ_tgid != current_tgid())
		return 0;
	sample.kernel_stack = bpf_get_stackid(ctx, &stacks, 0);
	if (each_process) {
		sample.tgid = current_tgid();
		sample.user_stack = bpf_get_stackid(ctx, &stacks, USER_STACK);
		bpf_get_current_comm(sample.comm, sizeof(sample.comm));
	}
	count = bpf_map_lookup_elem(&counts, &sample);
	if (count)
		__sync_fetch_and_add(count, 1);
	else
		bpf_map_update_elem(&counts, &sample, &one, 0);
	return 0;
}

SEC("?kprobe.multi")
int of_many(void *ctx)
{
	return count(ctx);
}

SEC("?kprobe")
int of_one(void *ctx)
{
	return count(ctx);
}

SEC("?tracepoint")
int of_tracepoint(void *ctx)
{
	return count(ctx);
}

LICENSE("GPL");
