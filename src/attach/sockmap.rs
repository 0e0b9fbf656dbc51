//! Maps of sockets: what happens to the data that these sockets receive (`sk_skb`) or send (`sk_msg`).
//!
//! A link since Linux 6.10. Before that, the map itself keeps the program as long as the map lives.

use super::anchor::Raw;
use super::link::Link;
use super::point::{AttachPoint, Kept, KeptTarget};
use super::refusal::{self, linux};
use crate::kinds::{AttachType, MapType};
use crate::map::Map;
use crate::program::Program;
use crate::sys::bpf::{self, LinkCreate, LinkOptions, LinkTarget};
use crate::{Errno, Error, ErrorKind, Result};
use std::os::fd::AsFd;

impl Program {
    /// Attaches a program of `SEC("sk_msg")`, `SEC("sk_skb/stream_verdict")`, `SEC("sk_skb/stream_parser")` or
    /// `SEC("sk_skb/verdict")` to a map of sockets: it runs for all sockets in the map.
    ///
    /// Before Linux 6.10 there is no link: the program stays attached as long as the map lives, even after this process has
    /// ended if others use the map; and it replaces another program of the same attach type. Since 6.10 that is rejected.
    #[doc(alias = "bpf_program__attach_sockmap")]
    pub fn attach_sockmap(&self, map: &Map) -> Result<Link> {
        let context = |e: Error| {
            e.context(format!(
                "attaching `{}` to map `{}`",
                self.name(),
                map.name()
            ))
        };
        attach(self, map).map_err(context)
    }
}

fn attach(program: &Program, map: &Map) -> Result<Link> {
    let attach_type = program.need_attach_type()?;
    let create = LinkCreate {
        source: program.as_fd(),
        target: LinkTarget::Fd(map.as_fd()),
        attach_type,
        flags: 0,
        options: LinkOptions::None,
    };
    match bpf::link_create(&create) {
        Ok(link) => Ok(Link::kernel(program.name(), link)),
        Err(Errno::EINVAL) if !program.has_links(attach_type) => {
            without_link(program, map, attach_type)
        }
        Err(errno) => Err(refused(errno, attach_type, program, map)),
    }
}

fn without_link(program: &Program, map: &Map, attach_type: AttachType) -> Result<Link> {
    AttachPoint::sockmap(map, attach_type)
        .request(program.as_fd(), Raw::default())
        .map_err(|errno| refused(errno, attach_type, program, map))?;
    let kept = Kept {
        target: KeptTarget::Map(map.clone()),
        attach_type,
        hint: "maps of sockets have links since Linux 6.10",
        any: false,
    };
    Ok(Link::unlinked(program, kept))
}

fn refused(errno: Errno, attach_type: AttachType, program: &Program, map: &Map) -> Error {
    let error = Error::from_errno(
        errno,
        format!("the kernel does not attach it ({attach_type})"),
    );
    if !matches!(map.kind(), MapType::SOCKMAP | MapType::SOCKHASH) {
        return error
            .with_kind(ErrorKind::InvalidArgument)
            .with_hint(format!(
                "the map is of type {}; a sockmap or sockhash is wanted",
                map.kind()
            ));
    }
    if attach_type == AttachType::SK_SKB_VERDICT
        && !program.target().knows_attach_type(attach_type, 0)
    {
        return refusal::unknown("programs of sk_skb/verdict", linux(5, 13), errno);
    }
    match errno {
        Errno::EBUSY => error.with_hint(
            "the map has such a program; and one of sk_skb/verdict does not go with one of sk_skb/stream_verdict",
        ),
        Errno::EINVAL | Errno::EOPNOTSUPP => {
            error.with_hint("programs of sk_msg and sk_skb with an attach type, such as SEC(\"sk_skb/stream_verdict\"), are attached to maps")
        }
        _ => refusal::explain(errno, error),
    }
}
