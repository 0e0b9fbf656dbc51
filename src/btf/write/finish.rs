//! A builder's types as a blob, in either byte order.

use super::builder::{BtfBuilder, MAX_TYPE};
use crate::btf::read::header::{HEADER_LEN, HEADER_LEN_LAYOUT, MAGIC};
use crate::btf::{Btf, BtfError, ByteOrder, Kind};
use std::sync::Arc;

impl BtfBuilder {
    /// The byte order to write in; native by default.
    #[doc(alias = "btf__set_endianness")]
    pub fn set_byte_order(&mut self, order: ByteOrder) {
        self.order = order;
    }

    /// Adds a layout section, which describes the sizes of all kinds to readers that do not know them. Kernels accept it
    /// since Linux 7.1, as they do types with more than 65535 elements.
    #[doc(alias = "btf_new_opts")]
    pub fn add_layout(&mut self) {
        let sizes = Kind::ALL.iter().map(|kind| kind.tail());
        self.layout = sizes.flat_map(|(once, each)| [once, each, 0, 0]).collect();
    }

    /// Leaves the layout section out (kernels before 7.1 reject it).
    pub fn drop_layout(&mut self) {
        self.layout.clear();
    }

    /// The blob.
    ///
    /// # Errors
    /// The first thing that could not be written; more types than kernels accept.
    #[doc(alias = "btf__raw_data")]
    pub fn finish(&self) -> Result<Vec<u8>, BtfError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let count = self.next_id().0.saturating_sub(1);
        if self.starts.len() > self.copied && count > MAX_TYPE {
            return Err(BtfError::TooManyTypes(count));
        }
        let type_len = self.words.len().saturating_mul(4);
        let (layout_len, strings) = (self.layout.len(), self.strings.bytes());
        let str_off = layout_len.saturating_add(type_len);
        let header_len = if layout_len == 0 {
            HEADER_LEN
        } else {
            HEADER_LEN_LAYOUT
        };
        let total = str_off.saturating_add(strings.len());
        if u32::try_from(total).is_err() {
            return Err(BtfError::TooManyTypes(count));
        }
        let mut blob = Vec::with_capacity(total.saturating_add(header_len));
        let order = self.order;
        blob.extend_from_slice(&order.u16(MAGIC.to_ne_bytes()).to_ne_bytes());
        blob.extend_from_slice(&[1, 0]);
        let fields = [
            header_len,
            layout_len,
            type_len,
            str_off,
            strings.len(),
            0,
            layout_len,
        ];
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let fields = fields.map(number);
        let fields = fields.iter().take(if layout_len == 0 { 5 } else { 7 });
        blob.extend(fields.flat_map(|field| in_order(order, *field)));
        let layout = self.layout.as_chunks::<4>().0.iter();
        blob.extend(layout.flat_map(|[once, each, low, high]| {
            let [low, high] = order.u16([*low, *high]).to_ne_bytes();
            [*once, *each, low, high]
        }));
        blob.extend(self.words.iter().flat_map(|word| in_order(order, *word)));
        blob.extend_from_slice(strings);
        Ok(blob)
    }

    /// The types, for queries.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    pub fn build(&self) -> Result<Btf<'static>, BtfError> {
        let blob = Arc::new(self.finish()?);
        match &self.base {
            Some(base) => Btf::from_shared_split(blob, base.clone()),
            None => Btf::from_shared(blob),
        }
    }
}

/// Encodes a number in a byte order.
pub(super) fn in_order(order: ByteOrder, word: u32) -> [u8; 4] {
    order.u32(word.to_ne_bytes()).to_ne_bytes()
}
