// A histogram of how long threads that could run waited for a processor, in microseconds.
#include "log2.h"

enum { SLOTS = 32, WAITING = 32768 };

struct task_struct {
	int pid;
	int tgid;
	unsigned int __state;
} __core;

// Before Linux 5.14.
struct task_struct___signed_state {
	long state;
} __core;

// Set before loading: only threads of this process; zero counts all.
const volatile u32 targ_tgid = 0;

u64 slots[SLOTS] = {};

// Since when each thread has been waiting.
struct {
	__uint(type, MAP_HASH);
	__uint(max_entries, WAITING);
	__type(key, u32);
	__type(value, u64);
} since SEC(".maps");

static __inline int waits(struct task_struct *task)
{
	u32 tid = task->pid;
	u64 now = bpf_ktime_get_ns();

	// Thread 0 is a processor that has nothing to do.
	if (tid && (!targ_tgid || targ_tgid == (u32)task->tgid))
		bpf_map_update_elem(&since, &tid, &now, 0);
	return 0;
}

static __inline bool can_run(struct task_struct *task)
{
	if (field_exists(task->__state))
		return core(task, __state) == 0;
	return core((struct task_struct___signed_state *)task, state) == 0;
}

SEC("tp_btf/sched_wakeup")
int woken(u64 *ctx)
{
	return waits((void *)ctx[0]);
}

SEC("tp_btf/sched_wakeup_new")
int born(u64 *ctx)
{
	return waits((void *)ctx[0]);
}

// Arguments: whether it was preempted, who has to go, who runs from now on.
SEC("tp_btf/sched_switch")
int switched(u64 *ctx)
{
	struct task_struct *previous = (void *)ctx[1], *next = (void *)ctx[2];
	u32 tid = next->pid, slot;
	u64 *began;

	if (can_run(previous))
		waits(previous);
	began = bpf_map_lookup_elem(&since, &tid);
	if (!began)
		return 0;
	slot = log2((bpf_ktime_get_ns() - *began) / 1000);
	if (slot < SLOTS)
		__sync_fetch_and_add(&slots[slot], 1);
	bpf_map_delete_elem(&since, &tid);
	return 0;
}

LICENSE("GPL");
