// Everything that does not depend on the machine.
#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

struct inner {
	struct thing *deep;
};

struct thing {
	int number;
	const int fixed;
	struct thing *next;
	unsigned int narrow : 3;
	int is_signed : 5;
	char name[16];
	struct inner inner;
} __attribute__((preserve_access_index));

enum choice { CHOICE_A = 1 };

struct pair {
	long first, second;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__uint(key_size, 4);
	__array(values, int(void *));
} jumps SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARENA);
	__uint(max_entries, 1);
	__ulong(map_extra, 1ull << 44);
} arena SEC(".maps");

// A second number of 64 bits in the same file.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, int);
	__ulong(map_extra, 1ull << 45);
} with_extra SEC(".maps");

struct held {
	struct thing __kptr *owned;
	struct thing __kptr_untrusted *seen;
	int __percpu_kptr *per_cpu;
	int __uptr *page;
};

extern int LINUX_KERNEL_VERSION __kconfig;
extern enum libbpf_tristate CONFIG_BPF __kconfig __weak;
extern int kernel_function(int number) __weak __ksym;
extern int bpf_stream_vprintk(int stream, const char *format, const void *args, __u32 size) __weak __ksym;

__weak int global(void *ctx __arg_ctx, int *a __arg_nonnull, int *b __arg_nullable)
{
	return ctx != NULL && a != NULL && b != NULL;
}

__hidden __noinline int hidden(struct thing *thing __arg_trusted, struct thing *other __arg_untrusted)
{
	barrier();
	return thing == other;
}

SEC("tp_btf/one")
int BPF_PROG(no_arguments)
{
	return 0;
}

SEC("tp_btf/one")
int BPF_PROG(twelve, int a, char b, long c, void *d, struct thing *e, int f, int g, int h, int i, int j, int k, int l)
{
	return a + b + c + (d != NULL) + e->number + f + g + h + i + j + k + l + (int)ctx[1];
}

SEC("fentry/one")
int BPF_PROG2(no_pairs)
{
	return 0;
}

SEC("fentry/one")
int BPF_PROG2(pairs, char, a, struct pair, b, struct thing *, c, short, d)
{
	return a + b.first + b.second + c->number + d;
}

SEC("raw_tp/one")
int text(void *ctx)
{
	char buffer[16];

	bpf_printk("nothing");
	bpf_printk("%d %s %llx", 1, "two", 3ull);
	bpf_printk("%d %s %llx %p", 1, "two", 3ull, ctx);
	bpf_stream_printk(1, "%d", 4);
	return BPF_SNPRINTF(buffer, sizeof(buffer), "%d %p", 5, ctx) + buffer[1] +
	       BPF_SEQ_PRINTF((struct seq_file *)ctx, "%d%d%d%d%d%d%d%d%d%d%d%d", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
}

SEC("raw_tp/one")
int fields(unsigned long long *ctx)
{
	struct thing *thing = (void *)ctx[0];
	const struct thing *far = BPF_CORE_READ(thing, next, next, inner.deep);
	int sum = BPF_CORE_READ(far, fixed) + BPF_PROBE_READ(thing, next, number) + BPF_CORE_READ_USER(thing, number) +
		  BPF_PROBE_READ_USER(thing, next, number);
	char name[16];

	BPF_CORE_READ_INTO(&sum, thing, next, next, next, next, next, next, next, next, number);
	BPF_CORE_READ_USER_INTO(&sum, thing, number);
	BPF_PROBE_READ_INTO(&sum, thing, number);
	BPF_PROBE_READ_USER_INTO(&sum, thing, next, number);
	sum += BPF_CORE_READ_STR_INTO(&name, thing, next, name) + BPF_CORE_READ_USER_STR_INTO(&name, thing, name) +
	       BPF_PROBE_READ_STR_INTO(&name, thing, name) + BPF_PROBE_READ_USER_STR_INTO(&name, thing, next, name);
	bpf_core_read(&sum, sizeof(sum), &thing->number);
	bpf_core_read_user(&sum, sizeof(sum), &thing->number);
	bpf_core_read_str(name, sizeof(name), &thing->name);
	bpf_core_read_user_str(name, sizeof(name), &thing->name);
	return sum + BPF_CORE_READ_BITFIELD_PROBED(thing, narrow) + BPF_CORE_READ_BITFIELD_PROBED(thing, is_signed) +
	       bpf_core_cast(thing, struct thing)->number + name[1];
}

SEC("raw_tp/one")
int questions(unsigned long long *ctx)
{
	struct thing *thing = (void *)ctx[0];

	if (!bpf_core_field_exists(thing->number) || !bpf_core_field_exists(struct thing, inner.deep))
		return 0;
	return bpf_core_field_size(thing->name) + bpf_core_field_size(struct thing, number) +
	       bpf_core_field_offset(thing->name) + bpf_core_field_offset(struct thing, number) +
	       bpf_core_type_exists(struct thing) + bpf_core_type_size(struct thing) +
	       bpf_core_type_id_local(struct thing) + bpf_core_type_id_kernel(struct thing) +
#if __clang_major__ >= 15
	       bpf_core_type_matches(struct thing) +
#endif
	       bpf_core_enum_value_exists(enum choice, CHOICE_A) + bpf_core_enum_value(enum choice, CHOICE_A) +
	       (LINUX_KERNEL_VERSION >= KERNEL_VERSION(6, 1, 300)) + (CONFIG_BPF == TRI_YES);
}

SEC("tp_btf/one")
int BPF_PROG(bits, struct thing *thing)
{
	BPF_CORE_WRITE_BITFIELD(thing, narrow, 3);
	return BPF_CORE_READ_BITFIELD(thing, narrow) + BPF_CORE_READ_BITFIELD(thing, is_signed);
}

SEC("tc")
int loops(void *ctx)
{
	unsigned int inner_number;
	int number, sum = 0, *each;

	bpf_for(number, 0, 10) {
		bpf_for(inner_number, 0, number)
			sum += inner_number;
	}
	bpf_for_each(num, each, 0, 4) {
		if (unlikely(*each == 3))
			break;
		sum += *each;
	}
	bpf_repeat(4)
		sum++;
	if (bpf_ksym_exists(kernel_function))
		sum += kernel_function(sum);
	bpf_tail_call_static(ctx, &jumps, 2);
	return likely(sum) ? sum + hidden(NULL, NULL) + global(ctx, &sum, NULL) : 0;
}

SEC("tc")
int order(struct thing **ctx)
{
	static const unsigned short port = bpf_htons(0x1234);
	unsigned long long number = bpf_cpu_to_be64(*(unsigned long long *)ctx);
	struct held held = {};
	struct inner *inner = &container_of(&ctx[0]->inner, struct thing, inner)->inner;

	barrier_var(number);
	if (offsetof(struct held, seen) != 8)
		__bpf_unreachable();
	if (inner != &ctx[0]->inner || held.owned)
		return 0;
	switch (port) {
	case bpf_ntohs(0x1234):
		return number + bpf_htonl((unsigned int)number) + bpf_ntohl(0x12345678);
	}
	return bpf_be64_to_cpu(number);
}

char _license[] SEC("license") = "GPL";
