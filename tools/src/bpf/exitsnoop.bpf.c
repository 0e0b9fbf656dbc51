// Shows each process (or thread) that ends: how old it was, and with which result.
#include "bpf.h"

struct event {
	u64 age_ns;
	u32 tgid;
	u32 tid;
	u32 ppid;
	u32 exit_code; // as wait(2) reports it: the status in bits 8 to 15, else the signal
	char comm[16];
};
KEEP_TYPE(event);

struct task_struct {
	int pid;
	int tgid;
	int exit_code;
	u64 start_time;
	struct task_struct *real_parent;
} __core;

// Set before loading: show only this process; zero shows everything.
const volatile u32 targ_tgid = 0;
const volatile bool targ_failed = false;
// Whether threads count, too, that are not the first of their process.
const volatile bool each_thread = false;

// Events that found no room in the ring buffer.
u64 lost = 0;

struct {
	__uint(type, MAP_RINGBUF);
	__uint(max_entries, 256 * 1024);
} events SEC(".maps");

// Argument: the task, which is the current one.
SEC("tp_btf/sched_process_exit")
int ended(u64 *ctx)
{
	struct task_struct *task = (void *)ctx[0];
	u32 tgid = task->tgid, tid = task->pid;
	struct event *e;

	if ((targ_tgid && targ_tgid != tgid) || (!each_thread && tgid != tid))
		return 0;
	if (targ_failed && !task->exit_code)
		return 0;
	e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) {
		__sync_fetch_and_add(&lost, 1);
		return 0;
	}
	e->age_ns = bpf_ktime_get_ns() - task->start_time;
	e->tgid = tgid;
	e->tid = tid;
	e->ppid = core(core(task, real_parent), tgid);
	e->exit_code = task->exit_code;
	bpf_get_current_comm(e->comm, sizeof(e->comm));
	bpf_ringbuf_submit(e, 0);
	return 0;
}

LICENSE("GPL");
