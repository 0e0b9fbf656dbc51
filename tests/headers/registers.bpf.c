// A function for each register, which reads it.
#include "kernel.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#define READ(name, value) \
	SEC("kprobe") long read_##name(struct pt_regs *ctx) \
	{ \
		return value(ctx); \
	}

READ(parm1, PT_REGS_PARM1)
READ(parm2, PT_REGS_PARM2)
READ(parm3, PT_REGS_PARM3)
#if ARGS >= 4
READ(parm4, PT_REGS_PARM4)
READ(parm4_core, PT_REGS_PARM4_CORE)
#endif
#if ARGS >= 5
READ(parm5, PT_REGS_PARM5)
#endif
#if ARGS >= 6
READ(parm6, PT_REGS_PARM6)
#endif
#if ARGS >= 8
READ(parm7, PT_REGS_PARM7)
READ(parm8, PT_REGS_PARM8)
#endif
READ(ret, PT_REGS_RET)
#ifndef NO_FRAME
READ(fp, PT_REGS_FP)
READ(fp_core, PT_REGS_FP_CORE)
#endif
READ(rc, PT_REGS_RC)
READ(sp, PT_REGS_SP)
READ(ip, PT_REGS_IP)

READ(syscall2, PT_REGS_PARM2_SYSCALL)
READ(syscall3, PT_REGS_PARM3_SYSCALL)
READ(syscall4, PT_REGS_PARM4_SYSCALL)
READ(syscall5, PT_REGS_PARM5_SYSCALL)
READ(syscall6, PT_REGS_PARM6_SYSCALL)

#define EVERY_CORE_READ(x) \
	(PT_REGS_PARM1_CORE(x) + PT_REGS_PARM2_CORE(x) + PT_REGS_PARM3_CORE(x) + \
	 PT_REGS_RET_CORE(x) + PT_REGS_RC_CORE(x) + PT_REGS_SP_CORE(x) + PT_REGS_IP_CORE(x) + PT_REGS_PARM1_SYSCALL(x) + \
	 PT_REGS_PARM1_CORE_SYSCALL(x) + PT_REGS_PARM2_CORE_SYSCALL(x) + PT_REGS_PARM3_CORE_SYSCALL(x) + \
	 PT_REGS_PARM4_CORE_SYSCALL(x) + PT_REGS_PARM5_CORE_SYSCALL(x) + PT_REGS_PARM6_CORE_SYSCALL(x))
READ(core, EVERY_CORE_READ)

SEC("kprobe")
long return_addresses(struct pt_regs *ctx)
{
	unsigned long at_start = 0, at_return = 0;

	BPF_KPROBE_READ_RET_IP(at_start, ctx);
#ifndef NO_FRAME
	BPF_KRETPROBE_READ_RET_IP(at_return, ctx);
#endif
	return at_start ^ at_return;
}

SEC("kprobe/f")
int BPF_KPROBE(probe, int first, const char *second, long third)
{
	return first + (second != NULL) + third;
}

SEC("kretprobe/f")
int BPF_KRETPROBE(at_return, void *result)
{
	return result != NULL;
}

SEC("ksyscall/read")
int BPF_KSYSCALL(syscall, int fd, void *to, unsigned long size, int fourth, int fifth, int sixth)
{
	return fd + (to != NULL) + size + fourth + fifth + sixth;
}

char _license[] SEC("license") = "GPL";
