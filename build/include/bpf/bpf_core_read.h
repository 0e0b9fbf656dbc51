/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * CO-RE, "compile once, run everywhere": questions about the types of the kernel that will run the program, which the loader
 * answers, and reads of fields wherever that kernel keeps them.
 */
#ifndef __BPF_CORE_READ_H__
#define __BPF_CORE_READ_H__

#include "bpf_helpers.h"

/* --- The kinds of relocations, as compilers and loaders number them ----------------------------------------------- */

/* For __builtin_preserve_field_info. */
enum bpf_field_info_kind {
	/* The offset of the field, or of the integer that contains a bitfield. */
	BPF_FIELD_BYTE_OFFSET = 0,
	/* The size of the field, or of the integer that contains a bitfield. */
	BPF_FIELD_BYTE_SIZE = 1,
	/* Whether there is such a field. */
	BPF_FIELD_EXISTS = 2,
	/* Whether it is signed. */
	BPF_FIELD_SIGNED = 3,
	/* How far to shift the integer, in 64 bits, to the left and then to the right, to get the field alone. */
	BPF_FIELD_LSHIFT_U64 = 4,
	BPF_FIELD_RSHIFT_U64 = 5,
};

/* For __builtin_btf_type_id. */
enum bpf_type_id_kind {
	/* The type's number in the object's own BTF. */
	BPF_TYPE_ID_LOCAL = 0,
	/* Its number in the kernel's. */
	BPF_TYPE_ID_TARGET = 1,
};

/* For __builtin_preserve_type_info. */
enum bpf_type_info_kind {
	/* Whether the kernel has a type of this name and kind. */
	BPF_TYPE_EXISTS = 0,
	/* Its size. */
	BPF_TYPE_SIZE = 1,
	/* Whether its members are as declared, too. */
	BPF_TYPE_MATCHES = 2,
};

/* For __builtin_preserve_enum_value. */
enum bpf_enum_value_kind {
	/* Whether the kernel's enumeration has this enumerator. */
	BPF_ENUMVAL_EXISTS = 0,
	/* Its value. */
	BPF_ENUMVAL_VALUE = 1,
};

/* --- How compilers are asked -------------------------------------------------------------------------------------- */

/* gcc must not see a null pointer, which it would fold before it sees the type: it gets the address of nothing. */
#ifdef __clang__
#define ___bpf_typeof(type) ((__typeof__(type) *)0)
#define ___bpf_field_ref1(field) (field)
#define ___bpf_field_ref2(type, field) (___bpf_typeof(type)->field)
#else
#define ___bpf_typeof(type) ___bpf_nowhere(type, ___bpf_apply(bpf_type_tmp_, __COUNTER__))
#define ___bpf_nowhere(type, name) ({ \
	extern __typeof__(type) *name; \
	name; \
})
#define ___bpf_field_ref1(field) (&(field))
#define ___bpf_field_ref2(type, field) (&(___bpf_typeof(type)->field))
#endif

/* A field, of a value (`task->pid`) or of a type (`struct task_struct, pid`). */
#define ___bpf_field_ref(args...) ___bpf_apply(___bpf_field_ref, ___bpf_narg(args))(args)

#ifdef __clang__
#define ___bpf_enum_value(type, value, kind) __builtin_preserve_enum_value(*(__typeof__(type) *)value, kind)
#else
#define ___bpf_enum_value(type, value, kind) __builtin_preserve_enum_value(___bpf_typeof(type), value, kind)
#endif

/* --- Questions about fields, types and enumerators ---------------------------------------------------------------- */

/* 1 if the kernel has the field, otherwise 0. Given as `task->pid` or as `struct task_struct, pid`; so in the next two. */
#define bpf_core_field_exists(field...) \
	__builtin_preserve_field_info(___bpf_field_ref(field), BPF_FIELD_EXISTS)

/* The size of the kernel's field in bytes. */
#define bpf_core_field_size(field...) \
	__builtin_preserve_field_info(___bpf_field_ref(field), BPF_FIELD_BYTE_SIZE)

/* The offset of the kernel's field in bytes. */
#define bpf_core_field_offset(field...) \
	__builtin_preserve_field_info(___bpf_field_ref(field), BPF_FIELD_BYTE_OFFSET)

/* The number of a type in the object's own BTF. */
#define bpf_core_type_id_local(type) __builtin_btf_type_id(*___bpf_typeof(type), BPF_TYPE_ID_LOCAL)

/* The number of a type in the kernel's BTF; 0 if it has none of that name. */
#define bpf_core_type_id_kernel(type) __builtin_btf_type_id(*___bpf_typeof(type), BPF_TYPE_ID_TARGET)

/* 1 if the kernel has a type of that name and kind, otherwise 0. */
#define bpf_core_type_exists(type) __builtin_preserve_type_info(*___bpf_typeof(type), BPF_TYPE_EXISTS)

/* 1 if the kernel has the type with members as declared, otherwise 0. */
#define bpf_core_type_matches(type) __builtin_preserve_type_info(*___bpf_typeof(type), BPF_TYPE_MATCHES)

/* The size of the kernel's type in bytes; 0 if it has none of that name. */
#define bpf_core_type_size(type) __builtin_preserve_type_info(*___bpf_typeof(type), BPF_TYPE_SIZE)

/* 1 if the kernel's enumeration has the enumerator, otherwise 0. */
#define bpf_core_enum_value_exists(enum_type, enum_value) \
	___bpf_enum_value(enum_type, enum_value, BPF_ENUMVAL_EXISTS)

/* The kernel's value of an enumerator, in 64 bits; 0 if it has none. */
#define bpf_core_enum_value(enum_type, enum_value) \
	___bpf_enum_value(enum_type, enum_value, BPF_ENUMVAL_VALUE)

/* --- Single reads ------------------------------------------------------------------------------------------------- */

/*
 * As the helpers without "core", from `src`, an address such as `&task->pid`, relocated. User memory must have a type of the
 * kernel's, too, such as the structures that system calls take.
 */
#define bpf_core_read(dst, sz, src) \
	bpf_probe_read_kernel(dst, sz, (const void *)__builtin_preserve_access_index(src))
#define bpf_core_read_user(dst, sz, src) \
	bpf_probe_read_user(dst, sz, (const void *)__builtin_preserve_access_index(src))
#define bpf_core_read_str(dst, sz, src) \
	bpf_probe_read_kernel_str(dst, sz, (const void *)__builtin_preserve_access_index(src))
#define bpf_core_read_user_str(dst, sz, src) \
	bpf_probe_read_user_str(dst, sz, (const void *)__builtin_preserve_access_index(src))

extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym __weak;

/* The pointer as one to a type of the kernel, whose fields can then be read directly. Since Linux 6.2. */
#define bpf_core_cast(ptr, type) \
	((__typeof__(type) *)bpf_rdonly_cast((ptr), bpf_core_type_id_kernel(type)))

/* --- Bitfields ---------------------------------------------------------------------------------------------------- */

#define __CORE_RELO(src, field, info) __builtin_preserve_field_info((src)->field, BPF_FIELD_##info)

/* Reads the integer that contains a bitfield into the low bytes of a 64-bit number. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ___core_low_bytes(dst, size) ((void *)(dst))
#else
#define ___core_low_bytes(dst, size) ((void *)(dst) + (8 - (size)))
#endif
#define __CORE_BITFIELD_PROBE_READ(dst, src, fld) \
	bpf_probe_read_kernel(___core_low_bytes(dst, __CORE_RELO(src, fld, BYTE_SIZE)), \
			      __CORE_RELO(src, fld, BYTE_SIZE), \
			      (const void *)(src) + __CORE_RELO(src, fld, BYTE_OFFSET))

/* The bitfield alone, of the integer that contains it. */
#define ___core_bitfield(s, field, whole) ({ \
	(whole) <<= __CORE_RELO(s, field, LSHIFT_U64); \
	if (__CORE_RELO(s, field, SIGNED)) \
		(whole) = ((long long)(whole)) >> __CORE_RELO(s, field, RSHIFT_U64); \
	else \
		(whole) = (whole) >> __CORE_RELO(s, field, RSHIFT_U64); \
	(whole); \
})

/* A bitfield, or any integer field, as a 64-bit number; read by a helper. 0 if that fails. */
#define BPF_CORE_READ_BITFIELD_PROBED(s, field) ({ \
	unsigned long long ___whole = 0; \
	__CORE_BITFIELD_PROBE_READ(&___whole, s, field); \
	___core_bitfield(s, field, ___whole); \
})

/*
 * The same read directly, in programs whose pointer may be followed. The barrier makes the relocated offset part of the
 * pointer, or else each of the loads gets one.
 */
#define BPF_CORE_READ_BITFIELD(s, field) ({ \
	const void *___at = (const void *)(s) + __CORE_RELO(s, field, BYTE_OFFSET); \
	unsigned long long ___whole; \
	barrier_var(___at); \
	switch (__CORE_RELO(s, field, BYTE_SIZE)) { \
	case 1: ___whole = *(const unsigned char *)___at; break; \
	case 2: ___whole = *(const unsigned short *)___at; break; \
	case 4: ___whole = *(const unsigned int *)___at; break; \
	case 8: ___whole = *(const unsigned long long *)___at; break; \
	default: ___whole = 0; break; \
	} \
	___core_bitfield(s, field, ___whole); \
})

/* Writes a bitfield, or any integer field, directly. */
#define BPF_CORE_WRITE_BITFIELD(s, field, new_val) ({ \
	void *___at = (void *)(s) + __CORE_RELO(s, field, BYTE_OFFSET); \
	unsigned int ___size = __CORE_RELO(s, field, BYTE_SIZE); \
	unsigned int ___left = __CORE_RELO(s, field, LSHIFT_U64); \
	unsigned int ___right = __CORE_RELO(s, field, RSHIFT_U64); \
	unsigned long long ___mask, ___whole, ___new = new_val; \
	unsigned int ___low = ___right - ___left; \
	barrier_var(___at); \
	switch (___size) { \
	case 1: ___whole = *(unsigned char *)___at; break; \
	case 2: ___whole = *(unsigned short *)___at; break; \
	case 4: ___whole = *(unsigned int *)___at; break; \
	case 8: ___whole = *(unsigned long long *)___at; break; \
	} \
	___mask = (~0ULL << ___right) >> ___left; \
	___whole = (___whole & ~___mask) | ((___new << ___low) & ___mask); \
	switch (___size) { \
	case 1: *(unsigned char *)___at = ___whole; break; \
	case 2: *(unsigned short *)___at = ___whole; break; \
	case 4: *(unsigned int *)___at = ___whole; break; \
	case 8: *(unsigned long long *)___at = ___whole; break; \
	} \
})

/* --- Building blocks of the reads through several pointers -------------------------------------------------------- */

#define ___concat(a, b) a##b
#define ___apply(fn, n) ___concat(fn, n)
#define ___nth(_, a, b, c, d, e, f, g, h, i, j, N, ...) N

/* The number of arguments, at most ten. */
#define ___narg(...) ___nth(_, ##__VA_ARGS__, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
/* 0 if there are no arguments, otherwise N. */
#define ___empty(...) ___nth(_, ##__VA_ARGS__, N, N, N, N, N, N, N, N, N, N, 0)

/* The last argument. */
#define ___last(...) ___apply(___last, ___narg(__VA_ARGS__))(__VA_ARGS__)
#define ___last1(a) a
#define ___last2(a, ...) ___last1(__VA_ARGS__)
#define ___last3(a, ...) ___last2(__VA_ARGS__)
#define ___last4(a, ...) ___last3(__VA_ARGS__)
#define ___last5(a, ...) ___last4(__VA_ARGS__)
#define ___last6(a, ...) ___last5(__VA_ARGS__)
#define ___last7(a, ...) ___last6(__VA_ARGS__)
#define ___last8(a, ...) ___last7(__VA_ARGS__)
#define ___last9(a, ...) ___last8(__VA_ARGS__)
#define ___last10(a, ...) ___last9(__VA_ARGS__)

/* All but the last of two or more arguments. */
#define ___nolast(...) ___apply(___nolast, ___narg(__VA_ARGS__))(__VA_ARGS__)
#define ___nolast2(a, b) a
#define ___nolast3(a, ...) a, ___nolast2(__VA_ARGS__)
#define ___nolast4(a, ...) a, ___nolast3(__VA_ARGS__)
#define ___nolast5(a, ...) a, ___nolast4(__VA_ARGS__)
#define ___nolast6(a, ...) a, ___nolast5(__VA_ARGS__)
#define ___nolast7(a, ...) a, ___nolast6(__VA_ARGS__)
#define ___nolast8(a, ...) a, ___nolast7(__VA_ARGS__)
#define ___nolast9(a, ...) a, ___nolast8(__VA_ARGS__)
#define ___nolast10(a, ...) a, ___nolast9(__VA_ARGS__)

/* `___arrow(a, b, c)` is `a->b->c`. */
#define ___arrow(...) ___apply(___arrow, ___narg(__VA_ARGS__))(__VA_ARGS__)
#define ___arrow1(a) a
#define ___arrow2(a, b) a->b
#define ___arrow3(a, b, ...) ___arrow2(a->b, __VA_ARGS__)
#define ___arrow4(a, b, ...) ___arrow3(a->b, __VA_ARGS__)
#define ___arrow5(a, b, ...) ___arrow4(a->b, __VA_ARGS__)
#define ___arrow6(a, b, ...) ___arrow5(a->b, __VA_ARGS__)
#define ___arrow7(a, b, ...) ___arrow6(a->b, __VA_ARGS__)
#define ___arrow8(a, b, ...) ___arrow7(a->b, __VA_ARGS__)
#define ___arrow9(a, b, ...) ___arrow8(a->b, __VA_ARGS__)
#define ___arrow10(a, b, ...) ___arrow9(a->b, __VA_ARGS__)

/* The type of `a->b->c`. Without its qualifiers where compilers can leave them out: a variable of it is going to be written. */
#if (defined(__clang__) && __clang_major__ >= 19) || (!defined(__clang__) && __GNUC__ >= 14)
#define ___type(...) __typeof_unqual__(___arrow(__VA_ARGS__))
#else
#define ___type(...) __typeof__(___arrow(__VA_ARGS__))
#endif

/* Reads one field of what `src`, of type `src_type`, points to. */
#define ___read(read_fn, dst, src_type, src, accessor) \
	read_fn((void *)(dst), sizeof(*(dst)), &((src_type)(src))->accessor)

/*
 * Reads `src->a->b->...` step by step: the pointers on the way by `fn_ptr` into `___ptr`, the last field by `fn` into `dst`.
 * A step knows the expression that it has come to as far as C is concerned, `so_far`, but only for its type; the pointer is `at`.
 */
#define ___core_read(fn, fn_ptr, dst, src, ...) \
	const void *___ptr __attribute__((unused)); \
	___apply(___core_read, ___narg(__VA_ARGS__))(fn, fn_ptr, dst, src, src, __VA_ARGS__)
#define ___core_step(fn_ptr, so_far, at, a) ___read(fn_ptr, &___ptr, ___type(so_far), at, a)
#define ___core_read1(fn, fn_ptr, dst, so_far, at, a) ___read(fn, dst, ___type(so_far), at, a);
#define ___core_read2(fn, fn_ptr, dst, so_far, at, a, ...) \
	___core_step(fn_ptr, so_far, at, a); ___core_read1(fn, fn_ptr, dst, so_far->a, ___ptr, __VA_ARGS__)
#define ___core_read3(fn, fn_ptr, dst, so_far, at, a, ...) \
	___core_step(fn_ptr, so_far, at, a); ___core_read2(fn, fn_ptr, dst, so_far->a, ___ptr, __VA_ARGS__)
#define ___core_read4(fn, fn_ptr, dst, so_far, at, a, ...) \
	___core_step(fn_ptr, so_far, at, a); ___core_read3(fn, fn_ptr, dst, so_far->a, ___ptr, __VA_ARGS__)
#define ___core_read5(fn, fn_ptr, dst, so_far, at, a, ...) \
	___core_step(fn_ptr, so_far, at, a); ___core_read4(fn, fn_ptr, dst, so_far->a, ___ptr, __VA_ARGS__)
#define ___core_read6(fn, fn_ptr, dst, so_far, at, a, ...) \
	___core_step(fn_ptr, so_far, at, a); ___core_read5(fn, fn_ptr, dst, so_far->a, ___ptr, __VA_ARGS__)
#define ___core_read7(fn, fn_ptr, dst, so_far, at, a, ...) \
	___core_step(fn_ptr, so_far, at, a); ___core_read6(fn, fn_ptr, dst, so_far->a, ___ptr, __VA_ARGS__)
#define ___core_read8(fn, fn_ptr, dst, so_far, at, a, ...) \
	___core_step(fn_ptr, so_far, at, a); ___core_read7(fn, fn_ptr, dst, so_far->a, ___ptr, __VA_ARGS__)
#define ___core_read9(fn, fn_ptr, dst, so_far, at, a, ...) \
	___core_step(fn_ptr, so_far, at, a); ___core_read8(fn, fn_ptr, dst, so_far->a, ___ptr, __VA_ARGS__)

/* --- Reads through several pointers ------------------------------------------------------------------------------- */

/*
 * `BPF_CORE_READ_INTO(&name, task, mm, exe_file, f_inode)` reads `task->mm->exe_file->f_inode` into a variable, with one helper
 * call and one relocation for each arrow, up to nine. The result is that of the last call, 0 or a negative error.
 *
 * CORE: fields are relocated. PROBE: they are where the program's own types have them, which need not be the kernel's.
 * USER: all memory is user memory. STR: the last field is an array with a string; the result is the string's length.
 */
#define BPF_CORE_READ_INTO(dst, src, a, ...) ({ \
	___core_read(bpf_core_read, bpf_core_read, dst, (src), a, ##__VA_ARGS__) \
})
#define BPF_CORE_READ_USER_INTO(dst, src, a, ...) ({ \
	___core_read(bpf_core_read_user, bpf_core_read_user, dst, (src), a, ##__VA_ARGS__) \
})
#define BPF_CORE_READ_STR_INTO(dst, src, a, ...) ({ \
	___core_read(bpf_core_read_str, bpf_core_read, dst, (src), a, ##__VA_ARGS__) \
})
#define BPF_CORE_READ_USER_STR_INTO(dst, src, a, ...) ({ \
	___core_read(bpf_core_read_user_str, bpf_core_read_user, dst, (src), a, ##__VA_ARGS__) \
})
#define BPF_PROBE_READ_INTO(dst, src, a, ...) ({ \
	___core_read(bpf_probe_read_kernel, bpf_probe_read_kernel, dst, (src), a, ##__VA_ARGS__) \
})
#define BPF_PROBE_READ_USER_INTO(dst, src, a, ...) ({ \
	___core_read(bpf_probe_read_user, bpf_probe_read_user, dst, (src), a, ##__VA_ARGS__) \
})
#define BPF_PROBE_READ_STR_INTO(dst, src, a, ...) ({ \
	___core_read(bpf_probe_read_kernel_str, bpf_probe_read_kernel, dst, (src), a, ##__VA_ARGS__) \
})
#define BPF_PROBE_READ_USER_STR_INTO(dst, src, a, ...) ({ \
	___core_read(bpf_probe_read_user_str, bpf_probe_read_user, dst, (src), a, ##__VA_ARGS__) \
})

/* The same with the field as the result: zero if it cannot be read, as the helpers then leave it. */
#define BPF_CORE_READ(src, a, ...) ({ \
	___type((src), a, ##__VA_ARGS__) __r; \
	BPF_CORE_READ_INTO(&__r, (src), a, ##__VA_ARGS__); \
	__r; \
})
#define BPF_CORE_READ_USER(src, a, ...) ({ \
	___type((src), a, ##__VA_ARGS__) __r; \
	BPF_CORE_READ_USER_INTO(&__r, (src), a, ##__VA_ARGS__); \
	__r; \
})
#define BPF_PROBE_READ(src, a, ...) ({ \
	___type((src), a, ##__VA_ARGS__) __r; \
	BPF_PROBE_READ_INTO(&__r, (src), a, ##__VA_ARGS__); \
	__r; \
})
#define BPF_PROBE_READ_USER(src, a, ...) ({ \
	___type((src), a, ##__VA_ARGS__) __r; \
	BPF_PROBE_READ_USER_INTO(&__r, (src), a, ##__VA_ARGS__); \
	__r; \
})

#endif
