/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * USDT probes: the arguments of the probe that a program runs at.
 *
 * Where they are differs from one place in the probed program to the next. The loader writes that down as a specification, in
 * maps whose names and fields it looks for; the functions here read it.
 */
#ifndef __USDT_BPF_H__
#define __USDT_BPF_H__

/* For programs that use its names; some of its parts are missing where the machine's headers are not searched. */
#if __has_include(<asm/errno.h>)
#include <linux/errno.h>
#endif
#include "bpf_helpers.h"
#include "bpf_tracing.h"

#ifndef ENOENT
#define ENOENT 2
#endif
#ifndef ESRCH
#define ESRCH 3
#endif
#ifndef EINVAL
#define EINVAL 22
#endif

/* The number of specifications; places whose arguments are alike share one. Define it before to change it. */
#ifndef BPF_USDT_MAX_SPEC_CNT
#define BPF_USDT_MAX_SPEC_CNT 256
#endif
/* The number of places, for kernels without cookies of attachments (before Linux 5.15). Define it before to change it. */
#ifndef BPF_USDT_MAX_IP_CNT
#define BPF_USDT_MAX_IP_CNT (4 * BPF_USDT_MAX_SPEC_CNT)
#endif

#define BPF_USDT_MAX_ARG_CNT 12

enum __bpf_usdt_arg_type {
	/* The number `val_off`. */
	BPF_USDT_ARG_CONST,
	/* A register. */
	BPF_USDT_ARG_REG,
	/* Memory at a register, plus `val_off`. */
	BPF_USDT_ARG_REG_DEREF,
	/* Memory at a register, plus a multiple of another, plus `val_off`. */
	BPF_USDT_ARG_SIB,
};

/* C itself has no type `bool`; vmlinux.h does. */
#ifdef __VMLINUX_H__
#define ___bpf_usdt_bool bool
#else
#define ___bpf_usdt_bool _Bool
#endif

/* Where an argument is. Registers are offsets in struct pt_regs. */
struct __bpf_usdt_arg_spec {
	__u64 val_off;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	enum __bpf_usdt_arg_type arg_type : 8;
	__u16 idx_reg_off : 12;
	/* The other register is shifted to the left by this. */
	__u16 scale_bitshift : 4;
	__u8 __reserved : 8;
#else
	__u8 __reserved : 8;
	__u16 idx_reg_off : 12;
	__u16 scale_bitshift : 4;
	enum __bpf_usdt_arg_type arg_type : 8;
#endif
	short reg_off;
	___bpf_usdt_bool arg_signed;
	/* The number of bits that the argument lacks to 64. */
	char arg_bitshift;
};

struct __bpf_usdt_spec {
	struct __bpf_usdt_arg_spec args[BPF_USDT_MAX_ARG_CNT];
	__u64 usdt_cookie;
	short arg_cnt;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BPF_USDT_MAX_SPEC_CNT);
	__type(key, int);
	__type(value, struct __bpf_usdt_spec);
} __bpf_usdt_specs SEC(".maps") __weak;

/* The number of a specification for the address of an instruction. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, BPF_USDT_MAX_IP_CNT);
	__type(key, long);
	__type(value, __u32);
} __bpf_usdt_ip_to_spec_id SEC(".maps") __weak;

extern const _Bool LINUX_HAS_BPF_COOKIE __kconfig;

/* The number of the specification: the cookie of the attachment, or what the address says. Negative if there is none. */
static __always_inline int __bpf_usdt_spec_id(struct pt_regs *ctx)
{
	if (!LINUX_HAS_BPF_COOKIE) {
		long ip = PT_REGS_IP(ctx);
		int *id = bpf_map_lookup_elem(&__bpf_usdt_ip_to_spec_id, &ip);

		return id ? *id : -ESRCH;
	}
	return bpf_get_attach_cookie(ctx);
}

static __always_inline struct __bpf_usdt_spec *___bpf_usdt_find_spec(struct pt_regs *ctx)
{
	int id = __bpf_usdt_spec_id(ctx);

	return id < 0 ? NULL : bpf_map_lookup_elem(&__bpf_usdt_specs, &id);
}

/* Where an argument is. 0, -ESRCH without a specification, or -ENOENT for an argument that the probe does not have. */
static __always_inline int
___bpf_usdt_find_arg(struct pt_regs *ctx, __u64 arg_num, struct __bpf_usdt_arg_spec **arg)
{
	struct __bpf_usdt_spec *spec = ___bpf_usdt_find_spec(ctx);

	if (!spec)
		return -ESRCH;
	if (arg_num >= BPF_USDT_MAX_ARG_CNT)
		return -ENOENT;
	/* Or else the two checks become one, and the verifier does not see the limit. */
	barrier_var(arg_num);
	if (arg_num >= (__u64)spec->arg_cnt)
		return -ENOENT;
	*arg = &spec->args[arg_num];
	return 0;
}

/* The number of arguments, or -ESRCH. */
__weak __hidden int bpf_usdt_arg_cnt(struct pt_regs *ctx)
{
	struct __bpf_usdt_spec *spec = ___bpf_usdt_find_spec(ctx);

	return spec ? spec->arg_cnt : -ESRCH;
}

/* The size of an argument in bytes, counted from 0; -ENOENT if the probe does not have it, or -ESRCH. */
static __always_inline int bpf_usdt_arg_size(struct pt_regs *ctx, __u64 arg_num)
{
	struct __bpf_usdt_arg_spec *arg;
	int err = ___bpf_usdt_find_arg(ctx, arg_num, &arg);

	if (err)
		return err;
	return (unsigned int)(64 - arg->arg_bitshift) / 8;
}

static __always_inline long ___bpf_usdt_reg(struct pt_regs *ctx, long offset, unsigned long *value)
{
	return bpf_probe_read_kernel(value, sizeof(*value), (void *)ctx + offset);
}

/* Reads 64 bits where the argument is, with it in the low ones. */
static __always_inline long
___bpf_usdt_memory(const struct __bpf_usdt_arg_spec *arg, unsigned long address, unsigned long *value)
{
	long err = bpf_probe_read_user(value, sizeof(*value), (void *)(address + arg->val_off));

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	*value >>= arg->arg_bitshift;
#endif
	return err;
}

/* Stores an argument, counted from 0, in `res`. 0, or a negative error with 0 in `res`. */
__weak __hidden int bpf_usdt_arg(struct pt_regs *ctx, __u64 arg_num, long *res)
{
	struct __bpf_usdt_arg_spec *arg;
	unsigned long value, index;
	int err;

	*res = 0;
	err = ___bpf_usdt_find_arg(ctx, arg_num, &arg);
	if (err)
		return err;

	switch (arg->arg_type) {
	case BPF_USDT_ARG_CONST:
		value = arg->val_off;
		break;
	case BPF_USDT_ARG_REG:
		err = ___bpf_usdt_reg(ctx, arg->reg_off, &value);
		if (err)
			return err;
		break;
	case BPF_USDT_ARG_REG_DEREF:
		err = ___bpf_usdt_reg(ctx, arg->reg_off, &value);
		if (err)
			return err;
		err = ___bpf_usdt_memory(arg, value, &value);
		if (err)
			return err;
		break;
	case BPF_USDT_ARG_SIB:
		err = ___bpf_usdt_reg(ctx, arg->reg_off, &value);
		if (err)
			return err;
		err = ___bpf_usdt_reg(ctx, arg->idx_reg_off, &index);
		if (err)
			return err;
		err = ___bpf_usdt_memory(arg, value + (index << arg->scale_bitshift), &value);
		if (err)
			return err;
		break;
	default:
		return -EINVAL;
	}

	/* Its own bits alone, and for a signed one its sign above them. */
	value <<= arg->arg_bitshift;
	if (arg->arg_signed)
		value = (long)value >> arg->arg_bitshift;
	else
		value >>= arg->arg_bitshift;
	*res = value;
	return 0;
}

/* The number that user space gave the attachment; 0 if none. The cookie that the kernel has is the loader's. */
__weak __hidden long bpf_usdt_cookie(struct pt_regs *ctx)
{
	struct __bpf_usdt_spec *spec = ___bpf_usdt_find_spec(ctx);

	return spec ? (long)spec->usdt_cookie : 0;
}

/* `int BPF_USDT(name, int code, const char *text) { ... }` is a program at a USDT probe. Up to twelve arguments. */
#define BPF_USDT(name, args...) ___bpf_program(name, struct pt_regs, (___bpf_usdt_args(args)), ##args)
#define ___bpf_usdt_args(args...) \
	ctx ___bpf_take(args)(___bpf_usdt_value(0), ___bpf_usdt_value(1), ___bpf_usdt_value(2), \
			      ___bpf_usdt_value(3), ___bpf_usdt_value(4), ___bpf_usdt_value(5), \
			      ___bpf_usdt_value(6), ___bpf_usdt_value(7), ___bpf_usdt_value(8), \
			      ___bpf_usdt_value(9), ___bpf_usdt_value(10), ___bpf_usdt_value(11))
#define ___bpf_usdt_value(n) ({ \
	long ___value; \
	bpf_usdt_arg(ctx, n, &___value); \
	___value; \
})

#endif
