//! The values of a per-CPU map, one for each possible CPU.

use super::elements::about_value;
use super::typed::key_bytes;
use super::view::Value;
use super::{Map, UpdateMode};
use crate::btf::{Layout, Room};
use crate::sys::bpf::{Cpus, MapFd};
use crate::{Errno, Error, ErrorKind, Result};
use std::fmt;
use std::marker::PhantomData;
use zerocopy::FromZeros;

/// One value for each possible CPU, by CPU number: plain data in a view ([`Map::typed`]), otherwise bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct PerCpu<V: ?Sized = [u8]> {
    /// Each value is padded to a multiple of 8 bytes.
    bytes: Vec<u8>,
    size: usize,
    padded: usize,
    value: PhantomData<fn(&V)>,
}

impl<V: ?Sized> fmt::Debug for PerCpu<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.chunks()).finish()
    }
}

impl<V: ?Sized> PerCpu<V> {
    /// Zeros for `cpus` CPUs; `None` if the total size of values of `size` bytes, each padded to 8, overflows.
    fn zeroed_for(cpus: usize, size: usize) -> Option<Self> {
        let padded = size.checked_next_multiple_of(8)?;
        Some(Self {
            bytes: vec![0; padded.checked_mul(cpus)?],
            size,
            padded,
            value: PhantomData,
        })
    }

    /// The number of CPUs.
    pub fn len(&self) -> usize {
        self.bytes.len().checked_div(self.padded).unwrap_or(0)
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn chunks(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.bytes
            .chunks_exact(self.padded.max(1))
            .map(|padded| padded.get(..self.size).unwrap_or(padded))
    }

    fn chunk_mut(&mut self, cpu: usize) -> Option<&mut [u8]> {
        let start = cpu.checked_mul(self.padded)?;
        let end = start.checked_add(self.size)?;
        self.bytes.get_mut(start..end)
    }
}

impl PerCpu {
    /// The value of one CPU.
    pub fn get(&self, cpu: usize) -> Option<&[u8]> {
        self.chunks().nth(cpu)
    }

    /// The value of one CPU, for changing it before it is written.
    pub fn get_mut(&mut self, cpu: usize) -> Option<&mut [u8]> {
        self.chunk_mut(cpu)
    }

    /// The values, CPU 0 first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.chunks()
    }
}

impl<V: Layout> PerCpu<V> {
    /// The value of one CPU.
    pub fn get(&self, cpu: usize) -> Option<V> {
        let bytes = self.chunks().nth(cpu)?;
        V::try_read_from_bytes(bytes).ok()
    }

    /// Sets the value of one CPU, and returns whether there is such a CPU.
    pub fn set(&mut self, cpu: usize, value: &V) -> bool {
        match self.chunk_mut(cpu) {
            Some(place) => value.write_to(place).is_ok(),
            None => false,
        }
    }

    /// The values, CPU 0 first.
    pub fn iter(&self) -> impl Iterator<Item = V> {
        self.chunks()
            .filter_map(|bytes| V::try_read_from_bytes(bytes).ok())
    }
}

impl<V: Value + ?Sized> Value for PerCpu<V> {
    type Owned = Self;
    type Room = Self;

    fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn room(map: &MapFd) -> Result<Self, Errno> {
        let size = map.shape().value_size as usize;
        let padded = size.next_multiple_of(8).max(1);
        Self::zeroed_for(map.value_len()? / padded, size).ok_or(Errno::E2BIG)
    }

    fn room_bytes_mut(room: &mut Self) -> &mut [u8] {
        &mut room.bytes
    }

    fn from_room(room: Self) -> Result<Self> {
        room.check_each()?;
        Ok(room)
    }

    fn check(_: &[u8]) -> Result<()> {
        Ok(())
    }

    fn replace(owned: &mut Self, read: impl FnOnce(&mut [u8]) -> bool) -> Result<()> {
        if read(&mut owned.bytes) {
            owned.check_each()?;
        }
        Ok(())
    }
}

impl<V: Value + ?Sized> PerCpu<V> {
    fn check_each(&self) -> Result<()> {
        let mut values = self.chunks().enumerate();
        values.try_for_each(|(cpu, value)| {
            V::check(value).map_err(|e| e.context(format!("value of CPU {cpu}")))
        })
    }
}

impl<K: super::Key + ?Sized, V: Layout + FromZeros> Map<K, PerCpu<V>> {
    /// Zeros for all possible CPUs, to be filled in. (For an enum without a zero value, call [`Map::insert_all_cpus`]
    /// first.)
    pub fn new_per_cpu(&self) -> Result<PerCpu<V>> {
        PerCpu::room(self.raw()).map_err(|errno| self.fail(errno, "cannot count the CPUs"))
    }
}

/// Access to the value of one CPU.
impl<K: super::Key + ?Sized, V: Layout> Map<K, PerCpu<V>> {
    /// The value of one CPU at `key`, or `None` if there is none. Since Linux 7.0 only that value is copied.
    ///
    /// # Errors
    /// `InvalidArgument` if there is no such CPU.
    #[doc(alias = "BPF_F_CPU")]
    pub fn get_cpu(&self, key: &K, cpu: u32) -> Result<Option<V>> {
        let key = key_bytes(self, key)?;
        let mut room = Room::<V>::new();
        if !self.lookup_cpu(key, cpu, room.bytes_mut())? {
            return Ok(None);
        }
        let value = room.value().map_err(|e| {
            let error = e.context(format!("value of CPU {cpu}"));
            self.blame(about_value(error, key))
        });
        value.map(Some)
    }

    /// Writes the value of one CPU at `key`; other CPUs' values stay, or become zero if the key is new. Since Linux 7.0.
    ///
    /// # Errors
    /// `Unsupported` on older kernels: reading all values and writing them back would undo what programs count meanwhile.
    #[doc(alias = "BPF_F_CPU")]
    pub fn insert_cpu(&self, key: &K, cpu: u32, value: &V, mode: UpdateMode) -> Result<()> {
        self.update_cpu(key_bytes(self, key)?, cpu, value.as_bytes(), mode)
    }

    /// Writes the same value for every CPU at `key`. Since Linux 7.0 the kernel replicates it; before, one copy is written
    /// for each CPU.
    #[doc(alias = "BPF_F_ALL_CPUS")]
    pub fn insert_all_cpus(&self, key: &K, value: &V, mode: UpdateMode) -> Result<()> {
        self.update_all_cpus(key_bytes(self, key)?, value.as_bytes(), mode)
    }
}

/// Shared by views and bytes.
impl<K: ?Sized, V: ?Sized> Map<K, V> {
    fn lookup_cpu(&self, key: &[u8], cpu: u32, value: &mut [u8]) -> Result<bool> {
        self.check_cpu(cpu)?;
        if !self.copies_one_cpu() {
            let all = self.view_as::<[u8], PerCpu>().lookup_owned(key, 0)?;
            let all = all.as_ref();
            let Some(one) = all.and_then(|all| all.get(cpu as usize)) else {
                return Ok(false);
            };
            value.copy_from_slice(one);
            return Ok(true);
        }
        match self.raw().lookup_one_cpu(key, value, cpu) {
            Ok(()) => Ok(true),
            Err(Errno::ENOENT) => Ok(false),
            Err(errno) => Err(self.fail(errno, "cannot read the value of one CPU")),
        }
    }

    fn update_cpu(&self, key: &[u8], cpu: u32, value: &[u8], mode: UpdateMode) -> Result<()> {
        self.check_cpu(cpu)?;
        if !self.copies_one_cpu() {
            let message = "this kernel can only write the values of all CPUs at once (a single one needs Linux 7.0)";
            let error = Error::new(ErrorKind::Unsupported, message);
            return Err(self.blame(error).with_hint(
                "write all of them with `insert`, or the same value for all with `insert_all_cpus`",
            ));
        }
        self.raw()
            .update_cpus(key, value, Cpus::One(cpu), mode.flags())
            .map_err(|errno| self.explain_write(errno))
    }

    fn update_all_cpus(&self, key: &[u8], value: &[u8], mode: UpdateMode) -> Result<()> {
        // The kernel does not combine this with a condition on the key.
        if mode == UpdateMode::Any && self.copies_one_cpu() {
            return self
                .raw()
                .update_cpus(key, value, Cpus::All, mode.flags())
                .map_err(|errno| self.explain_write(errno));
        }
        let mut all = self.zeros()?;
        for cpu in 0..all.len() {
            if let Some(place) = all.get_mut(cpu) {
                place.copy_from_slice(value);
            }
        }
        self.update(key, &all.bytes, mode.flags())
    }

    fn zeros(&self) -> Result<PerCpu> {
        PerCpu::room(self.raw()).map_err(|errno| self.fail(errno, "cannot count the CPUs"))
    }

    fn check_cpu(&self, cpu: u32) -> Result<()> {
        let cpus = self.zeros()?.len();
        if (cpu as usize) < cpus {
            return Ok(());
        }
        let message = format!("there is no CPU {cpu}: this machine has at most {cpus}");
        Err(self.blame(Error::new(ErrorKind::InvalidArgument, message)))
    }

    /// Older kernels refuse the flag before they look at the key and value.
    fn copies_one_cpu(&self) -> bool {
        self.has_one_cpu(|| {
            let key = vec![0; self.key_size()];
            let mut value = vec![0; self.value_size()];
            let asked = self.raw().lookup_one_cpu(&key, &mut value, 0);
            !matches!(
                asked,
                Err(Errno::EINVAL | Errno::EOPNOTSUPP | Errno::ENOTSUPP)
            )
        })
    }

    fn check_value_of_one_cpu(&self, value: &[u8]) -> Result<()> {
        self.check_per_cpu()?;
        if value.len() == self.value_size() {
            return Ok(());
        }
        Err(self.wrong_length("value", value.len(), self.value_size()))
    }

    pub(super) fn check_per_cpu(&self) -> Result<()> {
        if self.kind().is_per_cpu() {
            return Ok(());
        }
        let message = format!(
            "a map of type {} has one value shared by all CPUs",
            self.kind()
        );
        Err(self.blame(Error::new(ErrorKind::InvalidArgument, message)))
    }
}

impl Map {
    /// The values at `key` of all possible CPUs, or `None` if there are none.
    pub fn get_per_cpu(&self, key: &[u8]) -> Result<Option<PerCpu>> {
        self.check_per_cpu()?;
        self.view_as::<[u8], PerCpu>().get(key)
    }

    /// Zeros for all possible CPUs, to be filled in.
    pub fn new_per_cpu(&self) -> Result<PerCpu> {
        self.check_per_cpu()?;
        self.zeros()
    }

    /// Writes the values of all possible CPUs.
    pub fn insert_per_cpu(&self, key: &[u8], values: &PerCpu, mode: UpdateMode) -> Result<()> {
        self.check_per_cpu()?;
        if values.size != self.value_size() {
            return Err(self.wrong_length("value", values.size, self.value_size()));
        }
        self.view_as::<[u8], PerCpu>().insert(key, values, mode)
    }

    /// The value of one CPU at `key`, or `None` if there is none. Since Linux 7.0 only that value is copied.
    ///
    /// # Errors
    /// `InvalidArgument` if there is no such CPU.
    #[doc(alias = "BPF_F_CPU")]
    pub fn get_cpu(&self, key: &[u8], cpu: u32) -> Result<Option<Vec<u8>>> {
        self.check_per_cpu()?;
        let mut value = vec![0; self.value_size()];
        let found = self.lookup_cpu(key_bytes(self, key)?, cpu, &mut value)?;
        Ok(found.then_some(value))
    }

    /// Writes the value of one CPU at `key`; other CPUs' values stay, or become zero if the key is new. Since Linux 7.0.
    ///
    /// # Errors
    /// `Unsupported` on older kernels.
    #[doc(alias = "BPF_F_CPU")]
    pub fn insert_cpu(&self, key: &[u8], cpu: u32, value: &[u8], mode: UpdateMode) -> Result<()> {
        self.check_value_of_one_cpu(value)?;
        self.update_cpu(key_bytes(self, key)?, cpu, value, mode)
    }

    /// Writes the same value for every CPU at `key`. Since Linux 7.0 the kernel replicates it; before, one copy is written
    /// for each CPU.
    #[doc(alias = "BPF_F_ALL_CPUS")]
    pub fn insert_all_cpus(&self, key: &[u8], value: &[u8], mode: UpdateMode) -> Result<()> {
        self.check_value_of_one_cpu(value)?;
        self.update_all_cpus(key_bytes(self, key)?, value, mode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_cut_out_of_their_padding() {
        let mut values = PerCpu::<[u8]>::zeroed_for(2, 12).unwrap();
        for (at, byte) in values.bytes.iter_mut().enumerate() {
            *byte = u8::try_from(at).unwrap();
        }
        assert_eq!(values.len(), 2);
        assert_eq!(values.get(1).unwrap(), (16..28).collect::<Vec<u8>>());
        assert_eq!(values.get(2), None);
        values.get_mut(0).unwrap().fill(9);
        assert_eq!(values.iter().next().unwrap(), [9; 12]);
        assert_eq!(values.bytes.get(12), Some(&12), "padding is left alone");
    }

    #[test]
    fn plain_data_is_set_by_its_cpu() {
        let mut values = PerCpu::<u32>::zeroed_for(3, 4).unwrap();
        assert!(values.set(2, &7));
        assert!(!values.set(3, &7));
        assert_eq!(values.get(2), Some(7));
        assert_eq!(values.get(3), None);
        assert_eq!(values.iter().collect::<Vec<_>>(), [0, 0, 7]);
    }

    #[test]
    fn sizes_that_overflow_are_refused() {
        assert!(PerCpu::<[u8]>::zeroed_for(2, usize::MAX).is_none());
        assert!(PerCpu::<[u8]>::zeroed_for(usize::MAX, 16).is_none());
        assert_eq!(PerCpu::<[u8]>::zeroed_for(4, 0).unwrap().len(), 0);
    }
}
