//! Which XDP programs an interface runs, and what its driver supports.

use super::interface::Interface;
use super::rtnetlink::{self, LinkFacts, Route};

use crate::sys::netlink::{Attributes, Family, Refusal, Request};
use crate::{Errno, Result};

/// Where an XDP program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum XdpMode {
    /// In the network stack, for any interface, on packets that already have a socket buffer. (`XDP_FLAGS_SKB_MODE`)
    Generic,
    /// In the driver, before a socket buffer is allocated. (`XDP_FLAGS_DRV_MODE`)
    Native,
    /// On the network card. (`XDP_FLAGS_HW_MODE`)
    Offload,
}

impl XdpMode {
    pub(super) fn flag(self) -> u32 {
        match self {
            Self::Generic => 1 << 1,
            Self::Native => 1 << 2,
            Self::Offload => 1 << 3,
        }
    }
}

/// `IFLA_XDP`
const XDP: u16 = 43;
/// `IFLA_XDP_ATTACHED`, `IFLA_XDP_PROG_ID`
const ATTACHED: u16 = 2;
const PROGRAM: u16 = 4;
/// `IFLA_XDP_SKB_PROG_ID`, `IFLA_XDP_DRV_PROG_ID`, `IFLA_XDP_HW_PROG_ID`
const BY_MODE: [(u16, XdpMode); 3] = [
    (6, XdpMode::Generic),
    (5, XdpMode::Native),
    (7, XdpMode::Offload),
];

/// The XDP programs of an interface. Returned by [`Xdp::status`](super::Xdp::status).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
#[doc(alias = "bpf_xdp_query_opts")]
pub struct XdpStatus {
    /// The programs by mode: none, one, or one in each of several modes.
    pub programs: Vec<(XdpMode, u32)>,
    /// What the driver supports (`NETDEV_XDP_ACT_*`). `None` if the kernel does not report it, which it does since Linux 6.3.
    pub features: Option<u64>,
    /// The most fragments that an AF_XDP packet can have without being copied. `None` if the kernel does not report it.
    pub zero_copy_max_segments: Option<u32>,
}

impl XdpStatus {
    /// The programs, according to the interface's attributes.
    pub(super) fn read(facts: &LinkFacts) -> Self {
        let programs = facts
            .attributes()
            .value(XDP)
            .map(programs)
            .unwrap_or_default();
        Self {
            programs,
            ..Self::default()
        }
    }
}

fn programs(xdp: &[u8]) -> Vec<(XdpMode, u32)> {
    let xdp = Attributes::nested(xdp);
    let each = BY_MODE
        .iter()
        .filter_map(|(kind, mode)| Some((*mode, xdp.number(*kind)?)));
    let programs: Vec<_> = each.filter(|(_, id)| *id != 0).collect();
    if !programs.is_empty() {
        return programs;
    }
    // Kernels before 4.19 report one program and its mode.
    let mode = match xdp.value(ATTACHED) {
        Some([1, ..]) => XdpMode::Native,
        Some([2, ..]) => XdpMode::Generic,
        Some([3, ..]) => XdpMode::Offload,
        _ => return Vec::new(),
    };
    xdp.number(PROGRAM)
        .map(|id| (mode, id))
        .into_iter()
        .collect()
}

/// Queries the kernel.
pub(super) fn of(route: &Route, interface: &Interface) -> Result<XdpStatus> {
    let index = interface.index()?;
    let facts = LinkFacts::of(route, index).map_err(|refusal| match refusal.errno {
        Errno::ENODEV => interface.absent(),
        _ => rtnetlink::explained(&refusal, format!("cannot ask about {interface}")),
    })?;
    let mut status = XdpStatus::read(&facts);
    match features(index) {
        Ok((features, segments)) => {
            status.features = features;
            status.zero_copy_max_segments = segments;
        }
        // The kernel lacks this netlink family, or does not know the interface there.
        Err(refusal)
            if matches!(
                refusal.errno,
                Errno::ENOENT | Errno::EOPNOTSUPP | Errno::ENODEV
            ) => {}
        Err(refusal) => {
            return Err(rtnetlink::explained(
                &refusal,
                "cannot ask what the driver supports",
            ));
        }
    }
    Ok(status)
}

/// Queries the generic netlink family `netdev`.
fn features(index: u32) -> Result<(Option<u64>, Option<u32>), Refusal> {
    /// `GENL_ID_CTRL`, `CTRL_CMD_GETFAMILY`, `CTRL_ATTR_FAMILY_ID`, `CTRL_ATTR_FAMILY_NAME`
    const CONTROL: u16 = 0x10;
    const GET_FAMILY: u8 = 3;
    const FAMILY_ID: u16 = 1;
    const FAMILY_NAME: u16 = 2;
    /// `NETDEV_CMD_DEV_GET`, `NETDEV_A_DEV_IFINDEX`, `NETDEV_A_DEV_XDP_FEATURES`, `NETDEV_A_DEV_XDP_ZC_MAX_SEGS`
    const GET_DEVICE: u8 = 1;
    const INTERFACE: u16 = 1;
    const XDP_FEATURES: u16 = 3;
    const SEGMENTS: u16 = 4;

    let route = Route::open_family(Family::Generic)
        .map_err(|error| Refusal::from(error.errno().unwrap_or(Errno::EIO)))?;
    let family =
        route.ask(&Request::new(CONTROL, 0, &generic(GET_FAMILY)).text(FAMILY_NAME, "netdev"))?;
    let id = family
        .iter()
        .find_map(|one| Attributes::after(GENERIC, one).value(FAMILY_ID));
    let id = id
        .and_then(|value| value.first_chunk())
        .ok_or(Errno::ENOENT)?;
    let request =
        Request::new(u16::from_ne_bytes(*id), 0, &generic(GET_DEVICE)).number(INTERFACE, index);
    let answer = route.ask(&request)?;
    let device = answer.first().ok_or(Errno::ENODEV)?;
    let device = Attributes::after(GENERIC, device);
    let features = device
        .value(XDP_FEATURES)
        .and_then(|value| value.first_chunk());
    Ok((
        features.map(|bytes| u64::from_ne_bytes(*bytes)),
        device.number(SEGMENTS),
    ))
}

const GENERIC: usize = 4;

/// `struct genlmsghdr`
fn generic(command: u8) -> [u8; GENERIC] {
    [command, 1, 0, 0]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn xdp(attributes: &[(u16, u32)]) -> Vec<u8> {
        let words = attributes.iter().flat_map(|(kind, value)| {
            let head = [8u16.to_ne_bytes(), kind.to_ne_bytes()].concat();
            [head, value.to_ne_bytes().to_vec()].concat()
        });
        words.collect()
    }

    #[test]
    fn programs_are_read_by_mode() {
        let one = xdp(&[(2, 1), (4, 7), (5, 7)]);
        assert_eq!(programs(&one), [(XdpMode::Native, 7)]);
        let two = xdp(&[(2, 4), (5, 7), (6, 8)]);
        assert_eq!(
            programs(&two),
            [(XdpMode::Generic, 8), (XdpMode::Native, 7)]
        );
        assert_eq!(programs(&xdp(&[(2, 2), (4, 9)])), [(XdpMode::Generic, 9)]);
        assert_eq!(programs(&xdp(&[(2, 0)])), []);
        assert_eq!(programs(&[]), []);
    }
}
