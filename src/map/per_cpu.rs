//! The values of a per-CPU map, one for each possible CPU.

use super::{Map, UpdateMode};
use crate::{Error, ErrorKind, Result};

/// One value for each possible CPU, by CPU number. Returned by [`Map::get_per_cpu`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PerCpuValues {
    /// Each value is followed by as much padding as makes it a multiple of 8.
    bytes: Vec<u8>,
    size: usize,
    padded: usize,
}

impl PerCpuValues {
    /// As the kernel lays them out: `None` if `bytes` is not a whole number of values of `size` bytes, each padded to 8.
    fn new(bytes: Vec<u8>, size: usize) -> Option<Self> {
        let padded = size.checked_next_multiple_of(8)?;
        let whole = padded != 0 && bytes.len().checked_rem(padded) == Some(0);
        whole.then_some(Self {
            bytes,
            size,
            padded,
        })
    }

    /// How many CPUs.
    pub fn len(&self) -> usize {
        self.bytes.len() / self.padded
    }

    /// Whether there is no value at all.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The value of one CPU.
    pub fn get(&self, cpu: usize) -> Option<&[u8]> {
        self.iter().nth(cpu)
    }

    /// The value of one CPU, to be changed before [`Map::insert_per_cpu`].
    pub fn get_mut(&mut self, cpu: usize) -> Option<&mut [u8]> {
        let size = self.size;
        self.bytes
            .chunks_exact_mut(self.padded)
            .nth(cpu)
            .and_then(|padded| padded.get_mut(..size))
    }

    /// The values, CPU 0 first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.bytes
            .chunks_exact(self.padded)
            .map(|padded| padded.split_at_checked(self.size).map_or(padded, |s| s.0))
    }
}

impl Map {
    /// The values at `key` of all possible CPUs, or `None` if there are none.
    pub fn get_per_cpu(&self, key: &[u8]) -> Result<Option<PerCpuValues>> {
        self.check_per_cpu()?;
        let Some(bytes) = self.get(key)? else {
            return Ok(None);
        };
        PerCpuValues::new(bytes, self.value_size())
            .map(Some)
            .ok_or_else(|| self.strange_size())
    }

    /// Values of zero for all possible CPUs, to be filled in.
    pub fn new_per_cpu(&self) -> Result<PerCpuValues> {
        self.check_per_cpu()?;
        PerCpuValues::new(vec![0; self.value_len()?], self.value_size())
            .ok_or_else(|| self.strange_size())
    }

    /// Writes the values of all possible CPUs.
    pub fn insert_per_cpu(
        &self,
        key: &[u8],
        values: &PerCpuValues,
        mode: UpdateMode,
    ) -> Result<()> {
        self.check_per_cpu()?;
        if values.size != self.value_size() {
            return Err(self.wrong_length("value", values.size, self.value_size()));
        }
        self.insert(key, &values.bytes, mode)
    }

    fn check_per_cpu(&self) -> Result<()> {
        if self.map_type().is_per_cpu() {
            return Ok(());
        }
        Err(self.blame(Error::new(
            ErrorKind::InvalidArgument,
            format!(
                "a map of type {} has one value for all CPUs",
                self.map_type()
            ),
        )))
    }

    fn strange_size(&self) -> Error {
        self.blame(Error::new(
            ErrorKind::Corrupt,
            "the kernel's values do not divide evenly among the CPUs",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_cut_out_of_their_padding() {
        let bytes: Vec<u8> = (0..32).collect();
        let mut values = PerCpuValues::new(bytes, 12).unwrap();
        assert_eq!(values.len(), 2);
        assert_eq!(values.get(1).unwrap(), (16..28).collect::<Vec<u8>>());
        assert_eq!(values.get(2), None);
        values.get_mut(0).unwrap().fill(9);
        assert_eq!(values.iter().next().unwrap(), [9; 12]);
        assert_eq!(values.bytes.get(12), Some(&12), "padding is left alone");
    }

    #[test]
    fn odd_lengths_are_refused() {
        assert!(PerCpuValues::new(vec![0; 20], 12).is_none());
        assert!(PerCpuValues::new(vec![0; 8], 0).is_none());
        assert!(PerCpuValues::new(vec![0; 8], usize::MAX).is_none());
    }
}
