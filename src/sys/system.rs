#![allow(unsafe_code)]
//! Facts about the machine.

use super::errno;
use crate::Errno;
use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::sync::OnceLock;

/// Size of a memory page, in bytes.
pub fn page_size() -> usize {
    // SAFETY: the call takes a number only.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    // The call cannot fail; every BPF machine has pages of at least 4096 bytes.
    usize::try_from(size).unwrap_or(4096)
}

/// What `uname(2)` says. Returned by [`kernel_names`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelNames {
    /// The release, such as `"6.1.0-9-amd64"`.
    pub release: String,
    /// The build, such as `"#1 SMP PREEMPT_DYNAMIC Debian 6.1.27-1 (2023-05-08)"`.
    pub version: String,
    /// The architecture, such as `"x86_64"`.
    pub machine: String,
}

/// Asks for the running kernel's names.
pub fn kernel_names() -> Result<KernelNames, Errno> {
    let mut names = MaybeUninit::<libc::utsname>::uninit();
    // SAFETY: there is room for the answer.
    let result = unsafe { libc::uname(names.as_mut_ptr()) };
    errno::check(result.into())?;
    // SAFETY: the call has succeeded, so the kernel has filled the struct.
    let names = unsafe { names.assume_init() };
    Ok(KernelNames {
        release: text(&names.release),
        version: text(&names.version),
        machine: text(&names.machine),
    })
}

fn text(field: &[libc::c_char]) -> String {
    let bytes: Vec<u8> = field.iter().map(|c| c.to_ne_bytes()[0]).collect();
    CStr::from_bytes_until_nul(&bytes)
        .map(|text| text.to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// Whether this process's namespace has a process with this number. `false` only if the kernel is sure. Numbers that no
/// process can have are `false` without asking.
pub fn is_process(number: u32) -> bool {
    let Some(number) = i32::try_from(number).ok().filter(|number| *number > 0) else {
        return true;
    };
    // SAFETY: the call takes numbers only, and signal 0 is never delivered.
    let result = unsafe { libc::kill(number, 0) };
    errno::check(result.into()) != Err(Errno::ESRCH)
}

/// How many CPUs this machine can ever have, according to `/sys`. Read once.
///
/// Something else may be mounted over that file, so no memory safety depends on it: see
/// [`MapFd::value_len`](super::bpf::MapFd::value_len).
#[doc(alias = "libbpf_num_possible_cpus")]
pub fn possible_cpus() -> Result<u32, Errno> {
    static COUNT: OnceLock<u32> = OnceLock::new();
    if let Some(count) = COUNT.get() {
        return Ok(*count);
    }
    let list = read_cpu_list("/sys/devices/system/cpu/possible")?;
    let count = list
        .iter()
        .map(|range| range.end() - range.start() + 1)
        .fold(0, u32::saturating_add);
    Ok(*COUNT.get_or_init(|| count))
}

/// The CPUs that are online, in ascending order.
pub fn online_cpus() -> Result<Vec<u32>, Errno> {
    let list = read_cpu_list("/sys/devices/system/cpu/online")?;
    Ok(list.into_iter().flatten().collect())
}

/// The first online CPU. Without sysfs, the one that runs this thread.
pub fn first_online_cpu() -> u32 {
    let first = online_cpus().ok().and_then(|cpus| cpus.first().copied());
    first.unwrap_or_else(|| {
        // SAFETY: the call takes no arguments and returns a number.
        let own = unsafe { libc::sched_getcpu() };
        u32::try_from(own).unwrap_or(0)
    })
}

type CpuRange = std::ops::RangeInclusive<u32>;

fn read_cpu_list(path: &str) -> Result<Vec<CpuRange>, Errno> {
    let text = std::fs::read_to_string(path).map_err(|e| errno::from_io(&e))?;
    parse_cpu_list(&text).ok_or(Errno::EINVAL)
}

/// Parses the kernel's list format: `"0-3,5,8-11"`. `None` for an empty list, and for one that is not in ascending order.
fn parse_cpu_list(text: &str) -> Option<Vec<CpuRange>> {
    // Far above CONFIG_NR_CPUS, yet small enough that no later arithmetic overflows.
    const LIMIT: u32 = 1 << 20;
    let mut ranges: Vec<CpuRange> = Vec::new();
    for part in text.trim_end().split(',') {
        let (first, last) = if let Some((first, last)) = part.split_once('-') {
            (first.parse().ok()?, last.parse().ok()?)
        } else {
            let only = part.parse().ok()?;
            (only, only)
        };
        let rising = ranges.last().is_none_or(|before| *before.end() < first);
        if !rising || first > last || last >= LIMIT {
            return None;
        }
        ranges.push(first..=last);
    }
    Some(ranges)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_lists_are_read() {
        assert_eq!(parse_cpu_list("0-3\n"), Some(vec![0..=3]));
        assert_eq!(parse_cpu_list("0"), Some(vec![0..=0]));
        assert_eq!(
            parse_cpu_list("0-1,4,6-7\n"),
            Some(vec![0..=1, 4..=4, 6..=7])
        );
    }

    #[test]
    fn strange_cpu_lists_are_refused() {
        for text in [
            "",
            "\n",
            "a",
            "3-1",
            "1,0",
            "0-",
            "0,,1",
            "0-4294967295",
            "0-1,1-2",
        ] {
            assert_eq!(parse_cpu_list(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_kernel_has_a_name_and_pages() {
        let names = kernel_names().unwrap();
        assert!(
            crate::KernelVersion::parse(&names.release).is_some(),
            "{names:?}"
        );
        assert!(page_size().is_power_of_two());
    }

    #[test]
    fn this_machine_has_cpus() {
        let online = online_cpus().unwrap();
        assert!(!online.is_empty());
        assert!(possible_cpus().unwrap() as usize >= online.len());
    }
}
