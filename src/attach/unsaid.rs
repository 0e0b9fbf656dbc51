//! Hints for programs that do not say where to attach them: what is missing, an example, and the method to use.

use super::auto;
use crate::kinds::{AttachType, ProgramType};
use crate::open::{AutoAttach, SectionDef, TargetForm};
use crate::program::Program;
use crate::{Error, ErrorKind};

/// The error for a program whose section name has a type, but no target.
pub(super) fn error(program: &Program, section: &str) -> Error {
    let name = program.name();
    let message = match target(program) {
        Some(target) => format!(
            "section `{section}` of program `{name}` does not name {} to attach it to",
            target.what
        ),
        None => format!("section `{section}` of program `{name}` does not say where to attach it"),
    };
    Error::new(ErrorKind::Unsupported, message).with_hint(hint(program))
}

/// What to do about it.
pub(super) fn hint(program: &Program) -> String {
    let by_call = by_call(program);
    match target(program) {
        Some(target) => format!(
            "name it in the section, as in SEC(\"{}\"), or {by_call}",
            target.section
        ),
        None => by_call,
    }
}

fn target(program: &Program) -> Option<TargetForm> {
    def(program).and_then(SectionDef::target)
}

fn def(program: &Program) -> Option<&'static SectionDef> {
    program.origin().and_then(|origin| origin.def)
}

fn by_call(program: &Program) -> String {
    if let Some(other) = elsewhere(program) {
        return other.to_owned();
    }
    let section = program.origin().map(|origin| origin.section.as_str());
    let is_return = section.is_some_and(auto::is_return);
    let said = def(program)
        .and_then(|def| def.auto_attach)
        .and_then(|how| by_section(how, is_return));
    let call = said
        .or_else(|| by_attach_type(program.attach_type()?))
        .or_else(|| by_type(program.kind()));
    match call {
        Some(call) => format!("attach it by call: {call}"),
        None => "attach it by call, with the method for its kind".to_owned(),
    }
}

/// The method for a program whose section tells it apart from others of the same type.
fn by_section(how: AutoAttach, is_return: bool) -> Option<&'static str> {
    Some(match (how, is_return) {
        (AutoAttach::Kprobe, false) => "Program::attach_kprobe(&Kprobe::entry(\"vfs_read\"))",
        (AutoAttach::Kprobe, true) => "Program::attach_kprobe(&Kprobe::ret(\"vfs_read\"))",
        (AutoAttach::Uprobe, false) => {
            "Program::attach_uprobe(&Uprobe::entry(\"/usr/bin/bash\", \"readline\"))"
        }
        (AutoAttach::Uprobe, true) => {
            "Program::attach_uprobe(&Uprobe::ret(\"/usr/bin/bash\", \"readline\"))"
        }
        (AutoAttach::Ksyscall, false) => "Program::attach_ksyscall(\"openat\")",
        (AutoAttach::Ksyscall, true) => "Program::attach_kretsyscall(\"openat\")",
        (AutoAttach::Usdt, _) => {
            "Program::attach_usdt(&Usdt::new(\"/usr/bin/python3\", \"python\", \"gc__start\"))"
        }
        // A pattern for returns is a pattern for entries with `on_return`.
        (AutoAttach::KprobeMulti, true) => {
            "Program::attach_kprobe_multi(&KprobeMulti::pattern(\"tcp_*\").on_return())"
        }
        (AutoAttach::UprobeMulti, true) => {
            "Program::attach_uprobe_multi(&UprobeMulti::pattern(\"libc.so.6\", \"mem*\").on_return())"
        }
        _ => return None,
    })
}

/// The method for programs that are loaded for one kind of attach point.
fn by_attach_type(attach_type: AttachType) -> Option<&'static str> {
    Some(match attach_type {
        AttachType::TRACE_KPROBE_MULTI | AttachType::TRACE_KPROBE_SESSION => {
            "Program::attach_kprobe_multi(&KprobeMulti::pattern(\"tcp_*\"))"
        }
        AttachType::TRACE_UPROBE_MULTI | AttachType::TRACE_UPROBE_SESSION => {
            "Program::attach_uprobe_multi(&UprobeMulti::pattern(\"libc.so.6\", \"mem*\"))"
        }
        AttachType::TRACE_FENTRY_MULTI
        | AttachType::TRACE_FEXIT_MULTI
        | AttachType::TRACE_FSESSION_MULTI => {
            "Program::attach_tracing_multi(&TracingMulti::pattern(\"tcp_*\"))"
        }
        AttachType::TRACE_ITER => "Program::attach_iter()",
        AttachType::LSM_CGROUP => "Program::attach_cgroup(&Cgroup::at(\"/sys/fs/cgroup/web\"))",
        AttachType::NETKIT_PRIMARY => "Program::attach_netkit(&Netkit::primary(\"nk0\"))",
        AttachType::NETKIT_PEER => "Program::attach_netkit(&Netkit::peer(\"nk0\"))",
        AttachType::TCX_INGRESS => "Program::attach_tcx(&Tcx::ingress(\"eth0\"))",
        AttachType::TCX_EGRESS => "Program::attach_tcx(&Tcx::egress(\"eth0\"))",
        _ => return None,
    })
}

fn by_type(kind: ProgramType) -> Option<&'static str> {
    Some(match kind {
        ProgramType::SOCKET_FILTER => "Program::attach_socket_filter(&socket)",
        ProgramType::SK_REUSEPORT => "Program::attach_reuseport(&socket)",
        ProgramType::KPROBE => {
            "Program::attach_kprobe(&Kprobe::entry(\"vfs_read\")), or attach_uprobe, attach_ksyscall, attach_usdt, \
             attach_kprobe_multi or attach_uprobe_multi"
        }
        ProgramType::SCHED_CLS => {
            "Program::attach_tcx(&Tcx::ingress(\"eth0\")), or Program::attach_tc for a classic filter"
        }
        ProgramType::TRACEPOINT => "Program::attach_tracepoint(\"sched\", \"sched_switch\")",
        ProgramType::RAW_TRACEPOINT | ProgramType::RAW_TRACEPOINT_WRITABLE => {
            "Program::attach_raw_tracepoint(\"sched_switch\")"
        }
        ProgramType::XDP => "Program::attach_xdp(&Xdp::on(\"eth0\"))",
        ProgramType::PERF_EVENT => {
            "Program::attach_sampling(&Sampling::software(SoftwareEvent::CpuClock))"
        }
        ProgramType::CGROUP_SKB
        | ProgramType::CGROUP_SOCK
        | ProgramType::CGROUP_SOCK_ADDR
        | ProgramType::CGROUP_SYSCTL
        | ProgramType::CGROUP_SOCKOPT
        | ProgramType::CGROUP_DEVICE
        | ProgramType::SOCK_OPS => "Program::attach_cgroup(&Cgroup::at(\"/sys/fs/cgroup/web\"))",
        ProgramType::SK_SKB | ProgramType::SK_MSG => "Program::attach_sockmap(&map)",
        ProgramType::LIRC_MODE2 => {
            "AttachPoint::of_fd(device.as_fd(), AttachType::LIRC_MODE2).attach(&program, &AttachOptions::new())"
        }
        ProgramType::FLOW_DISSECTOR | ProgramType::SK_LOOKUP => {
            "Program::attach_netns(&Netns::own())"
        }
        ProgramType::TRACING => "Program::attach_tracing()",
        ProgramType::LSM => "Program::attach_lsm()",
        ProgramType::EXT => "Program::attach_freplace(&program, \"FUNCTION\")",
        ProgramType::NETFILTER => {
            "Program::attach_netfilter(&Netfilter::new(NetfilterFamily::Ipv4, NetfilterHook::LocalIn))"
        }
        _ => return None,
    })
}

/// Hints for programs that no method can attach.
fn elsewhere(program: &Program) -> Option<&'static str> {
    Some(match (program.kind(), program.attach_type()) {
        (ProgramType::XDP, Some(AttachType::XDP_DEVMAP)) => {
            "it runs where a devmap sends packets: write its descriptor into an entry (`struct bpf_devmap_val`)"
        }
        (ProgramType::XDP, Some(AttachType::XDP_CPUMAP)) => {
            "it runs where a cpumap sends packets: write its descriptor into an entry (`struct bpf_cpumap_val`)"
        }
        (ProgramType::SYSCALL, _) => {
            "it is run by call, not attached: Program::test_run(&TestRun::new())"
        }
        (ProgramType::STRUCT_OPS, _) => {
            "it is part of a map: Object::attach_struct_ops(\"MAP\") registers that with all its programs"
        }
        (ProgramType::SCHED_ACT, _) => {
            "pin it (Program::pin), and give the pin to `tc action add action bpf`"
        }
        (
            ProgramType::LWT_IN
            | ProgramType::LWT_OUT
            | ProgramType::LWT_XMIT
            | ProgramType::LWT_SEG6LOCAL,
            _,
        ) => "pin it (Program::pin), and give the pin to `ip route add`",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::{Origin, ProgramParts};
    use std::fs;
    use std::path::Path;
    use std::sync::Arc;

    /// A program of this section. Its descriptor is not used.
    fn program(section: &str) -> Program {
        let def = SectionDef::find(section).unwrap();
        let null = fs::File::open("/dev/null").unwrap();
        Program::new(ProgramParts {
            fd: Arc::new(null.into()),
            name: "p".to_owned(),
            kind: def.kind,
            attach_type: Some(def.attach_type),
            target: std::sync::OnceLock::new(),
            origin: Some(Origin {
                section: section.to_owned(),
                def: Some(def),
                attach_target: None,
                autoattach: true,
                usdt: None,
                log: None,
            }),
        })
    }

    fn refused(section: &str, kind: ErrorKind, words: &[&str]) {
        let error = program(section).attach().unwrap_err();
        assert_eq!(error.kind(), kind, "{section}: {error}");
        let text = error.to_string();
        for word in words {
            assert!(
                text.contains(word),
                "{section}: `{word}` is missing in: {text}"
            );
        }
    }

    #[test]
    fn a_missing_target_is_named_with_an_example_and_a_method() {
        for (section, what, example, method) in [
            (
                "raw_tp",
                "a tracepoint",
                "raw_tp/sched_switch",
                "attach_raw_tracepoint(",
            ),
            (
                "raw_tp.w",
                "a tracepoint",
                "raw_tp.w/sched_switch",
                "attach_raw_tracepoint(",
            ),
            (
                "tp",
                "a tracepoint with its category",
                "tp/sched/sched_switch",
                "attach_tracepoint(",
            ),
            (
                "kprobe",
                "a kernel function",
                "kprobe/vfs_read",
                "Kprobe::entry(",
            ),
            (
                "kretprobe",
                "a kernel function",
                "kretprobe/vfs_read",
                "Kprobe::ret(",
            ),
            (
                "uprobe.s",
                "a file and a function in it",
                "uprobe.s//usr/bin/bash:readline",
                "Uprobe::entry(",
            ),
            (
                "uretprobe",
                "a file and a function in it",
                "uretprobe//usr/bin/bash:readline",
                "Uprobe::ret(",
            ),
            (
                "ksyscall",
                "a system call",
                "ksyscall/openat",
                "attach_ksyscall(",
            ),
            (
                "kretsyscall",
                "a system call",
                "kretsyscall/openat",
                "attach_kretsyscall(",
            ),
            (
                "usdt",
                "a file, a provider and a probe",
                "usdt//usr/bin/python3:",
                "attach_usdt(",
            ),
            (
                "kprobe.multi",
                "a pattern of kernel functions",
                "kprobe.multi/tcp_*",
                "KprobeMulti::pattern(",
            ),
            (
                "kretprobe.multi",
                "a pattern of kernel functions",
                "kretprobe.multi/tcp_*",
                ".on_return()",
            ),
            (
                "uprobe.multi",
                "a file and a pattern",
                "uprobe.multi/libc.so.6:mem*",
                "UprobeMulti::pattern(",
            ),
            (
                "fentry.multi",
                "a pattern of kernel functions",
                "fentry.multi/tcp_*",
                "attach_tracing_multi(",
            ),
        ] {
            let of_program = format!("section `{section}` of program `p` does not name {what}");
            let words = [of_program.as_str(), example, method];
            refused(section, ErrorKind::Unsupported, &words);
            // A slash followed by nothing used to look up an empty name.
            let slash = format!("{section}/");
            refused(&slash, ErrorKind::InvalidObject, &[what, example, method]);
        }
    }

    #[test]
    fn sections_that_take_no_target_are_told_the_method() {
        for (section, words) in [
            ("xdp", "attach_xdp(&Xdp::on(\"eth0\"))"),
            ("xdp.frags", "attach_xdp("),
            ("xdp/devmap", "where a devmap sends packets"),
            ("xdp.frags/cpumap", "where a cpumap sends packets"),
            (
                "tc",
                "attach_tcx(&Tcx::ingress(\"eth0\")), or Program::attach_tc",
            ),
            ("tcx/egress", "Tcx::egress("),
            ("netkit/peer", "Netkit::peer("),
            ("cgroup/connect4", "attach_cgroup("),
            ("sockops", "attach_cgroup("),
            ("socket", "attach_socket_filter("),
            ("sk_reuseport", "attach_reuseport("),
            ("sk_skb/verdict", "attach_sockmap("),
            ("sk_lookup", "attach_netns("),
            ("netfilter", "attach_netfilter("),
            ("perf_event", "attach_sampling("),
            ("lirc_mode2", "AttachPoint::of_fd("),
            ("syscall", "Program::test_run("),
            ("struct_ops", "Object::attach_struct_ops("),
            ("action", "`tc action add action bpf`"),
            ("lwt_xmit", "`ip route add`"),
        ] {
            refused(
                section,
                ErrorKind::Unsupported,
                &["does not say where", words],
            );
        }
    }

    /// No hint names a method that does not exist.
    #[test]
    fn the_methods_exist() {
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut code = String::new();
        for room in ["attach", "attach/usdt", "program"] {
            for entry in fs::read_dir(src.join(room)).unwrap() {
                code += &fs::read_to_string(entry.unwrap().path()).unwrap_or_default();
            }
        }
        for def in SectionDef::ALL {
            let hint = hint(&program(def.pattern.trim_end_matches('+')));
            assert!(
                !hint.contains("the method for its kind"),
                "{}: {hint}",
                def.pattern
            );
            for called in hint.split("::").skip(1) {
                let name: String = called
                    .chars()
                    .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                    .collect();
                let is_type_or_variant =
                    |rest: &str| !rest.starts_with(|c: char| c.is_ascii_alphanumeric());
                let there = code.contains(&format!("fn {name}("))
                    || code
                        .split(&format!("    {name}"))
                        .skip(1)
                        .any(is_type_or_variant)
                    || AttachType::LIRC_MODE2.to_string() == name.to_lowercase();
                assert!(there, "{}: no `{name}`: {hint}", def.pattern);
            }
        }
    }
}
