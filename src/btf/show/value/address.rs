//! Values that are network addresses.

use super::decode::is_char;
use crate::TypeId;
use crate::btf::read::query::MAX_CHAIN;
use crate::btf::{BtfError, Kind, Type};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The value as an address: by its type's name (`in_addr`, `in6_addr`), or by a suitable member name (`saddr`, `daddr_v6`,
/// `ip`) with a type that is in network byte order or an array of the right size.
pub(super) fn ip_address(
    ty: &Type<'_>,
    member: &str,
    raw: &[u8],
) -> Result<Option<IpAddr>, BtfError> {
    if let Ok(octets) = <[u8; 4]>::try_from(raw) {
        return Ok(is_v4(ty, member)?.then(|| Ipv4Addr::from(octets).into()));
    }
    let Ok(octets) = <[u8; 16]>::try_from(raw) else {
        return Ok(None);
    };
    if !is_v6(ty, member)? {
        return Ok(None);
    }
    // Tools that handle both versions leave the last twelve bytes of an IPv4 address zero.
    Ok(Some(match octets {
        [a, b, c, d, rest @ ..] if rest == [0; 12] && [a, b, c, d] != [0; 4] => {
            Ipv4Addr::new(a, b, c, d).into()
        }
        _ => Ipv6Addr::from(octets).into(),
    }))
}

fn is_v4(ty: &Type<'_>, member: &str) -> Result<bool, BtfError> {
    let resolved = ty.resolved()?;
    if resolved.name() == "in_addr" {
        return Ok(true);
    }
    Ok(says_address(member) && (is_be32(ty)? || is_bytes(&resolved, 4)?))
}

fn is_v6(ty: &Type<'_>, member: &str) -> Result<bool, BtfError> {
    let resolved = ty.resolved()?;
    if resolved.name() == "in6_addr" {
        return Ok(true);
    }
    Ok(says_address(member) && (resolved.kind() == Kind::Int || is_bytes(&resolved, 16)?))
}

fn says_address(name: &str) -> bool {
    name.split('_').any(|part| {
        matches!(
            part,
            "addr" | "saddr" | "daddr" | "laddr" | "raddr" | "ip" | "sip" | "dip" | "ip4" | "ip6"
        )
    })
}

/// Whether one of the typedefs of the integer is `__be32`.
fn is_be32(ty: &Type<'_>) -> Result<bool, BtfError> {
    let mut now = *ty;
    for _ in 0..MAX_CHAIN {
        if now.name() == "__be32" {
            return Ok(true);
        }
        if !now.kind().is_modifier() && now.kind() != Kind::Typedef {
            break;
        }
        now = now.btf().get(TypeId(now.size_field()))?;
    }
    Ok(false)
}

fn is_bytes(ty: &Type<'_>, len: u32) -> Result<bool, BtfError> {
    let Some(array) = ty.array().filter(|array| array.len == len) else {
        return Ok(false);
    };
    let element = ty.btf().get(array.element)?.resolved()?;
    Ok(element.kind() == Kind::Int && element.size_field() == 1 && !is_char(&element))
}
