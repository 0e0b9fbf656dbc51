/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/*
 * The arguments of traced functions: registers, whatever the machine calls them, and definitions of programs that take the
 * arguments as a C function does.
 *
 * Registers are those of the machine that the program will run on: define __TARGET_ARCH_x86, _arm64, _riscv, _s390, _arm,
 * _powerpc, _mips, _sparc, _arc or _loongarch.
 */
#ifndef __BPF_TRACING_H__
#define __BPF_TRACING_H__

#include "bpf_helpers.h"

/* --- The machine -------------------------------------------------------------------------------------------------- */

#if defined(__TARGET_ARCH_x86)
#define bpf_target_x86
#elif defined(__TARGET_ARCH_s390)
#define bpf_target_s390
#elif defined(__TARGET_ARCH_arm)
#define bpf_target_arm
#elif defined(__TARGET_ARCH_arm64)
#define bpf_target_arm64
#elif defined(__TARGET_ARCH_mips)
#define bpf_target_mips
#elif defined(__TARGET_ARCH_powerpc)
#define bpf_target_powerpc
#elif defined(__TARGET_ARCH_sparc)
#define bpf_target_sparc
#elif defined(__TARGET_ARCH_riscv)
#define bpf_target_riscv
#elif defined(__TARGET_ARCH_arc)
#define bpf_target_arc
#elif defined(__TARGET_ARCH_loongarch)
#define bpf_target_loongarch
/* Not named: that of the compiler, if it compiles for a machine and not for BPF. */
#elif defined(__x86_64__) || defined(__i386__)
#define bpf_target_x86
#elif defined(__s390__)
#define bpf_target_s390
#elif defined(__arm__)
#define bpf_target_arm
#elif defined(__aarch64__)
#define bpf_target_arm64
#elif defined(__mips__)
#define bpf_target_mips
#elif defined(__powerpc__)
#define bpf_target_powerpc
#elif defined(__sparc__)
#define bpf_target_sparc
#elif defined(__riscv) && __riscv_xlen == 64
#define bpf_target_riscv
#elif defined(__arc__)
#define bpf_target_arc
#elif defined(__loongarch__)
#define bpf_target_loongarch
#else
#define ___bpf_target_unknown
#endif

#ifndef ___bpf_target_unknown
#define bpf_target_defined
#endif

/* What using a register does if the machine is not known; for _Pragma. */
#ifndef __BPF_TARGET_MISSING
#define __BPF_TARGET_MISSING "GCC error \"whose registers? define __TARGET_ARCH_x86 (_arm64, _riscv, ...)\""
#endif

/* --- Registers, machine by machine -------------------------------------------------------------------------------- */

/*
 * Fields of struct pt_regs: __PT_PARMn_REG has the n-th argument of a function, __PT_PARMn_SYSCALL_REG that of a system call,
 * __PT_RC_REG the result; __PT_RET_REG the address to return to, or where the stack has it.
 */

#if defined(bpf_target_x86)

#if defined(__i386__) && (defined(__KERNEL__) || defined(__VMLINUX_H__))

/* The kernel passes three arguments in registers. */
#define __PT_PARM1_REG ax
#define __PT_PARM2_REG dx
#define __PT_PARM3_REG cx
#define __PT_PARM1_SYSCALL_REG bx
#define __PT_PARM2_SYSCALL_REG cx
#define __PT_PARM3_SYSCALL_REG dx
#define __PT_PARM4_SYSCALL_REG si
#define __PT_PARM5_SYSCALL_REG di
#define __PT_PARM6_SYSCALL_REG bp
#define __PT_RET_REG sp
#define __PT_FP_REG bp
#define __PT_RC_REG ax
#define __PT_SP_REG sp
#define __PT_IP_REG ip

#elif defined(__i386__)

#define __PT_PARM1_REG eax
#define __PT_PARM2_REG edx
#define __PT_PARM3_REG ecx
#define __PT_PARM1_SYSCALL_REG ebx
#define __PT_PARM2_SYSCALL_REG ecx
#define __PT_PARM3_SYSCALL_REG edx
#define __PT_PARM4_SYSCALL_REG esi
#define __PT_PARM5_SYSCALL_REG edi
#define __PT_PARM6_SYSCALL_REG ebp
#define __PT_RET_REG esp
#define __PT_FP_REG ebp
#define __PT_RC_REG eax
#define __PT_SP_REG esp
#define __PT_IP_REG eip

#elif defined(__KERNEL__) || defined(__VMLINUX_H__)

#define __PT_PARM1_REG di
#define __PT_PARM2_REG si
#define __PT_PARM3_REG dx
#define __PT_PARM4_REG cx
#define __PT_PARM5_REG r8
#define __PT_PARM6_REG r9
/* The instruction syscall overwrites rcx. */
#define __PT_PARM4_SYSCALL_REG r10
#define __PT_RET_REG sp
#define __PT_FP_REG bp
#define __PT_RC_REG ax
#define __PT_SP_REG sp
#define __PT_IP_REG ip

#else

/* The same registers, as headers for user space spell them. */
#define __PT_PARM1_REG rdi
#define __PT_PARM2_REG rsi
#define __PT_PARM3_REG rdx
#define __PT_PARM4_REG rcx
#define __PT_PARM5_REG r8
#define __PT_PARM6_REG r9
#define __PT_PARM4_SYSCALL_REG r10
#define __PT_RET_REG rsp
#define __PT_FP_REG rbp
#define __PT_RC_REG rax
#define __PT_SP_REG rsp
#define __PT_IP_REG rip

#endif

#elif defined(bpf_target_arm64)

/* User space knows the first fields alone, as another structure; in the kernel's, they are at the same offsets. */
#define __PT_REGS_CAST(x) ((const struct user_pt_regs *)(x))
#define __PT_PARM1_REG regs[0]
#define __PT_PARM2_REG regs[1]
#define __PT_PARM3_REG regs[2]
#define __PT_PARM4_REG regs[3]
#define __PT_PARM5_REG regs[4]
#define __PT_PARM6_REG regs[5]
#define __PT_PARM7_REG regs[6]
#define __PT_PARM8_REG regs[7]
/* A system call's result overwrites its first argument, of which the kernel keeps a copy. */
struct pt_regs___arm64 {
	unsigned long orig_x0;
} __attribute__((preserve_access_index));
#define __PT_PARM1_SYSCALL_CAST(x) ((const struct pt_regs___arm64 *)(x))
#define __PT_PARM1_SYSCALL_REG orig_x0
#define __PT_PARM7_SYSCALL_REG __unsupported__
#define __PT_RET_REG regs[30]
#define __PT_FP_REG regs[29]
#define __PT_RC_REG regs[0]
#define __PT_SP_REG sp
#define __PT_IP_REG pc

#elif defined(bpf_target_riscv)

#define __PT_REGS_CAST(x) ((const struct user_regs_struct *)(x))
#define __PT_PARM1_REG a0
#define __PT_PARM2_REG a1
#define __PT_PARM3_REG a2
#define __PT_PARM4_REG a3
#define __PT_PARM5_REG a4
#define __PT_PARM6_REG a5
#define __PT_PARM7_REG a6
#define __PT_PARM8_REG a7
struct pt_regs___riscv {
	unsigned long orig_a0;
} __attribute__((preserve_access_index));
#define __PT_PARM1_SYSCALL_CAST(x) ((const struct pt_regs___riscv *)(x))
#define __PT_PARM1_SYSCALL_REG orig_a0
#define __PT_PARM7_SYSCALL_REG __unsupported__
#define __PT_RET_REG ra
#define __PT_FP_REG s0
#define __PT_RC_REG a0
#define __PT_SP_REG sp
#define __PT_IP_REG pc

#elif defined(bpf_target_s390)

#define __PT_REGS_CAST(x) ((const user_pt_regs *)(x))
#define __PT_PARM1_REG gprs[2]
#define __PT_PARM2_REG gprs[3]
#define __PT_PARM3_REG gprs[4]
#define __PT_PARM4_REG gprs[5]
#define __PT_PARM5_REG gprs[6]
struct pt_regs___s390 {
	unsigned long orig_gpr2;
} __attribute__((preserve_access_index));
#define __PT_PARM1_SYSCALL_CAST(x) ((const struct pt_regs___s390 *)(x))
#define __PT_PARM1_SYSCALL_REG orig_gpr2
#define __PT_PARM6_SYSCALL_REG gprs[7]
#define __PT_RET_REG gprs[14]
#define __PT_FP_REG gprs[11]
#define __PT_RC_REG gprs[2]
#define __PT_SP_REG gprs[15]
#define __PT_IP_REG psw.addr

#elif defined(bpf_target_arm)

#define __PT_PARM1_REG uregs[0]
#define __PT_PARM2_REG uregs[1]
#define __PT_PARM3_REG uregs[2]
#define __PT_PARM4_REG uregs[3]
#define __PT_PARM5_SYSCALL_REG uregs[4]
#define __PT_PARM6_SYSCALL_REG uregs[5]
#define __PT_PARM7_SYSCALL_REG uregs[6]
#define __PT_RET_REG uregs[14]
#define __PT_FP_REG uregs[11]
#define __PT_RC_REG uregs[0]
#define __PT_SP_REG uregs[13]
#define __PT_IP_REG uregs[15]

#elif defined(bpf_target_powerpc)

#define __PT_PARM1_REG gpr[3]
#define __PT_PARM2_REG gpr[4]
#define __PT_PARM3_REG gpr[5]
#define __PT_PARM4_REG gpr[6]
#define __PT_PARM5_REG gpr[7]
#define __PT_PARM6_REG gpr[8]
#define __PT_PARM7_REG gpr[9]
#define __PT_PARM8_REG gpr[10]
#define PT_REGS_SYSCALL_REGS(ctx) ctx
#define __PT_PARM1_SYSCALL_REG orig_gpr3
#define __PT_RET_REG link
#define __PT_FP_REG __unsupported__
#define __PT_RC_REG gpr[3]
#define __PT_SP_REG gpr[1]
#define __PT_IP_REG nip

#elif defined(bpf_target_mips)

#define __PT_PARM1_REG regs[4]
#define __PT_PARM2_REG regs[5]
#define __PT_PARM3_REG regs[6]
#define __PT_PARM4_REG regs[7]
#define __PT_PARM5_REG regs[8]
#define __PT_PARM6_REG regs[9]
#define __PT_PARM7_REG regs[10]
#define __PT_PARM8_REG regs[11]
#define __PT_PARM7_SYSCALL_REG __unsupported__
#define __PT_RET_REG regs[31]
#define __PT_FP_REG regs[30]
#define __PT_RC_REG regs[2]
#define __PT_SP_REG regs[29]
#define __PT_IP_REG cp0_epc

#elif defined(bpf_target_sparc)

#define __PT_PARM1_REG u_regs[UREG_I0]
#define __PT_PARM2_REG u_regs[UREG_I1]
#define __PT_PARM3_REG u_regs[UREG_I2]
#define __PT_PARM4_REG u_regs[UREG_I3]
#define __PT_PARM5_REG u_regs[UREG_I4]
#define __PT_PARM6_REG u_regs[UREG_I5]
#define __PT_RET_REG u_regs[UREG_I7]
#define __PT_FP_REG __unsupported__
#define __PT_RC_REG u_regs[UREG_I0]
#define __PT_SP_REG u_regs[UREG_FP]
#ifdef __arch64__
#define __PT_IP_REG tpc
#else
#define __PT_IP_REG pc
#endif

#elif defined(bpf_target_arc)

#define __PT_REGS_CAST(x) ((const struct user_regs_struct *)(x))
#define __PT_PARM1_REG scratch.r0
#define __PT_PARM2_REG scratch.r1
#define __PT_PARM3_REG scratch.r2
#define __PT_PARM4_REG scratch.r3
#define __PT_PARM5_REG scratch.r4
#define __PT_PARM6_REG scratch.r5
#define __PT_PARM7_REG scratch.r6
#define __PT_PARM8_REG scratch.r7
#define PT_REGS_SYSCALL_REGS(ctx) ctx
#define __PT_PARM7_SYSCALL_REG __unsupported__
#define __PT_RET_REG scratch.blink
#define __PT_FP_REG scratch.fp
#define __PT_RC_REG scratch.r0
#define __PT_SP_REG scratch.sp
#define __PT_IP_REG scratch.ret

#elif defined(bpf_target_loongarch)

#define __PT_REGS_CAST(x) ((const struct user_pt_regs *)(x))
#define __PT_PARM1_REG regs[4]
#define __PT_PARM2_REG regs[5]
#define __PT_PARM3_REG regs[6]
#define __PT_PARM4_REG regs[7]
#define __PT_PARM5_REG regs[8]
#define __PT_PARM6_REG regs[9]
#define __PT_PARM7_REG regs[10]
#define __PT_PARM8_REG regs[11]
#define PT_REGS_SYSCALL_REGS(ctx) ctx
#define __PT_PARM7_SYSCALL_REG __unsupported__
#define __PT_RET_REG regs[1]
#define __PT_FP_REG regs[22]
#define __PT_RC_REG regs[4]
#define __PT_SP_REG regs[3]
#define __PT_IP_REG csr_era

#endif

/* --- What most machines have in common ---------------------------------------------------------------------------- */

struct pt_regs;

#ifndef __PT_REGS_CAST
#define __PT_REGS_CAST(x) (x)
#endif
#ifndef __PT_PARM1_SYSCALL_CAST
#define __PT_PARM1_SYSCALL_CAST(x) __PT_REGS_CAST(x)
#endif

/* Arguments that are not in registers: an error that says so. */
#ifndef __PT_PARM4_REG
#define __PT_PARM4_REG __unsupported__
#endif
#ifndef __PT_PARM5_REG
#define __PT_PARM5_REG __unsupported__
#endif
#ifndef __PT_PARM6_REG
#define __PT_PARM6_REG __unsupported__
#endif
#ifndef __PT_PARM7_REG
#define __PT_PARM7_REG __unsupported__
#endif
#ifndef __PT_PARM8_REG
#define __PT_PARM8_REG __unsupported__
#endif

/* System calls get their arguments as functions do. */
#ifndef __PT_PARM1_SYSCALL_REG
#define __PT_PARM1_SYSCALL_REG __PT_PARM1_REG
#endif
#ifndef __PT_PARM2_SYSCALL_REG
#define __PT_PARM2_SYSCALL_REG __PT_PARM2_REG
#endif
#ifndef __PT_PARM3_SYSCALL_REG
#define __PT_PARM3_SYSCALL_REG __PT_PARM3_REG
#endif
#ifndef __PT_PARM4_SYSCALL_REG
#define __PT_PARM4_SYSCALL_REG __PT_PARM4_REG
#endif
#ifndef __PT_PARM5_SYSCALL_REG
#define __PT_PARM5_SYSCALL_REG __PT_PARM5_REG
#endif
#ifndef __PT_PARM6_SYSCALL_REG
#define __PT_PARM6_SYSCALL_REG __PT_PARM6_REG
#endif
#ifndef __PT_PARM7_SYSCALL_REG
#define __PT_PARM7_SYSCALL_REG __PT_PARM7_REG
#endif

/* --- Registers by their use --------------------------------------------------------------------------------------- */

/* A field of the registers, directly, or by a helper wherever the kernel keeps it (for which include bpf_core_read.h). */
#ifdef bpf_target_defined
#define ___bpf_reg(regs, field) (regs->field)
#define ___bpf_reg_core(regs, field) BPF_CORE_READ(regs, field)
#else
#define ___bpf_reg(regs, field) ({ _Pragma(__BPF_TARGET_MISSING) 0l; })
#define ___bpf_reg_core(regs, field) ({ _Pragma(__BPF_TARGET_MISSING) 0l; })
#endif

/* For programs whose context is struct pt_regs: arguments, address to return to, frame, result, stack, instruction. */
#define PT_REGS_PARM1(x) ___bpf_reg(__PT_REGS_CAST(x), __PT_PARM1_REG)
#define PT_REGS_PARM2(x) ___bpf_reg(__PT_REGS_CAST(x), __PT_PARM2_REG)
#define PT_REGS_PARM3(x) ___bpf_reg(__PT_REGS_CAST(x), __PT_PARM3_REG)
#define PT_REGS_PARM4(x) ___bpf_reg(__PT_REGS_CAST(x), __PT_PARM4_REG)
#define PT_REGS_PARM5(x) ___bpf_reg(__PT_REGS_CAST(x), __PT_PARM5_REG)
#define PT_REGS_PARM6(x) ___bpf_reg(__PT_REGS_CAST(x), __PT_PARM6_REG)
#define PT_REGS_PARM7(x) ___bpf_reg(__PT_REGS_CAST(x), __PT_PARM7_REG)
#define PT_REGS_PARM8(x) ___bpf_reg(__PT_REGS_CAST(x), __PT_PARM8_REG)
#define PT_REGS_RET(x) ___bpf_reg(__PT_REGS_CAST(x), __PT_RET_REG)
#define PT_REGS_FP(x) ___bpf_reg(__PT_REGS_CAST(x), __PT_FP_REG)
#define PT_REGS_RC(x) ___bpf_reg(__PT_REGS_CAST(x), __PT_RC_REG)
#define PT_REGS_SP(x) ___bpf_reg(__PT_REGS_CAST(x), __PT_SP_REG)
#define PT_REGS_IP(x) ___bpf_reg(__PT_REGS_CAST(x), __PT_IP_REG)

/* For pointers to struct pt_regs. */
#define PT_REGS_PARM1_CORE(x) ___bpf_reg_core(__PT_REGS_CAST(x), __PT_PARM1_REG)
#define PT_REGS_PARM2_CORE(x) ___bpf_reg_core(__PT_REGS_CAST(x), __PT_PARM2_REG)
#define PT_REGS_PARM3_CORE(x) ___bpf_reg_core(__PT_REGS_CAST(x), __PT_PARM3_REG)
#define PT_REGS_PARM4_CORE(x) ___bpf_reg_core(__PT_REGS_CAST(x), __PT_PARM4_REG)
#define PT_REGS_PARM5_CORE(x) ___bpf_reg_core(__PT_REGS_CAST(x), __PT_PARM5_REG)
#define PT_REGS_PARM6_CORE(x) ___bpf_reg_core(__PT_REGS_CAST(x), __PT_PARM6_REG)
#define PT_REGS_PARM7_CORE(x) ___bpf_reg_core(__PT_REGS_CAST(x), __PT_PARM7_REG)
#define PT_REGS_PARM8_CORE(x) ___bpf_reg_core(__PT_REGS_CAST(x), __PT_PARM8_REG)
#define PT_REGS_RET_CORE(x) ___bpf_reg_core(__PT_REGS_CAST(x), __PT_RET_REG)
#define PT_REGS_FP_CORE(x) ___bpf_reg_core(__PT_REGS_CAST(x), __PT_FP_REG)
#define PT_REGS_RC_CORE(x) ___bpf_reg_core(__PT_REGS_CAST(x), __PT_RC_REG)
#define PT_REGS_SP_CORE(x) ___bpf_reg_core(__PT_REGS_CAST(x), __PT_SP_REG)
#define PT_REGS_IP_CORE(x) ___bpf_reg_core(__PT_REGS_CAST(x), __PT_IP_REG)

/*
 * The registers of a system call, in a program that probes the function that serves it, such as __x64_sys_openat: most machines
 * pass that function a pointer to them.
 */
#ifndef PT_REGS_SYSCALL_REGS
#define PT_REGS_SYSCALL_REGS(ctx) ((struct pt_regs *)PT_REGS_PARM1(ctx))
#endif

/* The arguments of a system call. */
#define PT_REGS_PARM1_SYSCALL(x) ___bpf_reg(__PT_PARM1_SYSCALL_CAST(x), __PT_PARM1_SYSCALL_REG)
#define PT_REGS_PARM2_SYSCALL(x) ___bpf_reg(__PT_REGS_CAST(x), __PT_PARM2_SYSCALL_REG)
#define PT_REGS_PARM3_SYSCALL(x) ___bpf_reg(__PT_REGS_CAST(x), __PT_PARM3_SYSCALL_REG)
#define PT_REGS_PARM4_SYSCALL(x) ___bpf_reg(__PT_REGS_CAST(x), __PT_PARM4_SYSCALL_REG)
#define PT_REGS_PARM5_SYSCALL(x) ___bpf_reg(__PT_REGS_CAST(x), __PT_PARM5_SYSCALL_REG)
#define PT_REGS_PARM6_SYSCALL(x) ___bpf_reg(__PT_REGS_CAST(x), __PT_PARM6_SYSCALL_REG)
#define PT_REGS_PARM7_SYSCALL(x) ___bpf_reg(__PT_REGS_CAST(x), __PT_PARM7_SYSCALL_REG)

#define PT_REGS_PARM1_CORE_SYSCALL(x) ___bpf_reg_core(__PT_PARM1_SYSCALL_CAST(x), __PT_PARM1_SYSCALL_REG)
#define PT_REGS_PARM2_CORE_SYSCALL(x) ___bpf_reg_core(__PT_REGS_CAST(x), __PT_PARM2_SYSCALL_REG)
#define PT_REGS_PARM3_CORE_SYSCALL(x) ___bpf_reg_core(__PT_REGS_CAST(x), __PT_PARM3_SYSCALL_REG)
#define PT_REGS_PARM4_CORE_SYSCALL(x) ___bpf_reg_core(__PT_REGS_CAST(x), __PT_PARM4_SYSCALL_REG)
#define PT_REGS_PARM5_CORE_SYSCALL(x) ___bpf_reg_core(__PT_REGS_CAST(x), __PT_PARM5_SYSCALL_REG)
#define PT_REGS_PARM6_CORE_SYSCALL(x) ___bpf_reg_core(__PT_REGS_CAST(x), __PT_PARM6_SYSCALL_REG)
#define PT_REGS_PARM7_CORE_SYSCALL(x) ___bpf_reg_core(__PT_REGS_CAST(x), __PT_PARM7_SYSCALL_REG)

/*
 * Stores in `ip` the address that the probed function returns to, at its start or at its return. x86 keeps it on the stack,
 * the others in a register.
 */
#ifdef bpf_target_x86
#define BPF_KPROBE_READ_RET_IP(ip, ctx) \
	({ bpf_probe_read_kernel(&(ip), sizeof(ip), (void *)PT_REGS_RET(ctx)); })
#define BPF_KRETPROBE_READ_RET_IP(ip, ctx) \
	({ bpf_probe_read_kernel(&(ip), sizeof(ip), (void *)(PT_REGS_FP(ctx) + sizeof(ip))); })
#else
#define BPF_KPROBE_READ_RET_IP(ip, ctx) ({ (ip) = PT_REGS_RET(ctx); })
#define BPF_KRETPROBE_READ_RET_IP(ip, ctx) BPF_KPROBE_READ_RET_IP(ip, ctx)
#endif

/* --- Programs with arguments -------------------------------------------------------------------------------------- */

/*
 * Defines a program whose context is a pointer to `type`, which calls the function whose body follows, with the context as
 * `ctx` and the arguments `args`. Their `values`, in parentheses, are 64-bit numbers, which become pointers without a cast.
 */
#define ___bpf_program(name, type, values, args...) \
name(type *ctx); \
static __always_inline __typeof__(name(0)) ____##name(type *ctx, ##args); \
__typeof__(name(0)) name(type *ctx) \
{ \
	_Pragma("GCC diagnostic push") \
	_Pragma("GCC diagnostic ignored \"-Wint-conversion\"") \
	return ____##name values; \
	_Pragma("GCC diagnostic pop") \
} \
static __always_inline __typeof__(name(0)) ____##name(type *ctx __attribute__((unused)), ##args)

/*
 * `int BPF_PROG(name, struct task_struct *task, int code) { ... }` is a program whose context is an array of 64-bit numbers:
 * tp_btf, fentry, fexit, fmod_ret, lsm, struct_ops and others. Up to twelve arguments.
 */
#define BPF_PROG(name, args...) ___bpf_program(name, unsigned long long, (___bpf_ctx_cast(args)), ##args)
#define ___bpf_ctx_cast(args...) \
	ctx ___bpf_take(args)(ctx[0], ctx[1], ctx[2], ctx[3], ctx[4], ctx[5], ctx[6], ctx[7], ctx[8], ctx[9], \
			      ctx[10], ctx[11])

/*
 * `int BPF_KPROBE(name, int dfd, const char *path) { ... }` is a program at the start of a function, up to eight arguments of
 * which are in registers.
 */
#define BPF_KPROBE(name, args...) ___bpf_program(name, struct pt_regs, (___bpf_kprobe_args(args)), ##args)
#define ___bpf_kprobe_args(args...) \
	ctx ___bpf_take(args)((unsigned long long)PT_REGS_PARM1(ctx), (unsigned long long)PT_REGS_PARM2(ctx), \
			      (unsigned long long)PT_REGS_PARM3(ctx), (unsigned long long)PT_REGS_PARM4(ctx), \
			      (unsigned long long)PT_REGS_PARM5(ctx), (unsigned long long)PT_REGS_PARM6(ctx), \
			      (unsigned long long)PT_REGS_PARM7(ctx), (unsigned long long)PT_REGS_PARM8(ctx))

/* A program at the return of a function: its result, or nothing, is the argument. Those of the function are gone. */
#define BPF_KRETPROBE(name, args...) ___bpf_program(name, struct pt_regs, (___bpf_kretprobe_args(args)), ##args)
#define ___bpf_kretprobe_args(args...) ctx ___bpf_take(args)((unsigned long long)PT_REGS_RC(ctx))

/* The same of functions of user space. */
#define BPF_UPROBE(name, args...) BPF_KPROBE(name, ##args)
#define BPF_URETPROBE(name, args...) BPF_KRETPROBE(name, ##args)

/*
 * `int BPF_KSYSCALL(name, int dfd, const char *path) { ... }` is a program at the function that serves a system call, up to seven
 * arguments of which are in registers: those of the probe, or, if that function is called by a wrapper, those that it gets a
 * pointer to. The loader finds out which. Old ways to call mmap, clone and those of sockets differ, and so do those of 32-bit
 * processes on a 64-bit kernel: programs have to care for them.
 */
#define BPF_KSYSCALL(name, args...) \
name(struct pt_regs *ctx); \
extern _Bool LINUX_HAS_SYSCALL_WRAPPER __kconfig; \
static __always_inline __typeof__(name(0)) ____##name(struct pt_regs *ctx, ##args); \
__typeof__(name(0)) name(struct pt_regs *ctx) \
{ \
	struct pt_regs *regs __attribute__((unused)) = \
		LINUX_HAS_SYSCALL_WRAPPER ? (struct pt_regs *)PT_REGS_PARM1(ctx) : ctx; \
	_Pragma("GCC diagnostic push") \
	_Pragma("GCC diagnostic ignored \"-Wint-conversion\"") \
	if (LINUX_HAS_SYSCALL_WRAPPER) \
		return ____##name(___bpf_syswrap_args(args)); \
	else \
		return ____##name(___bpf_syscall_args(args)); \
	_Pragma("GCC diagnostic pop") \
} \
static __always_inline __typeof__(name(0)) ____##name(struct pt_regs *ctx __attribute__((unused)), ##args)
#define BPF_KPROBE_SYSCALL BPF_KSYSCALL

#define ___bpf_syscall_args(args...) \
	ctx ___bpf_take(args)((unsigned long long)PT_REGS_PARM1_SYSCALL(regs), \
			      (unsigned long long)PT_REGS_PARM2_SYSCALL(regs), \
			      (unsigned long long)PT_REGS_PARM3_SYSCALL(regs), \
			      (unsigned long long)PT_REGS_PARM4_SYSCALL(regs), \
			      (unsigned long long)PT_REGS_PARM5_SYSCALL(regs), \
			      (unsigned long long)PT_REGS_PARM6_SYSCALL(regs), \
			      (unsigned long long)PT_REGS_PARM7_SYSCALL(regs))
#define ___bpf_syswrap_args(args...) \
	ctx ___bpf_take(args)((unsigned long long)PT_REGS_PARM1_CORE_SYSCALL(regs), \
			      (unsigned long long)PT_REGS_PARM2_CORE_SYSCALL(regs), \
			      (unsigned long long)PT_REGS_PARM3_CORE_SYSCALL(regs), \
			      (unsigned long long)PT_REGS_PARM4_CORE_SYSCALL(regs), \
			      (unsigned long long)PT_REGS_PARM5_CORE_SYSCALL(regs), \
			      (unsigned long long)PT_REGS_PARM6_CORE_SYSCALL(regs), \
			      (unsigned long long)PT_REGS_PARM7_CORE_SYSCALL(regs))

/* --- Programs with structures as arguments ------------------------------------------------------------------------ */

/*
 * `int BPF_PROG2(name, struct pair, pair, int, code) { ... }` is BPF_PROG for functions that take structures by value: types and
 * names are arguments of their own, because a structure of 16 bytes takes two numbers of the context. Up to twelve arguments.
 */
#define BPF_PROG2(name, args...) \
name(unsigned long long *ctx); \
static __always_inline __typeof__(name(0)) ____##name(unsigned long long *ctx ___bpf_ctx_decl(args)); \
__typeof__(name(0)) name(unsigned long long *ctx) \
{ \
	return ____##name(ctx ___bpf_ctx_arg(args)); \
} \
static __always_inline __typeof__(name(0)) \
____##name(unsigned long long *ctx __attribute__((unused)) ___bpf_ctx_decl(args))

/* The number of pairs of arguments, at most twelve. */
#define ___bpf_nth2(_, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, N, ...) N
#define ___bpf_narg2(...) \
	___bpf_nth2(_, ##__VA_ARGS__, 12, 12, 11, 11, 10, 10, 9, 9, 8, 8, 7, 7, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0)

/* The parameters, with a comma before each. */
#define ___bpf_ctx_decl(args...) ___bpf_apply(___bpf_ctx_decl, ___bpf_narg2(args))(args)
#define ___bpf_ctx_decl0()
#define ___bpf_ctx_decl1(t, x) , t x
#define ___bpf_ctx_decl2(t, x, args...) , t x ___bpf_ctx_decl1(args)
#define ___bpf_ctx_decl3(t, x, args...) , t x ___bpf_ctx_decl2(args)
#define ___bpf_ctx_decl4(t, x, args...) , t x ___bpf_ctx_decl3(args)
#define ___bpf_ctx_decl5(t, x, args...) , t x ___bpf_ctx_decl4(args)
#define ___bpf_ctx_decl6(t, x, args...) , t x ___bpf_ctx_decl5(args)
#define ___bpf_ctx_decl7(t, x, args...) , t x ___bpf_ctx_decl6(args)
#define ___bpf_ctx_decl8(t, x, args...) , t x ___bpf_ctx_decl7(args)
#define ___bpf_ctx_decl9(t, x, args...) , t x ___bpf_ctx_decl8(args)
#define ___bpf_ctx_decl10(t, x, args...) , t x ___bpf_ctx_decl9(args)
#define ___bpf_ctx_decl11(t, x, args...) , t x ___bpf_ctx_decl10(args)
#define ___bpf_ctx_decl12(t, x, args...) , t x ___bpf_ctx_decl11(args)

/* The number of the context's numbers that an argument takes: one or two, others do not exist. */
#define ___bpf_treg_cnt(t) \
	__builtin_choose_expr(sizeof(t) == 1 || sizeof(t) == 2 || sizeof(t) == 4 || sizeof(t) == 8, 1, \
	__builtin_choose_expr(sizeof(t) == 16, 2, (void)0))

/* The low bytes of a number, as many as the type has. */
#define ___bpf_low(t, number) \
	__builtin_choose_expr(sizeof(t) == 1, (__u8)(number), \
	__builtin_choose_expr(sizeof(t) == 2, (__u16)(number), \
	__builtin_choose_expr(sizeof(t) == 4, (__u32)(number), (__u64)(number))))

/* The argument of type `t` that starts at a number of the context. */
#define ___bpf_union_arg(t, x, n) \
	__builtin_choose_expr(sizeof(t) == 16, \
		({ union { __u64 z[2]; t x; } ___t = { .z = { ctx[n], ctx[(n) + 1] } }; ___t.x; }), \
		({ union { __typeof__(___bpf_low(t, 0)) z[1]; t x; } ___t = { .z = { ___bpf_low(t, ctx[n]) } }; ___t.x; }))

/* The arguments, with a comma before each; `n` is the number of the context's numbers before them. */
#define ___bpf_ctx_arg(args...) ___bpf_apply(___bpf_ctx_arg, ___bpf_narg2(args))(0, ##args)
#define ___bpf_ctx_arg0(n, ...)
#define ___bpf_ctx_arg1(n, t, x) , ___bpf_union_arg(t, x, n)
#define ___bpf_ctx_arg2(n, t, x, args...) ___bpf_ctx_arg1(n, t, x) ___bpf_ctx_arg1(n + ___bpf_treg_cnt(t), args)
#define ___bpf_ctx_arg3(n, t, x, args...) ___bpf_ctx_arg1(n, t, x) ___bpf_ctx_arg2(n + ___bpf_treg_cnt(t), args)
#define ___bpf_ctx_arg4(n, t, x, args...) ___bpf_ctx_arg1(n, t, x) ___bpf_ctx_arg3(n + ___bpf_treg_cnt(t), args)
#define ___bpf_ctx_arg5(n, t, x, args...) ___bpf_ctx_arg1(n, t, x) ___bpf_ctx_arg4(n + ___bpf_treg_cnt(t), args)
#define ___bpf_ctx_arg6(n, t, x, args...) ___bpf_ctx_arg1(n, t, x) ___bpf_ctx_arg5(n + ___bpf_treg_cnt(t), args)
#define ___bpf_ctx_arg7(n, t, x, args...) ___bpf_ctx_arg1(n, t, x) ___bpf_ctx_arg6(n + ___bpf_treg_cnt(t), args)
#define ___bpf_ctx_arg8(n, t, x, args...) ___bpf_ctx_arg1(n, t, x) ___bpf_ctx_arg7(n + ___bpf_treg_cnt(t), args)
#define ___bpf_ctx_arg9(n, t, x, args...) ___bpf_ctx_arg1(n, t, x) ___bpf_ctx_arg8(n + ___bpf_treg_cnt(t), args)
#define ___bpf_ctx_arg10(n, t, x, args...) ___bpf_ctx_arg1(n, t, x) ___bpf_ctx_arg9(n + ___bpf_treg_cnt(t), args)
#define ___bpf_ctx_arg11(n, t, x, args...) ___bpf_ctx_arg1(n, t, x) ___bpf_ctx_arg10(n + ___bpf_treg_cnt(t), args)
#define ___bpf_ctx_arg12(n, t, x, args...) ___bpf_ctx_arg1(n, t, x) ___bpf_ctx_arg11(n + ___bpf_treg_cnt(t), args)

#endif
