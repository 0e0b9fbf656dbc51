//! What one attachment holds.

use super::specs::HeldSpecs;
use crate::Result;
use crate::attach::attachment::Attachment;
use crate::attach::link::Link;

/// User-space probes, and what their program finds arguments by.
#[derive(Debug)]
pub(super) struct Probes {
    pub(super) links: Vec<Link>,
    pub(super) specs: HeldSpecs,
}

impl Attachment for Probes {
    fn undo(&mut self) -> Result<()> {
        // First the probes: they may be hit until they are gone, and then need their specs.
        let detached: Vec<_> = self.links.drain(..).map(Link::detach).collect();
        self.specs.give_back();
        detached.into_iter().collect()
    }

    fn why_no_link(&self) -> &'static str {
        "a USDT probe needs this process, which keeps where the arguments are"
    }
}
