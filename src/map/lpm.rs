//! Keys of longest-prefix-match tries.

use crate::btf::Layout;
use std::net::{Ipv4Addr, Ipv6Addr};
use zerocopy::native_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The key of a `BPF_MAP_TYPE_LPM_TRIE`: the first `prefix_len` bits of `N` bytes, most significant byte first.
///
/// A lookup with all bits finds the element with the longest matching prefix.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
#[doc(alias = "bpf_lpm_trie_key")]
pub struct LpmKey<const N: usize> {
    prefix_len: U32,
    data: [u8; N],
}

impl<const N: usize> Layout for LpmKey<N> {}

impl<const N: usize> LpmKey<N> {
    /// A prefix of `prefix_len` bits; the kernel refuses more than `N * 8`.
    pub fn new(prefix_len: u32, data: [u8; N]) -> Self {
        Self {
            prefix_len: U32::new(prefix_len),
            data,
        }
    }

    /// A key with all bits, as for lookups.
    pub fn exact(data: [u8; N]) -> Self {
        Self::new(u32::try_from(N).unwrap_or(u32::MAX).saturating_mul(8), data)
    }

    /// The length of the prefix in bits.
    pub fn prefix_len(&self) -> u32 {
        self.prefix_len.get()
    }

    /// The bytes.
    pub fn data(&self) -> &[u8; N] {
        &self.data
    }
}

impl From<Ipv4Addr> for LpmKey<4> {
    fn from(address: Ipv4Addr) -> Self {
        Self::exact(address.octets())
    }
}

impl From<Ipv6Addr> for LpmKey<16> {
    fn from(address: Ipv6Addr) -> Self {
        Self::exact(address.octets())
    }
}
