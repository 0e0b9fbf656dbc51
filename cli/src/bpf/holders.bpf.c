// Which processes hold which BPF objects: one record for each open file that is a map, program, link or BTF.
//
// The kind of a file is told by its operations, whose addresses the loader fills in.
#include "kernel.h"

enum kind { KIND_MAP, KIND_PROG, KIND_LINK, KIND_BTF };

#pragma clang attribute push(__core, apply_to = record)

struct file {
	const void *f_op;
	void *private_data;
};

struct bpf_map {
	u32 id;
};

struct bpf_prog_aux {
	u32 id;
};

struct bpf_prog {
	struct bpf_prog_aux *aux;
};

struct bpf_link {
	u32 id;
};

struct btf {
	u32 id;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	u32 fd;
	struct file *file;
};

#pragma clang attribute pop

struct holder {
	u32 kind;
	u32 id;
	u32 pid;
	char comm[16];
};

// Without them (a kernel without CONFIG_KALLSYMS_ALL) the object must not load: it would find nothing.
extern const void bpf_map_fops __ksym;
extern const void bpf_prog_fops __ksym;
extern const void bpf_link_fops __ksym;
extern const void btf_fops __ksym;
// Links that can be polled, since Linux 6.12.
extern const void bpf_link_fops_poll __ksym __weak;

// The pointer comes without a type, so the verifier allows no plain access.
#define FOLLOW(from, field)                                                                        \
	({                                                                                         \
		typeof((from)->field) value = 0;                                                   \
		bpf_probe_read_kernel(&value, sizeof(value), &(from)->field);                      \
		value;                                                                             \
	})

static __inline bool identify(struct file *file, struct holder *holder)
{
	const void *ops = file->f_op;
	void *object = file->private_data;

	// A symbol that the kernel lacks has address 0.
	if (!ops)
		return false;
	if (ops == &bpf_map_fops) {
		holder->kind = KIND_MAP;
		holder->id = FOLLOW((struct bpf_map *)object, id);
	} else if (ops == &bpf_prog_fops) {
		struct bpf_prog_aux *aux = FOLLOW((struct bpf_prog *)object, aux);

		holder->kind = KIND_PROG;
		holder->id = FOLLOW(aux, id);
	} else if (ops == &bpf_link_fops || ops == &bpf_link_fops_poll) {
		holder->kind = KIND_LINK;
		holder->id = FOLLOW((struct bpf_link *)object, id);
	} else if (ops == &btf_fops) {
		holder->kind = KIND_BTF;
		holder->id = FOLLOW((struct btf *)object, id);
	} else {
		return false;
	}
	return true;
}

SEC("iter/task_file")
int list_holders(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct holder holder = {};

	// The last call comes without a task. Threads share their process's files.
	if (!task || !file || task->pid != task->tgid)
		return 0;
	if (!identify(file, &holder))
		return 0;
	holder.pid = task->tgid;
	bpf_probe_read_kernel_str(holder.comm, sizeof(holder.comm), task->comm);
	bpf_seq_write(ctx->meta->seq, &holder, sizeof(holder));
	return 0;
}

LICENSE("GPL");
