// The kernel's types that the sources here need, as vmlinux.h has them.
#ifdef VMLINUX
#define __VMLINUX_H__
typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef _Bool bool;
#endif

enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PROG_ARRAY = 3,
	BPF_MAP_TYPE_ARENA = 33,
};

struct bpf_iter_num {
	unsigned long long opaque;
};

// The registers of each machine, where its kernel keeps them.
#if defined(__i386__) && defined(VMLINUX)
struct pt_regs {
	unsigned long bx, cx, dx, si, di, bp, ax, ds, es, fs, gs, orig_ax, ip, cs, flags, sp, ss;
};
#elif defined(__i386__)
struct pt_regs {
	unsigned long ebx, ecx, edx, esi, edi, ebp, eax, xds, xes, xfs, xgs, orig_eax, eip, xcs, eflags, esp, xss;
};
#elif defined(__TARGET_ARCH_x86) && defined(VMLINUX)
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss;
};
#elif defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi, orig_rax, rip, cs, eflags, rsp,
		ss;
};
#elif defined(__TARGET_ARCH_arm64)
struct user_pt_regs {
	unsigned long long regs[31], sp, pc, pstate;
};
#elif defined(__TARGET_ARCH_riscv)
struct user_regs_struct {
	unsigned long pc, ra, sp, gp, tp, t0, t1, t2, s0, s1, a0, a1, a2, a3, a4, a5, a6, a7;
};
#elif defined(__TARGET_ARCH_s390)
typedef struct {
	unsigned long args[1];
	struct {
		unsigned long mask, addr;
	} psw;
	unsigned long gprs[16];
} user_pt_regs;
#elif defined(__TARGET_ARCH_loongarch)
struct user_pt_regs {
	unsigned long regs[32], orig_a0, csr_era;
};
#elif defined(__TARGET_ARCH_powerpc)
struct pt_regs {
	unsigned long gpr[32], nip, msr, orig_gpr3, ctr, link;
};
#elif defined(__TARGET_ARCH_mips)
struct pt_regs {
	unsigned long regs[32], cp0_status, hi, lo, cp0_badvaddr, cp0_cause, cp0_epc;
};
#elif defined(__TARGET_ARCH_arm)
struct pt_regs {
	unsigned long uregs[18];
};
#elif defined(__TARGET_ARCH_arc)
struct user_regs_struct {
	unsigned long pad;
	struct {
		unsigned long bta, lp_start, lp_end, lp_count, status32, ret, blink, fp, gp, r12, r11, r10, r9, r8, r7, r6, r5, r4,
			r3, r2, r1, r0, sp;
	} scratch;
};
#elif defined(__TARGET_ARCH_sparc)
enum { UREG_I0 = 8, UREG_I1, UREG_I2, UREG_I3, UREG_I4, UREG_I5, UREG_FP, UREG_I7 };
struct pt_regs {
	unsigned long u_regs[16], tstate, pc;
};
#endif
