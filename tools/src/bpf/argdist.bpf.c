// A histogram of one argument of a function, or of its result.
#include "log2.h"
#include "registers.h"

enum { SLOTS = 64 };

// Set before loading: count only calls of this process; zero counts all.
const volatile u32 targ_tgid = 0;
// The register that holds the value, and the value's type.
const volatile u32 targ_register = 0;
const volatile u32 targ_bits = 64;
const volatile bool targ_signed = false;

u64 slots[SLOTS] = {};
u64 negative = 0;

static __inline int count(u64 value)
{
	u32 unused = 64 - targ_bits;

	if (targ_tgid && targ_tgid != current_tgid())
		return 0;
	// What is left of a narrow value in its register means nothing.
	value <<= unused & 63;
	if (targ_signed && (s64)value < 0)
		__sync_fetch_and_add(&negative, 1);
	else
		__sync_fetch_and_add(&slots[log2(value >> (unused & 63)) & (SLOTS - 1)], 1);
	return 0;
}

static __inline int count_one_of(u64 arguments[REGISTERS])
{
	// The verifier knows the number, and follows one of the branches.
	switch (targ_register) {
	case 0: return count(arguments[0]);
	case 1: return count(arguments[1]);
	case 2: return count(arguments[2]);
	case 3: return count(arguments[3]);
	case 4: return count(arguments[4]);
	case 5: return count(arguments[5]);
	}
	return 0;
}

SEC("?fentry")
int entered(void *ctx)
{
	u64 arguments[REGISTERS];

	read_traced_arguments(ctx, arguments);
	return count_one_of(arguments);
}

SEC("?kprobe")
int probed(void *ctx)
{
	u64 arguments[REGISTERS];

	read_arguments(ctx, arguments);
	return count_one_of(arguments);
}

SEC("?fexit")
int left(void *ctx)
{
	u64 result = 0;

	bpf_get_func_ret(ctx, &result);
	return count(result);
}

SEC("?kretprobe")
int probed_return(void *ctx)
{
	return count(returned(ctx));
}

LICENSE("GPL");
