//! Netlink messages as bytes: a header, a fixed struct, then attributes, each with its length and kind.
//!
//! ```text
//!  length kind flags seq port | struct | length kind value.. pad | length kind value.. pad | ...
//!  \______ 16 bytes ________/           \____ an attribute ____/
//! ```
//!
//! All numbers are in the machine's byte order, and everything starts at a multiple of four bytes. What the kernel sends is
//! read as carefully as a file: no length is trusted.

use crate::Errno;
use std::fmt;

const HEADER: usize = 16;
const ATTRIBUTE_HEADER: usize = 4;

/// `NLM_F_REQUEST`, `NLM_F_ACK`
const REQUEST: u16 = 1;
const ACK: u16 = 4;
/// `NLA_F_NESTED`, and the bits of an attribute's kind that hold its number.
const NESTED: u16 = 1 << 15;
const KIND_MASK: u16 = 0x3fff;

/// A message to the kernel, under construction. [`Netlink`](super::Netlink) sends it.
#[derive(Debug, Clone)]
pub struct Request {
    bytes: Vec<u8>,
    flags: u16,
    /// Whether something was too long for its length field.
    too_long: bool,
}

impl Request {
    /// `NLM_F_REPLACE`: change what exists.
    pub const REPLACE: u16 = 0x100;
    /// `NLM_F_EXCL`: fail if it exists.
    pub const EXCLUSIVE: u16 = 0x200;
    /// `NLM_F_CREATE`: create what does not exist.
    pub const CREATE: u16 = 0x400;
    /// `NLM_F_ECHO`: answer with what was created.
    pub const ECHO: u16 = 8;
    /// `NLM_F_DUMP`: answer with the whole list.
    pub const DUMP: u16 = 0x300;

    /// A message of this kind (`RTM_*`) with `body` as the fixed struct.
    pub fn new(kind: u16, flags: u16, body: &[u8]) -> Self {
        let mut bytes = vec![0; HEADER];
        put(&mut bytes, 4, &kind.to_ne_bytes());
        bytes.extend_from_slice(body);
        pad(&mut bytes);
        Self {
            bytes,
            flags,
            too_long: false,
        }
    }

    /// Adds an attribute.
    pub fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        let start = self.open(kind);
        self.bytes.extend_from_slice(value);
        self.close(start);
        self
    }

    /// Adds an attribute that holds a 32-bit number.
    pub fn number(self, kind: u16, value: u32) -> Self {
        self.attribute(kind, &value.to_ne_bytes())
    }

    /// Adds an attribute that holds text, with a zero byte at its end.
    pub fn text(self, kind: u16, value: &str) -> Self {
        self.attribute(kind, &[value.as_bytes(), &[0]].concat())
    }

    /// Adds an attribute that holds the attributes that `fill` adds.
    pub fn nested(mut self, kind: u16, fill: impl FnOnce(Self) -> Self) -> Self {
        let start = self.open(kind | NESTED);
        let mut filled = fill(self);
        filled.close(start);
        filled
    }

    fn open(&mut self, kind: u16) -> usize {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 2]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        start
    }

    fn close(&mut self, start: usize) {
        match u16::try_from(self.bytes.len() - start) {
            Ok(length) => put(&mut self.bytes, start, &length.to_ne_bytes()),
            Err(_) => self.too_long = true,
        }
        pad(&mut self.bytes);
    }

    /// Whether the answer is a list of arbitrary length.
    pub(super) fn is_dump(&self) -> bool {
        self.flags & Self::DUMP == Self::DUMP
    }

    /// The finished message. Unless it is a dump, it asks for an acknowledgement, which marks the end of the answer.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` if something was too long for its length field.
    pub(super) fn finish(mut self, sequence: u32) -> Result<Vec<u8>, Errno> {
        let length = u32::try_from(self.bytes.len()).map_err(|_| Errno::EMSGSIZE)?;
        if self.too_long {
            return Err(Errno::EMSGSIZE);
        }
        let ack = if self.is_dump() { 0 } else { ACK };
        put(&mut self.bytes, 0, &length.to_ne_bytes());
        put(
            &mut self.bytes,
            6,
            &(self.flags | REQUEST | ack).to_ne_bytes(),
        );
        put(&mut self.bytes, 8, &sequence.to_ne_bytes());
        Ok(self.bytes)
    }
}

/// Overwrites existing bytes.
fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    for (to, from) in bytes.iter_mut().skip(at).zip(value) {
        *to = *from;
    }
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(aligned(bytes.len()), 0);
}

fn aligned(length: usize) -> usize {
    length.saturating_add(3) & !3
}

/// Bytes that are not a netlink message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// A message from the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// `RTM_*` and the like, or one of netlink's own kinds.
    pub kind: u16,
    /// `NLM_F_*`
    pub flags: u16,
    /// Sequence number of the request that it answers.
    pub sequence: u32,
    /// Port of the socket that it is for.
    pub port: u32,
    /// The fixed struct and the attributes.
    pub payload: &'a [u8],
}

/// The messages in what one `recv` returned.
#[derive(Debug, Clone)]
pub struct Messages<'a>(&'a [u8]);

impl<'a> Messages<'a> {
    /// Reads these bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn first(&self) -> Option<(Message<'a>, &'a [u8])> {
        let length = usize::try_from(u32_at(self.0, 0)?).ok()?;
        let payload = self.0.get(HEADER..length)?;
        let message = Message {
            kind: u16_at(self.0, 4)?,
            flags: u16_at(self.0, 6)?,
            sequence: u32_at(self.0, 8)?,
            port: u32_at(self.0, 12)?,
            payload,
        };
        Some((message, self.0.get(aligned(length)..).unwrap_or_default()))
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let Some((message, rest)) = self.first() else {
            self.0 = &[];
            return Some(Err(Malformed));
        };
        self.0 = rest;
        Some(Ok(message))
    }
}

/// The attributes in a payload, as pairs of kind and value. Ends at the first malformed one.
#[derive(Debug, Clone)]
pub struct Attributes<'a>(&'a [u8]);

impl<'a> Attributes<'a> {
    /// Reads the attributes after a fixed struct of `body` bytes.
    pub fn after(body: usize, payload: &'a [u8]) -> Self {
        Self(payload.get(aligned(body)..).unwrap_or_default())
    }

    /// Reads the attributes inside an attribute's value.
    pub fn nested(value: &'a [u8]) -> Self {
        Self(value)
    }

    /// The value of the first attribute of this kind.
    pub fn value(&self, kind: u16) -> Option<&'a [u8]> {
        self.clone()
            .find(|(found, _)| *found == kind)
            .map(|(_, value)| value)
    }

    /// The 32-bit number in the first attribute of this kind.
    pub fn number(&self, kind: u16) -> Option<u32> {
        u32_at(self.value(kind)?, 0)
    }

    /// The text in the first attribute of this kind, up to its zero byte.
    pub fn text(&self, kind: u16) -> Option<String> {
        let value = self.value(kind)?;
        let end = value
            .iter()
            .position(|byte| *byte == 0)
            .unwrap_or(value.len());
        let (text, _) = value.split_at(end);
        Some(String::from_utf8_lossy(text).into_owned())
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let length = usize::from(u16_at(self.0, 0)?);
        let kind = u16_at(self.0, 2)? & KIND_MASK;
        let value = self.0.get(ATTRIBUTE_HEADER..length)?;
        self.0 = self.0.get(aligned(length)..).unwrap_or_default();
        Some((kind, value))
    }
}

/// Why the kernel refused a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The error number.
    pub errno: Errno,
    /// The kernel's message ("extended acknowledgement"), if it sent one. Since Linux 4.12.
    pub words: Option<String>,
}

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Self {
        Self { errno, words: None }
    }
}

impl From<Malformed> for Refusal {
    fn from(_: Malformed) -> Self {
        Errno::EPROTO.into()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.words {
            Some(words) => write!(f, "{words} ({})", self.errno),
            None => write!(f, "{}", self.errno),
        }
    }
}

impl std::error::Error for Refusal {}

/// Reads a message of the kinds `NLMSG_ERROR` and `NLMSG_DONE`, both of which start with an error number.
///
/// The error number is followed by the request's header and, unless `NLM_F_CAPPED` is set, the rest of the request; then, if
/// `NLM_F_ACK_TLVS` is set, by attributes with the kernel's message.
pub(super) fn verdict(message: &Message<'_>) -> Result<(), Refusal> {
    const CAPPED: u16 = 0x100;
    const WITH_ATTRIBUTES: u16 = 0x200;
    /// `NLMSGERR_ATTR_MSG`
    const WORDS: u16 = 1;
    let number = u32_at(message.payload, 0).ok_or(Malformed)?.cast_signed();
    if number == 0 {
        return Ok(());
    }
    let errno = Errno(number.checked_neg().ok_or(Malformed)?);
    let body = match message.kind {
        kind::DONE => Some(4),
        _ if message.flags & CAPPED != 0 => Some(4 + HEADER),
        _ => u32_at(message.payload, 4)
            .and_then(|length| usize::try_from(length).ok()?.checked_add(4)),
    };
    let words = body.filter(|_| message.flags & WITH_ATTRIBUTES != 0);
    let words = words.and_then(|body| Attributes::after(body, message.payload).text(WORDS));
    Err(Refusal { errno, words })
}

/// Netlink's own kinds of messages.
pub(super) mod kind {
    pub(in super::super) const NOOP: u16 = 1;
    pub(in super::super) const ERROR: u16 = 2;
    pub(in super::super) const DONE: u16 = 3;
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u16::from_ne_bytes(*bytes))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(kind: u16, flags: u16, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEADER + payload.len()).unwrap();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(7u32.to_ne_bytes());
        bytes.extend(9u32.to_ne_bytes());
        bytes.extend(payload);
        bytes
    }

    fn only(bytes: &[u8]) -> Message<'_> {
        let mut messages = Messages::new(bytes);
        let message = messages.next().unwrap().unwrap();
        assert_eq!(messages.next(), None);
        message
    }

    #[test]
    fn what_is_written_is_read() {
        let request = Request::new(19, Request::CREATE, &[1, 2, 3]);
        let request = request
            .text(3, "eth0")
            .nested(43, |xdp| xdp.number(1, 5).attribute(2, &[9]));
        let bytes = request.finish(77).unwrap();
        let message = only(&bytes);
        assert_eq!((message.kind, message.sequence), (19, 77));
        assert_eq!(message.flags, Request::CREATE | REQUEST | ACK);
        let attributes = Attributes::after(3, message.payload);
        assert_eq!(attributes.text(3).as_deref(), Some("eth0"));
        let xdp = Attributes::nested(attributes.value(43).unwrap());
        assert_eq!(xdp.number(1), Some(5));
        assert_eq!(xdp.value(2), Some(&[9][..]));
        assert_eq!(xdp.value(3), None);
        assert_eq!(bytes.len() % 4, 0);
    }

    #[test]
    fn a_dump_asks_for_no_acknowledgement() {
        let bytes = Request::new(18, Request::DUMP, &[]).finish(1).unwrap();
        assert_eq!(only(&bytes).flags, Request::DUMP | REQUEST);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let long = vec![0; 70_000];
        let attribute = Request::new(1, 0, &[]).attribute(1, &long);
        assert_eq!(attribute.finish(1), Err(Errno::EMSGSIZE));
        let half = vec![0; 40_000];
        let nested =
            Request::new(1, 0, &[]).nested(1, |n| n.attribute(2, &half).attribute(3, &half));
        assert_eq!(nested.finish(1), Err(Errno::EMSGSIZE));
    }

    #[test]
    fn the_kernels_words_are_found_behind_the_request() {
        let request = Request::new(19, 0, &[0; 16])
            .text(3, "no-such")
            .finish(7)
            .unwrap();
        let words = Request::new(0, 0, &[]).text(1, "no such device");
        let words = words.finish(0).unwrap().split_off(HEADER);
        let refusal = |flags, request: &[u8]| {
            let mut payload = (-19i32).to_ne_bytes().to_vec();
            payload.extend(request);
            payload.extend(&words);
            let bytes = message(kind::ERROR, flags, &payload);
            verdict(&only(&bytes)).unwrap_err()
        };
        let expected = Refusal {
            errno: Errno::ENODEV,
            words: Some("no such device".into()),
        };
        assert_eq!(refusal(0x200, &request), expected);
        assert_eq!(refusal(0x300, &request[..HEADER]), expected);
        assert_eq!(refusal(0, &request).words, None);
        assert_eq!(expected.to_string(), "no such device (ENODEV)");
    }

    #[test]
    fn an_acknowledgement_is_no_error() {
        let bytes = message(kind::ERROR, 0x100, &[0; 20]);
        assert_eq!(verdict(&only(&bytes)), Ok(()));
        let bytes = message(kind::DONE, 0, &(-95i32).to_ne_bytes());
        assert_eq!(verdict(&only(&bytes)).unwrap_err().errno, Errno::EOPNOTSUPP);
    }

    #[test]
    fn lengths_are_not_believed() {
        for length in [0u32, 4, 15, 17, 1 << 16, u32::MAX] {
            let mut bytes = message(1, 0, &[]);
            put(&mut bytes, 0, &length.to_ne_bytes());
            assert_eq!(
                Messages::new(&bytes).collect::<Vec<_>>(),
                [Err(Malformed)],
                "{length}"
            );
        }
        for length in [0u16, 3, 9, u16::MAX] {
            let bytes = [&length.to_ne_bytes()[..], &[1, 0, 5, 5, 5, 5]].concat();
            assert_eq!(Attributes::nested(&bytes).next(), None, "{length}");
        }
        let truncated = message(kind::ERROR, 0x200, &[1]);
        assert_eq!(verdict(&only(&truncated)).unwrap_err().errno, Errno::EPROTO);
        let smallest = message(kind::ERROR, 0x200, &i32::MIN.to_ne_bytes());
        assert_eq!(verdict(&only(&smallest)).unwrap_err().errno, Errno::EPROTO);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
            for message in Messages::new(&bytes).flatten() {
                let _ = verdict(&message);
                for (_, value) in Attributes::after(16, message.payload) {
                    prop_assert!(Attributes::nested(value).count() <= bytes.len());
                }
            }
            let _ = Attributes::nested(&bytes).text(1);
        }
    }
}
