#![allow(unsafe_code)]
//! BTF in the kernel: loading it and reading it back.

use super::call::{Command, address, address_mut, bpf, length, name_text, raw_or_zero};
use super::ensure::ensure_map_or_btf;
use super::object::object_info;
use super::program::Log;
use crate::Errno;
use crate::sys::attr::{BtfLoadAttr, RawBtfInfo};
use crate::sys::fd;
use std::os::fd::{BorrowedFd, OwnedFd};

/// `BPF_F_TOKEN_FD`.
const TOKEN_FD: u32 = 1 << 16;

/// Hands a BTF blob to the kernel. Since Linux 4.18.
#[doc(alias = "bpf_btf_load")]
pub fn btf_load(
    blob: &[u8],
    token: Option<BorrowedFd<'_>>,
    log: Option<&mut Log<'_>>,
) -> Result<OwnedFd, Errno> {
    let mut attr = BtfLoadAttr {
        btf: address(blob),
        btf_size: length(blob)?,
        btf_flags: if token.is_some() { TOKEN_FD } else { 0 },
        btf_token_fd: raw_or_zero(token).cast_signed(),
        ..BtfLoadAttr::default()
    };
    let mut log = log;
    if let Some(log) = log.as_deref_mut() {
        attr.btf_log_level = log.level;
        attr.btf_log_size = length(log.buffer)?;
        attr.btf_log_buf = address_mut(log.buffer);
    }
    // SAFETY: both pointers come with the lengths of the slices they were made from, which outlive the call.
    let result = unsafe { bpf(Command::BtfLoad, &mut attr) };
    if let Some(log) = log {
        log.true_size = attr.btf_log_true_size;
    }
    // SAFETY: this command returns a new descriptor.
    unsafe { fd::adopt(result?) }
}

/// What the kernel reports about a BTF object. Returned by [`Btf::info`](crate::btf::Btf::info).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "bpf_btf_info")]
pub struct BtfInfo {
    /// Id, unique while the BTF is loaded.
    pub id: u32,
    /// Size of the blob, in bytes.
    pub size: u32,
    /// `"vmlinux"` or the module's name; empty for BTF that a process loaded. Since Linux 5.11.
    pub name: String,
    /// Whether it belongs to the kernel or a module. Since Linux 5.11.
    pub is_kernel: bool,
}

/// Asks the kernel about a BTF object.
///
/// # Errors
///
/// `E2BIG` (or `EINVAL`) before Linux 5.11, which does not know names; see [`nameless_btf_info`].
#[doc(alias = "bpf_btf_get_info_by_fd")]
pub fn btf_info(btf: BorrowedFd<'_>) -> Result<BtfInfo, Errno> {
    // A module's name is at most 55 bytes long (MODULE_NAME_LEN).
    btf_info_with(btf, &mut [0; 64])
}

/// Asks the kernel about a BTF object, but not for its name. Works since Linux 4.18; before 5.11, only processes have such objects.
#[doc(alias = "bpf_btf_get_info_by_fd")]
pub fn nameless_btf_info(btf: BorrowedFd<'_>) -> Result<BtfInfo, Errno> {
    btf_info_with(btf, &mut [])
}

fn btf_info_with(btf: BorrowedFd<'_>, name: &mut [u8]) -> Result<BtfInfo, Errno> {
    ensure_map_or_btf(btf)?;
    let mut info = RawBtfInfo {
        name: if name.is_empty() {
            0
        } else {
            address_mut(name)
        },
        name_len: length(name)?,
        ..RawBtfInfo::default()
    };
    // SAFETY: it is BTF, or a map, whose information has no pointers within this length; the name's pointer comes with its
    // true length, and the blob's is null with length zero.
    unsafe { object_info(btf, &mut info) }?;
    Ok(BtfInfo {
        id: info.id,
        size: info.btf_size,
        name: name_text(name),
        is_kernel: info.kernel_btf != 0,
    })
}

/// Reads a blob back from the kernel. Works since Linux 4.18.
#[doc(alias = "btf__load_from_kernel_by_id")]
pub fn btf_data(btf: BorrowedFd<'_>) -> Result<Vec<u8>, Errno> {
    ensure_map_or_btf(btf)?;
    let mut info = RawBtfInfo::default();
    // SAFETY: all pointer fields of the information struct are zero.
    unsafe { object_info(btf, &mut info) }?;
    let mut blob = vec![0u8; info.btf_size as usize];
    let mut info = RawBtfInfo {
        btf: address_mut(&mut blob),
        btf_size: length(&blob)?,
        ..RawBtfInfo::default()
    };
    // SAFETY: it is BTF, or a map, whose information has no pointers within this length; the blob's pointer comes with its
    // true length, and the name's is null with length zero.
    unsafe { object_info(btf, &mut info) }?;
    blob.truncate(info.btf_size as usize);
    Ok(blob)
}
