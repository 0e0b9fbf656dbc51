#![allow(unsafe_code)]
//! A netlink socket: sends one request and collects its answers.

use super::message::{Message, Messages, Refusal, Request, kind, verdict};
use crate::Errno;
use crate::sys::{errno, fd};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};

/// Which part of the kernel to talk to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Interfaces, addresses, traffic control.
    Route,
    /// Families that are found by name.
    Generic,
}

/// A socket to the kernel, in the network namespace that the thread was in when it was opened.
#[derive(Debug)]
pub struct Netlink {
    socket: OwnedFd,
    /// The socket's address (`nl_pid`).
    port: u32,
    sequence: u32,
}

/// How often a dump is requested if the list changes while it is sent.
const ATTEMPTS: u32 = 8;

impl Netlink {
    /// Opens a socket.
    pub fn open(family: Family) -> Result<Self, Errno> {
        let protocol = match family {
            Family::Route => libc::NETLINK_ROUTE,
            Family::Generic => libc::NETLINK_GENERIC,
        };
        // SAFETY: the call takes numbers only.
        let raw = unsafe {
            libc::socket(
                libc::AF_NETLINK,
                libc::SOCK_RAW | libc::SOCK_CLOEXEC,
                protocol,
            )
        };
        let raw = errno::check(raw.into())?;
        // SAFETY: the call has just made this descriptor.
        let socket = unsafe { fd::adopt(raw) }?;
        // Without these options, the kernel answers with numbers only, or returns the whole request: both are understood.
        let _ = switch_on(&socket, libc::NETLINK_EXT_ACK);
        let _ = switch_on(&socket, libc::NETLINK_CAP_ACK);
        let port = bind(&socket)?;
        Ok(Self {
            socket,
            port,
            sequence: 0,
        })
    }

    /// Sends a request and returns the payloads of the answering messages.
    ///
    /// # Errors
    ///
    /// The kernel's refusal; `EAGAIN` if the list kept changing while it was sent.
    pub fn ask(&mut self, request: &Request) -> Result<Vec<Vec<u8>>, Refusal> {
        for _ in 0..ATTEMPTS {
            if let Some(answer) = self.ask_once(request)? {
                return Ok(answer);
            }
        }
        Err(Errno::EAGAIN.into())
    }

    /// `None` if the list changed while it was sent.
    fn ask_once(&mut self, request: &Request) -> Result<Option<Vec<Vec<u8>>>, Refusal> {
        /// `NLM_F_DUMP_INTR`
        const INTERRUPTED: u16 = 0x10;
        self.sequence = self.sequence.wrapping_add(1);
        self.send(&request.clone().finish(self.sequence)?)?;
        let mut answer = Vec::new();
        let mut whole = true;
        loop {
            let bytes = self.receive()?;
            for message in Messages::new(&bytes) {
                let message = message?;
                if !self.is_for_us(&message) {
                    continue;
                }
                whole &= message.flags & INTERRUPTED == 0;
                match message.kind {
                    kind::NOOP => {}
                    kind::ERROR | kind::DONE => {
                        verdict(&message)?;
                        return Ok(whole.then_some(answer));
                    }
                    _ => answer.push(message.payload.to_vec()),
                }
            }
        }
    }

    /// Answers to earlier requests, and to other sockets, are skipped.
    fn is_for_us(&self, message: &Message<'_>) -> bool {
        message.sequence == self.sequence && message.port == self.port
    }

    fn send(&self, bytes: &[u8]) -> Result<(), Errno> {
        // SAFETY: the kernel reads as many bytes as the slice has.
        let sent = unsafe {
            libc::send(
                self.socket.as_raw_fd(),
                bytes.as_ptr().cast(),
                bytes.len(),
                0,
            )
        };
        errno::check(sent as libc::c_long).map(drop)
    }

    /// One datagram from the kernel, of any length.
    fn receive(&self) -> Result<Vec<u8>, Errno> {
        loop {
            let (length, _) = self.receive_into(&mut [], libc::MSG_PEEK | libc::MSG_TRUNC)?;
            let mut bytes = vec![0; length];
            let (length, sender) = self.receive_into(&mut bytes, libc::MSG_TRUNC)?;
            if length > bytes.len() {
                return Err(Errno::EMSGSIZE);
            }
            // Other processes may send to this socket as well; the kernel's own address is 0.
            if sender == 0 {
                bytes.truncate(length);
                return Ok(bytes);
            }
        }
    }

    /// Returns the datagram's length and its sender.
    fn receive_into(&self, buffer: &mut [u8], flags: libc::c_int) -> Result<(usize, u32), Errno> {
        loop {
            let mut sender = MaybeUninit::<libc::sockaddr_nl>::zeroed();
            let mut sender_length = ADDRESS_LENGTH;
            // SAFETY: buffer and address are borrowed exclusively, with their lengths next to them.
            let received = unsafe {
                libc::recvfrom(
                    self.socket.as_raw_fd(),
                    buffer.as_mut_ptr().cast(),
                    buffer.len(),
                    flags,
                    sender.as_mut_ptr().cast(),
                    &raw mut sender_length,
                )
            };
            match errno::check(received as libc::c_long) {
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
                Ok(length) => {
                    // SAFETY: the address is plain numbers, all of which were set to zero.
                    let sender = unsafe { sender.assume_init() };
                    return Ok((usize::try_from(length).unwrap_or(0), sender.nl_pid));
                }
            }
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a struct's size")]
const ADDRESS_LENGTH: libc::socklen_t = size_of::<libc::sockaddr_nl>() as libc::socklen_t;

#[expect(
    clippy::cast_possible_truncation,
    reason = "the families have small numbers"
)]
const FAMILY: libc::sa_family_t = libc::AF_NETLINK as libc::sa_family_t;

fn switch_on(socket: &OwnedFd, option: libc::c_int) -> Result<(), Errno> {
    #[expect(clippy::cast_possible_truncation, reason = "an integer's size")]
    const LENGTH: libc::socklen_t = size_of::<libc::c_int>() as libc::socklen_t;
    let on: libc::c_int = 1;
    // SAFETY: the kernel reads as many bytes as the value has.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_NETLINK,
            option,
            (&raw const on).cast(),
            LENGTH,
        )
    };
    errno::check(result.into()).map(drop)
}

/// Lets the kernel choose an address for the socket, and returns it.
fn bind(socket: &OwnedFd) -> Result<u32, Errno> {
    // SAFETY: the address is plain numbers, for which zero is a value.
    let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
    address.nl_family = FAMILY;
    // SAFETY: the kernel reads the address, whose length is right.
    let result = unsafe {
        libc::bind(
            socket.as_raw_fd(),
            (&raw const address).cast(),
            ADDRESS_LENGTH,
        )
    };
    errno::check(result.into())?;
    let mut length = ADDRESS_LENGTH;
    // SAFETY: the kernel writes no more than the address has room for.
    let result = unsafe {
        libc::getsockname(
            socket.as_raw_fd(),
            (&raw mut address).cast(),
            &raw mut length,
        )
    };
    errno::check(result.into())?;
    Ok(address.nl_pid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::netlink::Attributes;

    /// `RTM_GETLINK`, `IFLA_IFNAME`
    const GET_LINK: u16 = 18;
    const NAME: u16 = 3;

    #[test]
    fn the_kernel_lists_interfaces() {
        let mut netlink = Netlink::open(Family::Route).unwrap();
        for _ in 0..2 {
            let answer = netlink
                .ask(&Request::new(GET_LINK, Request::DUMP, &[0; 16]))
                .unwrap();
            let names: Vec<_> = answer
                .iter()
                .filter_map(|one| Attributes::after(16, one).text(NAME))
                .collect();
            assert!(names.iter().any(|name| name == "lo"), "{names:?}");
        }
    }

    #[test]
    fn one_interface_by_name() {
        let mut netlink = Netlink::open(Family::Route).unwrap();
        let one = |name: &str| Request::new(GET_LINK, 0, &[0; 16]).text(NAME, name);
        assert_eq!(netlink.ask(&one("lo")).unwrap().len(), 1);
        let refusal = netlink.ask(&one("no-such")).unwrap_err();
        assert_eq!(refusal.errno, Errno::ENODEV);
        assert_eq!(netlink.ask(&one("lo")).unwrap().len(), 1);
    }
}
