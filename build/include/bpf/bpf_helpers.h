/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * What BPF programs are written with: sections, definitions of maps, attributes, loops, text.
 *
 * Include vmlinux.h or kernel headers such as <linux/bpf.h> before it, for the kernel's structures. Who needs none of them
 * needs neither: the integer types are defined here.
 */
#ifndef __BPF_HELPERS__
#define __BPF_HELPERS__

/* C11 allows another header to define them again, but not all versions of <linux/types.h> agree on the 64-bit ones. */
#if !defined(__VMLINUX_H__) && !defined(_LINUX_TYPES_H) && !defined(_UAPI_LINUX_TYPES_H) && \
	!defined(_TOOLS_LINUX_TYPES_H_)
typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
#endif

#include "bpf_helper_defs.h"

/* --- Building blocks of macros ------------------------------------------------------------------------------------ */

#ifndef ___bpf_concat
#define ___bpf_concat(a, b) a##b
#endif

/* Like ___bpf_concat, but `fn` and `n` may be macros themselves. */
#ifndef ___bpf_apply
#define ___bpf_apply(fn, n) ___bpf_concat(fn, n)
#endif

/* The argument after the first thirteen. */
#ifndef ___bpf_nth
#define ___bpf_nth(_, a, b, c, d, e, f, g, h, i, j, k, l, N, ...) N
#endif

/* The number of arguments, at most twelve. */
#ifndef ___bpf_narg
#define ___bpf_narg(...) ___bpf_nth(_, ##__VA_ARGS__, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#endif

/*
 * `___bpf_take(ARGS)(VALUES)` is as many of the values as there are arguments, with a comma before each. The others are not
 * even expanded: they may be errors.
 */
#define ___bpf_take(args...) ___bpf_apply(___bpf_take, ___bpf_narg(args))
#define ___bpf_take0(...)
#define ___bpf_take1(a, ...) , a
#define ___bpf_take2(a, b, ...) , a, b
#define ___bpf_take3(a, b, c, ...) , a, b, c
#define ___bpf_take4(a, b, c, d, ...) , a, b, c, d
#define ___bpf_take5(a, b, c, d, e, ...) , a, b, c, d, e
#define ___bpf_take6(a, b, c, d, e, f, ...) , a, b, c, d, e, f
#define ___bpf_take7(a, b, c, d, e, f, g, ...) , a, b, c, d, e, f, g
#define ___bpf_take8(a, b, c, d, e, f, g, h, ...) , a, b, c, d, e, f, g, h
#define ___bpf_take9(a, b, c, d, e, f, g, h, i, ...) , a, b, c, d, e, f, g, h, i
#define ___bpf_take10(a, b, c, d, e, f, g, h, i, j, ...) , a, b, c, d, e, f, g, h, i, j
#define ___bpf_take11(a, b, c, d, e, f, g, h, i, j, k, ...) , a, b, c, d, e, f, g, h, i, j, k
#define ___bpf_take12(a, b, c, d, e, f, g, h, i, j, k, l, ...) , a, b, c, d, e, f, g, h, i, j, k, l

/* `___bpf_fill(ARRAY, ARGS)` stores each argument, a number or a pointer, in the next element of an array of 64-bit numbers. */
#define ___bpf_fill(arr, args...) ___bpf_apply(___bpf_fill, ___bpf_narg(args))(arr, 0, ##args)
#define ___bpf_fill0(arr, at, ...) do {} while (0)
#define ___bpf_fill1(arr, at, x) (arr)[at] = (unsigned long long)(x)
#define ___bpf_fill2(arr, at, x, args...) ___bpf_fill1(arr, at, x); ___bpf_fill1(arr, (at) + 1, args)
#define ___bpf_fill3(arr, at, x, args...) ___bpf_fill1(arr, at, x); ___bpf_fill2(arr, (at) + 1, args)
#define ___bpf_fill4(arr, at, x, args...) ___bpf_fill1(arr, at, x); ___bpf_fill3(arr, (at) + 1, args)
#define ___bpf_fill5(arr, at, x, args...) ___bpf_fill1(arr, at, x); ___bpf_fill4(arr, (at) + 1, args)
#define ___bpf_fill6(arr, at, x, args...) ___bpf_fill1(arr, at, x); ___bpf_fill5(arr, (at) + 1, args)
#define ___bpf_fill7(arr, at, x, args...) ___bpf_fill1(arr, at, x); ___bpf_fill6(arr, (at) + 1, args)
#define ___bpf_fill8(arr, at, x, args...) ___bpf_fill1(arr, at, x); ___bpf_fill7(arr, (at) + 1, args)
#define ___bpf_fill9(arr, at, x, args...) ___bpf_fill1(arr, at, x); ___bpf_fill8(arr, (at) + 1, args)
#define ___bpf_fill10(arr, at, x, args...) ___bpf_fill1(arr, at, x); ___bpf_fill9(arr, (at) + 1, args)
#define ___bpf_fill11(arr, at, x, args...) ___bpf_fill1(arr, at, x); ___bpf_fill10(arr, (at) + 1, args)
#define ___bpf_fill12(arr, at, x, args...) ___bpf_fill1(arr, at, x); ___bpf_fill11(arr, (at) + 1, args)

/* --- Sections and definitions of maps ----------------------------------------------------------------------------- */

/*
 * The section that a program, map or variable is in tells the loader what it is. `used` keeps it although nothing refers to
 * it; for an extern declaration it means nothing, which clang would warn of.
 */
#ifdef __clang__
#define SEC(name) \
	_Pragma("clang diagnostic push") \
	_Pragma("clang diagnostic ignored \"-Wignored-attributes\"") \
	__attribute__((section(name), used)) \
	_Pragma("clang diagnostic pop")
#else
#define SEC(name) __attribute__((section(name), used))
#endif

/*
 * The attributes of a map are the members of a structure in section ".maps". Its value is never looked at, only its type:
 * a number is the length of an array.
 */
#define __uint(name, val) int (*name)[val]
#define __type(name, val) __typeof__(val) *name
/* The values that a map of maps, or of programs, starts with. */
#define __array(name, val) __typeof__(val) *name[]
/* A number of 64 bits, too large for the length of an array. */
#define __ulong(name, val) enum { ___bpf_apply(__unique_value, __COUNTER__) = val } name

/* Whether a map is pinned, for `__uint(pinning, ...)`. */
enum libbpf_pin_type {
	LIBBPF_PIN_NONE,
	/* Under its name, in the loader's directory of pins. */
	LIBBPF_PIN_BY_NAME,
};

/* Variables whose value comes from the kernel's configuration, or that the loader calculates (LINUX_KERNEL_VERSION). */
#define __kconfig __attribute__((section(".kconfig")))

/* A configuration value that can be "y", "n" or "m". */
enum libbpf_tristate {
	TRI_NO = 0,
	TRI_YES = 1,
	TRI_MODULE = 2,
};

/* The kernel's own functions and variables. With __weak, the address is zero where a kernel has none. */
#define __ksym __attribute__((section(".ksyms")))

/* Whether the kernel has a weak __ksym. A strong one always exists, so asking is a mistake. */
#ifdef __clang__
#define bpf_ksym_exists(sym) ({ \
	_Static_assert(!__builtin_constant_p(!!sym), #sym " is never missing: declare it __weak"); \
	!!sym; \
})
#elif __GNUC__ > 8
#define bpf_ksym_exists(sym) ({ \
	_Static_assert(__builtin_has_attribute(*sym, __weak__), #sym " is never missing: declare it __weak"); \
	!!sym; \
})
#else
#define bpf_ksym_exists(sym) (!!sym)
#endif

/* --- Attributes --------------------------------------------------------------------------------------------------- */

/* Kernel headers define it without `inline`. */
#undef __always_inline
#define __always_inline inline __attribute__((always_inline))

#ifndef __noinline
#define __noinline __attribute__((noinline))
#endif

#ifndef __weak
#define __weak __attribute__((weak))
#endif

/* A global function with it is verified where it is called, with what is known there, as if it were static. */
#ifndef __hidden
#define __hidden __attribute__((visibility("hidden")))
#endif

/* Pointers in the values of maps: to objects of the kernel with a reference, without one, per CPU; to pages of user space. */
#define __kptr __attribute__((btf_type_tag("kptr")))
#define __kptr_untrusted __attribute__((btf_type_tag("kptr_untrusted")))
#define __percpu_kptr __attribute__((btf_type_tag("percpu_kptr")))
#define __uptr __attribute__((btf_type_tag("uptr")))

/* What a global function may assume of a pointer argument, and every caller has to prove. */
#define __arg_ctx __attribute__((btf_decl_tag("arg:ctx")))
#define __arg_nonnull __attribute__((btf_decl_tag("arg:nonnull")))
#define __arg_nullable __attribute__((btf_decl_tag("arg:nullable")))
#define __arg_trusted __attribute__((btf_decl_tag("arg:trusted")))
#define __arg_untrusted __attribute__((btf_decl_tag("arg:untrusted")))
#define __arg_arena __attribute__((btf_decl_tag("arg:arena")))

/* --- What vmlinux.h lacks, being made of types alone -------------------------------------------------------------- */

#ifndef NULL
#define NULL ((void *)0)
#endif

/* A kernel version as LINUX_KERNEL_VERSION has it, with one byte for the last number. */
#ifndef KERNEL_VERSION
#define KERNEL_VERSION(a, b, c) (((a) << 16) + ((b) << 8) + ((c) > 255 ? 255 : (c)))
#endif

/* Not by __builtin_offsetof, whose result the compiler calculates without a CO-RE relocation. */
#undef offsetof
#define offsetof(type, member) ((unsigned long)&((type *)0)->member)

#undef container_of
#define container_of(ptr, type, member) ({ \
	void *___inner = (void *)(ptr); \
	(type *)(___inner - offsetof(type, member)); \
})

#ifndef likely
#define likely(x) (__builtin_expect(!!(x), 1))
#endif

#ifndef unlikely
#define unlikely(x) (__builtin_expect(!!(x), 0))
#endif

/* --- What the compiler may not do --------------------------------------------------------------------------------- */

/* Keep memory in registers across this point, or move an access over it. */
#ifndef barrier
#define barrier() __asm__ volatile("" ::: "memory")
#endif

/*
 * Use what it knows of a variable's value. A check before it stays a check of the register that is used after it, which is
 * what the verifier wants to see.
 */
#ifndef barrier_var
#define barrier_var(var) __asm__ volatile("" : "+r"(var))
#endif

/* Reach this point: the build fails if the call is not optimized away, because BPF has no trap instruction. */
#ifndef __bpf_unreachable
#define __bpf_unreachable() __builtin_trap()
#endif

/* --- Tail calls --------------------------------------------------------------------------------------------------- */

/*
 * bpf_tail_call with a constant index, which the JIT makes a direct jump. It can do so only if the map and the index of a call
 * are the same on all paths: in assembly, the compiler cannot merge two calls into one.
 */
#if defined(__bpf__) && \
	((defined(__clang__) && __clang_major__ >= 8) || (!defined(__clang__) && __GNUC__ > 12))
static __always_inline void bpf_tail_call_static(void *ctx, const void *map, const __u32 slot)
{
	if (!__builtin_constant_p(slot))
		__bpf_unreachable();

	__asm__ volatile(
		"r1 = %[ctx]\n\t"
		"r2 = %[map]\n\t"
		"r3 = %[slot]\n\t"
		"call 12"
		:
		: [ctx] "r"(ctx), [map] "r"(map), [slot] "i"(slot)
		: "r0", "r1", "r2", "r3", "r4", "r5");
}
#endif

/* --- Text --------------------------------------------------------------------------------------------------------- */

/* Without global data (before Linux 5.2), formats are on the stack. */
#ifdef BPF_NO_GLOBAL_DATA
#define BPF_PRINTK_FMT_MOD
#else
#define BPF_PRINTK_FMT_MOD static const
#endif

/* The format, and the arguments as the array that helpers take. */
#define ___bpf_text(fmt, args...) \
	static const char ___fmt[] = fmt; \
	unsigned long long ___param[___bpf_narg(args)]; \
	___bpf_fill(___param, ##args)

#define __bpf_printk(fmt, args...) ({ \
	BPF_PRINTK_FMT_MOD char ____fmt[] = fmt; \
	bpf_trace_printk(____fmt, sizeof(____fmt), ##args); \
})

#define __bpf_vprintk(fmt, args...) ({ \
	___bpf_text(fmt, ##args); \
	bpf_trace_vprintk(___fmt, sizeof(___fmt), ___param, sizeof(___param)); \
})

/* The helper of old takes three arguments at most; the one that takes more is new in Linux 5.16. */
#define ___bpf_pick_printk(...) \
	___bpf_nth(_, ##__VA_ARGS__, __bpf_vprintk, __bpf_vprintk, __bpf_vprintk, __bpf_vprintk, __bpf_vprintk, \
		   __bpf_vprintk, __bpf_vprintk, __bpf_vprintk, __bpf_vprintk, __bpf_printk, __bpf_printk, \
		   __bpf_printk, __bpf_printk)

/* Prints a line to the kernel's trace_pipe, with up to twelve arguments. */
#define bpf_printk(fmt, args...) ___bpf_pick_printk(args)(fmt, ##args)

/* Prints to the file of an iterator. */
#define BPF_SEQ_PRINTF(seq, fmt, args...) ({ \
	___bpf_text(fmt, ##args); \
	bpf_seq_printf(seq, ___fmt, sizeof(___fmt), ___param, sizeof(___param)); \
})

/* Prints into a buffer. */
#define BPF_SNPRINTF(out, out_size, fmt, args...) ({ \
	___bpf_text(fmt, ##args); \
	bpf_snprintf(out, out_size, ___fmt, ___param, sizeof(___param)); \
})

/* Prints to a stream of the program: BPF_STDOUT or BPF_STDERR. vmlinux.h declares the function, if the kernel has it. */
#define bpf_stream_printk(stream_id, fmt, args...) ({ \
	___bpf_text(fmt, ##args); \
	bpf_stream_vprintk(stream_id, ___fmt, ___param, sizeof(___param)); \
})

/* --- Loops, since Linux 6.4 --------------------------------------------------------------------------------------- */

struct bpf_iter_num;

extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __weak __ksym;
extern int *bpf_iter_num_next(struct bpf_iter_num *it) __weak __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __weak __ksym;

/*
 * Declares an iterator, opened, that is closed however the loop is left. The second variable has the first one opened once. The
 * function is mentioned because clang forgets the types of those that only `cleanup` refers to.
 */
#define ___bpf_iter(type, args...) \
	struct bpf_iter_##type ___it __attribute__((aligned(8), cleanup(bpf_iter_##type##_destroy))), \
		*___opened __attribute__((unused)) = (bpf_iter_##type##_new(&___it, ##args), \
						      (void)bpf_iter_##type##_destroy, (void *)0)

/*
 * Runs the body with `cur` pointing to each element of an iterator, such as `bpf_for_each(task, task, NULL, flags)`; `args` are
 * those of bpf_iter_TYPE_new.
 */
#ifndef bpf_for_each
#define bpf_for_each(type, cur, args...) \
	for (___bpf_iter(type, ##args); ((cur) = bpf_iter_##type##_next(&___it));)
#endif

/*
 * Runs the body with each `i` from `start` to before `end`. The verifier learns these bounds. They are evaluated again in every
 * round, and must not change.
 */
#ifndef bpf_for
#define bpf_for(i, start, end) \
	for (___bpf_iter(num, (start), (end)); ({ \
		int *___next = bpf_iter_num_next(&___it); \
		_Pragma("GCC diagnostic push") \
		_Pragma("GCC diagnostic ignored \"-Wsign-compare\"") \
		_Pragma("GCC diagnostic ignored \"-Wtype-limits\"") \
		(___next && ((i) = *___next, (i) >= (start) && (i) < (end))); \
		_Pragma("GCC diagnostic pop") \
	});)
#endif

/* Runs the body `n` times. */
#ifndef bpf_repeat
#define bpf_repeat(n) for (___bpf_iter(num, 0, (n)); bpf_iter_num_next(&___it);)
#endif

#endif
