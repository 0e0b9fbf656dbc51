//! Facts about the machine that soundness or sizes depend on.

use super::errno;
use crate::Errno;
use std::sync::OnceLock;

/// How many CPUs could ever be plugged in: the length of a value in a per-CPU map depends on it. Asked once.
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

/// The CPUs that are on at the moment, lowest first.
pub fn online_cpus() -> Result<Vec<u32>, Errno> {
    let list = read_cpu_list("/sys/devices/system/cpu/online")?;
    Ok(list.into_iter().flatten().collect())
}

type CpuRange = std::ops::RangeInclusive<u32>;

fn read_cpu_list(path: &str) -> Result<Vec<CpuRange>, Errno> {
    let text = std::fs::read_to_string(path).map_err(|e| errno::from_io(&e))?;
    parse_cpu_list(&text).ok_or(Errno::EINVAL)
}

/// Reads the kernel's list format: `"0-3,5,8-11"`. `None` for an empty list, and for one that is not in rising order.
fn parse_cpu_list(text: &str) -> Option<Vec<CpuRange>> {
    // Far above CONFIG_NR_CPUS, and small enough that no later arithmetic overflows.
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
    fn this_machine_has_cpus() {
        let online = online_cpus().unwrap();
        assert!(!online.is_empty());
        assert!(possible_cpus().unwrap() as usize >= online.len());
    }
}
