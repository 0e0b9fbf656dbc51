//! Reading a blob: one pass over the types; everything else is decoded on demand.

use super::foreign;
use super::header::{HEADER_LEN, Header};
use super::index::{Index, kind_number};
use super::sorted::Order;
use crate::btf::{BtfError, ByteOrder, Kind, Type};
use crate::{TypeId, work};
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// The maximum length of a name in bytes: as many as the kernel allows in BTF, and in the names of its own symbols.
#[doc(alias = "KSYM_NAME_LEN")]
pub const LONGEST_NAME: usize = 512;

/// The maximum length of a section name in bytes: `SEC("uprobe/PATH:FUNCTION")` contains a path.
const LONGEST_SECTION_NAME: usize = 1 << 12;

/// Shared bytes: a memory map, or a vector.
pub type SharedBytes = Arc<dyn AsRef<[u8]> + Send + Sync>;

#[derive(Clone)]
enum Data<'a> {
    Borrowed(&'a [u8]),
    Shared(SharedBytes),
}

impl Data<'_> {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Shared(shared) => (**shared).as_ref(),
        }
    }
}

/// A BTF blob and its types.
///
/// Reading borrows the input ([`Btf::parse`]) or shares it ([`Btf::from_shared`], which gives a `Btf<'static>`). The only
/// allocation is a table with the position of every eighth type, built by one pass over the types. A *split* BTF (such as a
/// kernel module's) continues the type ids and string offsets of its base.
///
/// A blob of the other byte order is converted when it is read.
#[derive(Clone)]
#[doc(alias = "btf")]
pub struct Btf<'a> {
    data: Data<'a>,
    header: Header,
    index: OnceLock<Index>,
    pub(super) names: Order,
    first_id: u32,
    first_string: u32,
    base: Option<Arc<Btf<'static>>>,
    order: ByteOrder,
}

/// When the first pass over the types happens.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Walk {
    /// While reading, so that a malformed blob is rejected.
    Now,
    /// At the first query, which is answered by the same pass if it is [`Btf::find_all`].
    Later,
}

impl std::fmt::Debug for Btf<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Btf")
            .field("types", &self.index().len())
            .field("string_bytes", &self.header.strings.len())
            .field("split", &self.base.is_some())
            .finish_non_exhaustive()
    }
}

impl<'a> Btf<'a> {
    /// Reads a blob in place.
    ///
    /// # Errors
    /// The blob is malformed; the error contains the offset. References between types are checked when they are followed, or
    /// all at once by [`Btf::validate`].
    #[doc(alias = "btf__new")]
    pub fn parse(blob: &'a [u8]) -> Result<Self, BtfError> {
        Self::read(Data::Borrowed(blob), None, Walk::Now)
    }

    /// Reads split BTF on top of `base`.
    #[doc(alias = "btf__new_split")]
    pub fn parse_split(blob: &'a [u8], base: Arc<Btf<'static>>) -> Result<Self, BtfError> {
        Self::read(Data::Borrowed(blob), Some(base), Walk::Now)
    }

    fn read(data: Data<'a>, base: Option<Arc<Btf<'static>>>, walk: Walk) -> Result<Self, BtfError> {
        let header = Header::parse(data.bytes())?;
        let order = header.order;
        let (data, header) = match order {
            ByteOrder::Native => (data, header),
            ByteOrder::Foreign => {
                let swapped = foreign::to_native(data.bytes(), &header)?;
                let header = Header::parse(&swapped)?;
                (Data::Shared(Arc::new(swapped)), header)
            }
        };
        let blob = data.bytes();
        let strings = blob.get(header.strings.clone()).unwrap_or_default();
        check_strings(strings, base.is_some())?;
        let (first_id, first_string) = match &base {
            Some(base) => (base.end_id(), base.end_string()),
            None => (1, 0),
        };
        let btf = Self {
            data,
            header,
            index: OnceLock::new(),
            names: Order::default(),
            first_id,
            first_string,
            base,
            order,
        };
        match walk {
            Walk::Later => Ok(btf),
            Walk::Now => match btf.index().error {
                Some(error) => Err(error),
                None => Ok(btf),
            },
        }
    }

    fn index(&self) -> &Index {
        self.index.get_or_init(|| self.walk(|_, _| {}))
    }

    /// Takes four bytes for each type, so that [`get`](Self::get) finds it at once from now on: for a walk over references.
    pub(in crate::btf) fn expect_walks(&self) {
        self.index().keep_all(self.type_bytes());
        if let Some(base) = &self.base {
            base.expect_walks();
        }
    }

    /// Calls `visit` with the id and the name offset of each own type, in order.
    #[inline]
    pub(super) fn for_each_name(&self, mut visit: impl FnMut(TypeId, u32)) {
        let first_id = self.first_id;
        let visit = |index: u32, name_off| visit(TypeId(first_id.saturating_add(index)), name_off);
        if let Some(index) = self.index.get() {
            index.for_each_name(self.type_bytes(), visit);
        } else {
            // If another thread was faster, its index is the same.
            let _ = self.index.set(self.walk(visit));
        }
    }

    /// Walks through the types, and calls `visit` with the index and the name offset of each.
    #[inline]
    fn walk(&self, visit: impl FnMut(u32, u32)) -> Index {
        Index::walk(self.type_bytes(), self.layout_bytes(), self.first_id, visit)
    }

    /// The whole blob, in native byte order.
    #[doc(alias = "btf__raw_data")]
    pub fn bytes(&self) -> &[u8] {
        self.data.bytes()
    }

    /// The byte order that the blob was written in.
    #[doc(alias = "btf__endianness")]
    pub fn byte_order(&self) -> ByteOrder {
        self.order
    }

    /// The base of this blob, if it is split.
    #[doc(alias = "btf__base_btf")]
    pub fn base(&self) -> Option<&Arc<Btf<'static>>> {
        self.base.as_ref()
    }

    /// The ids of this blob's own types (without its base's).
    pub fn own_ids(&self) -> Range<u32> {
        self.first_id..self.end_id()
    }

    /// One more than the highest type id.
    #[doc(alias = "btf__type_cnt")]
    pub fn end_id(&self) -> u32 {
        // The type section is shorter than 4 GiB and a type takes 12 bytes, so this cannot overflow for a base, and
        // saturates for a split blob that could only be read with ids that do not fit.
        self.first_id.saturating_add(self.index().len())
    }

    /// The offset after the last string, own or of the base.
    pub(in crate::btf) fn end_string(&self) -> u32 {
        self.first_string
            .saturating_add(u32::try_from(self.header.strings.len()).unwrap_or(u32::MAX))
    }

    /// The type section's bytes, without the base's.
    pub(in crate::btf) fn type_bytes(&self) -> &[u8] {
        self.bytes()
            .get(self.header.types.clone())
            .unwrap_or_default()
    }

    /// The string section's bytes, without the base's.
    pub(crate) fn string_bytes(&self) -> &[u8] {
        self.bytes()
            .get(self.header.strings.clone())
            .unwrap_or_default()
    }

    /// The layout section's bytes; empty if there is none.
    pub(in crate::btf) fn layout_bytes(&self) -> &[u8] {
        self.bytes()
            .get(self.header.layout.clone())
            .unwrap_or_default()
    }

    /// The string offset of the first byte of [`Btf::string_bytes`].
    pub(in crate::btf) fn first_string(&self) -> u32 {
        self.first_string
    }

    /// The position of each own type in the type section, in order.
    pub(in crate::btf) fn starts(&self) -> impl Iterator<Item = usize> {
        self.index().starts(self.type_bytes())
    }

    /// The string at this offset, without its NUL.
    ///
    /// # Errors
    /// There is none, or it is longer than [`LONGEST_NAME`] bytes. The kernel rejects such a name; in a corrupt blob, any
    /// number of types may share the bytes of one long string.
    #[doc(alias = "btf__str_by_offset")]
    pub fn string_bytes_at(&self, offset: u32) -> Result<&[u8], BtfError> {
        self.string_up_to(offset, LONGEST_NAME)
    }

    /// The name of an ELF section at this offset. It may contain a file path, and the kernel never sees it.
    pub(crate) fn section_name_at(&self, offset: u32) -> Option<&str> {
        let name = self.string_up_to(offset, LONGEST_SECTION_NAME).ok()?;
        std::str::from_utf8(name).ok()
    }

    fn string_up_to(&self, offset: u32, longest: usize) -> Result<&[u8], BtfError> {
        let tail = self.strings_from(offset)?;
        let window = tail.get(..=longest).unwrap_or(tail);
        work::did(window.len());
        if window.is_empty() {
            return Ok(&[]);
        }
        let len = memchr::memchr(0, window).ok_or(BtfError::LongString { offset, longest })?;
        window.get(..len).ok_or(BtfError::NoString(offset))
    }

    /// The strings from this offset on. They end with a NUL, unless there are none at all.
    ///
    /// # Errors
    /// There is no string at this offset.
    pub(in crate::btf) fn strings_from(&self, offset: u32) -> Result<&[u8], BtfError> {
        let Some(own) = offset.checked_sub(self.first_string) else {
            return match &self.base {
                Some(base) => base.strings_from(offset),
                None => Err(BtfError::NoString(offset)),
            };
        };
        let strings = self.string_bytes();
        if strings.is_empty() && offset == 0 {
            return Ok(&[]);
        }
        let tail = usize::try_from(own).ok().and_then(|own| strings.get(own..));
        tail.filter(|tail| !tail.is_empty())
            .ok_or(BtfError::NoString(offset))
    }

    /// The string at this offset, if it exists, is text, and is no longer than [`LONGEST_NAME`] bytes.
    pub fn str_at(&self, offset: u32) -> Option<&str> {
        if offset == 0 {
            return Some("");
        }
        std::str::from_utf8(self.string_bytes_at(offset).ok()?).ok()
    }

    /// The type with this id; id 0 is `void`.
    ///
    /// # Errors
    /// There is none, or it is of a kind that only the blob's layout section knows.
    #[doc(alias = "btf__type_by_id")]
    pub fn get(&self, id: TypeId) -> Result<Type<'_>, BtfError> {
        if id.is_void() {
            return Ok(Type::void(self));
        }
        let Some(own) = id.0.checked_sub(self.first_id) else {
            return match &self.base {
                Some(base) => base.get(id),
                None => Err(BtfError::NoType(id)),
            };
        };
        let start = self.index().start(self.type_bytes(), own);
        self.record(id, start.ok_or(BtfError::NoType(id))?)
    }

    fn record(&self, id: TypeId, offset: usize) -> Result<Type<'_>, BtfError> {
        let cut = BtfError::Truncated { id, offset };
        let record = self.type_bytes().get(offset..).ok_or(cut)?;
        let (head, tail) = record.split_first_chunk::<12>().ok_or(cut)?;
        let [name_off, info, size_or_target] = super::types::words(head);
        let kind_number = kind_number(info);
        let kind = Kind::from_number(kind_number).ok_or(BtfError::UnknownKind {
            id,
            kind: kind_number,
        })?;
        let (once, each) = kind.tail();
        let vlen = usize::try_from(info & 0x00ff_ffff).unwrap_or(usize::MAX);
        let len = usize::from(each)
            .saturating_mul(vlen)
            .saturating_add(usize::from(once));
        let tail = tail.get(..len).ok_or(cut)?;
        Ok(Type {
            btf: self,
            id,
            kind,
            name_off,
            info,
            size_or_target,
            tail,
        })
    }

    /// All of this blob's own types (without its base's), in order.
    pub fn types(&self) -> impl Iterator<Item = Type<'_>> {
        self.records().filter_map(Result::ok)
    }

    /// All of this blob's own types, in order; an error for each of a kind that only the blob's layout section knows.
    pub(in crate::btf) fn records(&self) -> impl Iterator<Item = Result<Type<'_>, BtfError>> {
        let records = self.own_ids().zip(self.starts());
        records.map(|(id, start)| self.record(TypeId(id), start))
    }
}

impl Btf<'static> {
    /// Reads a shared blob: a vector, or a memory map of `/sys/kernel/btf/vmlinux`.
    pub fn from_shared(blob: SharedBytes) -> Result<Self, BtfError> {
        Self::read(Data::Shared(blob), None, Walk::Now)
    }

    /// Like [`Btf::from_shared`], for a blob that can be trusted because it comes from the kernel: the pass over the types
    /// happens at the first query. If that is [`Btf::find_all`], the same pass answers it.
    ///
    /// # Errors
    /// The header or the string section is malformed. Types after a malformed one are not found.
    pub fn from_trusted(blob: SharedBytes) -> Result<Self, BtfError> {
        Self::read(Data::Shared(blob), None, Walk::Later)
    }

    /// Reads a shared split blob on top of `base`.
    pub fn from_shared_split(blob: SharedBytes, base: Arc<Btf<'static>>) -> Result<Self, BtfError> {
        Self::read(Data::Shared(blob), Some(base), Walk::Now)
    }

    /// Reads a blob and owns it.
    pub fn from_vec(blob: Vec<u8>) -> Result<Self, BtfError> {
        Self::from_shared(Arc::new(blob))
    }
}

fn check_strings(strings: &[u8], split: bool) -> Result<(), BtfError> {
    match (strings.first(), strings.last()) {
        // A module that adds no strings has an empty section; so does a header alone.
        (None, None) => Ok(()),
        (Some(first), Some(0)) if *first == 0 || split => Ok(()),
        _ => Err(BtfError::Strings),
    }
}

const _: () = assert!(HEADER_LEN == 24);
