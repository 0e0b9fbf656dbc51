// What a probe finds in the processor's registers: a function's arguments, its result, where it is.
//
// Each architecture has its own `struct pt_regs`. CO-RE chooses: a field that the running kernel's structure does not have makes
// its branch unreachable.
#pragma once
#include "bpf.h"

enum { REGISTERS = 6 };

#pragma clang attribute push(__core, apply_to = record)

struct pt_regs___x86_64 {
	unsigned long di, si, dx, cx, r8, r9, ax, ip;
};

struct pt_regs___arm64 {
	u64 regs[31];
	u64 pc;
};

#pragma clang attribute pop

#define ON_X86_64(ctx) field_exists(((struct pt_regs___x86_64 *)(ctx))->di)
#define x86_64(ctx, name) core((struct pt_regs___x86_64 *)(ctx), name)
#define arm64(ctx, name) core((struct pt_regs___arm64 *)(ctx), name)

// The integer arguments that are passed in registers.
static __inline void read_arguments(void *ctx, u64 arguments[REGISTERS])
{
	if (ON_X86_64(ctx)) {
		arguments[0] = x86_64(ctx, di);
		arguments[1] = x86_64(ctx, si);
		arguments[2] = x86_64(ctx, dx);
		arguments[3] = x86_64(ctx, cx);
		arguments[4] = x86_64(ctx, r8);
		arguments[5] = x86_64(ctx, r9);
	} else {
		arguments[0] = arm64(ctx, regs[0]);
		arguments[1] = arm64(ctx, regs[1]);
		arguments[2] = arm64(ctx, regs[2]);
		arguments[3] = arm64(ctx, regs[3]);
		arguments[4] = arm64(ctx, regs[4]);
		arguments[5] = arm64(ctx, regs[5]);
	}
}

static __inline u64 first_argument(void *ctx)
{
	return ON_X86_64(ctx) ? x86_64(ctx, di) : arm64(ctx, regs[0]);
}

static __inline u64 returned(void *ctx)
{
	return ON_X86_64(ctx) ? x86_64(ctx, ax) : arm64(ctx, regs[0]);
}

// The address of the instruction, which lies in the probed function, not always at its start.
static __inline u64 instruction(void *ctx)
{
	return ON_X86_64(ctx) ? x86_64(ctx, ip) : arm64(ctx, pc);
}

// The same for fentry and fexit, since Linux 5.17. Arguments that the function does not have are zero.
HELPER(183, long, bpf_get_func_arg, void *ctx, u32 number, u64 *value);
HELPER(184, long, bpf_get_func_ret, void *ctx, u64 *value);

static __inline void read_traced_arguments(void *ctx, u64 arguments[REGISTERS])
{
	for (u32 i = 0; i < REGISTERS; i++) {
		u64 value = 0;

		if (bpf_get_func_arg(ctx, i, &value))
			value = 0;
		arguments[i] = value;
	}
}
