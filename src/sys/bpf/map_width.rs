#![allow(unsafe_code)]
//! How many bytes the kernel reads and writes for the values of all CPUs.
//!
//! A per-CPU map has one value for each possible CPU. Only `/sys` says how many there are, and in a namespace of their own
//! users can mount anything over it. So the kernel itself is asked, through the map: it is given a value that ends where
//! inaccessible memory (a fence) begins, and answers `EFAULT` if the value is too short. The shortest value that it accepts
//! has the wanted size. Whatever that is, the kernel writes only to memory made for the purpose.

use super::call::{Command, address, bpf};
use super::map::{MapCreate, MapFd, map_create};
use crate::sys::{errno, system};
use crate::{Errno, MapType};
use std::ptr::NonNull;

/// More CPUs than any kernel can be built for: the largest limit (`CONFIG_NR_CPUS`) is 8192.
const TOO_MANY_CPUS: usize = 1 << 14;

/// A flag that no kernel knows. Every kernel reads the value before refusing the flag.
const UNKNOWN_FLAG: u64 = 1 << 31;

/// How many bytes the kernel reads and writes for the values of all CPUs.
///
/// # Errors
///
/// `EPERM` if the map has no readable element, cannot be written, and no other map may be created.
pub(super) fn of_all_cpus(map: &MapFd) -> Result<usize, Errno> {
    let one = padded(map)?;
    if one == 0 {
        return Ok(0);
    }
    let cpus = match count_cpus(map, one) {
        // This map cannot be asked, but every map has as many values per element.
        Err(Errno::EPERM | Errno::EOPNOTSUPP) => count_cpus(&any_map()?, 8),
        answer => answer,
    };
    one.checked_mul(cpus?).ok_or(Errno::E2BIG)
}

/// How many bytes one CPU's value takes among those of all.
fn padded(map: &MapFd) -> Result<usize, Errno> {
    let one = map.shape().value_size as usize;
    one.checked_next_multiple_of(8).ok_or(Errno::E2BIG)
}

fn any_map() -> Result<MapFd, Errno> {
    map_create(&MapCreate {
        kind: MapType::PERCPU_ARRAY,
        key_size: 4,
        value_size: 8,
        max_entries: 1,
        ..MapCreate::default()
    })
}

/// How many values of `one` bytes each an element has. A search sticks to one kind of question: a question that is refused
/// before the kernel looks at the value says nothing about the other kind.
fn count_cpus(map: &MapFd, one: usize) -> Result<usize, Errno> {
    let ask = |question: Question| {
        smallest(|cpus| {
            let len = one.checked_mul(cpus).ok_or(Errno::E2BIG)?;
            question(map, &Fenced::new(len, one)?)
        })
    };
    match ask(is_read_whole) {
        // There is no element, or it may not be read.
        Err(Errno::ENOENT | Errno::EPERM) => ask(is_taken_whole),
        answer => answer,
    }
}

/// Asks whether the value is long enough.
type Question = fn(&MapFd, &Fenced) -> Result<bool, Errno>;

/// The smallest number that is enough.
///
/// # Errors
///
/// `EOPNOTSUPP` if zero is enough, which means that the answers do not depend on the number; `E2BIG` if nothing is enough.
fn smallest(mut is_enough: impl FnMut(usize) -> Result<bool, Errno>) -> Result<usize, Errno> {
    if is_enough(0)? {
        return Err(Errno::EOPNOTSUPP);
    }
    let (mut too_few, mut enough) = (0, 1);
    while !is_enough(enough)? {
        too_few = enough;
        enough *= 2;
        if enough >= TOO_MANY_CPUS {
            return Err(Errno::E2BIG);
        }
    }
    while enough - too_few > 1 {
        let middle = usize::midpoint(too_few, enough);
        if is_enough(middle)? {
            enough = middle;
        } else {
            too_few = middle;
        }
    }
    Ok(enough)
}

/// Reads an element: whether the kernel had room for all values.
fn is_read_whole(map: &MapFd, value: &Fenced) -> Result<bool, Errno> {
    let mut key = vec![0; map.key_len()];
    if map.shape().kind != MapType::PERCPU_ARRAY {
        map.next_key(None, &mut key)?;
    }
    ask(Command::MapLookupElem, map, &key, value, 0)
}

/// Writes an element, with a flag that the kernel refuses once it has read all values.
fn is_taken_whole(map: &MapFd, value: &Fenced) -> Result<bool, Errno> {
    let key = vec![0; map.key_len()];
    match ask(Command::MapUpdateElem, map, &key, value, UNKNOWN_FLAG) {
        Err(Errno::EINVAL) => Ok(true),
        // The kernel knows the flag after all.
        Ok(true) => Err(Errno::EOPNOTSUPP),
        answer => answer,
    }
}

fn ask(
    command: Command,
    map: &MapFd,
    key: &[u8],
    value: &Fenced,
    flags: u64,
) -> Result<bool, Errno> {
    let mut attr = map.elem(flags);
    attr.key = address(key);
    attr.value = value.address();
    // SAFETY: the key has the map's size and lives through the call. All bytes that the kernel could read or write for any
    // number of CPUs belong to `value`; where its fence begins, the kernel stops.
    match unsafe { bpf(command, &mut attr) } {
        Ok(_) => Ok(true),
        Err(Errno::EFAULT) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// Memory that ends at a fence: memory that can be neither read nor written.
#[derive(Debug)]
struct Fenced {
    start: NonNull<u8>,
    /// How many bytes are used: the last ones before the fence.
    len: usize,
    /// How many bytes lie before the fence: whole pages.
    front: usize,
    /// How many bytes there are, including the fence.
    whole: usize,
}

impl Fenced {
    /// `len` bytes before a fence that is wider than the values of `one` bytes of all possible CPUs.
    fn new(len: usize, one: usize) -> Result<Self, Errno> {
        let page = system::page_size();
        let front = len.checked_next_multiple_of(page).ok_or(Errno::E2BIG)?;
        let fence = one
            .checked_mul(TOO_MANY_CPUS)
            .and_then(|fence| fence.checked_next_multiple_of(page))
            .ok_or(Errno::E2BIG)?;
        let whole = front.checked_add(fence).ok_or(Errno::E2BIG)?;
        let how = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a new mapping, at an address that the kernel chooses.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), whole, libc::PROT_NONE, how, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(errno::last());
        }
        let start = NonNull::new(start.cast()).ok_or(Errno::EFAULT)?;
        let fenced = Self {
            start,
            len,
            front,
            whole,
        };
        fenced.open_front()?;
        Ok(fenced)
    }

    fn open_front(&self) -> Result<(), Errno> {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: the first pages of our own mapping, to which nothing refers.
        let result = unsafe { libc::mprotect(self.start.as_ptr().cast(), self.front, access) };
        errno::check(result.into()).map(drop)
    }

    /// The address of the first usable byte.
    fn address(&self) -> u64 {
        // `len` is at most `front`.
        let at = self.front - self.len;
        self.start.as_ptr().wrapping_add(at).expose_provenance() as u64
    }
}

impl Drop for Fenced {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `new` with this length, and nothing refers to it.
        let _ = unsafe { libc::munmap(self.start.as_ptr().cast(), self.whole) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    #[test]
    fn the_number_of_cpus_is_found_in_few_questions() {
        for cpus in (1..300).chain([1023, 1024, 1025, 8191, 8192]) {
            let mut asked = 0_u32;
            let found = smallest(|count| {
                asked += 1;
                Ok(count >= cpus)
            });
            assert_eq!(found, Ok(cpus));
            assert!(asked <= 2 * cpus.ilog2() + 3, "{cpus}: {asked}");
        }
    }

    #[test]
    fn answers_that_say_nothing_are_errors() {
        assert_eq!(smallest(|_| Ok(true)), Err(Errno::EOPNOTSUPP));
        assert_eq!(smallest(|_| Ok(false)), Err(Errno::E2BIG));
        assert_eq!(smallest(|_| Err(Errno::EPERM)), Err(Errno::EPERM));
    }

    #[test]
    fn nothing_gets_past_a_fence() {
        let read = |len, wanted| {
            let fenced = Fenced::new(len, 8).unwrap();
            let address = usize::try_from(fenced.address()).unwrap();
            let zeros = std::fs::File::open("/dev/zero").unwrap();
            let into = std::ptr::with_exposed_provenance_mut(address);
            // SAFETY: `fenced` has more bytes than are wanted.
            unsafe { libc::read(zeros.as_raw_fd(), into, wanted) }
        };
        assert_eq!(read(24, 24), 24);
        assert_eq!(read(5000, 5000), 5000);
        assert_ne!(read(24, 25), 25);
        assert_eq!(read(0, 1), -1);
    }
}
