//! Ring buffers in the other direction: user space writes, programs read.

use super::wait::{First, new_epoll, wait_until};
use crate::map::Map;
use crate::sys::epoll::Epoll;
use crate::sys::ring::{RingDamage, UserRingMapping, UserSlot};
use crate::{Errno, Error, ErrorKind, MapType, Result};
use std::ops::{Deref, DerefMut};
use std::os::fd::AsFd;
use std::time::Duration;
use zerocopy::{Immutable, IntoBytes};

/// Writes records that programs take with `bpf_user_ringbuf_drain`. Since Linux 6.1.
///
/// Writing does not notify anybody: a program drains the ring whenever it happens to run.
///
/// A ring has one writer. This is checked within a process; two processes that write to one corrupt each other's records.
///
/// ```no_run
/// # fn main() -> rawbpf::Result<()> {
/// # let map: rawbpf::map::Map = todo!();
/// use rawbpf::ring::UserRingBuffer;
///
/// let mut ring = UserRingBuffer::new(&map)?;
/// if let Some(mut slot) = ring.reserve(8)? {
///     slot.write(&4711_u64)?;
///     slot.submit();
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[doc(alias = "user_ring_buffer")]
pub struct UserRingBuffer {
    map: Map,
    epoll: Epoll,
    memory: UserRingMapping,
}

impl UserRingBuffer {
    /// A writer for a map of type user_ringbuf.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the map has a different type, `EBUSY` if this process already writes to it.
    #[doc(alias = "user_ring_buffer__new")]
    pub fn new(map: &Map) -> Result<Self> {
        let memory = UserRingMapping::open(map.raw()).map_err(|errno| explain_open(map, errno))?;
        let epoll = new_epoll()?;
        epoll
            .add_writable(map.as_fd(), 0)
            .map_err(|errno| map.fail(errno, "cannot wait for the user ring buffer"))?;
        Ok(Self {
            map: map.clone(),
            epoll,
            memory,
        })
    }

    /// Reserves a record of `len` bytes; `None` if there is no room for it at the moment.
    ///
    /// The slot is initially zero. Programs cannot get past it until it is submitted or dropped.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] if the ring could never hold it, [`ErrorKind::Corrupt`] if the consumer's position
    /// is invalid.
    #[doc(alias = "user_ring_buffer__reserve")]
    pub fn reserve(&mut self, len: usize) -> Result<Option<Slot<'_>>> {
        check_len(&self.map, &self.memory, len)?;
        let slot = self.memory.reserve(len);
        let slot = slot.map_err(|damage| corrupt(&self.map, damage))?;
        Ok(slot.map(Slot))
    }

    /// Like [`UserRingBuffer::reserve`], but waits for a program to drain the ring: `None` after `timeout`, or when a signal
    /// arrives.
    #[doc(alias = "user_ring_buffer__reserve_blocking")]
    pub fn reserve_wait(
        &mut self,
        len: usize,
        timeout: Option<Duration>,
    ) -> Result<Option<Slot<'_>>> {
        check_len(&self.map, &self.memory, len)?;
        // Damage ends the wait, too: `reserve` reports it.
        let has_room = || self.memory.has_room(len) != Ok(false);
        wait_until(&self.epoll, timeout, First::Look, has_room)?;
        self.reserve(len)
    }

    /// The longest record that the ring can hold.
    pub fn longest(&self) -> usize {
        self.memory.longest()
    }
}

fn check_len(map: &Map, memory: &UserRingMapping, len: usize) -> Result<()> {
    let longest = memory.longest();
    if len <= longest {
        return Ok(());
    }
    Err(map.blame(
        Error::new(
            ErrorKind::InvalidArgument,
            format!("a record of {len} bytes does not fit: the ring holds at most {longest}"),
        )
        .with_errno(Errno::E2BIG),
    ))
}

#[cold]
fn corrupt(map: &Map, damage: RingDamage) -> Error {
    map.blame(Error::new(
        ErrorKind::Corrupt,
        format!("the user ring buffer cannot be written any further: {damage}"),
    ))
}

fn explain_open(map: &Map, errno: Errno) -> Error {
    let error = map.fail(errno, "cannot write to the map as a user ring buffer");
    match errno {
        Errno::EINVAL if map.kind() != MapType::USER_RINGBUF => error
            .with_kind(ErrorKind::InvalidArgument)
            .with_hint(format!(
                "its type is {}, not {}",
                map.kind(),
                MapType::USER_RINGBUF
            )),
        Errno::EBUSY => error.with_hint("this process writes it already: a ring has one writer"),
        _ => error,
    }
}

/// A record to be written, which is copied into the ring when it is submitted. Dropping it discards it. Returned by [`UserRingBuffer::reserve`].
#[derive(Debug)]
pub struct Slot<'a>(UserSlot<'a>);

impl Slot<'_> {
    /// Writes a value that fills the slot.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] if its size is not the slot's.
    pub fn write<T: IntoBytes + Immutable + ?Sized>(&mut self, value: &T) -> Result<()> {
        let bytes = value.as_bytes();
        if bytes.len() != self.len() {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                format!(
                    "`{}` has {} bytes, but {} were reserved",
                    std::any::type_name::<T>(),
                    bytes.len(),
                    self.len()
                ),
            ));
        }
        self.copy_from_slice(bytes);
        Ok(())
    }

    /// Makes the record available to the next program that drains the ring.
    #[doc(alias = "user_ring_buffer__submit")]
    pub fn submit(self) {
        self.0.submit();
    }

    /// Makes programs skip the record.
    #[doc(alias = "user_ring_buffer__discard")]
    pub fn discard(self) {
        drop(self);
    }
}

impl Deref for Slot<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for Slot<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}
